"""Times and points of snapshots, and the period of the domain."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]


class Grid(NamedTuple):
    """Points in space."""

    points: Array
    """Coordinates, (n_points, n_dims)"""
    shape: tuple[int, ...]
    """Lengths of the axes of a tensor grid; (n_points,) for scattered points"""
    axes: tuple[Array, ...] | None = None
    """Axes of a tensor grid; None for scattered points"""

    @property
    def n_points(self) -> int:
        return len(self.points)

    @property
    def n_dims(self) -> int:
        return int(self.points.shape[1])


def _as_floats(values: ArrayLike, name: str) -> Array:
    try:
        # A copy, because later changes of the user's array must not change the model.
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be numeric; got {type(values).__name__}.") from error
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` must be finite; got NaN or infinity.")
    return array


def check_times(times: ArrayLike, n_times: int | None = None) -> Array:
    """Convert times to an array (n_times,).

    Raises ValueError unless the times are finite and increase strictly.
    """
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
    """Convert an array of points or a tuple of axes to a `Grid`.

    Raises ValueError if the shape is invalid, or an entry is not finite.
    """
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
    """Convert a period to one entry for each dimension, None where not periodic.

    Raises ValueError if a period is not positive and finite, or their number is wrong.
    """
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
