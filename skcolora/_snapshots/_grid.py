"""Points of snapshots, and the period of the domain."""

from __future__ import annotations

import math
import warnings
from functools import cached_property
from typing import Any

import numpy as np

from skcolora._snapshots._real import Array as Array
from skcolora._snapshots._real import as_real_floats
from skcolora.utils._stack import caller_stacklevel

# Dimensions of space up to which a list may hold fewer points than dimensions.
_MOST_DIMS = 3
# Share of a period by which the points may exceed it through rounding.
_ROUNDING = 1e-6
_TUPLE = "give a tensor grid as a tuple of 1-D axes"
_SCATTERED = "scattered points are an array (n_points, n_dims)"


class Grid:
    """Points in space.  A tensor grid holds its axes alone; its points are computed on demand.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_dims) or None
        Coordinates of scattered points; not used for a tensor grid.
    shape : tuple of int
        Lengths of the axes of a tensor grid; (n_points,) for scattered points.
    axes : tuple of ndarray, default=None
        Axes of a tensor grid; None for scattered points.
    """

    def __init__(
        self, points: Array | None, shape: tuple[int, ...], axes: tuple[Array, ...] | None = None
    ) -> None:
        self.shape = shape
        self.axes = axes
        if axes is None:
            if points is None:
                raise TypeError("A grid without axes needs its points.")
            self.points = points

    @cached_property
    def points(self) -> Array:
        """Coordinates, (n_points, n_dims); of a tensor grid in the order "ij"."""
        assert self.axes is not None
        mesh = np.meshgrid(*self.axes, indexing="ij")
        return np.stack([m.ravel() for m in mesh], axis=-1)

    @property
    def n_points(self) -> int:
        return math.prod(self.shape)

    @property
    def n_dims(self) -> int:
        return len(self.points.T) if self.axes is None else len(self.axes)

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """Least and largest coordinate of each dimension."""
        columns = self.points.T if self.axes is None else self.axes
        return [(float(column.min()), float(column.max())) for column in columns]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if self.axes is not None:
            state.pop("points", None)
        return state

    def __repr__(self) -> str:
        kind = "scattered points" if self.axes is None else "tensor grid"
        return f"Grid({kind}, shape={self.shape}, n_dims={self.n_dims})"


def check_points(points: Any, n_dims: int | None = None) -> Grid:
    """Convert an array of points or a tuple of axes to a `Grid`.

    Raises ValueError if the shape is invalid, an entry is not a finite real number, or a list
    looks like the axes of a tensor grid.  Warns if there are more dimensions than points, except
    for a single point.
    """
    if isinstance(points, tuple):
        axes = [as_real_floats(axis, f"points[{d}]") for d, axis in enumerate(points)]
        shapes = [axis.shape for axis in axes]
        if not axes or any(axis.ndim != 1 or not axis.size for axis in axes):
            raise ValueError(
                "`points` given as a tuple must hold one 1-D axis for each dimension; got "
                f"entries of shape {shapes}.  Scattered points are an array (n_points, n_dims)."
            )
        grid = Grid(None, tuple(map(len, axes)), tuple(axes))
    else:
        grid = _scattered(points, n_dims)
    if n_dims is not None and grid.n_dims != n_dims:
        hint = f"  If they are axes, {_TUPLE}." if grid.n_dims > grid.n_points else ""
        raise ValueError(
            f"`points` have {grid.n_dims} dimension(s), but the estimator was fitted in "
            f"{n_dims}.{hint}"
        )
    return grid


def _scattered(points: Any, n_dims: int | None) -> Grid:
    """Scattered points, unless a list or the number of dimensions speaks against it."""
    lengths = _lengths(points)
    if len(set(lengths)) > 1:
        raise ValueError(
            f"`points` is a list of entries of lengths {_shortened(lengths)}; {_TUPLE}, that is "
            f"tuple(points); {_SCATTERED}."
        )
    array = as_real_floats(points, "points")
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.size:
        raise ValueError(
            "`points` must be an array (n_points, n_dims) or a tuple of 1-D axes; got an "
            f"array of shape {array.shape}."
        )
    n, dims = array.shape
    single_point = n == 1 and dims <= _MOST_DIMS
    if dims > n and dims != n_dims and not single_point:
        found = f"would be {n} point(s) in {dims} dimensions"
        if lengths and dims > _MOST_DIMS:
            raise ValueError(
                f"`points` is a list of {n} entries of length {dims}, which {found}; {_TUPLE}, "
                f"that is tuple(points); {_SCATTERED}, such as numpy.array(points)."
            )
        if n_dims is None:
            warnings.warn(
                f"`points` of shape {array.shape} {found}.  If the array is transposed, give "
                f"points.T; if it holds axes, {_TUPLE}, that is tuple(points).",
                UserWarning,
                stacklevel=caller_stacklevel(),
            )
    return Grid(array, (n,))


def _lengths(points: Any) -> list[int]:
    """Lengths of the entries of a list of sequences; empty for other objects."""
    if not isinstance(points, list):
        return []
    shapes = [(len(p),) if isinstance(p, (list, tuple)) else np.shape(p) for p in points]
    return [shape[0] for shape in shapes if shape]


def _shortened(lengths: list[int]) -> str:
    listed = ", ".join(map(str, lengths[:4]))
    return f"[{listed}, ...]" if len(lengths) > 4 else f"[{listed}]"


def check_period(period: Any, grid: Grid) -> tuple[float | None, ...]:
    """Convert a period to one entry for each dimension, None where not periodic.

    Parameters
    ----------
    period : None, float or sequence
    grid : Grid
        Points of the snapshots, which must lie within one period.

    Raises
    ------
    ValueError
        If a period is not positive and finite, their number is wrong, or the points range over
        more than a period.
    """
    entries = list(period) if np.iterable(period) else [period] * grid.n_dims
    if len(entries) != grid.n_dims:
        raise ValueError(
            f"`period` has {len(entries)} entries, but the points have {grid.n_dims} dimension(s)."
        )
    for entry in entries:
        if entry is not None and not (np.isreal(entry) and 0 < entry < math.inf):
            raise ValueError(
                f"`period` must be positive, or None where not periodic; got {entry!r}."
            )
    checked = tuple(None if entry is None else float(entry) for entry in entries)
    for d, (length, (low, high)) in enumerate(zip(checked, grid.ranges, strict=True)):
        if length is not None and high - low > length * (1 + _ROUNDING) + _rounding(low, high):
            raise ValueError(
                f"`period` is {length:g} in dimension {d}, but the points range over "
                f"{high - low:g}, from {low:g} to {high:g}; a period must be at least as long "
                "as the range of the points.  Give the period in the unit of the points, or "
                "leave the points beyond one period out."
            )
    return checked


def _rounding(low: float, high: float) -> float:
    """Rounding of the ends of an axis, which are float32 where they fit into it exactly."""
    ends = np.array([low, high])
    with np.errstate(over="ignore"):
        single = np.array_equal(ends.astype(np.float32), ends)
    largest = np.abs(ends).max()
    return float(2 * np.spacing(np.float32(largest) if single else largest))
