"""Snapshots of acoustic waves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora.datasets._base import SnapshotData
from skcolora.datasets._generate import solve_snapshots, uniform_axes
from skcolora.pdes import Wave


def make_wave(
    parameters: ArrayLike | int = 20,
    *,
    n_points: int = 64,
    times: ArrayLike | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    cache: Any = None,
) -> SnapshotData:
    """Exact snapshots of a pulse that spreads in a periodic square.

    The equation is `skcolora.pdes.Wave`, on [-1, 1]².

    Parameters
    ----------
    parameters : array-like of shape (n, 4), or int, default=20
        Amplitude, two coordinates of the centre, and radius of the pulse; or number of
        parameters to draw from [0.5, 1.5] × [-0.5, 0.5]² × [0.1, 0.2].
    n_points : int, default=64
        Number of points along each axis, without the end of the period.
    times : array-like of shape (n_times,) or None, default=None
        Strictly increasing times from 0 or later.  None: 41 times on [0, 1].
    random_state : int, RandomState instance or None, default=None
        Seed of the random parameters, if ``parameters`` is a number.
    n_jobs : int or None, default=None
        Number of trajectories that are solved in parallel, as in joblib.
    cache : None, path-like or joblib.Memory, default=None
        Folder in which solutions are stored for later calls.

    Returns
    -------
    data : SnapshotData
        Data with ``y`` of shape (n, n_times, n_points, n_points, 2), the fields u and ∂ₜu.

    Raises
    ------
    ValueError
        If a parameter, a time or a resolution is out of range.

    Examples
    --------
    >>> from skcolora.datasets import make_wave
    >>> make_wave(3, n_points=16, random_state=0)
    SnapshotData(X: (3, 4), y: (3, 41, 16, 16, 2) float64)
    """
    pde = Wave()
    return solve_snapshots(
        pde,
        parameters,
        [0.5, -0.5, -0.5, 0.1],
        [1.5, 0.5, 0.5, 0.2],
        axes=uniform_axes(pde, n_points, ends=False),
        times=np.linspace(0.0, 1.0, 41) if times is None else times,
        random_state=random_state,
        n_jobs=n_jobs,
        cache=cache,
    )
