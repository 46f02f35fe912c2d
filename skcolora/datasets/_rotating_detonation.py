"""Snapshots of a rotating detonation engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora.datasets._base import SnapshotData
from skcolora.datasets._generate import solve_snapshots, uniform_axes
from skcolora.pdes import RotatingDetonation


def make_rotating_detonation(
    parameters: ArrayLike | int = 7,
    *,
    n_points: int = 513,
    times: ArrayLike | None = None,
    viscosity: float = 0.026,
    random_state: Any = None,
    n_jobs: int | None = None,
    cache: Any = None,
) -> SnapshotData:
    """Snapshots of the waves in a rotating detonation engine.

    The equation is `skcolora.pdes.RotatingDetonation`.  The default grid is that of the
    snapshots published with [1]_.

    Parameters
    ----------
    parameters : array-like of shape (n,) or (n, 1), or int, default=7
        Injections, or number of injections to draw from [2, 3.1].
    n_points : int, default=513
        Number of points on [0, 2π], including both ends.
    times : array-like of shape (n_times,) or None, default=None
        Strictly increasing times from 0 or later.  None: 101 times on [0, 20].
    viscosity : float, default=0.026
        Viscosity ν.
    random_state : int, RandomState instance or None, default=None
        Seed of the random parameters, if ``parameters`` is a number.
    n_jobs : int or None, default=None
        Number of trajectories that are solved in parallel, as in joblib.
    cache : None, path-like or joblib.Memory, default=None
        Folder in which solutions are stored for later calls.

    Returns
    -------
    data : SnapshotData
        Data with ``y`` of shape (n, n_times, n_points, 2), the intensity and the share of
        burnt fuel.

    Raises
    ------
    ValueError
        If a parameter, a time or a resolution is out of range.
    SolverError
        If a trajectory could not be solved.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646.

    Examples
    --------
    >>> from skcolora.datasets import make_rotating_detonation
    >>> make_rotating_detonation([2.5], n_points=65, times=[0.0, 0.2])
    SnapshotData(X: (1, 1), y: (1, 2, 65, 2) float64)
    """
    pde = RotatingDetonation(viscosity=viscosity)
    return solve_snapshots(
        pde,
        parameters,
        2.0,
        3.1,
        axes=uniform_axes(pde, n_points),
        times=np.linspace(0.0, 20.0, 101) if times is None else times,
        random_state=random_state,
        n_jobs=n_jobs,
        cache=cache,
    )
