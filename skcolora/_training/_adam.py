"""Adam, an optimiser of the first order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class Adam:
    """The update of `torch.optim.Adam`, without its class.

    The class imports the compiler of PyTorch, which takes seconds in each new process: as long as a
    whole short training.

    References
    ----------
    D. P. Kingma, J. Ba, Adam: A method for stochastic optimization, ICLR 2015,
    https://arxiv.org/abs/1412.6980, Algorithm 1
    """

    MOMENTUM, SECOND_MOMENTUM, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = [p for p in parameters if p.requires_grad]
        self._means = [torch.zeros_like(p) for p in self.parameters]
        self._squares = [torch.zeros_like(p) for p in self.parameters]
        # The numbers of steps stay on the CPU, so that a step does not wait for the device.
        self._n_steps = [torch.zeros((), device="cpu") for _ in self.parameters]

    @torch.no_grad()
    def step(self, loss: Tensor, learning_rate: float) -> None:
        """Move the weights against the gradient of a loss; what is not finite counts as 0."""
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss, self.parameters, materialize_grads=True)
        adam(
            self.parameters,  # type: ignore[arg-type]
            [gradient.nan_to_num(0.0, 0.0, 0.0) for gradient in gradients],
            self._means,
            self._squares,
            [],
            self._n_steps,
            amsgrad=False,
            beta1=self.MOMENTUM,
            beta2=self.SECOND_MOMENTUM,
            lr=learning_rate,
            weight_decay=0.0,
            eps=self.EPSILON,
            maximize=False,
        )

    def state(self) -> dict[str, Any]:
        """Means of the gradients and of their squares, and number of steps."""
        return {"means": self._means, "squares": self._squares, "n_steps": self._n_steps}

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from a `state` of the same weights."""
        for own, stored in (
            (self._means, state["means"]),
            (self._squares, state["squares"]),
            (self._n_steps, state["n_steps"]),
        ):
            for target, source in zip(own, stored, strict=True):
                target.copy_(source)
