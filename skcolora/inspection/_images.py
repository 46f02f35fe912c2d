"""Images of a scalar field on the points of a 2-D grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skcolora._snapshots import Array, Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Largest ratio of the sides that is drawn with equal aspect.
_MAX_RATIO = 6.0


def draw_image(
    ax: Axes, grid: Grid, values: Array, triangles: NDArray[np.intp] | None = None, **kwargs: Any
) -> Any:
    """Draw values (n_points,) as an image.

    Values at scattered points are interpolated linearly on triangles (n, 3), those of a mesh or
    None.  `image_values` gives the argument of ``set_array`` of the image for other values.
    """
    if grid.axes is not None:
        x0, x1 = (np.sort(axis) for axis in grid.axes)
        image: Any = ax.pcolormesh(
            x0, x1, image_values(grid, values), shading="nearest", rasterized=True, **kwargs
        )
    else:
        kwargs["triangles"] = _triangles(grid.points) if triangles is None else triangles
        x0, x1 = grid.points.T
        image = ax.tripcolor(x0, x1, values, shading="gouraud", rasterized=True, **kwargs)
    if panel_ratio(grid) == _side_ratio(grid):
        ax.set_aspect("equal")
    return image


def panel_ratio(grid: Grid) -> float:
    """Ratio of height to width of an image: that of the domain, or 0.75 for long domains."""
    ratio = _side_ratio(grid)
    return ratio if 1 / _MAX_RATIO <= ratio <= _MAX_RATIO else 0.75


def image_figure_size(grid: Grid, n_columns: int) -> tuple[float, float]:
    """Width and height in inches of a figure with three rows of images."""
    ratio = panel_ratio(grid)
    # The panels of wide domains are wider, and those of high domains are narrower.
    width = min(3.6, max(1.2, 2.0 / math.sqrt(ratio)))
    return (width + 0.1) * n_columns + 1.6, 3 * (width * ratio + 0.2) + 0.9


def _side_ratio(grid: Grid) -> float:
    width, height = np.ptp(grid.points, axis=0)
    return float(height / width)


def image_values(grid: Grid, values: Array) -> Array:
    """Values (n_points,) in the order and shape of the array of an image."""
    if grid.axes is None:
        return values
    order = (np.argsort(axis, kind="stable") for axis in grid.axes)
    return values.reshape(grid.shape)[np.ix_(*order)].T


def triangles_of(cells: Mapping[str, Any]) -> NDArray[np.intp] | None:
    """Triangles (n, 3) of the cells of a mesh in two dimensions; None if there are no such cells.

    Quadrilaterals are divided into two triangles, and nodes in the middle of edges are left out.
    """
    found = []
    for kind, nodes in cells.items():
        corners = np.asarray(nodes, dtype=np.intp)
        if kind.startswith("triangle"):
            found.append(corners[:, :3])
        elif kind.startswith("quad"):
            found += [corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]
    return np.concatenate(found) if found else None


def _triangles(points: Array) -> Array:
    """Delaunay triangles (n, 3) of points, without triangles across holes of the domain."""
    from matplotlib.tri import Triangulation

    try:
        triangles = Triangulation(points[:, 0], points[:, 1]).triangles
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            "The points do not form triangles: there are fewer than three points, or all points "
            "lie on one line."
        ) from error
    corners = points[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    neighbours = min(7, len(points))
    spacing = cKDTree(points).query(points, k=neighbours)[0][:, -1]
    kept = triangles[longest <= 3 * spacing[triangles].max(axis=1)]
    return kept if len(kept) else triangles
