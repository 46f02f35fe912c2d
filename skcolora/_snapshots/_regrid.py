"""Interpolation of snapshots to other points and times, for the models tied to a grid."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import NdBSpline, RBFInterpolator, make_interp_spline

from skcolora._snapshots._grid import Array, Grid

_DEGREE = 3
_NEIGHBORS = 30
# Points that an axis is continued by on either side of a period.
_OVERLAP = 6


def in_time(times: Array, values: Array, new_times: Array) -> Array:
    """Cubic splines along the first axis of ``values``, (n_times, ...).

    Raises
    ------
    ValueError
        If new times lie outside the old ones.
    """
    if np.array_equal(times, new_times):
        return values
    if new_times[0] < times[0] or new_times[-1] > times[-1]:
        raise ValueError(
            f"`times` from {new_times[0]:g} to {new_times[-1]:g} leave those of the snapshots, "
            f"{times[0]:g} to {times[-1]:g}, between which this model interpolates."
        )
    spline = make_interp_spline(times, values, k=min(_DEGREE, len(times) - 1))
    return np.asarray(spline(new_times), dtype=values.dtype)


def in_space(
    grid: Grid, values: Array, new_points: Array, period: tuple[float | None, ...]
) -> Array:
    """Values (n_points, ...) at new points: cubic splines on a grid of axes, thin-plate
    splines through the nearest neighbours on scattered points.

    Raises
    ------
    ValueError
        If new points lie outside the box of the old ones, where it is not periodic.
    """
    axes = grid.axes
    if axes is None and grid.n_dims == 1:
        order = np.argsort(grid.points[:, 0], kind="stable")
        axes, values = (grid.points[order, 0],), values[order]
    low, high = grid.points.min(0), grid.points.max(0)
    new_points = new_points.copy()
    for d, length in enumerate(period):
        if length is not None:
            new_points[:, d] = low[d] + (new_points[:, d] - low[d]) % length
        elif (new_points[:, d] < low[d]).any() or (new_points[:, d] > high[d]).any():
            raise ValueError(
                f"`points` leave the range {low[d]:g} to {high[d]:g} of the snapshots in "
                f"dimension {d}, within which this model interpolates."
            )
    if axes is None:
        neighbors = min(_NEIGHBORS, grid.n_points)
        flat = RBFInterpolator(grid.points, values.reshape(len(values), -1), neighbors=neighbors)
        return np.asarray(flat(new_points).reshape(-1, *values.shape[1:]))
    coefficients = values.reshape(*map(len, axes), *values.shape[1:])
    knots, degrees = [], []
    for d, (axis, length) in enumerate(zip(axes, period, strict=True)):
        x, coefficients = _extended(axis, coefficients, d, length)
        spline = make_interp_spline(x, coefficients, k=min(_DEGREE, len(x) - 1), axis=d)
        coefficients = np.moveaxis(spline.c, 0, d)
        knots.append(spline.t)
        degrees.append(spline.k)
    return np.asarray(NdBSpline(tuple(knots), coefficients, tuple(degrees))(new_points))


def _extended(axis: Array, values: Array, d: int, length: float | None) -> tuple[Array, Array]:
    """An increasing axis of at least two points, continued periodically."""
    order = np.argsort(axis, kind="stable")
    axis, values = axis[order], np.take(values, order, axis=d)
    if length is not None:
        inside = axis - axis[0] < length * (1 - 1e-9)  # leaves out a repeated end
        axis, values = axis[inside], np.compress(inside, values, axis=d)
        n = len(axis)
        around = np.arange(-_OVERLAP, n + _OVERLAP)
        return axis[around % n] + length * (around // n), np.take(values, around % n, axis=d)
    if len(axis) == 1:
        return np.array([axis[0], axis[0] + 1.0]), np.repeat(values, 2, axis=d)
    return axis, values
