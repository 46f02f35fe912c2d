"""The collocation points of an estimator, by the name of a rule."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skcolora._snapshots import Grid
from skcolora.galerkin._points import (
    Collocation,
    gauss_legendre,
    importance_sample,
    pivoted_qr,
)
from skcolora.galerkin._projection import Projection

# Points where their number is not given.
_LEAST_POINTS, _POINTS_PER_WEIGHT = 300, 10
# Training states that choose the points.
_MOST_STATES = 40


def choose_points(
    rule: str,
    n_points: int | None,
    every: Projection,
    grid: Grid,
    times: Tensor,
    paths: Tensor,
    rng: np.random.RandomState,
) -> Collocation:
    """Points for a network and an equation.

    Parameters
    ----------
    rule : {"sample", "qr", "grid", "gauss"}
        See `CoLoRAGalerkin`.
    n_points : int or None
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
    if rule == "gauss":
        return gauss_legendre(every.pde, grid, n_points)
    if rule == "grid" or n_points >= len(every.collocation.points):
        return every.collocation
    states = paths.flatten(0, 1)
    chosen = torch.linspace(0, len(states) - 1, min(len(states), _MOST_STATES)).long()
    at = (chosen // len(times), times[chosen % len(times)], states[chosen])
    if rule == "qr":
        return pivoted_qr(every.collocation, every.functions(*at).numpy(), n_points)
    return importance_sample(every.collocation, every.leverage(*at).numpy(), n_points, rng)
