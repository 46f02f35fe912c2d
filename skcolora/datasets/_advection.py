"""Snapshots of an advected bump."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar

from skcolora.datasets._base import SnapshotData
from skcolora.datasets._generate import solve_snapshots, uniform_axes
from skcolora.pdes import Advection


def make_advection(
    parameters: ArrayLike | int = 7,
    *,
    n_points: int = 256,
    n_times: int = 51,
    width: float = 0.03,
    random_state: Any = None,
) -> SnapshotData:
    """Exact snapshots of a bump carried round a periodic domain.

    See `skcolora.pdes.Advection`; on [0, 1) for t in [0, 1].

    Parameters
    ----------
    parameters : array-like of shape (n,) or (n, 1), or int, default=7
        Speeds, or how many to draw from [0.5, 1.5].
    n_points, n_times : int
        Resolution.
    width : float, default=0.03
        Standard deviation of the bump, as a share of the domain.
    random_state : int, RandomState instance or None, default=None
        Used where ``parameters`` is a number.

    Returns
    -------
    data : SnapshotData
        With ``y`` of shape (n, n_times, n_points).

    Raises
    ------
    ValueError
        If a parameter or a resolution is out of range.

    Examples
    --------
    >>> from skcolora.datasets import make_advection
    >>> make_advection([0.5, 1.0])
    SnapshotData(X: (2, 1), y: (2, 51, 256) float64)
    """
    check_scalar(n_times, "n_times", int, min_val=1)
    pde = Advection(width=width)
    return solve_snapshots(
        pde,
        parameters,
        0.5,
        1.5,
        axes=uniform_axes(pde, n_points, ends=False),
        times=np.linspace(0.0, 1.0, n_times),
        random_state=random_state,
    )
