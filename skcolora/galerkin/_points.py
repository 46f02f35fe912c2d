"""Collocation: where the equation is asked to hold, and with which weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, svd
from scipy.special import roots_legendre
from torch import Tensor

from skcolora._snapshots import Array, Grid
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Share of the sampled points that is spread evenly, whatever the size of the fields there.
_EVEN = 0.3
# Relative size of the singular values whose functions count as independent.
_INDEPENDENT = 1e-6
# Of the length of the domain: how near to its ends a point counts as on the boundary.
_ON_BOUNDARY = 1e-9


class Collocation(NamedTuple):
    """Points with the weights of a sum over them."""

    points: Tensor
    """(n_points, n_dims)"""
    weights: Tensor
    """(n_points,), of sum 1"""
    fixed: Tensor | None = None
    """Where the boundary values are prescribed, so that f = 0; None: nowhere"""
    functionals: Tensor | None = None
    """What the weighted rows of the least-squares problem, (n_fields * n_points), are multiplied
    by: (n_directions, n_fields * n_points), see `_weak_norm.functionals`; None: nothing"""


def quadrature(pde: PDE, grid: Grid) -> Collocation:
    """All points of a grid, as a quadrature: ends of periods once, halves at other ends.

    On a uniform periodic grid this is spectrally accurate.  Scattered points weigh the same.
    """
    if grid.axes is None and grid.n_dims > 1:
        points, weights = grid.points, np.ones_like(grid.points[:, 0])
    else:
        points, weights = _tensor(axis_rules(pde, grid))
    return _collocation(pde, points, weights)


def axis_rules(pde: PDE, grid: Grid) -> list[tuple[Array, Array]]:
    """Nodes and weights along each axis of a tensor grid."""
    axes = grid.axes or (grid.points[:, 0],)
    return [_trapezoidal(axis, length) for axis, length in zip(axes, pde.period, strict=True)]


def _tensor(rules: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Points and weights of the product of rules, one (nodes, weights) for each axis."""
    mesh, shares = (np.meshgrid(*entries, indexing="ij") for entries in zip(*rules, strict=True))
    points = np.stack([m.ravel() for m in mesh], axis=-1)
    return points, np.prod([s.ravel() for s in shares], axis=0)


def _trapezoidal(axis: Array, length: float | None) -> tuple[Array, Array]:
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
    ends = on_boundary(pde, points)
    if ends.any():
        # The boundary as a whole weighs as much as the domain.
        weights[ends] = 1.0 / ends.sum()
        weights /= weights.sum()
        fixed = as_tensor(ends)
    return Collocation(as_tensor(points), as_tensor(weights), fixed)


def on_boundary(pde: PDE, points: Array) -> NDArray[np.bool_]:
    """Which of the points (n, n_dims) have a prescribed boundary value."""
    found = np.zeros(len(points), dtype=bool)
    if pde.boundary == "fixed":
        for d, ((low, high), length) in enumerate(zip(pde.domain, pde.period, strict=True)):
            if length is None:
                ends = np.minimum(points[:, d] - low, high - points[:, d])
                found |= ends <= _ON_BOUNDARY * (high - low)
    return found


def gauss_legendre(pde: PDE, grid: Grid, n_points: int) -> Collocation:
    """Points of their own, in the box around those of a grid: a tensor product of
    Gauss–Legendre rules, and along periodic axes of equispaced points in one period.

    n points along an axis integrate polynomials of degree 2n - 1, or n - 1 waves, exactly.
    Where the values on the boundary are prescribed and the grid reaches it, the points of the
    same rules on its faces are among them.

    Parameters
    ----------
    pde : PDE
    grid : Grid
    n_points : int
        About so many points, as many along each axis; those on the boundary are not counted.
    """
    low, high = grid.points.min(axis=0), grid.points.max(axis=0)
    counts = _nearest_counts(n_points, high > low)
    rules = [_rule(*along) for along in zip(low, high, pde.period, counts, strict=True)]
    points, weights = _tensor(rules)
    faces = _faces(pde, low, high, rules) if pde.boundary == "fixed" else []
    if not faces:
        return Collocation(as_tensor(points), as_tensor(weights))
    on_faces, shares = (np.concatenate(entries) for entries in zip(*faces, strict=True))
    fixed = np.repeat([False, True], [len(points), len(on_faces)])
    # The boundary as a whole weighs as much as the domain, as on a grid.
    weights = 0.5 * np.concatenate([weights, shares / shares.sum()])
    points = np.concatenate([points, on_faces])
    return Collocation(as_tensor(points), as_tensor(weights), as_tensor(fixed))


def _nearest_counts(n: int, wide: NDArray[np.bool_]) -> list[int]:
    """Numbers of points along the axes that differ by one at most, of product nearest to n;
    one along an axis that has no width."""
    root = int(n ** (1 / max(1, wide.sum())) + 1e-9)
    choices = [(root, root + 1) if axis else (1,) for axis in wide]
    return list(min(product(*choices), key=lambda counts: abs(prod(counts) - n)))


def _rule(low: float, high: float, length: float | None, n: int) -> tuple[Array, Array]:
    """Nodes between the ends, or in one period, and weights of sum 1."""
    if length is not None:
        return low + length / n * np.arange(n), np.full(n, 1 / n)
    nodes, weights = roots_legendre(n)
    return low + (high - low) * (1 + nodes) / 2, weights / 2


def _faces(
    pde: PDE, low: Array, high: Array, rules: Sequence[tuple[Array, Array]]
) -> list[tuple[Array, Array]]:
    """Points and weights on the faces of the domain that the box reaches."""
    faces = []
    for d, (ends, length) in enumerate(zip(pde.domain, pde.period, strict=True)):
        for end, reached in zip(ends, (low[d], high[d]), strict=True):
            if length is None and abs(end - reached) <= _ON_BOUNDARY * (ends[1] - ends[0]):
                face = [*rules]
                face[d] = np.array([end]), np.ones(1)
                faces.append(_tensor(face))
    return faces


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
