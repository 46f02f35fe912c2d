"""Values of a grid function at any points, to the accuracy of the grid."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import make_interp_spline

from skcolora._snapshots import Array, Grid
from skcolora.pdes._mesh import Mesh

# Degree of the splines along axes that are not periodic.
_DEGREE = 5


class MeshInterpolant:
    """The linear map from values on a mesh to values at points.

    The trigonometric interpolant along periodic axes, which is spectrally accurate, and
    quintic splines along the others.

    Parameters
    ----------
    mesh : Mesh
    grid : Grid
        Points inside the domain where it is not periodic.
    """

    def __init__(self, mesh: Mesh, grid: Grid) -> None:
        self._tensor = grid.axes is not None
        self._n_dims = len(mesh.axes)
        coordinates = grid.axes if grid.axes is not None else tuple(grid.points.T)
        parts = zip(coordinates, mesh.axes, mesh.period, strict=True)
        self._matrices = [_axis_matrix(at, axis, length) for at, axis, length in parts]

    def __call__(self, values: Array) -> Array:
        """Values (n_fields, *grid.shape) from values (n_fields, *mesh.shape)."""
        if self._tensor:
            for d, matrix in enumerate(self._matrices):
                values = np.moveaxis(np.tensordot(matrix, values, axes=(1, d + 1)), 0, d + 1)
            return values
        # Scattered points: one matrix product, then sums of products point by point.
        values = np.moveaxis(np.tensordot(self._matrices[0], values, axes=(1, 1)), 1, 0)
        for matrix in self._matrices[1:]:
            values = np.einsum("pi,fpi...->fp...", matrix, values)
        return values


def _axis_matrix(at: Array, axis: Array, length: float | None) -> Array:
    """Weights (n_at, n_axis) of the axis' values in the values at other coordinates."""
    if length is None:
        degree = min(_DEGREE, len(axis) - 1)
        return np.asarray(make_interp_spline(axis, np.eye(len(axis)), k=degree)(at))
    n = len(axis)
    # Reduced first, so that points a period apart get the same value to the last digit.
    shifted = (at - axis[0]) / length
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
