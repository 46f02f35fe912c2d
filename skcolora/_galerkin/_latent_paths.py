"""Latent paths of the equation that depend smoothly on the parameters."""

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
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._solution import GalerkinSolution, Status, concatenate
from skcolora._galerkin._start import Start
from skcolora._snapshots import Array, column_scale
from skcolora.utils._deadline import Deadline
from skcolora.utils._torch import as_tensor

# Limits of the paths to learn.  Paths are not learnt if their relative residual, or their distance
# from the training states relative to the diagonal of their box, exceeds these values at any time.
_MAX_RESIDUAL, _MAX_OUTSIDE = 0.5, 0.5
# Smallest weight of a latent direction, relative to the largest singular value of ∂û/∂φ.  It
# keeps the hypernetwork near the paths along directions that hardly change the field.
_METRIC_FLOOR = 1e-3
# Bounds of a batch, if time is limited: trajectories, and points of all trajectories.
_MAX_BATCH, _BATCH_POINTS = 8, 2**12
# Number of times of the metric of a path for which time was missing.
_FEW_TIMES = 5


class LatentPaths(NamedTuple):
    """Latent paths of n trajectories."""

    inputs: Array
    """Inputs of the hypernetwork, (n, n_inputs)"""
    times: Array
    """(n_times,)"""
    latent: Tensor
    """Latent states, (n, n_times, n_latent)"""
    metric: Tensor
    """Matrices R, (n, n_times, n_latent, n_latent).  ‖R δ‖ is the relative change of the field
    for a change δ of the latent state."""


def solve_paths(
    equation: LatentEquation,
    X: Array,
    before: LatentPaths | None = None,
    *,
    n_training: int = 0,
    deadline: Deadline | None = None,
) -> tuple[LatentPaths, int]:
    """Solve the equation at parameters, at the training times.

    Paths that do not follow the equation are dropped.  At training parameters, and where the
    regressor is to be trusted more, they are replaced by the paths of the regressor.  With a time
    limit the equation is solved in batches, which end when no time is left for another one; other
    paths are treated like those dropped.

    Parameters
    ----------
    equation : LatentEquation
    X : ndarray of shape (n, n_parameters)
    before : LatentPaths, optional
        Paths that were solved before.  The initial states of the new paths are encoded from the
        initial states of these paths.
    n_training : int
        Number of the first rows of X that are solved first if time is limited.
    deadline : Deadline, optional
        Time limit.

    Returns
    -------
    paths : LatentPaths
    n_solved : int
        Number of rows of X at which there was enough time to solve the equation.

    Raises
    ------
    RuntimeError
        If ``before`` is None, there was enough time, and no trajectory could be integrated to the
        end.
    """
    model = equation.model
    times, inputs = model.layout.times, model.transform(X)
    solved = _solve(equation, X, before, n_training, deadline or Deadline())
    latent = model.latent(inputs, times)
    good, kept_path = np.zeros((2, len(X)), dtype=bool)
    if solved:
        solution = concatenate([part.solution for part in solved])
        rows = np.concatenate([part.rows for part in solved])
        warn_of_doubts(equation.pde, X[rows], solution)
        success = solution.status == "success"
        if before is None and len(rows) == len(X) and not success.any():
            raise RuntimeError("No trajectory could be integrated to the end; see the warnings.")
        good[rows] = np.concatenate([part.good for part in solved])
        kept_path[rows] = np.concatenate([part.distrusted for part in solved])
    metrics: dict[int, Tensor] = {}
    for part in solved:
        metrics |= part.metrics
        for i, path in zip(part.rows, part.solution.latent, strict=True):
            if good[i]:
                latent[i] = torch.from_numpy(path)
    # Elsewhere the regressor has no reliable paths.
    kept = np.flatnonzero(good | kept_path | model.was_trained_on(inputs))
    metric = latent.new_empty(len(kept), *latent.shape[1:], latent.shape[2])
    projection = equation.projection(X)
    for entry, i in zip(metric, kept.tolist(), strict=True):
        entry[:] = metrics[i] if i in metrics else _rough_metric(projection, latent[i])
    n_solved = sum(len(part.rows) for part in solved)
    return LatentPaths(inputs[kept], times, latent[torch.from_numpy(kept)], metric), n_solved


class _Solved(NamedTuple):
    """Solutions of a batch of trajectories."""

    rows: NDArray[np.intp]
    """Rows of X"""
    solution: GalerkinSolution
    good: NDArray[np.bool_]
    """Paths that follow the equation and are to be trusted, (n_rows,)"""
    distrusted: NDArray[np.bool_]
    """Paths in whose place that of the regressor is to be trusted, (n_rows,)"""
    metrics: dict[int, Tensor]
    """Matrices R of the paths to learn, by the row"""


def _solve(
    equation: LatentEquation,
    X: Array,
    before: LatentPaths | None,
    n_training: int,
    deadline: Deadline,
) -> list[_Solved]:
    """Solve the equation, in batches if time is limited."""
    chain = _Chain(equation, X, before)
    groups, size = [list(range(len(X)))], len(X)
    most = max(1, min(_MAX_BATCH, _BATCH_POINTS // len(equation.collocation.points)))
    if deadline.limited:
        groups = [groups[0][:n_training], groups[0][n_training:]]
        size = 1
    batches: list[_Solved] = []
    seconds = 0.0
    for left in groups:
        while left and not deadline.passed and seconds <= deadline.remaining:
            started = time.perf_counter()
            starts: dict[int, Start] = {}
            while left and len(starts) < size and not (starts and deadline.passed):
                starts |= [chain.next(left, deadline)]
            batch = _solve_batch(equation, X, dict(sorted(starts.items())), deadline)
            if batch is not None:
                batches.append(batch)
            seconds = time.perf_counter() - started
            size = min(2 * size, most)
    return batches


def _solve_batch(
    equation: LatentEquation, X: Array, starts: dict[int, Start], deadline: Deadline
) -> _Solved | None:
    """Solve the equation from initial states of rows of X, without those that are out of time."""
    times, model = equation.model.layout.times, equation.model
    rows = np.array(list(starts))
    start = Start(*(torch.cat(entries) for entries in zip(*starts.values(), strict=True)))
    path = equation.path(X[rows], times, start, deadline)
    in_time = path.status != Status.MAX_TIME
    if not in_time.any():
        return None
    rows, path = rows[in_time.numpy()], path.subset(in_time)
    start = Start(*(entry[in_time] for entry in start))
    solution = equation.diagnose(X[rows], times, start, path)
    known = initial_fields(equation.pde, model.layout, X[rows], None)
    other = equation.regressor_solution(X[rows], times, known)
    mine, theirs = equation.expected_errors(X[rows], solution, other)
    distrusted = theirs < mine
    good = (solution.status == "success") & _follows_equation(solution) & ~distrusted
    inputs = model.transform(X[rows])
    latent = torch.where(as_tensor(good)[:, None, None], path.states, model.latent(inputs, times))
    projection = equation.projection(X[rows])
    metrics = {
        int(rows[i]): _path_metric(projection, latent[i])
        for i in np.flatnonzero(good | model.was_trained_on(inputs))
    }
    return _Solved(rows, solution, good, distrusted, metrics)


def _follows_equation(solution: GalerkinSolution) -> Array:
    """Mask (n,) of the trajectories that follow the equation at all times."""
    residual = np.nan_to_num(solution.residual, nan=np.inf).max(axis=1)
    followed: Array = (residual <= _MAX_RESIDUAL) & (solution.outside <= _MAX_OUTSIDE)
    return followed


def join(paths: LatentPaths, others: LatentPaths) -> LatentPaths:
    """Concatenate paths at the same times."""
    return LatentPaths(
        np.vstack([paths.inputs, others.inputs]),
        paths.times,
        torch.cat([paths.latent, others.latent]),
        torch.cat([paths.metric, others.metric]),
    )


def thin(paths: LatentPaths, n_entries: int) -> LatentPaths:
    """Reduce the number of times of the paths.

    The first and the last time are kept.  The latent states of the result have at least about
    n_entries entries in total.
    """
    n_paths, n_times, n_latent = paths.latent.shape
    n = min(n_times, max(2, -(-n_entries // (n_paths * n_latent))))
    kept = np.linspace(0, n_times - 1, n).round().astype(int)
    return LatentPaths(
        paths.inputs, paths.times[kept], paths.latent[:, kept], paths.metric[:, kept]
    )


class _Chain:
    """Initial states, each encoded from the state of the nearest solved parameter.

    Independent encodings of neighbouring parameters could end in different minima.  A smooth
    hypernetwork could not fit such paths.
    """

    def __init__(self, equation: LatentEquation, X: Array, before: LatentPaths | None) -> None:
        self._equation, self._X = equation, X
        scale = column_scale(equation.model.inputs)
        self._inputs = scale.apply(equation.model.transform(X))
        self._solved_inputs = [] if before is None else list(scale.apply(before.inputs))
        self._states = [] if before is None else list(before.latent[:, 0])

    def next(self, left: list[int], deadline: Deadline) -> tuple[int, Start]:
        """Remove the next row from the rows that are left, and encode its initial field.

        The first row is near the median; the next one is nearest to a solved one.
        """
        inputs, solved = self._inputs, self._solved_inputs
        neighbours = np.array(solved) if solved else np.median(inputs, axis=0)[None]
        gaps = np.linalg.norm(inputs[left][:, None] - neighbours, axis=2)
        i = left.pop(int(gaps.min(axis=1).argmin()))
        first_guess = None
        if solved:
            nearest = int(np.linalg.norm(neighbours - inputs[i], axis=1).argmin())
            first_guess = self._states[nearest][None]
        equation, row = self._equation, self._X[[i]]
        known = initial_fields(equation.pde, equation.model.layout, row, None)
        start = equation.start(row, known, first_guess, deadline)
        solved.append(inputs[i])
        self._states.append(start.latent[0])
        return i, start


def _rough_metric(projection: Projection, path: Tensor) -> Tensor:
    """Matrices R of a path, computed at a few times only."""
    few = torch.linspace(0, len(path) - 1, min(len(path), _FEW_TIMES)).round().long()
    nearest = (torch.arange(len(path))[:, None] - few).abs().argmin(1)
    return _path_metric(projection, path[few])[nearest]


@torch.no_grad()
def _path_metric(projection: Projection, latent: Tensor) -> Tensor:
    """Matrices R of the states of a path, (n_times, n_latent, n_latent)."""
    R = projection.triangles(latent) / projection.size(latent)[:, None, None]
    floor = _METRIC_FLOOR * torch.linalg.matrix_norm(R, 2)
    ridge = floor[:, None, None] * torch.eye(R.shape[2], dtype=R.dtype)
    triangle: Tensor = torch.linalg.qr(torch.cat([R, ridge], dim=1), mode="r").R
    return triangle
