"""Plane sections of snapshots in three dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from skcolora._snapshots import Array, Grid, check_points

# Number of points along the longer side of a plane through scattered points.
_RESOLUTION = 96


def section_of(section: Any, names: Sequence[str], grid: Grid) -> tuple[int, float]:
    """The dimension that a section is normal to, and its position.

    Parameters
    ----------
    section : mapping or None
        The name or the index of one dimension, and a position.  None: the middle of the last
        dimension.
    names : sequence of str
        Names of the dimensions; may be empty.
    grid : Grid
        Points in three dimensions.

    Raises
    ------
    ValueError
        If there is not one dimension, it is unknown, or the position is outside the points.
    """
    low, high = grid.points.min(axis=0), grid.points.max(axis=0)
    if section is None:
        return grid.n_dims - 1, float((low[-1] + high[-1]) / 2)
    known: dict[Any, int] = {d: d for d in range(grid.n_dims)}
    known |= {name: d for d, name in enumerate(names)}
    if not isinstance(section, Mapping) or len(section) != 1 or next(iter(section)) not in known:
        raise ValueError(
            "`section` must be a mapping from one dimension to a position, such as "
            f"{{{next(iter(reversed(known)))!r}: {float((low[-1] + high[-1]) / 2):g}}}; got "
            f"{section!r}."
        )
    ((name, position),) = section.items()
    d = known[name]
    if not low[d] <= position <= high[d]:
        raise ValueError(
            f"`section` must lie between {low[d]:g} and {high[d]:g} in dimension {name!r}; got "
            f"{position:g}."
        )
    return d, float(position)


def cut(
    grid: Grid, dimension: int, position: float, *rows: Array
) -> tuple[Any, float, list[Array]]:
    """A plane of a grid in three dimensions, its position, and values (n_times, n_plane) in it.

    On a tensor grid it is the nearest plane of the grid.  Values (n_times, n_points) at scattered
    points are interpolated linearly, at points of the plane in their hull.
    """
    others = [d for d in range(grid.n_dims) if d != dimension]
    if grid.axes is not None:
        i = int(np.abs(grid.axes[dimension] - position).argmin())
        plane = tuple(grid.axes[d] for d in others)
        shaped = (values.reshape(len(values), *grid.shape) for values in rows)
        cuts = [np.take(each, i, axis=1 + dimension).reshape(len(each), -1) for each in shaped]
        return plane, float(grid.axes[dimension][i]), cuts
    low, high = grid.points.min(axis=0)[others], grid.points.max(axis=0)[others]
    counts = np.ceil(_RESOLUTION * (high - low) / (high - low).max()).astype(int).clip(2)
    plane = tuple(map(np.linspace, low, high, counts))
    nodes = np.insert(check_points(plane).points, dimension, position, axis=1)
    hull = Delaunay(grid.points)
    nodes = nodes[hull.find_simplex(nodes) >= 0]
    cuts = [LinearNDInterpolator(hull, values.T)(nodes).T for values in rows]
    return nodes[:, others], position, cuts
