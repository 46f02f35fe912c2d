"""The layers of a CoLoRA network, each with its forward pass and its pullback.

A pullback takes the sensitivity of the network output to the layer's output and
answers with the sensitivities to the layer's input, to its online weights, and to
its offline weights, the last as outer products (`Factor`).  One backward pass thus
gives the whole Jacobian of a batch without ever forming it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Factor(NamedTuple):
    """Rows of a Jacobian with respect to one weight, ``J_i = left_i ⊗ right_i``.

    ``left`` is (..., n_in) and ``right`` is (..., n_out); either may be None, which
    stands for a column of ones.
    """

    parameter: nn.Parameter
    left: Tensor | None
    right: Tensor | None


class Jet(NamedTuple):
    """The first layer's output, and its derivatives in space."""

    value: Tensor
    """(n_out, n_states or 1, n_points)"""
    grad: Tensor
    """(n_out, n_dims, n_states or 1, n_points or 1)"""
    laplacian: Tensor
    """Sum of the second derivatives, (n_out, n_states or 1, n_points or 1)"""

    def of_states(self, chosen: Tensor) -> Jet:
        """That of some of the states, where they have points of their own."""
        return Jet(*(t if t.shape[-2] == 1 else t[..., chosen, :] for t in self))


class Pullback(NamedTuple):
    """What a layer hands back: sensitivities to its input and to its weights."""

    input: Tensor
    online: Tensor | None
    factors: list[Factor]


def lecun_normal(*shape: int, generator: torch.Generator, fan_in: int) -> nn.Parameter:
    """Normal weights of variance ``1 / fan_in``."""
    return nn.Parameter(torch.randn(*shape, generator=generator) / math.sqrt(fan_in))


class LowRankUpdate(nn.Module):
    """The online part of a layer, ``A diag(α) B``: n_in × rank times rank × n_out.

    With ``adaptation="scalar"`` one online weight multiplies all of ``A B``, with
    ``"diagonal"`` each of the ``rank`` directions has its own.
    """

    def __init__(
        self, n_in: int, n_out: int, *, rank: int, adaptation: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.n_online = 1 if adaptation == "scalar" else rank
        self.A = lecun_normal(n_in, rank, generator=generator, fan_in=n_in)
        self.B = lecun_normal(rank, n_out, generator=generator, fan_in=rank)

    def matrix(self, alpha: Tensor) -> Tensor:
        """``A diag(α) B`` for online weights (..., n_online): (..., n_in, n_out)."""
        return self.A @ (alpha.unsqueeze(-1) * self.B)

    def online_pullback(self, down: Tensor, up: Tensor) -> Tensor:
        """Sensitivity to α alone, (n_online, ...), of those on both sides of it, (rank, ...)."""
        online = down * up
        return online.sum(0, keepdim=True) if self.n_online == 1 else online

    def pullback(
        self, inputs: Tensor, alpha: Tensor, sensitivity: Tensor
    ) -> tuple[Tensor, list[Factor]]:
        """Sensitivities to α and to A and B, for ``inputs @ matrix(alpha)``."""
        down = inputs @ self.A
        up = sensitivity @ self.B.T
        online = down * up
        if self.n_online == 1:
            online = online.sum(-1, keepdim=True)
        alpha = alpha.unsqueeze(-2)
        return online, [
            Factor(self.A, inputs, alpha * up),
            Factor(self.B, alpha * down, sensitivity),
        ]


class CoLoRALayer(nn.Module):
    """Continuous low-rank adaptation: ``x (W + A diag(α) B) + b``.

    Parameters
    ----------
    n_in, n_out : int
    rank : int or None
        None makes a plain linear layer without online weights.
    adaptation : {"scalar", "diagonal"}
    generator : torch.Generator
        Source of the initial weights.
    augmented : bool, default=False
        Let the low-rank update act on the input augmented by 1.  In the first layer
        this makes a translation ``x - s(t)`` of the whole domain representable.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        rank: int | None,
        adaptation: str,
        generator: torch.Generator,
        augmented: bool = False,
    ) -> None:
        super().__init__()
        self.augmented = augmented
        self.W = lecun_normal(n_in, n_out, generator=generator, fan_in=n_in)
        self.b = nn.Parameter(torch.zeros(n_out))
        self.update = (
            None
            if rank is None
            else LowRankUpdate(
                n_in + augmented, n_out, rank=rank, adaptation=adaptation, generator=generator
            )
        )
        if self.update is not None and augmented:
            self._start_as_translation(self.update)

    @torch.no_grad()
    def _start_as_translation(self, update: LowRankUpdate) -> None:
        """Make the initial update ``-s W``, a shift s of the input."""
        update.A[:-1] = 0
        update.B.copy_(update.B[:, : len(self.W)] @ self.W)

    @property
    def n_online(self) -> int:
        return 0 if self.update is None else self.update.n_online

    def merged(self, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Weight (..., n_in, n_out) and bias (..., 1, n_out) at the online weights."""
        if self.update is None:
            return self.W, self.b
        change = self.update.matrix(alpha)
        if self.augmented:
            return self.W + change[..., :-1, :], self.b + change[..., -1:, :]
        return self.W + change, self.b

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        """(..., n_points, n_in) and (..., n_online) to (..., n_points, n_out)."""
        weight, bias = self.merged(alpha)
        return torch.matmul(x, weight) + bias

    def product(self, h: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor | None]:
        """``(W + A diag(α) B)ᵀ h``, without the bias, and Aᵀh where the layer is adapted.

        Neurons run along the first axis here, states and points along the last two:
        (n_in, ..., n_states or 1, n_points) and (n_online, n_states, 1) to
        (n_out, ..., n_states, n_points).
        """
        if self.update is None:
            return _times(self.W.T, h), None
        return _adapted(self.W.T, self.update.B.T, self.update.A.T, h, alpha)

    def product_pullback(
        self, sensitivity: Tensor, alpha: Tensor, low: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Sensitivities to the input of `product` and to α, None where there is none.

        Parameters
        ----------
        sensitivity : Tensor of shape (n_out, n_fields, n_states or 1, n_points or 1)
        alpha : Tensor of shape (n_online, n_states, 1)
        low : Tensor of shape (rank, n_states or 1, n_points), optional
            As `product` gave it.
        """
        if self.update is None or low is None:
            return _times(self.W, sensitivity), None
        to_input, up = _adapted(self.W, self.update.A, self.update.B, sensitivity, alpha)
        return to_input, self.update.online_pullback(low.unsqueeze(1), up)

    def jet(self, x: Tensor, alpha: Tensor) -> Jet:
        """Output and derivatives, for a layer whose inputs are the coordinates."""
        weight = self.merged(alpha)[0]
        grad = (weight if weight.ndim == 3 else weight.unsqueeze(0)).permute(2, 1, 0).unsqueeze(-1)
        return Jet(self(x, alpha).movedim(-1, 0), grad, torch.zeros_like(grad[:, 0]))

    def online_pullback(self, x: Tensor, alpha: Tensor, sensitivity: Tensor) -> Tensor | None:
        """Sensitivity to the online weights alone, None where there are none.

        Of coordinates (n_states or 1, n_points, n_in) and a sensitivity
        (n_out, n_fields, n_states, n_points): (n_online, n_fields, n_states, n_points).
        """
        if self.update is None:
            return None
        if self.augmented:
            x = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)
        down = (x @ self.update.A).movedim(-1, 0).unsqueeze(1)
        return self.update.online_pullback(down, _times(self.update.B, sensitivity))

    def pullback(self, x: Tensor, alpha: Tensor, sensitivity: Tensor) -> Pullback:
        weight, _ = self.merged(alpha)
        factors = [Factor(self.W, x, sensitivity), Factor(self.b, None, sensitivity)]
        online = None
        if self.update is not None:
            if self.augmented:
                x = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)
            online, more = self.update.pullback(x, alpha, sensitivity)
            factors += more
        return Pullback(torch.matmul(sensitivity, weight.mT), online, factors)


def _times(matrix: Tensor, h: Tensor) -> Tensor:
    """A product along the first axis, (n, n_in) and (n_in, ...) to (n, ...)."""
    return (matrix @ h.flatten(1)).view(-1, *h.shape[1:])


def _adapted(W: Tensor, B: Tensor, A: Tensor, h: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """``W h + B diag(α) A h`` and ``A h``, for (n_in, ..., n_states or 1, n_points)."""
    low = _times(A, h)
    scaled = low * (alpha if h.ndim == 3 else alpha.unsqueeze(1))
    out = _times(W, h)
    if out.shape[1:] != scaled.shape[1:]:
        out = out.expand(-1, *scaled.shape[1:]).contiguous()
    return out.flatten(1).addmm_(B, scaled.flatten(1)).view_as(out), low
