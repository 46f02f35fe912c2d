"""Boundary conditions on a grid: values at its ends that satisfy them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skcolora._snapshots import Array
from skcolora.pdes._boundary import Side, boundary_sides
from skcolora.pdes._derivatives import one_sided_weights
from skcolora.pdes._mesh import Mesh

if TYPE_CHECKING:
    from skcolora.pdes._pde import PDE


class GridConditions:
    """The values at the ends of a grid follow from the other values and the conditions.

    With the one-sided difference ``∂u/∂n ≈ d₀ u₀ + Σ dⱼ uⱼ`` of order 4, the condition
    ``a u + b ∂u/∂n = g`` gives ``u₀ = (g - b Σ dⱼ uⱼ) / (a + b d₀)``.

    Parameters
    ----------
    pde : PDE
        Its surfaces are not on the grid.
    mesh : Mesh
    mu : ndarray of shape (n_parameters,)

    Raises
    ------
    ValueError
        If the conditions of the equation are malformed.
    """

    def __init__(self, pde: PDE, mesh: Mesh, mu: Array) -> None:
        self._mesh, self.mu = mesh, mu
        sides = [side for side in boundary_sides(pde) if side.axis is not None]
        # Given values come last, so that they hold at corners, too.
        self._sides = sorted(sides, key=lambda side: bool(side.fixes_values.all()))
        self._weights = [self._differences(side) for side in self._sides]

    def __bool__(self) -> bool:
        return bool(self._sides)

    def mask(self, n_fields: int) -> NDArray[np.bool_]:
        """Values that follow from the conditions, (n_fields, n_0, ...)."""
        found = np.zeros((n_fields, *self._mesh.shape), dtype=bool)
        for side in self._sides:
            front = _front(found, side)
            front[side.constrained, side.end] = True
        return found

    def complete(self, t: float, values: Array) -> Array:
        """Values (n_fields, n_0, ...) with those at the ends that satisfy the conditions."""
        values = np.array(values)
        for side, weights in zip(self._sides, self._weights, strict=True):
            terms = side.terms(t, self._points(side), self.mu)
            _solve(side, weights, values, *terms)
        return values

    def complete_rates(self, t: float, values: Array, rates: Array, duration: float) -> Array:
        """Rates (n_fields, n_0, ...) with those at the ends of values that keep the conditions.

        ``a u̇ + b ∂u̇/∂n = ġ - ȧ u - ḃ ∂u/∂n``, with completed values u.
        """
        rates = np.array(rates)
        for side, weights in zip(self._sides, self._weights, strict=True):
            points = self._points(side)
            a, b, _ = side.terms(t, points, self.mu)
            a_rate, b_rate, g_rate = side.rates(t, points, self.mu, duration)
            front = _front(values, side)
            slope = np.tensordot(weights, front, axes=(0, 1))
            gap = g_rate - a_rate * front[:, side.end] - b_rate * slope
            _solve(side, weights, rates, a, b, gap)
        return rates

    def _points(self, side: Side) -> Array:
        """Coordinates of the points of a side, (n_dims, ...)."""
        return np.asarray(_front(self._mesh.points, side)[:, side.end])

    def _differences(self, side: Side) -> Array:
        """Weights of all points of an axis in the derivative along the outward normal, (n,)."""
        assert side.axis is not None
        axis = self._mesh.axes[side.axis]
        weights = one_sided_weights(axis, side.end)
        return weights if side.end else -weights


def _front(values: Array, side: Side) -> Array:
    """A view of values (components, n_0, ...) with the axis of a side behind the components."""
    assert side.axis is not None
    return np.moveaxis(values, side.axis + 1, 1)


def _solve(side: Side, weights: Array, values: Array, a: Array, b: Array, g: Array) -> None:
    """Set the values at a side such that a u + b ∂u/∂n = g, where ∂u/∂n = Σ weights u."""
    front, own, chosen = _front(values, side), weights[side.end], side.constrained
    others = np.tensordot(weights, front, axes=(0, 1)) - own * front[:, side.end]
    front[chosen, side.end] = (g - b * others)[chosen] / (a + b * own)[chosen]
