"""Interpolation of snapshots in space and time, for models that predict only on a grid."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import NdBSpline, RBFInterpolator, make_interp_spline

from skcolora._snapshots._grid import Array, Grid

# Degree of the splines.
_DEGREE = 3
# Number of neighbours of the interpolation from scattered points.
_NEIGHBORS = 30
# Number of points by which a periodic axis is extended at each end.
_OVERLAP = 6


def interpolate_in_time(times: Array, values: Array, new_times: Array) -> Array:
    """Interpolate values (n_times, ...) to new times by cubic splines.

    Raises
    ------
    ValueError
        If a new time is outside the range of the times.
    """
    if np.array_equal(times, new_times):
        return values
    if new_times[0] < times[0] or new_times[-1] > times[-1]:
        raise ValueError(
            f"`times` must lie in [{times[0]:g}, {times[-1]:g}], the range of the snapshots; got "
            f"[{new_times[0]:g}, {new_times[-1]:g}]."
        )
    spline = make_interp_spline(times, values, k=min(_DEGREE, len(times) - 1))
    return np.asarray(spline(new_times), dtype=values.dtype)


def interpolate_in_space(
    grid: Grid, values: Array, new_points: Array, period: tuple[float | None, ...]
) -> Array:
    """Interpolate values (n_points, ...) to new points (n_new_points, n_dims).

    The interpolants are cubic splines on a tensor grid, and thin-plate splines through the nearest
    neighbours on scattered points.

    Raises
    ------
    ValueError
        If a new point is outside the range of the points in a dimension without a period.
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
                f"`points` must lie in [{low[d]:g}, {high[d]:g}] in dimension {d}, the range of "
                f"the snapshots; got [{new_points[:, d].min():g}, {new_points[:, d].max():g}]."
            )
    if axes is None:
        neighbors = min(_NEIGHBORS, grid.n_points)
        flat = RBFInterpolator(grid.points, values.reshape(len(values), -1), neighbors=neighbors)
        return np.asarray(flat(new_points).reshape(-1, *values.shape[1:]))
    coefficients = values.reshape(*map(len, axes), *values.shape[1:])
    knots, degrees = [], []
    for d, (axis, length) in enumerate(zip(axes, period, strict=True)):
        x, coefficients = _extend_axis(axis, coefficients, d, length)
        spline = make_interp_spline(x, coefficients, k=min(_DEGREE, len(x) - 1), axis=d)
        coefficients = np.moveaxis(spline.c, 0, d)
        knots.append(spline.t)
        degrees.append(spline.k)
    return np.asarray(NdBSpline(tuple(knots), coefficients, tuple(degrees))(new_points))


def _extend_axis(axis: Array, values: Array, d: int, length: float | None) -> tuple[Array, Array]:
    """Sort an axis and its values, extend a periodic axis, and repeat a single point."""
    order = np.argsort(axis, kind="stable")
    axis, values = axis[order], np.take(values, order, axis=d)
    if length is not None:
        # An end point that repeats the first point is left out.
        inside = axis - axis[0] < length * (1 - 1e-9)
        axis, values = axis[inside], np.compress(inside, values, axis=d)
        n = len(axis)
        indices = np.arange(-_OVERLAP, n + _OVERLAP)
        return axis[indices % n] + length * (indices // n), np.take(values, indices % n, axis=d)
    if len(axis) == 1:
        return np.array([axis[0], axis[0] + 1.0]), np.repeat(values, 2, axis=d)
    return axis, values
