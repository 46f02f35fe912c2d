"""Taylor series of a network along directions, for derivatives of any order.

A series ``z(s) = Σ zₖ sᵏ`` is a list of its coefficients ``z₀, z₁, ...``, up to a given order.  A
linear layer maps each coefficient by itself; an activation mixes them.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import torch
from torch import Tensor


def silu_series(z: list[Tensor]) -> list[Tensor]:
    """Series of ``z sigmoid(z)``.

    The gate g = sigmoid(z) obeys ``g' = z' g (1 - g)``, which gives its coefficients one after the
    other: ``k gₖ = Σⱼ j zⱼ qₖ₋ⱼ`` with the series q of ``g (1 - g)``.
    """
    gate = [torch.sigmoid(z[0])]
    rate: list[Tensor] = []
    for k in range(1, len(z)):
        rate.append(gate[k - 1] - _product_term(gate, gate, k - 1))
        terms = [j * z[j] * rate[k - j] for j in range(1, k + 1)]
        gate.append(torch.stack(torch.broadcast_tensors(*terms)).sum(0) / k)
    return [_product_term(z, gate, k) for k in range(len(z))]


def _product_term(one: list[Tensor], other: list[Tensor], k: int) -> Tensor:
    """Coefficient of order k of the product of two series."""
    total = one[0] * other[k]
    for j in range(1, k + 1):
        total = total + one[j] * other[k - j]
    return total


def polarization(orders: tuple[int, ...]) -> dict[tuple[int, ...], float]:
    """Directions v and factors c with ``∂^α u = Σ c uₘ(v)`` for m = |α|.

    ``uₘ(v)`` is the coefficient of order m of the Taylor series of u along v.  By the polarization
    identity, ``∂^α u = Σ_β (-1)^(m - |β|) Π binom(αᵢ, βᵢ) uₘ(β)`` over all β ≤ α.  Parallel
    directions are put together.

    Parameters
    ----------
    orders : tuple of int
        Order α of the derivative along each axis.

    Returns
    -------
    factors : dict of tuple of int to float
        The factor of each direction.
    """
    order = sum(orders)
    factors: dict[tuple[int, ...], float] = defaultdict(float)
    for beta in itertools.product(*(range(most + 1) for most in orders)):
        length = math.gcd(*beta)
        if length:
            counts = math.prod(map(math.comb, orders, beta))
            direction = tuple(b // length for b in beta)
            factors[direction] += (-1) ** (order - sum(beta)) * counts * length**order
    return {direction: factor for direction, factor in factors.items() if factor}
