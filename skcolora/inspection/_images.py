"""A scalar field on the points of a 2-D grid, as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from skcolora._snapshots import Array, Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Beyond this ratio of the sides an equal aspect leaves nothing to see.
_MAX_RATIO = 6.0


def draw_image(ax: Axes, grid: Grid, values: Array, **kwargs: Any) -> Any:
    """Draw values (n_points,); `image_values` turns others into a new `set_array`.

    Scattered points are joined by triangles, with the values interpolated linearly.
    """
    if grid.axes is not None:
        x0, x1 = (np.sort(axis) for axis in grid.axes)
        image: Any = ax.pcolormesh(
            x0, x1, image_values(grid, values), shading="nearest", rasterized=True, **kwargs
        )
    else:
        triangles = _triangles(grid.points)
        x0, x1 = grid.points.T
        image = ax.tripcolor(
            x0, x1, values, triangles=triangles, shading="gouraud", rasterized=True, **kwargs
        )
    if panel_ratio(grid) == _side_ratio(grid):
        ax.set_aspect("equal")
    return image


def panel_ratio(grid: Grid) -> float:
    """Height over width of an image: those of the domain, unless one side is far longer."""
    ratio = _side_ratio(grid)
    return ratio if 1 / _MAX_RATIO <= ratio <= _MAX_RATIO else 0.75


def _side_ratio(grid: Grid) -> float:
    width, height = np.ptp(grid.points, axis=0)
    return float(height / width)


def image_values(grid: Grid, values: Array) -> Array:
    """The values in the order in which an image holds them."""
    if grid.axes is None:
        return values
    order = (np.argsort(axis, kind="stable") for axis in grid.axes)
    return values.reshape(grid.shape)[np.ix_(*order)].T


def _triangles(points: Array) -> Array:
    """Delaunay triangles (n, 3), without those that span a hole or a bay of the domain."""
    from matplotlib.tri import Triangulation

    try:
        triangles = Triangulation(points[:, 0], points[:, 1]).triangles
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            "The points cannot be joined to triangles: there are fewer than three, or they lie "
            "on one line."
        ) from error
    corners = points[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    neighbours = min(7, len(points))
    spacing = cKDTree(points).query(points, k=neighbours)[0][:, -1]
    kept = triangles[longest <= 3 * spacing[triangles].max(axis=1)]
    return kept if len(kept) else triangles
