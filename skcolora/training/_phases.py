"""The two phases of training, each an optimiser with its objective behind one interface.

A phase owns its precision and its batches.  ``step(progress, caution)`` takes one step
at a given share of the phase and returns the sampled relative error before the step.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from skcolora.nn import CoLoRAModel
from skcolora.training._sampling import SnapshotSampler
from skcolora.training._soap import SOAP
from skcolora.training._spring import SPRING


class Phase(Protocol):
    """One stage of training."""

    dtype: torch.dtype
    model: CoLoRAModel
    max_rise: float
    """How far the error may rise over the best one before the weights are set back."""

    def step(self, progress: float, caution: float) -> Tensor:
        """One step, at ``progress`` in [0, 1], its length multiplied by ``caution`` ≤ 1."""

    def restart(self) -> None:
        """Start the optimiser afresh from the weights as they are."""


def batch_shape(sampler: SnapshotSampler, n_values: int, max_points: int) -> tuple[int, int]:
    """Snapshots and points of a batch of at most about ``n_values`` field values.

    Where a batch takes whole snapshots, more of them than there are would be copies.
    """
    n_points = max(1, min(max_points // sampler.n_fields, sampler.n_points))
    n_snapshots = max(1, n_values // (n_points * sampler.n_fields))
    if n_points == sampler.n_points:
        n_snapshots = min(n_snapshots, sampler.n_snapshots)
    return n_snapshots, n_points


class FirstOrderPhase:
    """SOAP in float32 on the mean relative error, with warm-up and cosine decay.

    Early times come first: what moves is followed from where it starts, instead of being
    looked for anywhere.  A step waits for no result of the device.
    """

    dtype = torch.float32
    max_rise = math.inf  # at late times, which are not trained yet, it rises at first
    LEARNING_RATE = 3e-3
    # Over this many steps, or over this share of a short phase.
    WARM_UP, WARM_UP_SHARE = 100, 0.05
    # The share of the times that is seen at first, and the progress at which it is all.
    FIRST_TIMES, ALL_TIMES_FROM = 0.1, 0.4
    TINY = 1e-12  # keeps the square root differentiable where the error vanishes

    def __init__(self, model: CoLoRAModel, sampler: SnapshotSampler) -> None:
        self.model, self.sampler = model, sampler
        self._shape = batch_shape(sampler, 8192 * sampler.n_fields, 128 * sampler.n_fields)

    def restart(self) -> None:
        self._optimizer = SOAP(self.model.parameters())
        self._n_steps = 0

    def step(self, progress: float, caution: float) -> Tensor:
        reach = self.FIRST_TIMES + (1 - self.FIRST_TIMES) * progress / self.ALL_TIMES_FROM
        batch = self.sampler.draw(*self._shape, self.dtype, reach=min(1.0, reach))
        difference = self.model(batch.x, batch.inputs) - batch.u
        squared = (batch.weights * difference).square().sum((1, 2))
        loss = (squared + self.TINY).sqrt().mean()
        self._optimizer.zero_grad()
        loss.backward()
        self._n_steps += 1
        warm = min(1.0, max(self._n_steps / self.WARM_UP, progress / self.WARM_UP_SHARE))
        decay = 0.5 * (1 + math.cos(math.pi * progress))
        self._optimizer.step(self.LEARNING_RATE * caution * warm * decay)
        return loss.detach()


class NaturalGradientPhase:
    """SPRING in float64 on the mean squared relative error, its step falling linearly."""

    dtype = torch.float64
    max_rise = 30.0
    STEP_SIZE = 0.5
    DECAY_FROM = 0.4  # share of the phase at which the step begins to fall

    def __init__(self, model: CoLoRAModel, sampler: SnapshotSampler) -> None:
        self.model, self.sampler = model, sampler
        self._shape = batch_shape(sampler, 1024, 16)

    def restart(self) -> None:
        self._optimizer = SPRING(self.model.parameters())

    @classmethod
    def step_size(cls, progress: float, caution: float) -> float:
        """s of `SPRING` at a given share of the phase."""
        return cls.STEP_SIZE * caution * min(1.0, (1 - progress) / (1 - cls.DECAY_FROM))

    def step(self, progress: float, caution: float) -> Tensor:
        batch = self.sampler.draw(*self._shape, self.dtype)
        row_weights = (batch.weights / math.sqrt(len(batch.x))).permute(2, 0, 1)
        values, factors = self.model.linearize(batch.x, batch.inputs, row_weights)

        def residual(values: Tensor) -> Tensor:
            return row_weights * (values - batch.u).permute(2, 0, 1)

        r = residual(values)
        loss = (r.square().sum((0, 2)) * len(batch.x)).sqrt().mean()
        if torch.isfinite(loss):
            self.sampler.learn(batch, values - batch.u)
            self._optimizer.step(
                factors,
                r,
                self.step_size(progress, caution),
                lambda: residual(self.model(batch.x, batch.inputs)),
            )
        return loss
