"""Collocation points, at which the equation is enforced, and their weights."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skcolora._galerkin._boundary_rows import Boundary
from skcolora._snapshots import Grid, check_points
from skcolora.pdes import PDE
from skcolora.pdes._boundary import boundary_sides, fixed_values
from skcolora.pdes._quadrature import Rule, axis_rule, gauss_rule, tensor_rule
from skcolora.utils._torch import as_tensor


class Collocation(NamedTuple):
    """Collocation points and their weights in the least-squares problem."""

    points: Tensor
    """(n_points, n_dims)"""
    weights: Tensor
    """(n_points,), with sum 1"""
    boundary: Boundary | None = None
    """Points where boundary conditions hold"""
    functionals: Tensor | None = None
    """Matrix (n_directions, n_fields * n_points) that multiplies the weighted rows of the
    least-squares problem, see `_weak_norm.functionals`; None: the norm is L2"""


def axis_rules(pde: PDE, grid: Grid) -> list[Rule]:
    """The quadrature rule along each axis of a tensor grid."""
    axes = grid.axes or (grid.points[:, 0],)
    return [axis_rule(axis, length) for axis, length in zip(axes, pde.period, strict=True)]


def grid_quadrature(pde: PDE, grid: Grid) -> Collocation:
    """All points of a grid with quadrature weights; scattered points have equal weights."""
    if grid.axes is None and grid.n_dims > 1:
        points, weights = grid.points, np.ones_like(grid.points[:, 0])
    else:
        points, weights = tensor_rule(axis_rules(pde, grid))
    return Collocation(as_tensor(points), as_tensor(weights / weights.sum()))


def grid_collocation(pde: PDE, grid: Grid) -> Collocation:
    """All points of a grid, except those on the boundary where values are given."""
    points, weights, *_ = grid_quadrature(pde, grid)
    given = fixed_values(boundary_sides(pde), points.numpy()).any(axis=0)
    if not given.any():
        return Collocation(points, weights)
    inside = torch.from_numpy(~given)
    return Collocation(points[inside], weights[inside] / weights[inside].sum())


def coarser_grid(grid: Grid, n_points: int) -> Grid:
    """A tensor grid of every k-th point of each axis, with about ``n_points`` points or fewer.

    The ends of the axes stay.
    """
    axes = list(grid.axes or (grid.points[:, 0],))
    every = 1
    while prod(-(-len(axis) // every) for axis in axes) > n_points:
        every += 1
    chosen = [np.union1d(np.arange(0, len(axis), every), [len(axis) - 1]) for axis in axes]
    thinned = tuple(axis[indices] for axis, indices in zip(axes, chosen, strict=True))
    return check_points(thinned)


def gauss_collocation(pde: PDE, grid: Grid, n_points: int) -> Collocation:
    """Tensor product of Gauss–Legendre rules in the bounding box of a grid.

    Periodic axes have equispaced points instead.  n points along an axis integrate polynomials
    of degree 2n - 1, or n - 1 waves, exactly.

    Parameters
    ----------
    pde : PDE
    grid : Grid
    n_points : int
        Approximate number of points, the same along each axis up to one.

    Returns
    -------
    collocation : Collocation
    """
    low, high = grid.points.min(axis=0), grid.points.max(axis=0)
    counts = _nearest_counts(n_points, high > low)
    rules = [gauss_rule(*along) for along in zip(low, high, pde.period, counts, strict=True)]
    points, weights = tensor_rule(rules)
    return Collocation(as_tensor(points), as_tensor(weights))


def _nearest_counts(n: int, wide: NDArray[np.bool_]) -> list[int]:
    """Numbers of points along the axes, with a product near n.

    The numbers differ by at most one.  An axis without width gets one point.
    """
    root = int(n ** (1 / max(1, wide.sum())) + 1e-9)
    choices = [(root, root + 1) if axis else (1,) for axis in wide]
    return list(min(product(*choices), key=lambda counts: abs(prod(counts) - n)))
