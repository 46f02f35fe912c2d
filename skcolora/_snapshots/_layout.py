"""Layout of snapshots: the mapping of a user's array to trajectories, times, points, fields.

Inside the package snapshots are always *rows*, arrays of shape (n_trajectories, n_times,
n_points, n_fields).  A `SnapshotLayout` stores the form of the user's array, so that
predictions have the same form.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skcolora._snapshots._grid import Grid, check_points
from skcolora._snapshots._real import Array, check_real
from skcolora._snapshots._times import Times, check_number, check_times, read_times
from skcolora.utils._stack import caller_stacklevel

# Largest plausible number of fields; a longer last axis is probably a grid axis.
_MAX_FIELDS = 10


@dataclass(frozen=True, eq=False)
class SnapshotLayout:
    """Times, points and number of fields of snapshots, and the form of the user's array."""

    times: Array
    """Times as numbers: seconds after the first date of ``fit`` where the user's are dates"""
    grid: Grid
    n_fields: int
    steady: bool
    """Whether the snapshots were given without times."""
    flattened: bool
    """Whether the array is 1-D or 2-D, with one row of numbers for each trajectory."""
    single: bool
    """Whether the array is 1-D, with one number for each trajectory."""
    field_axis: bool
    """Whether the last axis of the array is that of the fields."""
    calendar: Times | None = None
    """The times as the user gave them, where these are dates or durations"""

    @property
    def user_times(self) -> NDArray[Any]:
        """The times in the user's kind: numbers, datetime64 (in UTC) or timedelta64."""
        if self.calendar is None:
            return self.times
        if self.calendar.numbers is self.times:
            return self.calendar.in_user_kind
        return self.calendar.at_numbers(self.times).in_user_kind

    def time_text(self, i: int) -> str:
        """One of the times in the user's kind, for messages."""
        time = self.user_times[i]
        return f"{time:g}" if self.calendar is None else str(time)

    @property
    def n_times(self) -> int:
        return len(self.times)

    def at(self, times: ArrayLike | None, points: Any) -> SnapshotLayout:
        """The same form at other times and points of a user; None keeps the current ones.

        Raises ValueError for times of steady fields, for numbers where the model was fitted on
        dates or the other way round, and for invalid times or points.
        """
        layout = self
        if times is not None:
            if self.steady:
                raise ValueError("`times` must be None: the model was fitted on steady fields.")
            kind = Times(self.times) if self.calendar is None else self.calendar
            layout = layout._with_times(kind.read(times))
        if points is not None:
            layout = replace(layout, grid=check_points(points, self.grid.n_dims))
        return layout

    def at_numbers(self, times: Array, points: Any = None) -> SnapshotLayout:
        """As `at`, for times that the package has computed as numbers, such as `times`."""
        layout = replace(self, times=check_times(times))
        return layout if points is None else layout.at(None, points)

    def _with_times(self, times: Times) -> SnapshotLayout:
        calendar = None if times.given is None else times
        return replace(self, times=times.numbers, calendar=calendar)

    def to_rows(self, y: Array) -> Array:
        """Reshape a user's array to (n_trajectories, n_times, n_points, n_fields)."""
        return y.reshape(len(y), self.n_times, self.grid.n_points, self.n_fields)

    def from_rows(self, rows: Array) -> Array:
        """Reshape rows to the form of the user's array, the inverse of `to_rows`."""
        n = len(rows)
        if self.flattened:
            flat = rows.reshape(n, -1)
            return flat[:, 0] if self.single and flat.shape[1] == 1 else flat
        times = () if self.steady else (self.n_times,)
        fields = (self.n_fields,) if self.field_axis else ()
        return rows.reshape(n, *times, *self.grid.shape, *fields)

    def check_rows(self, y: Any) -> Array:
        """Reshape snapshots at these points and at any number of times to rows.

        Raises ValueError if the shape does not fit, or a value is not finite.
        """
        array = np.asarray(check_real(y, "y"))
        n_points, per_time = self.grid.n_points, self.grid.n_points * self.n_fields
        if self.flattened:
            fits = array.ndim in (1, 2) and not array[:1].size % per_time
            wanted = f"a multiple of {n_points} points × {self.n_fields} field(s)"
        else:
            inner = (*self.grid.shape, self.n_fields) if self.field_axis else self.grid.shape
            first = 1 if self.steady else 2
            fits = array.ndim == first + len(inner) and array.shape[first:] == inner
            wanted = ("" if self.steady else "n_times, ") + ", ".join(map(str, inner))
        if not fits or not array.size:
            raise ValueError(f"y has shape {array.shape}; expected (n_trajectories, {wanted}).")
        if not np.isfinite(array).all():
            raise ValueError("y must be finite; got NaN or infinity.")
        return array.reshape(len(array), -1, n_points, self.n_fields)


def infer_layout(shape: tuple[int, ...], times: ArrayLike | None, points: Any) -> SnapshotLayout:
    """Infer the layout of snapshots from the shape of y.

    Parameters
    ----------
    shape : tuple of int
        Shape of y, trajectories first.
    times : array-like of shape (n_times,) or None
    points : array-like of shape (n_points, n_dims), tuple of axes, or None

    Raises
    ------
    ValueError
        If the shape does not fit to the times and points.
    """
    read = None if times is None else read_times(times)
    grid = None if points is None else check_points(points)
    if len(shape) <= 2:
        return _flattened_layout(shape, read, grid)
    n_axes = 1 if grid is None else len(grid.shape)
    if read is None and grid is not None and _is_steady(shape, grid):
        return SnapshotLayout(
            times=np.zeros(1),
            grid=grid,
            n_fields=shape[-1] if len(shape) == 2 + n_axes else 1,
            steady=True,
            flattened=False,
            single=False,
            field_axis=len(shape) == 2 + n_axes,
        )
    field_axis = len(shape) == 3 + n_axes
    if len(shape) not in (2 + n_axes, 3 + n_axes):
        axes = "n_points" if n_axes == 1 else ", ".join(f"n_{d}" for d in range(n_axes))
        hint = ""
        if n_axes > 1:
            hint = "  For scattered points give `points` as an array (n_points, n_dims)."
        elif len(shape) > 4:
            hint = "  For a tensor grid give `points` as a tuple of 1-D axes."
        raise ValueError(
            f"y has shape {shape}; expected (n_trajectories, n_times, {axes}[, n_fields]).{hint}"
        )
    n_times, space_shape = shape[1], shape[2 : 2 + n_axes]
    if read is None:
        read = Times(np.linspace(0.0, 1.0, n_times))
    check_number(len(read.numbers), n_times)
    n_fields = shape[-1] if field_axis else 1
    if grid is None:
        grid = check_points(np.linspace(0.0, 1.0, space_shape[0]))
        if field_axis and n_fields > _MAX_FIELDS:
            warnings.warn(
                f"With points=None, y of shape {shape} is read as {space_shape[0]} points of "
                f"{n_fields} fields each.  If the last axis is a grid axis, give `points` as a "
                "tuple of two 1-D axes.",
                UserWarning,
                stacklevel=caller_stacklevel(),
            )
    if space_shape != grid.shape:
        raise ValueError(
            f"y has shape {shape}, with axes {space_shape} in space, but `points` have shape "
            f"{grid.shape}."
        )
    layout = SnapshotLayout(
        times=read.numbers,
        grid=grid,
        n_fields=n_fields,
        steady=False,
        flattened=False,
        single=False,
        field_axis=field_axis,
    )
    return layout._with_times(read)


def _is_steady(shape: tuple[int, ...], grid: Grid) -> bool:
    """Whether y of more than two axes, without times, is steady: (n, *grid[, n_fields]).

    Raises ValueError if y could have times as well.
    """
    n = len(grid.shape)
    steady = shape[1 : 1 + n] == grid.shape and len(shape) in (1 + n, 2 + n)
    with_times = shape[2 : 2 + n] == grid.shape and len(shape) in (2 + n, 3 + n)
    if steady and with_times and shape[-1] <= _MAX_FIELDS:
        raise ValueError(
            f"y has shape {shape}; with times=None it may be steady, with {shape[-1]} fields, or "
            f"have {shape[1]} times.  Give `times`, or steady fields as "
            f"y.reshape({shape[0]}, -1)."
        )
    return steady and not with_times


def _flattened_layout(
    shape: tuple[int, ...], times: Times | None, grid: Grid | None
) -> SnapshotLayout:
    width = shape[1] if len(shape) == 2 else 1
    n_times = 1 if times is None else len(times.numbers)
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
    if n_fields > _MAX_FIELDS:
        full = ", ".join(map(str, (n_times, *grid.shape, n_fields)))
        warnings.warn(
            f"y of shape {shape} is read as {n_times} time(s), {n_points} point(s) and {n_fields} "
            "fields for each trajectory.  If y holds fewer fields, give all `times` and all "
            "`points` of y; a tensor grid is a tuple of 1-D axes.  To say that there are so many "
            f"fields, give y the shape (n_trajectories, {full}).",
            UserWarning,
            stacklevel=caller_stacklevel(),
        )
    layout = SnapshotLayout(
        times=np.zeros(1) if times is None else times.numbers,
        grid=grid,
        n_fields=n_fields,
        steady=times is None,
        flattened=True,
        single=len(shape) == 1,
        field_axis=False,
    )
    return layout if times is None else layout._with_times(times)


def parameter_time_rows(X: Array, layout: SnapshotLayout) -> Array:
    """Rows (μ, t), one for each snapshot, ordered by trajectory and then by time; μ if steady."""
    if layout.steady:
        return X
    times = layout.times
    return np.hstack([np.repeat(X, len(times), axis=0), np.tile(times, len(X))[:, None]])
