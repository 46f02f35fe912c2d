"""Checks of the points, the kind and the times of a `SnapshotDisplay`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skcolora._snapshots import Array, Grid
from skcolora.inspection._selection import nearest_times

# Kinds of display for each number of dimensions; "auto" stands for the first one.
_KINDS = {1: ("lines", "map"), 2: ("images",)}


def check_dimensions(grid: Grid, most: int = 3) -> None:
    """Check that snapshots at the points of a grid can be drawn.

    Raises
    ------
    ValueError
        If there are more than ``most`` dimensions, or the points have equal coordinates in a
        dimension.
    """
    if grid.n_dims > most:
        raise ValueError(
            f"Snapshots in {grid.n_dims} dimensions cannot be shown; expected at most {most}."
        )
    if not np.ptp(grid.points, axis=0).all():
        raise ValueError(
            "The points must differ in each dimension; got equal coordinates in one dimension."
        )


def check_kind_and_times(
    kind: str, times: ArrayLike | None, all_times: Array, n_dims: int
) -> tuple[str, list[int]]:
    """Resolve the kind and the times of a display.

    Parameters
    ----------
    kind : {"auto", "lines", "map", "images"}
    times : array-like of shape (n_shown,) or None
        Times to show.
    all_times : ndarray of shape (n_times,)
        Times of the snapshots.
    n_dims : int

    Returns
    -------
    kind : {"lines", "map", "images"}
    shown : list of int
        Indices of the snapshots nearest to the times.

    Raises
    ------
    ValueError
        If the kind does not fit the dimension, or the times do not fit the snapshots.
    """
    kinds = _KINDS[n_dims]
    if kind != "auto" and kind not in kinds:
        raise ValueError(
            f"`kind` must be 'auto' or one of {kinds} in {n_dims} dimension(s); got {kind!r}."
        )
    if kind == "map" and times is not None:
        raise ValueError(
            "`times` cannot be chosen for a map, which shows all times; give kind='lines'."
        )
    if kind == "map" and len(all_times) < 2:
        raise ValueError("A map of space and time needs at least two times; got one.")
    return kinds[0] if kind == "auto" else kind, nearest_times(all_times, times)
