"""The data contract: how arrays of snapshots map to trajectories, times, points and fields.

Inside the package snapshots are always *rows*, arrays of shape (n_trajectories, n_times,
n_points, n_fields).  A `SnapshotLayout` remembers what the user's array looked like, so
that predictions come back in the same form.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

Array = NDArray[np.floating[Any]]
# A field axis of more entries than this, with points=None, is probably a grid axis.
_MANY_FIELDS = 10


class Grid(NamedTuple):
    """Points in space."""

    points: Array
    """(n_points, n_dims)"""
    shape: tuple[int, ...]
    """(n_points,) where scattered, the lengths of the axes of a tensor grid."""
    axes: tuple[Array, ...] | None = None
    """The axes of a tensor grid."""

    @property
    def n_points(self) -> int:
        return len(self.points)

    @property
    def n_dims(self) -> int:
        return int(self.points.shape[1])


def _as_floats(values: ArrayLike, name: str) -> Array:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be numeric; got {type(values).__name__}.") from error
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` must be finite; got NaN or infinity.")
    return array


def check_times(times: ArrayLike, n_times: int | None = None) -> Array:
    """Strictly increasing times of shape (n_times,), or a ValueError."""
    array = _as_floats(times, "times")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"`times` must have shape (n_times,); got shape {array.shape}.")
    steps = np.diff(array)
    if (steps <= 0).any():
        i = int(np.argmax(steps <= 0))
        raise ValueError(
            "`times` must increase strictly; got "
            f"times[{i}] = {array[i]:g} followed by times[{i + 1}] = {array[i + 1]:g}."
        )
    if n_times is not None and len(array) != n_times:
        raise ValueError(
            f"`times` has {len(array)} entries, but the snapshots have {n_times} times."
        )
    return array


def check_points(points: Any, n_dims: int | None = None) -> Grid:
    """The grid of an array of points, or of a tuple of axes, or a ValueError."""
    if isinstance(points, tuple):
        axes = [_as_floats(axis, f"points[{d}]") for d, axis in enumerate(points)]
        shapes = [axis.shape for axis in axes]
        if not axes or any(axis.ndim != 1 or not axis.size for axis in axes):
            raise ValueError(
                "`points` given as a tuple must hold one 1-D axis for each dimension; got "
                f"entries of shape {shapes}.  Scattered points are an array (n_points, n_dims)."
            )
        mesh = np.meshgrid(*axes, indexing="ij")
        points = np.stack([m.ravel() for m in mesh], axis=-1)
        grid = Grid(points, mesh[0].shape, tuple(axes))
    else:
        array = _as_floats(points, "points")
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size:
            raise ValueError(
                "`points` must be an array (n_points, n_dims) or a tuple of 1-D axes; got an "
                f"array of shape {array.shape}."
            )
        grid = Grid(array, (len(array),))
    if n_dims is not None and grid.n_dims != n_dims:
        raise ValueError(
            f"`points` have {grid.n_dims} dimension(s), but the estimator was fitted in {n_dims}."
        )
    return grid


def check_period(period: Any, n_dims: int) -> tuple[float | None, ...]:
    """One period, or None, for each dimension, or a ValueError."""
    entries = list(period) if np.iterable(period) else [period] * n_dims
    if len(entries) != n_dims:
        raise ValueError(
            f"`period` has {len(entries)} entries, but the points have {n_dims} dimension(s)."
        )
    for entry in entries:
        if entry is not None and not (np.isreal(entry) and 0 < entry < math.inf):
            raise ValueError(
                f"`period` must be positive, or None where not periodic; got {entry!r}."
            )
    return tuple(None if entry is None else float(entry) for entry in entries)


@dataclass(frozen=True, eq=False)
class SnapshotLayout:
    """Times, points and fields of snapshots, and the form of the array that held them."""

    times: Array
    grid: Grid
    n_fields: int
    steady: bool
    flattened: bool
    """1-D or 2-D, one row of numbers for each trajectory."""
    single: bool
    """1-D: one number for each trajectory."""
    field_axis: bool

    @property
    def n_times(self) -> int:
        return len(self.times)

    def at(self, times: ArrayLike | None, points: Any) -> SnapshotLayout:
        """The same form at other times and points, None for the same ones."""
        layout = self
        if times is not None:
            if self.steady:
                raise ValueError(
                    "`times` cannot be asked for: the model was fitted on steady fields."
                )
            layout = replace(layout, times=check_times(times))
        if points is not None:
            layout = replace(layout, grid=check_points(points, self.grid.n_dims))
        return layout

    def to_rows(self, y: Array) -> Array:
        """Snapshots as (n_trajectories, n_times, n_points, n_fields)."""
        return y.reshape(len(y), self.n_times, self.grid.n_points, self.n_fields)

    def from_rows(self, rows: Array) -> Array:
        """The inverse of `to_rows`."""
        n = len(rows)
        if self.flattened:
            flat = rows.reshape(n, -1)
            return flat[:, 0] if self.single and flat.shape[1] == 1 else flat
        fields = (self.n_fields,) if self.field_axis else ()
        return rows.reshape(n, self.n_times, *self.grid.shape, *fields)

    def check_rows(self, y: Any) -> Array:
        """Rows of snapshots at these points, for any number of times, or a ValueError."""
        array = np.asarray(y)
        n_points, per_time = self.grid.n_points, self.grid.n_points * self.n_fields
        if self.flattened:
            fits = array.ndim in (1, 2) and not array[:1].size % per_time
            wanted = f"a multiple of {n_points} points × {self.n_fields} field(s)"
        else:
            inner = (*self.grid.shape, self.n_fields) if self.field_axis else self.grid.shape
            fits = array.ndim == 2 + len(inner) and array.shape[2:] == inner
            wanted = "n_times, " + ", ".join(map(str, inner))
        if not fits or not array.size:
            raise ValueError(f"y has shape {array.shape}; expected (n_trajectories, {wanted}).")
        if not np.isfinite(array).all():
            raise ValueError("y must be finite; got NaN or infinity.")
        return array.reshape(len(array), -1, n_points, self.n_fields)


def infer_layout(shape: tuple[int, ...], times: ArrayLike | None, points: Any) -> SnapshotLayout:
    """Read the layout of snapshots of the given shape, or raise a ValueError.

    Parameters
    ----------
    shape : tuple of int
        Shape of y, trajectories first.
    times : array-like of shape (n_times,) or None
    points : array-like of shape (n_points, n_dims), tuple of axes, or None
    """
    checked_times = None if times is None else check_times(times)
    grid = None if points is None else check_points(points)
    if len(shape) <= 2:
        return _flattened_layout(shape, checked_times, grid)
    n_axes = 1 if grid is None else len(grid.shape)
    field_axis = len(shape) == 3 + n_axes
    if len(shape) not in (2 + n_axes, 3 + n_axes):
        axes = "n_points" if n_axes == 1 else ", ".join(f"n_{d}" for d in range(n_axes))
        hint = ""
        if n_axes > 1:
            hint = (
                "  For scattered points give `points` as an array (n_points, n_dims), "
                "and steady fields flattened to 2-D."
            )
        elif len(shape) > 4:
            hint = "  For a tensor grid give `points` as a tuple of 1-D axes."
        raise ValueError(
            f"y has shape {shape}; expected (n_trajectories, n_times, {axes}[, n_fields]).{hint}"
        )
    n_times, in_space = shape[1], shape[2 : 2 + n_axes]
    if checked_times is None:
        checked_times = np.linspace(0.0, 1.0, n_times)
    check_times(checked_times, n_times)
    n_fields = shape[-1] if field_axis else 1
    if grid is None:
        grid = check_points(np.linspace(0.0, 1.0, in_space[0]))
        if field_axis and n_fields > _MANY_FIELDS:
            warnings.warn(
                f"With points=None, y of shape {shape} is read as {in_space[0]} points of "
                f"{n_fields} fields each.  If the last axis is a grid axis, give `points` as a "
                "tuple of two 1-D axes.",
                UserWarning,
                stacklevel=4,
            )
    if in_space != grid.shape:
        raise ValueError(
            f"y has shape {shape}, that is {in_space} in space, but `points` are {grid.shape}."
        )
    return SnapshotLayout(
        times=checked_times,
        grid=grid,
        n_fields=n_fields,
        steady=False,
        flattened=False,
        single=False,
        field_axis=field_axis,
    )


def _flattened_layout(
    shape: tuple[int, ...], times: Array | None, grid: Grid | None
) -> SnapshotLayout:
    width = shape[1] if len(shape) == 2 else 1
    n_times = 1 if times is None else len(times)
    n_points = 1 if grid is None else grid.n_points
    if not width or width % (n_times * n_points):
        parts = [f"{n_times} times"] if times is not None else []
        parts += [f"{n_points} points"] if grid is not None else []
        raise ValueError(
            f"y has shape {shape}; its width {width} is not a multiple of {' × '.join(parts)}."
        )
    n_fields = width // (n_times * n_points)
    if grid is None:
        grid, n_fields = check_points(np.linspace(0.0, 1.0, n_fields)), 1
    return SnapshotLayout(
        times=np.zeros(1) if times is None else times,
        grid=grid,
        n_fields=n_fields,
        steady=times is None,
        flattened=True,
        single=len(shape) == 1,
        field_axis=False,
    )


def validate_snapshots(
    estimator: BaseEstimator, X: Any, y: Any, *, times: Any, points: Any, min_trajectories: int = 1
) -> tuple[Array, Array, SnapshotLayout]:
    """What every ``fit`` does first: parameters, rows of snapshots, and their layout."""
    X, y = validate_data(
        estimator,
        X,
        y,
        validate_separately=(
            {"dtype": np.float64, "ensure_min_samples": min_trajectories, "estimator": estimator},
            {
                "dtype": [np.float64, np.float32],
                "ensure_2d": False,
                "allow_nd": True,
                "ensure_min_samples": min_trajectories,
                "estimator": estimator,
            },
        ),
    )
    if len(X) != len(y):
        raise ValueError(
            f"X has {len(X)} rows and y has {len(y)} trajectories; expected one row of X for each."
        )
    layout = infer_layout(y.shape, times, points)
    return X, layout.to_rows(y), layout


def validate_parameters(estimator: BaseEstimator, X: Any) -> Array:
    """What every ``predict`` does first."""
    check_is_fitted(estimator)
    X = validate_data(estimator, X, dtype=np.float64, reset=False)
    return np.asarray(X, dtype=np.float64)


def parameter_time_rows(X: Array, times: Array) -> Array:
    """Rows (μ, t), one for each snapshot, trajectory by trajectory."""
    return np.hstack([np.repeat(X, len(times), axis=0), np.tile(times, len(X))[:, None]])
