"""The first phase of the training: SOAP on the mean relative error."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel
from skcolora._training._phase import batch_shape
from skcolora._training._sampling import SnapshotSampler
from skcolora._training._soap import SOAP


class FirstOrderPhase:
    """SOAP in float32 on the mean relative error, with warm-up and cosine decay.

    The first steps use only early times: the network learns moving structures at their initial
    position and then follows them.  A step never waits for a result of the device.
    """

    dtype = torch.float32
    # The error at late times, which are not trained at first, may rise without limit.
    max_rise = math.inf
    LEARNING_RATE = 3e-3
    # Steps of the warm-up, and its share of the progress in a short phase.
    WARM_UP, WARM_UP_SHARE = 100, 0.05
    # Share of the time range that is sampled at first, and progress at which it is complete.
    FIRST_TIMES, ALL_TIMES_FROM = 0.1, 0.4
    TINY = 1e-12  # keeps the square root differentiable at zero error

    def __init__(self, model: CoLoRAModel, sampler: SnapshotSampler) -> None:
        self.model, self.sampler = model, sampler
        self._shape = batch_shape(sampler, 8192 * sampler.n_fields, 128 * sampler.n_fields)

    def restart(self) -> None:
        self._optimizer = SOAP(self.model.parameters())
        self._n_steps = 0

    def step(self, progress: float, step_factor: float) -> Tensor:
        time_share = self.FIRST_TIMES + (1 - self.FIRST_TIMES) * progress / self.ALL_TIMES_FROM
        batch = self.sampler.draw(*self._shape, self.dtype, time_share=min(1.0, time_share))
        difference = self.model(batch.x, batch.inputs) - batch.u
        squared = (batch.weights * difference).square().sum((1, 2))
        loss = (squared + self.TINY).sqrt().mean()
        self._optimizer.zero_grad()
        loss.backward()
        self._n_steps += 1
        warm = min(1.0, max(self._n_steps / self.WARM_UP, progress / self.WARM_UP_SHARE))
        decay = 0.5 * (1 + math.cos(math.pi * progress))
        self._optimizer.step(self.LEARNING_RATE * step_factor * warm * decay)
        return loss.detach()

    def state(self) -> dict[str, Any]:
        return {
            "optimizer": self._optimizer.state(),
            "sampler": self.sampler.state(),
            "n_steps": self._n_steps,
        }

    def resume(self, state: dict[str, Any]) -> None:
        self._optimizer.resume(state["optimizer"])
        self.sampler.resume(state["sampler"])
        self._n_steps = state["n_steps"]
