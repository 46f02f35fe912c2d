"""The choice of the collocation points of an estimator, by the name of the rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.linalg import svd
from torch import Tensor

from skcolora._galerkin._collocation import Collocation, gauss_collocation
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._qdeim import qdeim_points
from skcolora._galerkin._weak_norm import functionals, smoothing
from skcolora._snapshots import Array, Grid
from skcolora.utils._torch import as_tensor

# Share of the drawn points that is spread evenly, whatever the importance there.
_EVEN = 0.3
# Functions whose relative singular values are larger than this count as independent.
_INDEPENDENT = 1e-6
# Points where their number is not given; twice as many where they are not chosen.
_LEAST_POINTS, _POINTS_PER_WEIGHT = 150, 5
# Training states that choose the points.
_MOST_STATES = 40
# Points among which QR chooses: of a larger grid, drawn ones.
_MOST_CANDIDATES = 20_000
# Functions of the points, from training states, that the weak norm is learnt from, and values
# of them in all.
_MOST_FUNCTIONS, _MOST_VALUES = 800, 2**25


def choose_collocation(
    rule: str,
    n_points: int | None,
    norm: str,
    every: Projection,
    grid: Grid,
    times: Tensor,
    paths: Tensor,
    rng: np.random.RandomState,
) -> Collocation:
    """Points for a network and an equation.

    Parameters
    ----------
    rule : {"qr", "sample", "grid", "gauss"}
        See `CoLoRAGalerkin`.
    n_points : int or None
    norm : {"L2", "H-1"}
    every : Projection
        Of the trajectories trained on, at all points of the snapshots.
    grid : Grid
        Of the snapshots.
    times : Tensor of shape (n_times,)
    paths : Tensor of shape (n_trajectories, n_times, n_latent)
        Latent states of the trajectories trained on.
    rng : RandomState
        Of points drawn.
    """
    if n_points is None:
        n_points = max(_LEAST_POINTS, _POINTS_PER_WEIGHT * every.network.n_latent)
        n_points *= 1 if rule == "qr" else 2
    chosen = _chosen_points(rule, n_points, every, grid, _states(times, paths, _MOST_STATES), rng)
    if norm == "L2":
        return chosen
    of_state = paths.shape[2] + 1
    n_values = of_state * len(every.collocation.points) * every.pde.n_fields
    n_states = max(1, min(_MOST_FUNCTIONS // of_state, _MOST_VALUES // n_values))
    projection = every if chosen is every.collocation else _at(chosen, every)
    smooth = smoothing(every.pde, grid)
    states = _states(times, paths, n_states)
    learnt = functionals(every, projection, states, smooth, rng)
    # Lengths alone count, and the triangle gives the same with fewer rows.
    return chosen._replace(functionals=torch.linalg.qr(learnt, mode="r").R)


def _states(times: Tensor, paths: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Trajectories, times and states of the training, about n of them, evenly spread."""
    states = paths.flatten(0, 1)
    chosen = torch.linspace(0, len(states) - 1, min(len(states), n)).long()
    return chosen // len(times), times[chosen % len(times)], states[chosen]


def _chosen_points(
    rule: str,
    n_points: int,
    every: Projection,
    grid: Grid,
    at: tuple[Tensor, Tensor, Tensor],
    rng: np.random.RandomState,
) -> Collocation:
    if rule == "gauss":
        return gauss_collocation(every.pde, grid, n_points)
    if rule == "grid" or n_points >= len(every.collocation.points):
        return every.collocation
    if rule == "sample":
        return _drawn(n_points, every, at, rng)
    if len(every.collocation.points) > _MOST_CANDIDATES:
        every = _at(_drawn(_MOST_CANDIDATES, every, at, rng), every)
    return pivoted_qr(every.collocation, every.functions(*at).numpy(), n_points)


def _drawn(
    n_points: int, every: Projection, at: tuple[Tensor, Tensor, Tensor], rng: np.random.RandomState
) -> Collocation:
    return importance_sample(every.collocation, every.leverage(*at).numpy(), n_points, rng)


def _at(collocation: Collocation, projection: Projection) -> Projection:
    return Projection(projection.network, projection.pde, projection.mu, collocation, 0.0)


def importance_sample(
    collocation: Collocation, importance: Array, n_points: int, rng: np.random.RandomState
) -> Collocation:
    """Points drawn in proportion to their importance, some of them evenly, with the weights
    that make sums over them unbiased.

    Systematic sampling, one draw in each n-th of the total; points drawn twice are kept once,
    with twice the weight.

    Parameters
    ----------
    collocation : Collocation
        Points to draw from.
    importance : ndarray of shape (n_points,)
        Not negative.
    n_points : int
    rng : RandomState
    """
    every = collocation.weights.numpy()
    total = importance.sum()
    share = importance / total if total > 0 else every
    density = _EVEN * every + (1 - _EVEN) * share
    levels = (np.arange(n_points) + rng.uniform()) / n_points
    drawn = np.searchsorted(np.cumsum(density) / density.sum(), levels).clip(0, len(density) - 1)
    chosen, counts = np.unique(drawn, return_counts=True)
    return _subset(collocation, chosen, counts * every[chosen] / density[chosen])


def pivoted_qr(collocation: Collocation, functions: Array, n_points: int) -> Collocation:
    """Points that determine given functions best; all weigh as they did.

    Parameters
    ----------
    collocation : Collocation
        Points to choose from.
    functions : ndarray of shape (n_functions, n_points)
        Jacobians and right-hand sides at training states, times the roots of the weights.
    n_points : int
    """
    _, sigma, basis = svd(functions, full_matrices=False)
    chosen = qdeim_points(basis[sigma > _INDEPENDENT * sigma[0]][:n_points], n_points)
    return _subset(collocation, chosen, collocation.weights.numpy()[chosen])


def _subset(collocation: Collocation, chosen: Any, weights: Array) -> Collocation:
    at = as_tensor(chosen)
    fixed = None if collocation.fixed is None else collocation.fixed[at]
    return Collocation(collocation.points[at], as_tensor(weights / weights.sum()), fixed)
