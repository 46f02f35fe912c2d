"""Proper orthogonal decomposition: the mean, the scales and the modes of snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.linalg import svd

from skcolora._snapshots._grid import Array, Grid
from skcolora._snapshots._regrid import interpolate_in_space
from skcolora._snapshots._units import inverse_scale

# A field is constant in time and parameters if no value is further than this many roundings of
# the largest value from the mean.
_ROUNDINGS = 5


@dataclass(frozen=True, eq=False)
class POD:
    """The fields ``mean + scale · Σ aᵢ vᵢ`` with coefficients a and orthonormal modes v.

    All arrays are in float64.
    """

    mean: Array
    """(n_points, n_fields)"""
    scale: Array
    """Scale of each field, (n_fields,); 0 for a field that is equal in all snapshots"""
    modes: Array
    """(n_modes, n_points, n_fields)"""

    @property
    def slope(self) -> Array:
        """``1 / scale``, and 0 where the scale is 0, (n_fields,)."""
        return inverse_scale(self.scale)

    def encode(self, fields: Array) -> Array:
        """Coefficients (..., n_modes) of fields (..., n_points, n_fields)."""
        scaled = (fields.astype(np.float64) - self.mean) * self.slope
        return np.asarray(np.tensordot(scaled, self.modes, axes=((-2, -1), (1, 2))))

    def decode(self, coefficients: Array) -> Array:
        """Fields (..., n_points, n_fields) of coefficients (..., n_modes)."""
        sums = np.tensordot(coefficients.astype(np.float64), self.modes, axes=1)
        sums *= self.scale
        sums += self.mean
        return np.asarray(sums)

    def at(self, grid: Grid, points: Array, period: tuple[float | None, ...]) -> POD:
        """The POD with mean and modes interpolated from a grid to points (n_points, n_dims)."""
        values = np.concatenate([self.mean[None], self.modes])
        moved = interpolate_in_space(grid, np.moveaxis(values, 0, 1), points, period)
        return POD(moved[:, 0], self.scale, np.moveaxis(moved[:, 1:], 1, 0))


def decompose(
    snapshots: Array, n_components: int | float, *, center: bool, scale: bool
) -> tuple[POD, Array]:
    """The POD of snapshots, computed in float64.

    Parameters
    ----------
    snapshots : ndarray of shape (n, n_points, n_fields)
    n_components : int or float
        Number of modes, or the share in (0, 1) of the sum of squares that they keep.
    center : bool
        Whether the mean of the snapshots is subtracted.
    scale : bool
        Whether each field is divided by its root mean square, after the mean is subtracted.

    Returns
    -------
    pod : POD
        There is at least one mode.  Modes within the rounding of the snapshots are left out.
    singular_values : ndarray
        All singular values of the centred and scaled snapshots.
    """
    eps = float(np.finfo(snapshots.dtype).eps)
    difference = snapshots.astype(np.float64)
    size = np.abs(difference).max((0, 1))
    mean = np.zeros(difference.shape[1:])
    if center:
        # From the first snapshot on, so that equal snapshots have exactly their mean.
        first = difference[0].copy()
        difference -= first
        shift = difference.mean(0)
        difference -= shift
        mean = first + shift
    unit, sizes = _sizes(difference)
    constant = unit <= _ROUNDINGS * eps * size if center else unit == 0
    scales = np.where(constant, 0.0, unit * sizes if scale else 1.0)
    pod = POD(mean, scales, np.zeros((1, *mean.shape)))
    flat = (difference * pod.slope).reshape(len(snapshots), -1)
    _, singular, modes = svd(flat, full_matrices=False)
    rounding = eps * float((size * pod.slope).max()) * np.sqrt(max(flat.shape))
    n_modes = min(_number(singular, n_components), max(1, int((singular > rounding).sum())))
    modes = modes[:n_modes].reshape(n_modes, *mean.shape)
    return POD(mean, scales, modes.copy()), singular


def _sizes(values: Array) -> tuple[Array, Array]:
    """Largest absolute values of fields (n, n_points, n_fields), and the root mean squares in
    shares of them, which do not overflow."""
    unit = np.abs(values).max((0, 1))
    share = values / np.where(unit > 0, unit, 1.0)
    return unit, np.sqrt(np.square(share).mean((0, 1)))


def _number(singular_values: Array, n_components: int | float) -> int:
    """Number of modes, for a number or a share of the sum of squares."""
    if isinstance(n_components, Integral):
        return int(min(n_components, len(singular_values)))
    energy = np.cumsum(np.square(singular_values))
    return int(np.searchsorted(energy, n_components * energy[-1])) + 1
