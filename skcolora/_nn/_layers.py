"""The layers of a CoLoRA network, each with its forward pass and its pullback.

A pullback takes the sensitivity of the fields to the output of a layer.  It returns the
sensitivities to the input of the layer, to its online weights and to its offline weights.  The
sensitivities to the offline weights are outer products (`Factor`), so that one backward pass
gives the whole Jacobian of a batch without forming the matrix.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Factor(NamedTuple):
    """Rows of a Jacobian with respect to one weight, ``J_i = left_i ⊗ right_i``.

    ``left`` has shape (..., n_in) and ``right`` has shape (..., n_out).  If one of them is
    None, it stands for a column of ones.
    """

    parameter: nn.Parameter
    left: Tensor | None
    right: Tensor | None


class Jet(NamedTuple):
    """Output of the first layer and its derivatives in space, in the user's unit of length."""

    value: Tensor
    """(n_out, n_states or 1, n_points)"""
    grad: Tensor
    """(n_out, n_dims, n_states or 1, n_points or 1)"""
    laplacian: Tensor
    """Sum of the second derivatives, (n_out, n_states or 1, n_points or 1)"""

    def of_states(self, chosen: Tensor) -> Jet:
        """Select states by a mask or by indices; arrays that all states share stay the same."""
        return Jet(*(t if t.shape[-2] == 1 else t[..., chosen, :] for t in self))


class Pullback(NamedTuple):
    """Sensitivities of the fields to the input and to the weights of a layer."""

    input: Tensor
    online: Tensor | None
    factors: list[Factor]


def lecun_normal(*shape: int, generator: torch.Generator, fan_in: int) -> nn.Parameter:
    """Normal weights of variance ``1 / fan_in``."""
    draws = torch.randn(*shape, generator=generator, dtype=torch.float32, device="cpu")
    return nn.Parameter(draws / math.sqrt(fan_in))


class LowRankUpdate(nn.Module):
    """Low-rank update ``A diag(α) B`` of a layer, A of shape (n_in, rank), B (rank, n_out).

    With ``adaptation="scalar"`` one online weight multiplies the product ``A B``; with
    ``"diagonal"`` each of the ``rank`` directions has its own online weight.
    """

    def __init__(
        self, n_in: int, n_out: int, *, rank: int, adaptation: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.n_online = 1 if adaptation == "scalar" else rank
        self.A = lecun_normal(n_in, rank, generator=generator, fan_in=n_in)
        self.B = lecun_normal(rank, n_out, generator=generator, fan_in=rank)

    def matrix(self, alpha: Tensor) -> Tensor:
        """``A diag(α) B``, (..., n_in, n_out), for online weights (..., n_online)."""
        return self.A @ (alpha.unsqueeze(-1) * self.B)

    def online_pullback(self, down: Tensor, up: Tensor) -> Tensor:
        """Sensitivity to α, (n_online, ...), from the values on both sides of ``diag(α)``.

        ``down`` is the product of A and the input, ``up`` the product of B and the sensitivity
        to the output; both have shape (rank, ...).
        """
        online = down * up
        return online.sum(0, keepdim=True) if self.n_online == 1 else online

    def pullback(
        self, inputs: Tensor, alpha: Tensor, sensitivity: Tensor
    ) -> tuple[Tensor, list[Factor]]:
        """Sensitivities to α, A and B of the product ``inputs @ matrix(alpha)``."""
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
        Numbers of inputs and outputs.
    rank : int or None
        Rank of the update.  None: a plain linear layer without online weights.
    adaptation : {"scalar", "diagonal"}
    generator : torch.Generator
        Source of the initial weights.
    augmented : bool, default=False
        Whether the low-rank update acts on the input augmented by a 1.  In the first layer the
        update can then represent a translation ``x - s(t)`` of the domain.
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
        self.b = nn.Parameter(torch.zeros(n_out, dtype=torch.float32, device="cpu"))
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
        """Initialise the update as ``-s W``, a translation of the input by s."""
        update.A[:-1] = 0
        update.B.copy_(update.B[:, : len(self.W)] @ self.W)

    @property
    def n_online(self) -> int:
        return 0 if self.update is None else self.update.n_online

    def features(self, x: Tensor) -> Tensor:
        """What `merged` is applied to: the inputs themselves."""
        return x

    def merged(self, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Weight (..., n_in, n_out) and bias (..., 1, n_out), with the low-rank update added."""
        if self.update is None:
            return self.W, self.b
        change = self.update.matrix(alpha)
        if self.augmented:
            return self.W + change[..., :-1, :], self.b + change[..., -1:, :]
        return self.W + change, self.b

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        """Map x (..., n_points, n_in) and alpha (..., n_online) to (..., n_points, n_out)."""
        weight, bias = self.merged(alpha)
        return torch.matmul(x, weight) + bias

    def product(self, h: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor | None]:
        """``(W + A diag(α) B)ᵀ h``, without the bias, and Aᵀh.

        The first axis is that of the neurons, the last two are those of the states and points:
        h (n_in, ..., n_states or 1, n_points) and alpha (n_online, n_states, 1) give (n_out, ...,
        n_states, n_points).  In place of Aᵀh it returns None if there are no online weights.
        """
        if self.update is None:
            return _multiply_first_axis(self.W.T, h), None
        return _adapted_product(self.W.T, self.update.B.T, self.update.A.T, h, alpha)

    def product_pullback(
        self, sensitivity: Tensor, alpha: Tensor, low: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Sensitivities to the input of `product` and to α.

        The second one is None if the layer has no online weights.

        Parameters
        ----------
        sensitivity : Tensor of shape (n_out, n_fields, n_states or 1, n_points or 1)
        alpha : Tensor of shape (n_online, n_states, 1)
        low : Tensor of shape (rank, n_states or 1, n_points), optional
            The second result of `product`.
        """
        if self.update is None or low is None:
            return _multiply_first_axis(self.W, sensitivity), None
        input_sensitivity, up = _adapted_product(
            self.W, self.update.A, self.update.B, sensitivity, alpha
        )
        return input_sensitivity, self.update.online_pullback(low.unsqueeze(1), up)

    def jet(self, x: Tensor, alpha: Tensor, slopes: Tensor) -> Jet:
        """Output and its derivatives in space, for a layer whose inputs are the coordinates.

        ``slopes``, (n_dims,), are the derivatives of the scaled coordinates x.
        """
        weight = self.merged(alpha)[0] * slopes.unsqueeze(-1)
        grad = (weight if weight.ndim == 3 else weight.unsqueeze(0)).permute(2, 1, 0).unsqueeze(-1)
        return Jet(self(x, alpha).movedim(-1, 0), grad, torch.zeros_like(grad[:, 0]))

    def series(self, x: Tensor, alpha: Tensor, directions: Tensor, order: int) -> list[Tensor]:
        """Taylor series along directions (n_directions, n_dims) in the scaled coordinates x.

        For coordinates (n_states or 1, n_points, n_dims) the value is (n_out, 1, n_states or 1,
        n_points), and the coefficients of higher order broadcast to (n_out, n_directions, n_states,
        n_points).
        """
        slope = (directions @ self.merged(alpha)[0]).movedim(-1, 0)
        slope = slope.mT if slope.ndim == 3 else slope.unsqueeze(-1)
        value = self(x, alpha).movedim(-1, 0).unsqueeze(1)
        return [value, slope.unsqueeze(-1), *[torch.zeros_like(value[..., :1])] * (order - 1)]

    def online_pullback(self, x: Tensor, alpha: Tensor, sensitivity: Tensor) -> Tensor | None:
        """Sensitivity to the online weights, or None if the layer has none.

        For coordinates (n_states or 1, n_points, n_in) and a sensitivity to the output
        (n_out, n_fields, n_states, n_points), the result has shape (n_online, n_fields, n_states,
        n_points).
        """
        if self.update is None:
            return None
        if self.augmented:
            x = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)
        down = (x @ self.update.A).movedim(-1, 0).unsqueeze(1)
        return self.update.online_pullback(down, _multiply_first_axis(self.update.B, sensitivity))

    def pullback(self, x: Tensor, alpha: Tensor, sensitivity: Tensor) -> Pullback:
        weight, _ = self.merged(alpha)
        factors = [Factor(self.W, x, sensitivity), Factor(self.b, None, sensitivity)]
        online = None
        if self.update is not None:
            if self.augmented:
                x = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)
            online, update_factors = self.update.pullback(x, alpha, sensitivity)
            factors += update_factors
        return Pullback(torch.matmul(sensitivity, weight.mT), online, factors)


def _multiply_first_axis(matrix: Tensor, h: Tensor) -> Tensor:
    """Product of a matrix (n, n_in) with the first axis of h, (n_in, ...)."""
    return (matrix @ h.flatten(1)).view(-1, *h.shape[1:])


def _adapted_product(
    W: Tensor, B: Tensor, A: Tensor, h: Tensor, alpha: Tensor
) -> tuple[Tensor, Tensor]:
    """``W h + B diag(α) A h`` and ``A h``, for h of shape (n_in, ..., n_states or 1, n_points)."""
    low = _multiply_first_axis(A, h)
    scaled = low * (alpha if h.ndim == 3 else alpha.unsqueeze(1))
    out = _multiply_first_axis(W, h)
    if out.shape[1:] != scaled.shape[1:]:
        out = out.expand(-1, *scaled.shape[1:]).contiguous()
    return out.flatten(1).addmm_(B, scaled.flatten(1)).view_as(out), low
