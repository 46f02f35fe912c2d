"""Interpolation of grid functions to other points."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import make_interp_spline

from skcolora._snapshots import Array, Grid
from skcolora.pdes._mesh import Mesh

# Degree of the splines along non-periodic axes.
_DEGREE = 5


class MeshInterpolant:
    """The linear map from values on a mesh to values at points.

    The interpolation is trigonometric along periodic axes, which is spectrally accurate, and by
    quintic splines along the others.

    Parameters
    ----------
    mesh : Mesh
        Mesh of the given values.
    grid : Grid
        Target points.  Along non-periodic axes they must lie in the domain.
    """

    def __init__(self, mesh: Mesh, grid: Grid) -> None:
        self._tensor = grid.axes is not None
        self._n_dims = len(mesh.axes)
        coordinates = grid.axes if grid.axes is not None else tuple(grid.points.T)
        parts = zip(coordinates, mesh.axes, mesh.period, strict=True)
        self._matrices = [_axis_matrix(x, axis, length) for x, axis, length in parts]

    def __call__(self, values: Array) -> Array:
        """Values (n_fields, *grid.shape) from values (n_fields, *mesh.shape)."""
        if self._tensor:
            for d, matrix in enumerate(self._matrices):
                values = np.moveaxis(np.tensordot(matrix, values, axes=(1, d + 1)), 0, d + 1)
            return values
        # Scattered points need one matrix product, and then sums of products for each point.
        values = np.moveaxis(np.tensordot(self._matrices[0], values, axes=(1, 1)), 1, 0)
        for matrix in self._matrices[1:]:
            values = np.einsum("pi,fpi...->fp...", matrix, values)
        return values


def _axis_matrix(x: Array, axis: Array, length: float | None) -> Array:
    """Interpolation matrix (n_x, n_axis) from an axis to coordinates x (n_x,)."""
    if length is None:
        degree = min(_DEGREE, len(axis) - 1)
        return np.asarray(make_interp_spline(axis, np.eye(len(axis)), k=degree)(x))
    n = len(axis)
    # The reduction to one period gives points that are a period apart exactly equal values.
    shifted = (x - axis[0]) / length
    shifted -= np.floor(shifted)
    angle = 2 * np.pi * (shifted[:, None] - np.arange(n) / n)
    half = np.arange(1, (n - 1) // 2 + 1)
    # Σ cos(k angle) over |k| < n/2, by products of cosines and sines of the two angles.
    there = 2 * np.pi * shifted[:, None] * half
    here = 2 * np.pi * np.arange(n)[:, None] * half / n
    weights = 1.0 + 2.0 * (np.cos(there) @ np.cos(here).T + np.sin(there) @ np.sin(here).T)
    if n % 2 == 0:
        weights += np.cos(0.5 * n * angle)
    return np.asarray(weights / n)
