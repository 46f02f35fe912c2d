"""Random points of the boundary, where the conditions of an equation are to hold."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from skcolora._nn import SpaceTimeJet
from skcolora._snapshots import Array, Units
from skcolora.pdes import PDE
from skcolora.pdes._boundary import Side, boundary_sides
from skcolora.utils._torch import as_tensor


class BoundarySample(NamedTuple):
    """Points on the boundary with factors of a row for each field, for scaled fields.

    The row is ``value_factor û + Σ grad_factor ∂û/∂x - target``.
    """

    inputs: Tensor
    """Scaled inputs of the hypernetwork, (n, n_parameters + 1)"""
    x: Tensor
    """Scaled coordinates, (n, n_dims)"""
    value_factor: Tensor
    """(n, n_fields)"""
    grad_factor: Tensor
    """(n, n_dims, n_fields)"""
    target: Tensor
    """(n, n_fields)"""

    def residual(self, jet: SpaceTimeJet) -> Tensor:
        """Rows of the jet at the points, (n, n_fields)."""
        slope = (self.grad_factor * jet.grad).sum(1)
        return self.value_factor * jet.value + slope - self.target


class BoundarySampler:
    """Draws points of the boundary, at random parameters and times.

    A row is the condition ``a u + b ∂u/∂n - g`` of a field divided by its scale, by
    ``|a| + |b| / ℓ`` with ℓ half the largest extent of the domain, and by the square root of the
    number of points.  The sum of their squares is a squared error of the field on the boundary.

    Parameters
    ----------
    pde : PDE
    units : Units
    X, inputs : Tensor of shape (n, n_parameters)
        Parameters of the equation, and the same parameters as scaled inputs.
    points : ndarray of shape (n_points, n_dims)
        Points among which those of the boundary are chosen.

    Attributes
    ----------
    factor : float
        Factor of all rows.
    """

    def __init__(self, pde: PDE, units: Units, X: Tensor, inputs: Tensor, points: Array) -> None:
        self._units, self._mu, self._inputs = units, X, inputs
        self.factor = 1.0
        self._length = max(high - low for low, high in pde.domain) / 2
        pairs = [(side, points[side.on(points)]) for side in boundary_sides(pde)]
        self._parts = [(side, chosen) for side, chosen in pairs if len(chosen)]

    def draw(self, n: int, times: tuple[float, float], generator: Generator) -> BoundarySample:
        """Draw about n points, at scaled times between two times."""
        parts = [
            self._draw(side, points, max(1, n // len(self._parts)), times, generator)
            for side, points in self._parts
        ]
        if not parts:
            n_dims = len(self._units.points.slope)
            n_fields = len(self._units.fields.scale)
            shapes = [(0, self._inputs.shape[1] + 1), (0, n_dims), (0, n_fields)]
            empty = [self._inputs.new_zeros(shape) for shape in shapes]
            inputs, x, none = empty
            return BoundarySample(inputs, x, none, none.new_zeros(0, n_dims, n_fields), none)
        inputs, x, *factors = (torch.cat(entries) for entries in zip(*parts, strict=True))
        value, grad, target = (self.factor / math.sqrt(len(x)) * each for each in factors)
        return BoundarySample(inputs, x, value, grad, target)

    def _draw(
        self, side: Side, points: Array, n: int, times: tuple[float, float], generator: Generator
    ) -> tuple[Tensor, ...]:
        units = self._units
        which = torch.randint(len(self._mu), (n,), generator=generator)
        chosen = torch.randint(len(points), (n,), generator=generator)
        shares = torch.rand(n, 1, dtype=torch.float64, generator=generator)
        scaled_times = times[0] + (times[1] - times[0]) * shares
        t, here = units.times.invert(scaled_times.numpy())[:, 0], points[chosen.numpy()]
        a, b, g = side.terms(t, here.T, self._mu[which].T.numpy())
        size = np.where(side.constrained[:, None], np.abs(a) + np.abs(b) / self._length, np.inf)
        slope, scale = units.fields.slope[:, None], units.fields.scale[:, None]
        # A constant field has the slope 0, and no row.
        a_scaled, b_scaled = a * scale * slope / size, b * scale * slope / size
        target = slope * (g - a * units.fields.center[:, None]) / size
        grad_factor = side.normals(here.T)[:, None] * b_scaled
        return (
            torch.cat([self._inputs[which], scaled_times], 1),
            as_tensor(units.coordinates(here)),
            as_tensor(a_scaled.T),
            as_tensor(grad_factor.transpose(2, 0, 1)),
            as_tensor(target.T),
        )
