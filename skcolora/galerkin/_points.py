"""Collocation: where the equation is asked to hold, and with which weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import qr, svd
from torch import Tensor

from skcolora._snapshots import Array, Grid
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Share of the sampled points that is spread evenly, whatever the size of the fields there.
_EVEN = 0.3
# Relative size of the singular values whose functions count as independent.
_INDEPENDENT = 1e-6


class Collocation(NamedTuple):
    """Points with the weights of a sum over them."""

    points: Tensor
    """(n_points, n_dims)"""
    weights: Tensor
    """(n_points,), of sum 1"""
    fixed: Tensor | None = None
    """Where the boundary values are prescribed, so that f = 0; None: nowhere"""


def quadrature(pde: PDE, grid: Grid) -> Collocation:
    """All points of a grid, as a quadrature: ends of periods once, halves at other ends.

    On a uniform periodic grid this is spectrally accurate.  Scattered points weigh the same.
    """
    if grid.axes is None and grid.n_dims > 1:
        points, weights = grid.points, np.ones(grid.n_points)
    else:
        axes = grid.axes or (grid.points[:, 0],)
        pairs = [_along(axis, length) for axis, length in zip(axes, pde.period, strict=True)]
        mesh = np.meshgrid(*(axis for axis, _ in pairs), indexing="ij")
        points = np.stack([m.ravel() for m in mesh], axis=-1)
        shares = np.meshgrid(*(weights for _, weights in pairs), indexing="ij")
        weights = np.prod([s.ravel() for s in shares], axis=0)
    return _collocation(pde, points, weights)


def _along(axis: Array, length: float | None) -> tuple[Array, Array]:
    """Nodes and weights of the trapezoidal rule along an axis."""
    order = np.argsort(axis)
    nodes = axis[order]
    if length is not None:
        if len(nodes) > 1 and nodes[-1] - nodes[0] > length * (1 - 1e-5):
            nodes = nodes[:-1]
        gaps = np.diff(np.append(nodes, nodes[0] + length))
        if np.ptp(gaps) < 1e-4 * gaps.mean():
            # Coordinates read in single precision are still those of a uniform grid.
            return nodes, np.ones(len(nodes))
        return nodes, 0.5 * (gaps + np.roll(gaps, 1))
    if len(nodes) == 1:
        return nodes, np.ones(1)
    gaps = np.diff(nodes)
    return nodes, 0.5 * (np.append(gaps, 0.0) + np.append(0.0, gaps))


def _collocation(pde: PDE, points: Array, weights: Array) -> Collocation:
    weights = weights / weights.sum()
    fixed = None
    if pde.boundary == "fixed":
        on_boundary = np.zeros(len(points), dtype=bool)
        for d, ((low, high), length) in enumerate(zip(pde.domain, pde.period, strict=True)):
            if length is None:
                ends = np.minimum(points[:, d] - low, high - points[:, d])
                on_boundary |= ends <= 1e-9 * (high - low)
        if on_boundary.any():
            # The boundary as a whole weighs as much as the domain.
            weights[on_boundary] = 1.0 / on_boundary.sum()
            weights /= weights.sum()
            fixed = as_tensor(on_boundary)
    return Collocation(as_tensor(points), as_tensor(weights), fixed)


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
    """Points that determine given functions best, by QR with column pivoting (Q-DEIM [1]_).

    Where more points are wanted than functions are independent, the choice goes on among
    the points left.  All weigh as they did.

    Parameters
    ----------
    collocation : Collocation
        Points to choose from.
    functions : ndarray of shape (n_functions, n_points)
        Jacobians and right-hand sides at training states, times the roots of the weights.
    n_points : int

    References
    ----------
    .. [1] Z. Drmač and S. Gugercin, "A new selection operator for the discrete empirical
       interpolation method", SIAM J. Sci. Comput. 38 (2016), A631-A648.
    """
    _, sigma, basis = svd(functions, full_matrices=False)
    basis = basis[sigma > _INDEPENDENT * sigma[0]][:n_points]
    left = np.arange(basis.shape[1])
    chosen = np.empty(0, dtype=left.dtype)
    while len(chosen) < n_points:
        order = qr(basis[:, left], mode="r", pivoting=True)[1]
        taken = order[: min(len(basis), n_points - len(chosen))]
        chosen = np.append(chosen, left[taken])
        left = np.delete(left, taken)
    chosen.sort()
    return _subset(collocation, chosen, collocation.weights.numpy()[chosen])


def _subset(collocation: Collocation, chosen: Any, weights: Array) -> Collocation:
    at = as_tensor(chosen)
    fixed = None if collocation.fixed is None else collocation.fixed[at]
    return Collocation(collocation.points[at], as_tensor(weights / weights.sum()), fixed)
