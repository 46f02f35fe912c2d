"""SiLU, the activation σ(z) = z sigmoid(z) of all networks, with its derivatives.

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
    """σ′(z) alone."""
    gate = torch.sigmoid(z)
    return gate * (1 + z * (1 - gate))


class SiLUJet:
    """σ(z), σ′(z) and σ″(z) / 2, computed when asked for, with one exponential for all."""

    def __init__(self, z: Tensor) -> None:
        self._gate = torch.sigmoid(z)
        self.value = z * self._gate

    @cached_property
    def _rest(self) -> Tensor:
        return 1 - self._gate

    @cached_property
    def slope(self) -> Tensor:
        """σ′(z)."""
        return torch.addcmul(self._gate, self.value, self._rest)

    def half_curvature(self) -> Tensor:
        """σ″(z) / 2, an array of its own each time."""
        return torch.sub(self.slope, self.value, alpha=0.5).mul_(self._rest)
