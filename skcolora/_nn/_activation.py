"""The SiLU activation σ(z) = z sigmoid(z), used in all networks, and its derivatives.

With the gate g = sigmoid(z)::

    σ = z g,   σ′ = g + σ (1 - g),   σ″ = (1 - g) (2 σ′ - σ)
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import silu

__all__ = ["SiLUJet", "silu", "silu_slope"]


def silu_slope(z: Tensor) -> Tensor:
    """First derivative σ′(z)."""
    gate = torch.sigmoid(z)
    return gate * (1 + z * (1 - gate))


class SiLUJet:
    """σ(z), σ′(z) and σ″(z) / 2.

    The sigmoid is computed once; the derivatives are computed only when they are used.
    """

    def __init__(self, z: Tensor) -> None:
        self._gate = torch.sigmoid(z)
        self.value = z * self._gate

    @cached_property
    def _complement(self) -> Tensor:
        return 1 - self._gate

    @cached_property
    def slope(self) -> Tensor:
        """σ′(z)."""
        return torch.addcmul(self._gate, self.value, self._complement)

    def half_curvature(self) -> Tensor:
        """σ″(z) / 2, as a new array, which the caller may overwrite."""
        return torch.sub(self.slope, self.value, alpha=0.5).mul_(self._complement)
