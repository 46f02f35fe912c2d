"""Choice of the collocation points by the rules of `CoLoRAGalerkin`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.linalg import eigh
from torch import Tensor

from skcolora._galerkin._boundary_rows import boundary_of
from skcolora._galerkin._collocation import (
    Collocation,
    coarser_grid,
    gauss_collocation,
    grid_collocation,
)
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._qdeim import qdeim_points
from skcolora._galerkin._weak_norm import functionals, smoothing
from skcolora._snapshots import Array, Grid
from skcolora.utils._torch import as_tensor

# Share of the points that is sampled uniformly, independent of their importance.
_UNIFORM_SHARE = 0.3
# Relative singular value below which functions count as linearly dependent.
_RANK_TOL = 1e-6
# Default number of points: a minimum, and a multiple of the number of online weights.  Rules
# other than "qr" take twice as many.
_MIN_POINTS, _POINTS_PER_WEIGHT = 150, 5
# Number of training states that choose the points.
_MAX_STATES = 40
# Largest number of points of a grid that are looked at; larger grids are thinned at random.
_MAX_LOOKED_AT = 2**13
# Number of candidate points for QR.  Among more points they are drawn by their leverage, which
# few states tell.
_MAX_CANDIDATES, _LEVERAGE_STATES = 2**11, 4
# Number of functions that the weak norm is learnt from, and number of all their values.
_MAX_FUNCTIONS, _MAX_VALUES = 800, 2**25
# Bounds of the states that the weak norm is learnt from: their points, which take the time, and
# their least number.
_MAX_STATE_POINTS, _MIN_STATES = 2**19, 8


def choose_collocation(
    rule: str,
    n_points: int | None,
    norm: str,
    full: Projection,
    grid: Grid,
    times: Tensor,
    paths: Tensor,
    rng: np.random.RandomState,
) -> Collocation:
    """Choose the collocation points for a network and an equation.

    Parameters
    ----------
    rule : {"qr", "sample", "grid", "gauss"}
        See `CoLoRAGalerkin`.
    n_points : int or None
        Number of points.  None: a multiple of the number of online weights.
    norm : {"L2", "H-1"}
        The norm of the residual.
    full : Projection
        Projection of the training trajectories at all points of the snapshots.
    grid : Grid
        Points of the snapshots.
    times : Tensor of shape (n_times,)
    paths : Tensor of shape (n_trajectories, n_times, n_latent)
        Latent states of the training trajectories.
    rng : RandomState
        Random numbers for the sampling.

    Returns
    -------
    collocation : Collocation
    """
    if n_points is None:
        n_points = max(_MIN_POINTS, _POINTS_PER_WEIGHT * full.network.n_latent)
        n_points *= 1 if rule == "qr" else 2
    chosen = _choose_points(
        rule, n_points, full, grid, _training_states(times, paths, _MAX_STATES), rng
    )
    if norm == "L2":
        return chosen._replace(boundary=boundary_of(full.pde, grid, float(times[-1])))
    if rule != "grid" and chosen is not full.collocation and grid.n_points > _MAX_LOOKED_AT:
        grid = coarser_grid(grid, _MAX_LOOKED_AT)
        full = full.at(grid_collocation(full.pde, grid))
    of_state = paths.shape[2] + 1
    n_points = len(full.collocation.points)
    n_states = min(
        _MAX_FUNCTIONS // of_state,
        _MAX_VALUES // (of_state * n_points * full.pde.n_fields),
        _MAX_STATE_POINTS // n_points,
    )
    projection = full if chosen is full.collocation else full.at(chosen)
    smooth = smoothing(full.pde, grid)
    states = _training_states(times, paths, max(_MIN_STATES, n_states))
    learnt = functionals(full, projection, states, smooth)
    # Only norms matter.  The triangular factor gives the same norms with fewer rows.
    return chosen._replace(functionals=torch.linalg.qr(learnt, mode="r").R)


def _training_states(times: Tensor, paths: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Trajectory indices, times and latent states of n evenly spread training states."""
    states = paths.flatten(0, 1)
    chosen = torch.linspace(0, len(states) - 1, min(len(states), n)).long()
    return chosen // len(times), times[chosen % len(times)], states[chosen]


def _choose_points(
    rule: str,
    n_points: int,
    full: Projection,
    grid: Grid,
    states: tuple[Tensor, Tensor, Tensor],
    rng: np.random.RandomState,
) -> Collocation:
    if rule == "gauss":
        return gauss_collocation(full.pde, grid, n_points)
    if rule == "grid" or n_points >= len(full.collocation.points):
        return full.collocation
    if len(full.collocation.points) > _MAX_LOOKED_AT:
        weights = full.collocation.weights.numpy()
        thinned = importance_sample(full.collocation, weights, _MAX_LOOKED_AT, rng)
        full = full.at(thinned)
    if rule == "sample":
        return _draw_points(n_points, full, states, rng)
    if len(full.collocation.points) > _MAX_CANDIDATES:
        every = -(-len(states[0]) // _LEVERAGE_STATES)
        few = states[0][::every], states[1][::every], states[2][::every]
        full = full.at(_draw_points(_MAX_CANDIDATES, full, few, rng))
    return pivoted_qr(full.collocation, full.functions(*states).numpy(), n_points)


def _draw_points(
    n_points: int,
    full: Projection,
    states: tuple[Tensor, Tensor, Tensor],
    rng: np.random.RandomState,
) -> Collocation:
    return importance_sample(full.collocation, full.leverage(*states).numpy(), n_points, rng)


def importance_sample(
    collocation: Collocation, importance: Array, n_points: int, rng: np.random.RandomState
) -> Collocation:
    """Sample points in proportion to their importance, with weights for unbiased sums.

    A share of the points is sampled uniformly.  The sampling is systematic, with one draw from
    each n-th part of the total importance.  Repeated points are kept once with the sum of their
    weights.

    Parameters
    ----------
    collocation : Collocation
        Candidate points.
    importance : ndarray of shape (n_candidates,)
        Importance of the candidates, not negative.
    n_points : int
        Number of draws.
    rng : RandomState

    Returns
    -------
    sample : Collocation
    """
    weights = collocation.weights.numpy()
    total = importance.sum()
    share = importance / total if total > 0 else weights
    density = _UNIFORM_SHARE * weights + (1 - _UNIFORM_SHARE) * share
    levels = (np.arange(n_points) + rng.uniform()) / n_points
    drawn = np.searchsorted(np.cumsum(density) / density.sum(), levels).clip(0, len(density) - 1)
    chosen, counts = np.unique(drawn, return_counts=True)
    return _subset(collocation, chosen, counts * weights[chosen] / density[chosen])


def pivoted_qr(collocation: Collocation, functions: Array, n_points: int) -> Collocation:
    """Choose the points that determine functions best, by QR with column pivoting (Q-DEIM).

    The points keep their relative weights.

    Parameters
    ----------
    collocation : Collocation
        Candidate points.
    functions : ndarray of shape (n_functions, n_candidates)
        Jacobians and right-hand sides at training states, times the square roots of the weights.
    n_points : int

    Returns
    -------
    chosen : Collocation
    """
    # The functions are few: the eigenvectors of their Gram matrix cost much less than the SVD.
    squares, vectors = eigh(functions @ functions.T)
    kept = np.flatnonzero(squares > _RANK_TOL**2 * squares[-1])[::-1][:n_points]
    basis = vectors[:, kept].T @ functions / np.sqrt(squares[kept])[:, None]
    chosen = qdeim_points(basis, n_points)
    return _subset(collocation, chosen, collocation.weights.numpy()[chosen])


def _subset(collocation: Collocation, chosen: Any, weights: Array) -> Collocation:
    """Points with the given indices, with normalised weights."""
    indices = as_tensor(chosen)
    return Collocation(collocation.points[indices], as_tensor(weights / weights.sum()))
