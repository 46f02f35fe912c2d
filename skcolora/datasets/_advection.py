"""Snapshots of an advected bump."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora.datasets._base import SnapshotData
from skcolora.datasets._generate import solve_snapshots, uniform_axes
from skcolora.pdes import Advection


def make_advection(
    parameters: ArrayLike | int = 7,
    *,
    n_points: int = 256,
    times: ArrayLike | None = None,
    width: float = 0.03,
    random_state: Any = None,
    n_jobs: int | None = None,
    cache: Any = None,
) -> SnapshotData:
    """Exact snapshots of a bump that is advected in a periodic domain.

    The equation is `skcolora.pdes.Advection`, on [0, 1) for t in [0, 1].

    Parameters
    ----------
    parameters : array-like of shape (n,) or (n, 1), or int, default=7
        Speeds, or number of speeds to draw from [0.5, 1.5].
    n_points : int, default=256
        Number of points, without the end of the period.
    times : array-like of shape (n_times,) or None, default=None
        Strictly increasing times from 0 or later.  None: 51 times on [0, 1].
    width : float, default=0.03
        Standard deviation of the bump, as a share of the domain.
    random_state : int, RandomState instance or None, default=None
        Seed of the random parameters, if ``parameters`` is a number.
    n_jobs : int or None, default=None
        Number of trajectories that are solved in parallel, as in joblib.
    cache : None, path-like or joblib.Memory, default=None
        Folder in which solutions are stored for later calls.

    Returns
    -------
    data : SnapshotData
        Data with ``y`` of shape (n, n_times, n_points).

    Raises
    ------
    ValueError
        If a parameter, a time or a resolution is out of range.

    Examples
    --------
    >>> from skcolora.datasets import make_advection
    >>> make_advection([0.5, 1.0])
    SnapshotData(X: (2, 1), y: (2, 51, 256) float64)
    """
    pde = Advection(width=width)
    return solve_snapshots(
        pde,
        parameters,
        0.5,
        1.5,
        axes=uniform_axes(pde, n_points, ends=False),
        times=np.linspace(0.0, 1.0, 51) if times is None else times,
        random_state=random_state,
        n_jobs=n_jobs,
        cache=cache,
    )
