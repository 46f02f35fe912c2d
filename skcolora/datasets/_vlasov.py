"""Snapshots of the Vlasov equation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora.datasets._base import SnapshotData
from skcolora.datasets._generate import solve_snapshots, uniform_axes
from skcolora.pdes import Vlasov


def make_vlasov(
    parameters: ArrayLike | int = 7,
    *,
    n_points: int = 101,
    times: ArrayLike | None = None,
    rtol: float = 1e-10,
    random_state: Any = None,
    n_jobs: int | None = None,
    cache: Any = None,
) -> SnapshotData:
    """Exact snapshots of particles in a fixed potential, in phase space.

    The equation is `skcolora.pdes.Vlasov`.  The default grid is that of the snapshots published
    with [1]_.

    Parameters
    ----------
    parameters : array-like of shape (n,) or (n, 1), or int, default=7
        Values of μ, or number of values to draw from [0.2, 0.4].
    n_points : int, default=101
        Number of points along each axis, including both ends.
    times : array-like of shape (n_times,) or None, default=None
        Strictly increasing times from 0 or later.  None: 63 times from 0 to 4.96.
    rtol : float, default=1e-10
        Tolerance of the integration of the characteristics.
    random_state : int, RandomState instance or None, default=None
        Seed of the random parameters, if ``parameters`` is a number.
    n_jobs : int or None, default=None
        Number of trajectories that are solved in parallel, as in joblib.
    cache : None, path-like or joblib.Memory, default=None
        Folder in which solutions are stored for later calls.

    Returns
    -------
    data : SnapshotData
        Data with ``y`` of shape (n, n_times, n_points, n_points).

    Raises
    ------
    ValueError
        If a parameter, a time or a resolution is out of range.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646.

    Examples
    --------
    >>> from skcolora.datasets import make_vlasov
    >>> make_vlasov([0.2, 0.3], n_points=21, times=[0.0, 1.0])
    SnapshotData(X: (2, 1), y: (2, 2, 21, 21) float64)
    """
    pde = Vlasov(rtol=rtol)
    return solve_snapshots(
        pde,
        parameters,
        0.2,
        0.4,
        axes=uniform_axes(pde, n_points),
        times=0.08 * np.arange(63) if times is None else times,
        random_state=random_state,
        n_jobs=n_jobs,
        cache=cache,
    )
