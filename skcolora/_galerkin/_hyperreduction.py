"""Hyper-reduction: evaluation of the right-hand side at a few points of the grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import svd

from skcolora._galerkin._qdeim import qdeim_points
from skcolora._snapshots import Array, inverse_scale
from skcolora.pdes import GridField, Mesh


@dataclass(frozen=True, eq=False)
class SampledModes:
    """Mean and modes with their derivatives at the sample points, in the user's units.

    The last axis of the arrays holds the mean snapshot, and then the modes times the scales.
    """

    indices: NDArray[np.integer[Any]]
    """Indices of the points in the flattened mesh, (n_samples,)"""
    points: Array
    """Coordinates, (n_dims, n_samples)"""
    weights: Array
    """Matrix (n_modes, n_fields * n_samples) that maps f at the points to ``⟨vᵢ, f / s⟩``."""
    value: Array
    """(n_fields, n_samples, 1 + n_modes)"""
    grad: Array
    """First derivatives, (n_dims, n_fields, n_samples, 1 + n_modes)"""
    laplacian: Array
    """(n_fields, n_samples, 1 + n_modes)"""
    derivatives: dict[tuple[int, ...], Array]
    """Other derivatives by their orders along the axes, each (n_fields, n_samples, 1 + n_modes)"""


def sample_modes(
    mesh: Mesh,
    mean: Array,
    scale: Array,
    modes: Array,
    rates: Array,
    n_samples: int,
    orders: tuple[tuple[int, ...], ...],
) -> SampledModes:
    """Choose sample points for the leading POD modes of f by Q-DEIM.

    Parameters
    ----------
    mesh : Mesh
    mean : ndarray of shape (n_fields, *mesh.shape)
        Mean snapshot.
    scale : ndarray of shape (n_fields,)
        Scales of the fields.
    modes : ndarray of shape (n_modes, n_fields, *mesh.shape)
        Orthonormal POD modes v of the solution.
    rates : ndarray of shape (n_rates, n_fields * n_points)
        Values of the scaled right-hand side ``f / s`` at training states.
    n_samples : int
        Number of sample points.
    orders : tuple of tuple of int
        Orders of the derivatives that f needs, besides gradient and Laplacian.

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
    weights *= np.repeat(inverse_scale(scale), len(indices))
    in_units = modes * scale.reshape(-1, *[1] * len(mesh.shape))
    fields = [GridField(mesh, values) for values in (mean, *in_units)]

    def at_points(arrays: list[Array]) -> Array:
        flat = [a.reshape(*a.shape[: -len(mesh.shape)], -1)[..., indices] for a in arrays]
        return np.stack(flat, axis=-1)

    return SampledModes(
        indices=indices,
        points=mesh.points.reshape(len(mesh.shape), -1)[:, indices],
        weights=weights,
        value=at_points([field.value for field in fields]),
        grad=at_points([field.grad for field in fields]),
        laplacian=at_points([field.laplacian for field in fields]),
        derivatives={
            each: at_points([field.derivative(*each) for field in fields]) for each in orders
        },
    )


class SampledField:
    """The field with given POD coefficients (n_modes,) at the sample points."""

    xp = np

    def __init__(self, modes: SampledModes, coefficients: Array) -> None:
        self._modes, self._coefficients = modes, np.append(1.0, coefficients)
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

    def derivative(self, *orders: int) -> Array:
        return np.asarray(self._modes.derivatives[orders] @ self._coefficients)
