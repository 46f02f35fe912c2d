"""A quadratic manifold with greedily chosen modes, as an estimator of ``peers.py``.

P. Schwerdtner and B. Peherstorfer, "Greedy construction of quadratic manifolds for nonlinear
dimensionality reduction and nonlinear model reduction", arXiv:2403.06732.

The decoder is ``s = V z + W h(z)`` with the quadratic monomials h(z) of the reduced coordinates
``z = Vᵀ s``.  The greedy algorithm takes for V not the first left singular vectors, but those that
make the error of the decoder smallest, one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from peer_reduced import ReducedRegressor
from scipy.interpolate import RBFInterpolator

REGULARISATIONS = (1e-8, 1e-4, 1e-2)
"""Relative to the square of the largest singular value of the monomials; the best one counts."""


def monomials(z: np.ndarray) -> np.ndarray:
    """Products ``zᵢ zⱼ`` with i ≤ j, (n, n_monomials), of coordinates (n, n_coordinates)."""
    i, j = np.triu_indices(z.shape[1])
    return z[:, i] * z[:, j]


def fitted(values: np.ndarray, chosen: list[int], regularisation: float) -> tuple[Any, float]:
    """Weights of the monomials for all coefficients that are not chosen, and the squared error.

    Parameters
    ----------
    values : ndarray of shape (n_snapshots, n_modes)
        Coefficients of the snapshots in all left singular vectors.
    chosen : list of int
        The modes of the reduced coordinates.
    """
    features = monomials(values[:, chosen])
    target = np.delete(values, chosen, axis=1)
    gram = features.T @ features
    gram.flat[:: len(gram) + 1] += regularisation * np.linalg.norm(gram, 2)
    weights = np.linalg.solve(gram, features.T @ target)
    return weights, float(np.square(target - features @ weights).sum())


def greedy_modes(
    values: np.ndarray, n_coordinates: int, regularisation: float, n_candidates: int
) -> list[int]:
    """The modes of the reduced coordinates, each the best one of the next candidates."""
    chosen: list[int] = []
    for _ in range(n_coordinates):
        left = [mode for mode in range(values.shape[1]) if mode not in chosen][:n_candidates]
        errors = [fitted(values, [*chosen, mode], regularisation)[1] for mode in left]
        chosen.append(left[int(np.argmin(errors))])
    return chosen


class QuadraticManifoldRegressor(ReducedRegressor):
    """The reduced coordinates by thin-plate splines of parameters and time.

    Parameters
    ----------
    times : ndarray or None
        None: steady fields.
    n_fields : int
    n_coordinates : int
        Number of reduced coordinates.
    n_modes : int, default=150
        Number of left singular vectors that the quadratic part reaches.
    """

    N_CANDIDATES = 30

    def __init__(self, times: Any, n_fields: int, n_coordinates: int, n_modes: int = 150) -> None:
        super().__init__(times, n_fields, n_modes)
        self.n_coordinates = n_coordinates

    def _fit(self, X: np.ndarray, values: np.ndarray) -> None:
        rows = values.reshape(-1, values.shape[-1])
        best = np.inf
        for regularisation in REGULARISATIONS:
            n = min(self.n_coordinates, rows.shape[1] - 1)
            chosen = greedy_modes(rows, n, regularisation, self.N_CANDIDATES)
            weights, error = fitted(rows, chosen, regularisation)
            if error < best:
                best, self._chosen, self._weights = error, chosen, weights
        self._others = np.delete(np.arange(rows.shape[1]), self._chosen)
        self._coordinates = RBFInterpolator(self._inputs(X), rows[:, self._chosen])

    def _predict(self, X: np.ndarray, starts: np.ndarray | None) -> np.ndarray:
        rows = self._on_manifold(self._coordinates(self._inputs(X)))
        return rows.reshape(len(X), -1, rows.shape[1])

    def project(self, y: np.ndarray) -> np.ndarray:
        """Snapshots, (n_trajectories, n_times, ...), with the reduced coordinates ``Vᵀ s``."""
        n_times = 1 if self.times is None else len(self.times)
        rows = self._pod.reduce(y.reshape(len(y) * n_times, -1))
        rows = self._on_manifold(rows[:, self._chosen])
        return self._pod.fields(rows.reshape(len(y), n_times, -1))

    def _on_manifold(self, z: np.ndarray) -> np.ndarray:
        """Coefficients of all modes, (n, n_modes), for reduced coordinates (n, n_coordinates)."""
        rows = np.empty((len(z), len(self._chosen) + len(self._others)))
        rows[:, self._chosen] = z
        rows[:, self._others] = monomials(z) @ self._weights
        return rows
