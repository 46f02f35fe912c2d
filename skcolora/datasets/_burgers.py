"""Snapshots of the Burgers equation: viscous, inviscid, and in two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora.datasets._base import SnapshotData
from skcolora.datasets._generate import solve_snapshots, uniform_axes
from skcolora.pdes import Burgers, Burgers2D, InviscidBurgers


def make_burgers(
    parameters: ArrayLike | int = 7,
    *,
    kind: str = "viscous",
    n_points: int | None = None,
    times: ArrayLike | None = None,
    rtol: float | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    cache: Any = None,
) -> SnapshotData:
    """Snapshots of the Burgers equation.

    ============ ================================== =================== ============
    kind         equation                           grid                times
    ============ ================================== =================== ============
    "viscous"    `skcolora.pdes.Burgers`            256, without end    51 on [0, 1]
    "inviscid"   `skcolora.pdes.InviscidBurgers`    256, with both ends 51 on [0, 35]
    "2d"         `skcolora.pdes.Burgers2D`          129², with the ends 51 on [0, 1]
    ============ ================================== =================== ============

    Parameters
    ----------
    parameters : array-like of shape (n, n_parameters), or int, default=7
        Parameter values, or number of values to draw.  "viscous" and "2d": viscosities, drawn
        log-uniformly from [0.002, 0.2] and [0.001, 0.01].  "inviscid": pairs of inflow and
        exponent of the source, drawn uniformly from [4.25, 5.5] × [0.015, 0.03].
    kind : {"viscous", "inviscid", "2d"}, default="viscous"
        Kind of the equation.
    n_points : int or None, default=None
        Number of points of the snapshots along each axis, independent of the grid of the
        solver.  None: see the table.
    times : array-like of shape (n_times,) or None, default=None
        Strictly increasing times from 0 or later.  None: see the table.
    rtol : float or None, default=None
        Relative and absolute tolerance of the solver.  None: 1e-9, and 1e-5 for "2d".
    random_state : int, RandomState instance or None, default=None
        Seed of the random parameters, if ``parameters`` is a number.
    n_jobs : int or None, default=None
        Number of trajectories that are solved in parallel, as in joblib.
    cache : None, path-like or joblib.Memory, default=None
        Folder in which solutions are stored for later calls.

    Returns
    -------
    data : SnapshotData
        Data with ``y`` of shape (n, n_times, n_points), or (n, n_times, n_points, n_points)
        in two dimensions.

    Raises
    ------
    ValueError
        If ``kind``, a parameter, a time or a resolution is out of range.
    SolverError
        If a trajectory could not be solved, for example at a much lower viscosity.

    Notes
    -----
    A trajectory of "2d" takes less than a second at a viscosity of 0.01 and about a minute
    at 0.001, with a relative error of about 1e-3.  Smaller tolerances cost more, and at 0.001
    they need a finer grid than the solver chooses: give ``n_points`` to
    `skcolora.pdes.Burgers2D.solve`.

    Examples
    --------
    >>> from skcolora.datasets import make_burgers
    >>> make_burgers([0.05, 0.1], times=[0.0, 0.1, 0.2])
    SnapshotData(X: (2, 1), y: (2, 3, 256) float64)
    """
    pde: Burgers | InviscidBurgers | Burgers2D
    low: ArrayLike
    high: ArrayLike
    if kind == "viscous":
        pde, low, high, n, end, default = Burgers(), 0.002, 0.2, 256, 1.0, 1e-9
    elif kind == "inviscid":
        pde, low, high, n, end = InviscidBurgers(), [4.25, 0.015], [5.5, 0.03], 256, 35.0
        default = 1e-9
    elif kind == "2d":
        pde, low, high, n, end, default = Burgers2D(), 0.001, 0.01, 129, 1.0, 1e-5
    else:
        raise ValueError(f"`kind` must be 'viscous', 'inviscid' or '2d'; got {kind!r}.")
    return solve_snapshots(
        pde,
        parameters,
        low,
        high,
        axes=uniform_axes(pde, n if n_points is None else n_points, ends=kind != "viscous"),
        times=np.linspace(0.0, end, 51) if times is None else times,
        log=kind != "inviscid",
        random_state=random_state,
        rtol=default if rtol is None else rtol,
        n_jobs=n_jobs,
        cache=cache,
    )
