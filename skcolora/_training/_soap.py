"""SOAP: the Adam optimiser in the eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class SOAP:
    """First-order optimiser of the first training phase [1]_.

    Weights of equal shape are stacked, so that a step needs only a few batched products for the
    whole network.  The data and gradients of the weights become views into these stacks.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
    betas : tuple of two floats
        Decay of the mean gradient, and of the second moments.
    eps : float
        Lower bound of the root mean square gradient, by which the step is divided.
    refresh : int
        Number of steps between two updates of the eigenbases, by one power iteration and QR.

    References
    ----------
    .. [1] N. Vyas et al., "SOAP: Improving and stabilizing Shampoo using Adam",
       ICLR 2025, arXiv:2409.11321, Algorithm 3.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        refresh: int = 10,
    ) -> None:
        by_shape = defaultdict(list)
        for parameter in parameters:
            by_shape[parameter.shape].append(parameter)
        self._stacks = [_Stack(group) for group in by_shape.values()]
        self.betas, self.eps, self.refresh = betas, eps, refresh
        self._n_steps = 0

    def zero_grad(self) -> None:
        for stack in self._stacks:
            stack.grad.zero_()

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update the weights from their ``.grad``, with learning rate ``lr``."""
        self._n_steps += 1
        beta1, beta2 = self.betas
        correction1 = 1 - beta1**self._n_steps
        correction2 = 1 - beta2**self._n_steps
        for stack in self._stacks:
            stack.grad.nan_to_num_(0.0, 0.0, 0.0)  # ignore entries that are not finite
            stack.update_moments(beta1, beta2, refresh=self._n_steps % self.refresh == 1)
            mean = stack.rotate(stack.mean)
            scale = (stack.second / correction2).sqrt_().add_(self.eps)
            stack.value.add_(stack.rotate_back(mean / scale), alpha=-lr / correction1)

    def state(self) -> dict[str, Any]:
        """Moments and eigenbases."""
        return {"n_steps": self._n_steps, "stacks": [stack.state() for stack in self._stacks]}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with the moments and eigenbases of a state, and the current weights."""
        self._n_steps = state["n_steps"]
        for stack, saved in zip(self._stacks, state["stacks"], strict=True):
            stack.resume(saved)


class _Stack:
    """Stack of weights of one shape, (n, rows, columns), with the moments of their gradients."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        as_matrix = (len(parameters), -1, parameters[0].shape[-1])
        self.value = torch.stack([p.detach() for p in parameters]).reshape(as_matrix)
        self.grad = torch.zeros_like(self.value)
        for parameter, value, grad in zip(parameters, self.value, self.grad, strict=True):
            parameter.data = value.view(parameter.shape)
            parameter.grad = grad.view(parameter.shape)
        self.mean = torch.zeros_like(self.value)
        self.second = torch.zeros_like(self.value)
        # Vectors, and axes of length one, have no eigenbasis.
        rows, columns = self.value.shape[1:]
        vectors = parameters[0].ndim == 1
        self._left = _Eigenbasis(self.value, rows) if rows > 1 else None
        self._right = _Eigenbasis(self.value, columns) if columns > 1 and not vectors else None

    def update_moments(self, beta1: float, beta2: float, *, refresh: bool) -> None:
        """Update the running moments with the current gradient."""
        self.mean.lerp_(self.grad, 1 - beta1)
        if self._left is not None:
            self._left.update_moments(self.grad @ self.grad.mT, beta2, refresh=refresh)
        if self._right is not None:
            self._right.update_moments(self.grad.mT @ self.grad, beta2, refresh=refresh)
        self.second.lerp_(self.rotate(self.grad).square_(), 1 - beta2)

    def state(self) -> dict[str, Any]:
        bases = [None if basis is None else vars(basis) for basis in (self._left, self._right)]
        return {"mean": self.mean, "second": self.second, "bases": bases}

    def resume(self, state: dict[str, Any]) -> None:
        self.mean, self.second = state["mean"].to(self.mean), state["second"].to(self.second)
        for basis, saved in zip((self._left, self._right), state["bases"], strict=True):
            if basis is not None:
                basis.resume(saved)

    def rotate(self, g: Tensor) -> Tensor:
        g = g if self._left is None else self._left.vectors.mT @ g
        return g if self._right is None else g @ self._right.vectors

    def rotate_back(self, g: Tensor) -> Tensor:
        g = g if self._left is None else self._left.vectors @ g
        return g if self._right is None else g @ self._right.vectors.mT


class _Eigenbasis:
    """Eigenvectors of a batch of running second-moment matrices."""

    def __init__(self, like: Tensor, size: int) -> None:
        self.moment = like.new_zeros(len(like), size, size)
        self.vectors = torch.eye(size, dtype=like.dtype, device=like.device).repeat(len(like), 1, 1)
        self._started = False

    def update_moments(self, moment: Tensor, beta: float, *, refresh: bool) -> None:
        self.moment.lerp_(moment, 1 - beta)
        if not self._started:
            # Single precision fails for a large matrix that is almost zero.
            vectors = torch.linalg.eigh(self.moment.double()).eigenvectors
            self.vectors = vectors.flip(-1).to(self.moment)
            self._started = True
        elif refresh:
            self.vectors = torch.linalg.qr(self.moment @ self.vectors).Q

    def resume(self, state: dict[str, Any]) -> None:
        like = self.moment
        self.moment, self.vectors = state["moment"].to(like), state["vectors"].to(like)
        self._started = state["_started"]
