"""The mesh of an equation of which the points of the snapshots are a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skcolora._snapshots import SnapshotLayout
from skcolora.pdes import PDE


def points_of_mesh(from_mesh: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Index of a snapshot's point for each point of the mesh, from the inverse indices."""
    return np.unique(from_mesh, return_index=True)[1]


def snapshot_mesh(
    pde: PDE, layout: SnapshotLayout
) -> tuple[tuple[int, ...], NDArray[np.integer[Any]]]:
    """The mesh of the equation that the snapshots were given on.

    Returns
    -------
    shape : tuple of int
        Numbers of points along the axes, without the repeated ends of periods.
    from_mesh : ndarray of shape (n_points,)
        Index in the flattened mesh of each point of the snapshots.

    Raises
    ------
    ValueError
        If the points are no uniform tensor grid of the whole domain.
    """
    grid = layout.grid
    axes = grid.axes or ((grid.points[:, 0],) if grid.n_dims == 1 else ())
    shape, places = [], []
    for axis, (low, high), length in zip(axes, pde.domain, pde.period, strict=False):
        repeated = length is not None and np.isclose(axis[-1], high, atol=1e-5 * (high - low))
        n = len(axis) - int(repeated)
        wanted = np.linspace(low, high, len(axis), endpoint=length is None or bool(repeated))
        if n < 6 or np.abs(axis - wanted).max() > 1e-5 * (high - low):
            axes = ()
            break
        shape.append(n)
        places.append(np.arange(len(axis)) % n)
    if not axes:
        raise ValueError(
            f"PODGalerkin needs snapshots on a uniform tensor grid of the whole domain "
            f"{pde.domain} of {type(pde).__name__}, of at least 6 points along each axis; give "
            "`points` as a tuple of 1-D axes."
        )
    where = np.ravel_multi_index(tuple(np.meshgrid(*places, indexing="ij")), tuple(shape))
    return tuple(shape), np.asarray(where).ravel()
