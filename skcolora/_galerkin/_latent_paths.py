"""Latent paths of the equation that depend smoothly on the parameters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcolora._galerkin._advice import warn_of_doubts
from skcolora._galerkin._latent_equation import LatentEquation
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._solution import GalerkinSolution
from skcolora._galerkin._start import Start, initial_fields
from skcolora._snapshots import Array, column_scale
from skcolora.utils._torch import as_tensor

# Limits of the paths to learn.  Paths are not learnt if their relative residual, or their distance
# from the training states relative to the diagonal of their box, exceeds these values at any time.
_MAX_RESIDUAL, _MAX_OUTSIDE = 0.5, 0.5
# Smallest weight of a latent direction, relative to the largest singular value of ∂û/∂φ.  It
# keeps the hypernetwork near the paths along directions that hardly change the field.
_METRIC_FLOOR = 1e-3


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
    equation: LatentEquation, X: Array, before: LatentPaths | None = None
) -> LatentPaths:
    """Solve the equation at parameters, at the training times.

    Paths that do not follow the equation are dropped.  At training parameters they are replaced
    by the paths of the regressor.

    Parameters
    ----------
    equation : LatentEquation
    X : ndarray of shape (n, n_parameters)
    before : LatentPaths, optional
        Paths that were solved before.  The initial states of the new paths are encoded from the
        initial states of these paths.

    Returns
    -------
    paths : LatentPaths

    Raises
    ------
    RuntimeError
        If ``before`` is None and no trajectory could be integrated to the end.
    """
    model, projection = equation.model, equation.projection(X)
    times, inputs = model.layout.times, model.transform(X)
    solution = equation.integrate(X, times, _chained_starts(equation, X, before))
    warn_of_doubts(equation.pde, X, solution)
    good = solution.status == "success"
    if before is None and not good.any():
        raise RuntimeError("No trajectory could be integrated to the end; see the warnings.")
    good &= _follows_equation(solution)
    # The regressor has reliable paths only at the training parameters.
    predicted = model.latent(inputs, times)
    latent = torch.where(as_tensor(good)[:, None, None], as_tensor(solution.latent), predicted)
    kept = good | model.was_trained_on(inputs)
    latent = latent[torch.from_numpy(kept)]
    metric = latent.new_empty(*latent.shape, latent.shape[2])
    for i, path in enumerate(latent):
        metric[i] = _path_metric(projection, path)
    return LatentPaths(inputs[kept], times, latent, metric)


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


def _chained_starts(equation: LatentEquation, X: Array, before: LatentPaths | None) -> Start:
    """Initial states, each encoded from the state of the nearest solved parameter.

    Independent encodings of neighbouring parameters could end in different minima.  A smooth
    hypernetwork could not fit such paths.
    """
    model = equation.model
    known = initial_fields(equation.pde, model.layout, X, None)
    scale = column_scale(model.inputs)
    inputs = scale.apply(model.transform(X))
    solved_inputs = [] if before is None else list(scale.apply(before.inputs))
    states = [] if before is None else list(before.latent[:, 0])
    starts: dict[int, Start] = {}
    left = list(range(len(X)))
    while left:
        # The first parameter is near the median; the next one is nearest to a solved one.
        neighbours = np.array(solved_inputs) if solved_inputs else np.median(inputs, axis=0)[None]
        gaps = np.linalg.norm(inputs[left][:, None] - neighbours, axis=2)
        i = left.pop(int(gaps.min(axis=1).argmin()))
        first_guess = None
        if solved_inputs:
            nearest = int(np.linalg.norm(neighbours - inputs[i], axis=1).argmin())
            first_guess = states[nearest][None]
        field = None if known is None else (known[0], known[1][[i]])
        starts[i] = equation.start(X[[i]], field, first_guess)
        solved_inputs.append(inputs[i])
        states.append(starts[i].latent[0])
    order = [starts[i] for i in range(len(X))]
    return Start(*(torch.cat(entries) for entries in zip(*order, strict=True)))


@torch.no_grad()
def _path_metric(projection: Projection, latent: Tensor) -> Tensor:
    """Matrices R of the states of a path, (n_times, n_latent, n_latent)."""
    R = projection.triangles(latent) / projection.size(latent)[:, None, None]
    floor = _METRIC_FLOOR * torch.linalg.matrix_norm(R, 2)
    ridge = floor[:, None, None] * torch.eye(R.shape[2], dtype=R.dtype)
    triangle: Tensor = torch.linalg.qr(torch.cat([R, ridge], dim=1), mode="r").R
    return triangle
