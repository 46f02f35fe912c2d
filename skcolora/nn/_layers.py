"""The layers of a CoLoRA network, each with its forward pass and its pullback.

A pullback takes the sensitivity of the network output to the layer's output and
answers with the sensitivities to the layer's input, to its online weights, and to
its offline weights, the last as outer products (`Factor`).  One backward pass thus
gives the whole Jacobian of a batch without ever forming it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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


class PeriodicLayer(nn.Module):
    """First layer on a periodic domain: the mean over dimensions of
    ``a cos(2πx/L + c) + b``, with a, b, c of shape (n_out, n_dims).

    A dimension without a period contributes ``a x + b``; its c is left out.

    Parameters
    ----------
    n_out : int
    period : tuple of float or None
        One entry a dimension, in the coordinates that the layer is given.
    rank, adaptation, generator
        As in `CoLoRALayer`.  The low-rank update of this layer shifts the phases:
        ``c + (A diag(α) B)ᵀ``, a translation of the domain.
    """

    frequency: Tensor

    def __init__(
        self,
        n_out: int,
        *,
        period: tuple[float | None, ...],
        rank: int | None,
        adaptation: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        n_dims = len(period)
        self.periodic = [d for d, length in enumerate(period) if length is not None]
        self.plain = [d for d, length in enumerate(period) if length is None]
        self._frequencies = [2 * math.pi / length for length in period if length is not None]
        self.register_buffer("frequency", torch.tensor(self._frequencies))
        self.a = lecun_normal(n_out, n_dims, generator=generator, fan_in=1)
        self.b = lecun_normal(n_out, n_dims, generator=generator, fan_in=1)
        phase = torch.rand(n_out, len(self.periodic), generator=generator)
        self.c = nn.Parameter(2 * math.pi * phase)
        self.update = (
            None
            if rank is None
            else LowRankUpdate(
                len(self.periodic), n_out, rank=rank, adaptation=adaptation, generator=generator
            )
        )
        if self.update is not None:
            # The same shift of all phases: training starts from translations.
            nn.init.constant_(self.update.B, 1 / math.sqrt(len(self.update.B)))

    @property
    def n_online(self) -> int:
        return 0 if self.update is None else self.update.n_online

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PeriodicLayer:
        module = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # A change of precision must not leave the period rounded.
        self.frequency = self.frequency.new_tensor(self._frequencies)
        return module

    def _phase(self, x: Tensor, alpha: Tensor) -> Tensor:
        """Arguments of the cosines, (..., n_points, n_out, n_periodic)."""
        phase = (x[..., self.periodic] * self.frequency).unsqueeze(-2) + self.c
        if self.update is not None:
            phase = phase + self.update.matrix(alpha).mT.unsqueeze(-3)
        return phase

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        """(..., n_points, n_dims) and (..., n_online) to (..., n_points, n_out)."""
        waves = (self.a[:, self.periodic] * torch.cos(self._phase(x, alpha))).sum(-1)
        if self.plain:
            waves = waves + x[..., self.plain] @ self.a[:, self.plain].T
        return (waves + self.b.sum(-1)) / self.a.shape[1]

    def jet(self, x: Tensor, alpha: Tensor) -> Jet:
        """Output and derivatives with respect to the coordinates."""
        phase = self._phase(x, alpha)
        n_dims = self.a.shape[1]
        cosines = self.a[:, self.periodic] * torch.cos(phase) / n_dims
        sines = self.a[:, self.periodic] * torch.sin(phase) / n_dims
        value = cosines.sum(-1) + self.b.sum(-1) / n_dims
        grad = value.new_empty(n_dims, *value.shape)
        slopes = -sines * self.frequency
        for i, d in enumerate(self.periodic):
            grad[d] = slopes[..., i]
        for d in self.plain:
            value = value + x[..., d, None] * self.a[:, d] / n_dims
            grad[d] = self.a[:, d] / n_dims
        laplacian = -(cosines * self.frequency**2).sum(-1)
        return Jet(*(t.movedim(-1, 0) for t in (value, grad, laplacian)))

    def online_pullback(self, x: Tensor, alpha: Tensor, sensitivity: Tensor) -> Tensor | None:
        """Sensitivity to the online weights alone, as in `CoLoRALayer.online_pullback`."""
        if self.update is None:
            return None
        turn = -(sensitivity.movedim(0, -1) / self.a.shape[1]).unsqueeze(-1) * (
            self.a[:, self.periodic] * torch.sin(self._phase(x, alpha))
        )
        return self._pullback_of_shift(alpha, turn)[0].movedim(-1, 0)

    def pullback(self, x: Tensor, alpha: Tensor, sensitivity: Tensor) -> Pullback:
        n_dims = self.a.shape[1]
        phase = self._phase(x, alpha)
        basis = phase.new_empty(*phase.shape[:-1], n_dims)
        basis[..., self.periodic] = torch.cos(phase)
        basis[..., self.plain] = x[..., self.plain].unsqueeze(-2)
        mean = sensitivity.unsqueeze(-1) / n_dims
        turn = -mean * self.a[:, self.periodic] * torch.sin(phase)
        to_input = torch.empty(*turn.shape[:-2], n_dims, dtype=x.dtype, device=x.device)
        to_input[..., self.periodic] = turn.sum(-2) * self.frequency
        to_input[..., self.plain] = (mean * self.a[:, self.plain]).sum(-2)
        factors = [
            Factor(self.a, (mean * basis).flatten(-2), None),
            Factor(self.b, mean.expand(*mean.shape[:-1], n_dims).flatten(-2), None),
            Factor(self.c, turn.flatten(-2), None),
        ]
        online = None
        if self.update is not None:
            online, more = self._pullback_of_shift(alpha, turn)
            factors += more
        return Pullback(to_input, online, factors)

    def _pullback_of_shift(self, alpha: Tensor, turn: Tensor) -> tuple[Tensor, list[Factor]]:
        """Sensitivities of the phase shift ``(A diag(α) B)ᵀ``, given those to the phase."""
        assert self.update is not None
        A, B = self.update.A, self.update.B
        up = turn.mT @ B.T  # (..., n_periodic, rank)
        down = turn @ A  # (..., n_out, rank)
        online = (A * up).sum(-2)
        if self.n_online == 1:
            online = online.sum(-1, keepdim=True)
        alpha = alpha.unsqueeze(-2).unsqueeze(-2)
        return online, [
            Factor(A, (alpha * up).flatten(-2), None),
            Factor(B, (alpha * down).mT.flatten(-2), None),
        ]


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
