"""Latent paths of the equation at parameters without snapshots, to learn from."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skcolora._galerkin._advice import warn_of_doubts
from skcolora._galerkin._initial_fields import initial_fields
from skcolora._galerkin._latent_equation import LatentEquation
from skcolora._galerkin._solution import GalerkinSolution, concatenate, subset
from skcolora._snapshots import Array
from skcolora.utils._deadline import Deadline

# Limits of the paths to learn.  Paths are not learnt if their relative residual, or their distance
# from the training states relative to the diagonal of their box, exceeds these values at any time.
_MAX_RESIDUAL, _MAX_OUTSIDE = 0.5, 0.5
# Bounds of a batch, if time is limited: trajectories, and points of all trajectories.
_MAX_BATCH, _BATCH_POINTS = 16, 2**13
# Number of trajectories of the first batch, which tells how long one takes.
_FIRST_BATCH = 4


class SolvedPaths(NamedTuple):
    """Latent paths to learn, of n trajectories."""

    rows: NDArray[np.intp]
    """Their rows among the parameters that were asked for, (n,)"""
    latent: Tensor
    """Latent states at the training times, (n, n_times, n_latent)"""
    n_solved: int
    """Number of rows at which there was enough time to solve the equation"""


def solve_paths(equation: LatentEquation, X: Array, deadline: Deadline) -> SolvedPaths:
    """Solve the equation at parameters, at the training times.

    Paths that do not follow the equation, or that are to be trusted less than those of the
    regressor, are dropped.  With a time limit the equation is solved in batches, which end when no
    time is left for another one.

    Parameters
    ----------
    equation : LatentEquation
    X : ndarray of shape (n, n_parameters)
    deadline : Deadline
        Time limit.

    Returns
    -------
    paths : SolvedPaths

    Raises
    ------
    RuntimeError
        If there was enough time, and no trajectory could be integrated to the end.
    """
    most = max(1, min(_MAX_BATCH, _BATCH_POINTS // len(equation.collocation.points)))
    size = min(_FIRST_BATCH, most) if deadline.limited else len(X)
    solutions: list[GalerkinSolution] = []
    masks: list[NDArray[np.bool_]] = []
    start, seconds = 0, 0.0
    while start < len(X) and not deadline.passed and seconds <= deadline.remaining:
        started = time.perf_counter()
        solution, good = _solve(equation, X[start : start + size], deadline)
        solutions.append(solution)
        masks.append(good)
        start += len(good)
        seconds, size = time.perf_counter() - started, min(2 * size, most)
    if not solutions:
        latent = equation.model.states.new_empty(0, equation.model.layout.n_times, 0)
        return SolvedPaths(np.empty(0, dtype=np.intp), latent, 0)
    whole, good = concatenate(solutions), np.concatenate(masks)
    in_time = np.flatnonzero(whole.status != "max_time")
    solved, good = subset(whole, in_time), good[in_time]
    warn_of_doubts(equation.pde, X[in_time], solved)
    if len(in_time) == len(X) and len(X) and not (solved.status == "success").any():
        raise RuntimeError("No trajectory could be integrated to the end; see the warnings.")
    latent = torch.from_numpy(solved.latent[good])
    return SolvedPaths(in_time[good], latent, len(in_time))


def _solve(
    equation: LatentEquation, X: Array, deadline: Deadline
) -> tuple[GalerkinSolution, NDArray[np.bool_]]:
    """Paths of the equation, and which of them are to be learnt, (n,)."""
    times = equation.model.layout.times
    known = initial_fields(equation.pde, equation.model.layout, X, None)
    start = equation.start(X, known, deadline=deadline)
    solution = equation.diagnose(X, times, start, equation.path(X, times, start, deadline))
    other = equation.regressor_solution(X, times, known)
    mine, theirs = equation.expected_errors(X, solution, other)
    good = (solution.status == "success") & _follows_equation(solution) & ~(theirs < mine)
    return solution, good


def _follows_equation(solution: GalerkinSolution) -> Array:
    """Mask (n,) of the trajectories that follow the equation at all times."""
    residual = np.nan_to_num(solution.residual, nan=np.inf).max(axis=1)
    followed: Array = (residual <= _MAX_RESIDUAL) & (solution.outside <= _MAX_OUTSIDE)
    return followed
