"""Common steps of the generators: draw parameters, solve the equation, cache the result."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from joblib import Memory
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar

from skcolora.datasets._base import Array, SnapshotData, draw_parameters
from skcolora.pdes import PDE


def solve_snapshots(
    pde: PDE,
    parameters: ArrayLike | int,
    low: ArrayLike,
    high: ArrayLike,
    *,
    axes: tuple[Array, ...],
    times: ArrayLike,
    log: bool = False,
    random_state: Any = None,
    rtol: float = 1e-9,
    n_jobs: int | None = None,
    cache: Any = None,
) -> SnapshotData:
    """Snapshots of an equation at the points of a tensor grid.

    Parameters
    ----------
    pde : PDE
    parameters, low, high, random_state
        See `draw_parameters`.
    axes : tuple of ndarray
        Axes of the grid.
    times : array-like of shape (n_times,)
    log : bool, default=False
        Draw the parameters log-uniformly.
    rtol : float, default=1e-9
        Relative and absolute tolerance of `PDE.solve`.
    n_jobs : int or None, default=None
        Number of trajectories that are solved in parallel, as in joblib.
    cache : None, path-like or joblib.Memory, default=None
        Folder in which solutions are stored for later calls.

    Returns
    -------
    data : SnapshotData
        Data with the equation as ``pde``.
    """
    if log and np.ndim(parameters) == 0:
        X = np.exp(draw_parameters(parameters, np.log(low), np.log(high), random_state))
    else:
        X = draw_parameters(parameters, low, high, random_state)
    t = np.asarray(times, dtype=np.float64)
    solve: Any = _solve
    if cache is not None:
        solve = as_memory(cache).cache(_solve, ignore=["n_jobs"])
    y = solve(pde, X, t, axes, rtol, n_jobs)
    points = axes[0][:, None] if len(axes) == 1 else axes
    period = pde.period[0] if len(axes) == 1 else pde.period
    return SnapshotData(X=X, y=y, times=t, points=points, period=period, pde=pde)


def _solve(
    pde: PDE, mu: Array, times: Array, axes: tuple[Array, ...], rtol: float, n_jobs: int | None
) -> Array:
    return pde.solve(mu, times, axes, rtol=rtol, atol=rtol, n_jobs=n_jobs)


def as_memory(cache: Any) -> Memory:
    """Convert a folder to a joblib.Memory; other types raise a ValueError."""
    if isinstance(cache, Memory):
        return cache
    if not isinstance(cache, (str, os.PathLike)):
        raise ValueError(f"`cache` must be None, a folder or a joblib.Memory; got {cache!r}.")
    return Memory(os.fspath(cache), verbose=0)


def uniform_axes(pde: PDE, n_points: int, *, ends: bool = True) -> tuple[Array, ...]:
    """Uniform axes of the domain with n_points each, with or without the upper ends."""
    check_scalar(n_points, "n_points", (int, np.integer), min_val=2)
    return tuple(np.linspace(low, high, n_points, endpoint=ends) for low, high in pde.domain)
