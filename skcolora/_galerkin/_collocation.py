"""Collocation: the points at which the equation is asked to hold, and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from skcolora._snapshots import Array, Grid
from skcolora.pdes import PDE
from skcolora.pdes._quadrature import Rule, axis_rule, gauss_rule, tensor_rule
from skcolora.utils._torch import as_tensor

# A box reaches an end of the domain within this share of the length of the domain.
_REACHED = 1e-9


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


def axis_rules(pde: PDE, grid: Grid) -> list[Rule]:
    """The quadrature rule along each axis of a tensor grid."""
    axes = grid.axes or (grid.points[:, 0],)
    return [axis_rule(axis, length) for axis, length in zip(axes, pde.period, strict=True)]


def grid_quadrature(pde: PDE, grid: Grid) -> Collocation:
    """All points of a grid with the weights of an integral; scattered points weigh the same."""
    if grid.axes is None and grid.n_dims > 1:
        points, weights = grid.points, np.ones_like(grid.points[:, 0])
    else:
        points, weights = tensor_rule(axis_rules(pde, grid))
    return Collocation(as_tensor(points), as_tensor(weights / weights.sum()))


def grid_collocation(pde: PDE, grid: Grid) -> Collocation:
    """All points of a grid.  Where boundary values are prescribed, the boundary as a whole weighs
    as much as the domain."""
    points, weights, *_ = grid_quadrature(pde, grid)
    on_boundary = pde.on_boundary(points.numpy())
    if not on_boundary.any():
        return Collocation(points, weights)
    shares = weights.numpy().copy()
    shares[on_boundary] = 1.0 / on_boundary.sum()
    shares /= shares.sum()
    return Collocation(points, as_tensor(shares), as_tensor(on_boundary))


def gauss_collocation(pde: PDE, grid: Grid, n_points: int) -> Collocation:
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
    rules = [gauss_rule(*along) for along in zip(low, high, pde.period, counts, strict=True)]
    points, weights = tensor_rule(rules)
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


def _faces(pde: PDE, low: Array, high: Array, rules: Sequence[Rule]) -> list[Rule]:
    """Points and weights on the faces of the domain that the box reaches."""
    faces = []
    for d, (ends, length) in enumerate(zip(pde.domain, pde.period, strict=True)):
        for end, reached in zip(ends, (low[d], high[d]), strict=True):
            if length is None and abs(end - reached) <= _REACHED * (ends[1] - ends[0]):
                face = [*rules]
                face[d] = np.array([end]), np.ones(1)
                faces.append(tensor_rule(face))
    return faces
