"""Interpolation of snapshots in space and time, for models that predict only on a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import NdBSpline, make_interp_spline

from skcolora._snapshots._grid import Array, Grid
from skcolora._snapshots._scattered import interpolate_scattered
from skcolora._snapshots._units import is_constant, merge_close

# Degree of the splines.
_DEGREE = 3
# Number of points by which a periodic axis is extended at each end.  The influence of the ends
# decreases by a factor of 3.7 with each point, to rounding.
_OVERLAP = 26
# Points this close to the end of a period, relative to the period, are at its beginning.
_SEAM = 1e-9


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
    # Differences from a value are exact for constants, and have fewer digits to lose.
    base = values[0].astype(np.float64)
    spline = make_interp_spline(times, values - base, k=min(_DEGREE, len(times) - 1))
    return np.asarray(base + spline(new_times), dtype=values.dtype)


def interpolate_in_space(
    grid: Grid, values: Array, new_points: Array, period: tuple[float | None, ...]
) -> Array:
    """Interpolate values (n_points, ...) to new points (n_new_points, n_dims).

    The interpolants are cubic splines on a tensor grid, and thin-plate splines through the nearest
    neighbours on scattered points.  Points that agree to rounding are one point with the mean of
    their values, also those that are a period apart.  A dimension in which all points have the
    same coordinate takes no part.

    Raises
    ------
    ValueError
        If a new point is outside the range of the points in a dimension without a period, or far
        from all scattered points.
    """
    low, width, periodic = _box(grid.points, period)
    _check_range(grid.points, new_points, periodic)
    new = _in_box(new_points, low, width, periodic)
    flat: Array = values.reshape(len(values), -1).astype(np.float64)
    # Differences from a value are exact for constants, and have fewer digits to lose.
    base = flat[0].copy()
    flat -= base
    axes = (grid.points[:, 0],) if grid.n_dims == 1 else grid.axes
    if axes is None:
        inside = merge_close(_in_box(grid.points, low, width, periodic))
        points, flat = merge_equal(inside, flat)
        varies = np.ptp(points, axis=0) > 0
        moved = interpolate_scattered(
            points[:, varies], flat, new[:, varies], periodic[varies], new_points
        )
    else:
        boxed = [
            _in_box(axis[:, None], low[[d]], width[[d]], periodic[[d]])
            for d, axis in enumerate(axes)
        ]
        moved = _interpolate_on_axes(boxed, flat, new, periodic)
    return np.asarray((moved + base).reshape(-1, *values.shape[1:]))


def merge_equal(points: Array, values: Array) -> tuple[Array, Array]:
    """Distinct rows of points (n, n_dims), sorted, with the means of their values (n, ...)."""
    distinct, owner, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    in_order = np.argsort(owner.reshape(-1), kind="stable")
    sums = np.add.reduceat(values[in_order], np.cumsum(counts) - counts, axis=0)
    return distinct, sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def _box(points: Array, period: tuple[float | None, ...]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Lower ends and widths of the box of points, and the periodic dimensions.

    The width is the period in a periodic dimension, and 0 if all coordinates are equal.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    periodic = np.array([length is not None for length in period])
    lengths = np.array([np.nan if length is None else length for length in period])
    width = np.where(periodic, lengths, high - low)
    return low, np.where(is_constant(low, high), 0.0, width), periodic


def _check_range(points: Array, new_points: Array, periodic: NDArray[np.bool_]) -> None:
    low, high = points.min(axis=0), points.max(axis=0)
    for d in np.flatnonzero(~periodic):
        least, most = new_points[:, d].min(), new_points[:, d].max()
        below = least < low[d] and not is_constant(least, low[d])
        above = most > high[d] and not is_constant(high[d], most)
        if below or above:
            raise ValueError(
                f"`points` must lie in [{low[d]:g}, {high[d]:g}] in dimension {d}, the range of "
                f"the snapshots; got [{least:g}, {most:g}]."
            )


def _in_box(points: Array, low: Array, width: Array, periodic: NDArray[np.bool_]) -> Array:
    """Coordinates in the box, in [0, 1], or in [0, 1) along a period."""
    unit = np.divide(points - low, width, out=np.zeros_like(points), where=width > 0)
    wrapped = unit - np.floor(unit)
    wrapped[1 - wrapped < _SEAM] = 0.0
    return np.where(periodic, wrapped, np.clip(unit, 0.0, 1.0))


def _interpolate_on_axes(
    axes: list[Array], values: Array, new: Array, periodic: NDArray[np.bool_]
) -> Array:
    """Interpolate values (n_points, n_values) on the tensor grid of axes, each (n, 1)."""
    coefficients = values.reshape(*map(len, axes), -1)
    knots, degrees = [], []
    for d, axis in enumerate(axes):
        nodes, in_front = merge_equal(merge_close(axis), np.moveaxis(coefficients, d, 0))
        x, in_front = _extend_axis(nodes[:, 0], in_front, bool(periodic[d]))
        spline = make_interp_spline(x, in_front, k=min(_DEGREE, len(x) - 1))
        coefficients = np.moveaxis(spline.c, 0, d)
        knots.append(spline.t)
        degrees.append(spline.k)
    return np.asarray(NdBSpline(tuple(knots), coefficients, tuple(degrees))(new))


def _extend_axis(axis: Array, values: Array, periodic: bool) -> tuple[Array, Array]:
    """Extend a sorted periodic axis and its values (n, ...), and repeat a single point."""
    if periodic:
        n = len(axis)
        indices = np.arange(-_OVERLAP, n + _OVERLAP)
        return axis[indices % n] + indices // n, values[indices % n]
    if len(axis) == 1:
        return np.array([axis[0], axis[0] + 1.0]), np.repeat(values, 2, axis=0)
    return axis, values
