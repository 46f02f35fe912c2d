"""Solution of an equation for many parameters: arguments, parallel runs and failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar
from tqdm import tqdm

from skcolora._snapshots import Array, Grid, as_real_floats, check_points, check_times
from skcolora.pdes._checks import check_definition, check_grid, check_result, check_well_posed
from skcolora.pdes._solvers._errors import SolverError, TrajectoryError
from skcolora.pdes._solvers._finite_volume import ConservationLaw, solve_finite_volume
from skcolora.pdes._solvers._lines import solve_lines

if TYPE_CHECKING:
    from skcolora.pdes._pde import PDE

_INTEGRATORS = ("DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA")


def solve_many(
    pde: PDE,
    mu: ArrayLike,
    times: ArrayLike,
    points: Any,
    *,
    n_points: int | tuple[int, ...] | None,
    method: str,
    rtol: float,
    atol: float,
    n_jobs: int | None,
    verbose: int,
) -> Array:
    """Solve an equation for many parameters; see `PDE.solve`."""
    check_definition(pde)
    parameters = _check_parameters(pde, mu)
    checked_times = _check_times(pde, times)
    for name, tolerance in [("rtol", rtol), ("atol", atol)]:
        check_scalar(tolerance, name, (int, float), min_val=1e-13, max_val=0.1)
    method = _resolve_method(pde, method)
    _check_n_points(pde, n_points, 6)
    grid = check_points(pde.mesh(n_points).axes if points is None else points)
    check_grid(pde, grid)
    if method == "exact":
        rows = _solve_exact(pde, parameters, checked_times, grid)
        return rows[..., 0] if pde.n_fields == 1 else rows
    if pde.surfaces:
        raise ValueError(
            f"{type(pde).__name__} has `surfaces`, boundaries inside the domain, and the "
            "full-order solver works on the whole box.  Take snapshots from a solver of your own."
        )
    if method != "finite_volume":
        check_well_posed(pde, parameters, checked_times)
    arguments = (checked_times, grid, n_points, method, rtol, atol)
    outcomes = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_try_to_solve)(pde, row, *arguments) for row in parameters
    )
    shape = (len(parameters), len(checked_times), *grid.shape, pde.n_fields)
    rows = np.full(shape, np.nan)
    failures: dict[int, Exception] = {}
    bar = tqdm(outcomes, desc=repr(pde), total=len(parameters), disable=not verbose)
    for i, outcome in enumerate(bar):
        if isinstance(outcome, Exception):
            failures[i] = outcome
        else:
            rows[i] = np.moveaxis(outcome, 1, -1)
    solutions = rows[..., 0] if pde.n_fields == 1 else rows
    if failures:
        message = _message(pde, parameters, failures)
        raise SolverError(message, solutions, tuple(failures)) from next(iter(failures.values()))
    return solutions


def _try_to_solve(
    pde: PDE, mu: Array, times: Array, grid: Grid, *options: Any
) -> Array | Exception:
    """Solve for one trajectory.  Errors are returned, so that the other trajectories are kept."""
    n_points, method, rtol, atol = options
    try:
        if method == "finite_volume":
            return solve_finite_volume(pde, mu, times, grid, n_points)
        return solve_lines(pde, mu, times, grid, n_points, method, rtol, atol)
    except Exception as error:
        return error


def _message(pde: PDE, parameters: Array, failures: dict[int, Exception]) -> str:
    """Message of a SolverError with the first five failures."""
    lines = [
        f"{pde!r}: {len(failures)} of {len(parameters)} trajectories could not be solved; "
        "the attribute `solutions` of this error holds the other trajectories."
    ]
    for i, error in list(failures.items())[:5]:
        where = f"  At {pde.describe(parameters[i])}"
        if isinstance(error, TrajectoryError):
            lines.append(f"{where}, t = {error.time:.4g}: {error.reason.rstrip('.')}.")
        else:
            lines.append(f"{where}: {type(error).__name__}: {error}")
    if len(failures) > 5:
        lines.append(f"  ... and {len(failures) - 5} more.")
    return "\n".join(lines)


def _solve_exact(pde: PDE, parameters: Array, times: Array, grid: Grid) -> Array:
    """Exact solutions of all trajectories, (n, n_times, *grid.shape, n_fields)."""
    ones = (1,) * len(grid.shape)
    points = np.moveaxis(grid.points, -1, 0).reshape(grid.n_dims, *grid.shape)
    mu = parameters.T.reshape(parameters.shape[1], len(parameters), 1, *ones)
    solution = pde.exact(times.reshape(-1, *ones), points, mu)
    fields = (solution,) if pde.n_fields == 1 else tuple(solution)
    for field in fields:
        check_result(field, pde, "exact")
    shape = (len(parameters), len(times), *grid.shape)
    return np.stack([np.broadcast_to(field, shape) for field in fields], axis=-1)


def _check_parameters(pde: PDE, mu: ArrayLike) -> Array:
    """Parameters as an array (n, n_parameters), or a ValueError."""
    array = as_real_floats(mu, "mu")
    n = len(pde.parameter_names)
    given = array.shape
    array = array[:, None] if array.ndim == 1 and n == 1 else array
    if array.ndim != 2 or array.shape[1] != n or not array.size:
        raise ValueError(
            f"{type(pde).__name__} has {n} parameter(s), {', '.join(pde.parameter_names)}; `mu` "
            f"must have shape (n, {n}), with one row for each trajectory, but has shape {given}."
        )
    return array


def _check_times(pde: PDE, times: ArrayLike) -> Array:
    """Times as an array (n_times,), or a ValueError."""
    array = check_times(times)
    if array[0] < 0:
        raise ValueError(
            f"`times` must not be negative; got {array[0]:g}.  {type(pde).__name__} starts at "
            "t = 0."
        )
    return array


def _check_n_points(pde: PDE, n_points: Any, at_least: int) -> None:
    """Raise a ValueError or TypeError unless the numbers of points are valid."""
    if n_points is None:
        return
    entries = n_points if isinstance(n_points, tuple) else (n_points,) * pde.n_dims
    if len(entries) != pde.n_dims:
        raise ValueError(f"`n_points` must have {pde.n_dims} entries; got {n_points}.")
    for entry in entries:
        check_scalar(entry, "n_points", (int, np.integer), min_val=at_least)


def _resolve_method(pde: PDE, method: str) -> str:
    """The method for "auto", or the given method if the equation has it."""
    available = [*_INTEGRATORS]
    if isinstance(pde, ConservationLaw):
        available.insert(0, "finite_volume")
    if pde.has_exact:
        available.insert(0, "exact")
    if method == "auto":
        return available[0]
    if method not in available:
        raise ValueError(
            f"`method` must be 'auto' or, for {type(pde).__name__}, one of {available}; got "
            f"{method!r}."
        )
    return method
