"""Hyper-reduction: evaluation of the right-hand side at a few points of the grid."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import svd

from skcolora._galerkin._qdeim import qdeim_points
from skcolora._snapshots import Array
from skcolora.pdes import GridField, Mesh


def sample_modes(mesh: Mesh, modes: Array, rates: Array, n_samples: int) -> SampledModes:
    """Choose sample points for the leading POD modes of f by Q-DEIM.

    Parameters
    ----------
    mesh : Mesh
    modes : ndarray of shape (n_modes, n_fields, *mesh.shape)
        Orthonormal POD modes v of the solution.
    rates : ndarray of shape (n_rates, n_fields * n_points)
        Values of the right-hand side f at training states.
    n_samples : int
        Number of sample points.

    Returns
    -------
    modes : SampledModes
    """
    basis = svd(rates, full_matrices=False)[2][:n_samples]
    by_point = basis.reshape(len(basis), modes.shape[1], -1)
    indices = qdeim_points(by_point.reshape(-1, by_point.shape[2]), n_samples)
    sampled = by_point[:, :, indices].reshape(len(basis), -1)
    # ⟨v, f⟩ for the least-squares fit of the modes of f to the values at the points.
    fit = np.linalg.lstsq(sampled.T, np.eye(sampled.shape[1]), rcond=1e-10)[0]
    weights = modes.reshape(len(modes), -1) @ basis.T @ fit
    return SampledModes(mesh, [GridField(mesh, mode) for mode in modes], indices, weights)


class SampledModes:
    """POD modes and their derivatives at the sample points, computed on first access.

    Parameters
    ----------
    mesh : Mesh
    fields : list of GridField
        POD modes of the solution.
    indices : ndarray of shape (n_samples,)
        Indices of the points in the flattened mesh.
    weights : ndarray of shape (n_modes, n_fields * n_samples)
        Matrix that maps the values of f at the points to ``⟨vᵢ, f⟩``.
    """

    def __init__(self, mesh: Mesh, fields: list[GridField], indices: Any, weights: Array) -> None:
        self._fields, self.indices, self.weights = fields, indices, weights
        self.points = mesh.points.reshape(len(mesh.shape), -1)[:, indices]

    def _stack(self, arrays: list[Array]) -> Array:
        n = len(self._fields[0].mesh.shape)
        return np.stack([a.reshape(*a.shape[:-n], -1)[..., self.indices] for a in arrays], axis=-1)

    @cached_property
    def value(self) -> Array:
        """Values of the modes, (n_fields, n_samples, n_modes)."""
        return self._stack([field.value for field in self._fields])

    @cached_property
    def grad(self) -> Array:
        """First derivatives of the modes, (n_dims, n_fields, n_samples, n_modes)."""
        return self._stack([field.grad for field in self._fields])

    @cached_property
    def laplacian(self) -> Array:
        """Laplacians of the modes, (n_fields, n_samples, n_modes)."""
        return self._stack([field.laplacian for field in self._fields])


class SampledField:
    """The field with given POD coefficients (n_modes,) at the sample points."""

    xp = np

    def __init__(self, modes: SampledModes, coefficients: Array) -> None:
        self._modes, self._coefficients = modes, coefficients
        self.points = modes.points

    @cached_property
    def value(self) -> Array:
        return np.asarray(self._modes.value @ self._coefficients)

    @cached_property
    def grad(self) -> Array:
        return np.asarray(self._modes.grad @ self._coefficients)

    @cached_property
    def laplacian(self) -> Array:
        return np.asarray(self._modes.laplacian @ self._coefficients)
