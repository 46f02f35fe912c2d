"""Latent paths of the equation, as smooth in the parameters as a hypernetwork can learn them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcolora._galerkin._advice import warn_of
from skcolora._galerkin._latent_equation import LatentEquation
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._solution import GalerkinSolution
from skcolora._galerkin._start import Start, initial_fields
from skcolora._snapshots import Array, nonzero_scale
from skcolora.utils._torch import as_tensor

# A path is not learnt from whose relative residual, or distance from the training states in
# diagonals of their box, is larger at any time: it is no solution of the equation.
_MOST_RESIDUAL, _MOST_OUTSIDE = 0.5, 0.5
# Of the largest singular value of ∂û/∂φ: how much directions that hardly change the field
# count, so that the hypernetwork stays near the paths in them too.
_FLOOR = 1e-3


class LatentPaths(NamedTuple):
    """Paths of some trajectories."""

    inputs: Array
    """Parameters as the regressor takes them, (n, n_parameters)"""
    times: Array
    latent: Tensor
    """(n, n_times, n_latent)"""
    metric: Tensor
    """(n, n_times, n_latent, n_latent): ‖R δ‖ is the relative change of the field"""


def solve_paths(
    equation: LatentEquation, X: Array, before: LatentPaths | None = None
) -> LatentPaths:
    """Paths at the parameters where the equation is followed, at the times of the training.

    At training parameters where it is not, the paths are those trained on.

    Parameters
    ----------
    equation : LatentEquation
    X : ndarray of shape (n, n_parameters)
    before : LatentPaths, optional
        To which the paths are to fit.

    Raises
    ------
    RuntimeError
        If there are none before, and none came to its end.
    """
    model, projection = equation.model, equation.projection(X)
    times, inputs = model.layout.times, model.transform(X)
    solution = equation.integrate(X, times, _chained(equation, X, before))
    warn_of(equation.pde, X, solution)
    good = solution.status == "success"
    if before is None and not good.any():
        raise RuntimeError("No trajectory could be integrated to the end; see the warnings.")
    good &= _followed(solution)
    # Elsewhere the network knows the paths that it was trained on, and no others.
    predicted = model.latent(inputs, times)
    latent = torch.where(as_tensor(good)[:, None, None], as_tensor(solution.latent), predicted)
    kept = good | model.was_trained_on(inputs)
    latent = latent[torch.from_numpy(kept)]
    metric = latent.new_empty(*latent.shape, latent.shape[2])
    for i, path in enumerate(latent):
        metric[i] = _path_metric(projection, path)
    return LatentPaths(inputs[kept], times, latent, metric)


def _followed(solution: GalerkinSolution) -> Array:
    """Trajectories along which the equation holds."""
    residual = np.nan_to_num(solution.residual, nan=np.inf).max(axis=1)
    followed: Array = (residual <= _MOST_RESIDUAL) & (solution.outside <= _MOST_OUTSIDE)
    return followed


def joined(first: LatentPaths, second: LatentPaths) -> LatentPaths:
    """The paths of both, at the same times."""
    return LatentPaths(
        np.vstack([first.inputs, second.inputs]),
        first.times,
        torch.cat([first.latent, second.latent]),
        torch.cat([first.metric, second.metric]),
    )


def thinned(paths: LatentPaths, n_entries: int) -> LatentPaths:
    """The same paths at as few of their times, first and last among them, as leave at least
    about so many entries of the latent states."""
    n_paths, n_times, n_latent = paths.latent.shape
    n = min(n_times, max(2, -(-n_entries // (n_paths * n_latent))))
    kept = np.linspace(0, n_times - 1, n).round().astype(int)
    return LatentPaths(
        paths.inputs, paths.times[kept], paths.latent[:, kept], paths.metric[:, kept]
    )


def _chained(equation: LatentEquation, X: Array, before: LatentPaths | None) -> Start:
    """Starts of which each is encoded from its neighbour's, from one root on.

    Otherwise neighbours could come to lie in different minima, and no smooth
    hypernetwork would go through their paths.
    """
    model = equation.model
    known = initial_fields(equation.pde, model.layout, X, None)
    scale = nonzero_scale(np.ptp(model.inputs, axis=0))
    inputs = model.transform(X) / scale
    places = [] if before is None else list(before.inputs / scale)
    states = [] if before is None else list(before.latent[:, 0])
    starts: dict[int, Start] = {}
    left = list(range(len(X)))
    while left:
        # The middle one is the root; then always the one nearest to those that are done.
        seen = np.array(places) if places else np.median(inputs, axis=0)[None]
        gaps = np.linalg.norm(inputs[left][:, None] - seen, axis=2)
        i = left.pop(int(gaps.min(axis=1).argmin()))
        first = None
        if places:
            nearest = int(np.linalg.norm(seen - inputs[i], axis=1).argmin())
            first = states[nearest][None]
        field = None if known is None else (known[0], known[1][[i]])
        starts[i] = equation.start(X[[i]], field, first)
        places.append(inputs[i])
        states.append(starts[i].latent[0])
    order = [starts[i] for i in range(len(X))]
    return Start(*(torch.cat(entries) for entries in zip(*order, strict=True)))


@torch.no_grad()
def _path_metric(projection: Projection, latent: Tensor) -> Tensor:
    """R of each state of a path, (n_times, n_latent, n_latent)."""
    J = projection.jacobian(latent) / projection.size(latent)[:, None, None]
    R = torch.linalg.qr(J, mode="r").R
    floor = _FLOOR * torch.linalg.matrix_norm(R, 2)
    ridge = floor[:, None, None] * torch.eye(R.shape[2], dtype=R.dtype)
    triangle: Tensor = torch.linalg.qr(torch.cat([R, ridge], dim=1), mode="r").R
    return triangle
