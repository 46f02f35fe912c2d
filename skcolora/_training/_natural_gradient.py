"""The second phase of the training: a natural gradient on the mean squared relative error."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel
from skcolora._training._phase import batch_shape
from skcolora._training._sampling import SnapshotSampler
from skcolora._training._spring import SPRING


class NaturalGradientPhase:
    """SPRING in float64 on the mean squared relative error, with a linearly decaying step."""

    dtype = torch.float64
    max_rise = 30.0
    STEP_SIZE = 0.5
    # Share of the phase after which the step decays.
    DECAY_FROM = 0.4
    # Largest shrinkage of the weights of the hypernetwork, and the share of the phase in which it
    # falls to 0.  The few training parameters do not determine these weights: of all maps that fit
    # them, one with small weights is smooth in between.  The last steps are without it, because it
    # competes with the fit.
    SHRINKAGE = 0.3
    SHRINK_UNTIL = 0.5
    # How much more often the first and the last times are drawn, see `SnapshotSampler.draw`: the
    # latent state is held from one side only there, so that its errors are larger otherwise.
    END_EMPHASIS = 0.5
    # Least damping, relative to the squared rounding errors of the snapshots.  With less damping
    # the steps follow the rounding errors, and hardly the field.
    ROUNDING_DAMPING = 10.0

    def __init__(self, model: CoLoRAModel, sampler: SnapshotSampler) -> None:
        self.model, self.sampler = model, sampler
        self._shape = batch_shape(sampler, 1024, 16)

    def restart(self) -> None:
        least = self.ROUNDING_DAMPING * self.sampler.rounding**2
        self._optimizer = SPRING(
            self.model.parameters(),
            shrunk=self.model.hypernetwork.weights,
            least_damping=least,
        )

    @classmethod
    def step_size(cls, progress: float, step_factor: float) -> float:
        """Step size s of `SPRING` at a progress in [0, 1]."""
        return cls.STEP_SIZE * step_factor * min(1.0, (1 - progress) / (1 - cls.DECAY_FROM))

    @classmethod
    def shrinkage(cls, progress: float) -> float:
        """Shrinkage ρ of `SPRING` at a progress in [0, 1]."""
        return cls.SHRINKAGE * max(0.0, 1 - progress / cls.SHRINK_UNTIL)

    def step(self, progress: float, step_factor: float) -> Tensor:
        batch = self.sampler.draw(*self._shape, self.dtype, emphasis=self.END_EMPHASIS)
        row_weights = (batch.weights / math.sqrt(len(batch.x))).permute(2, 0, 1)
        values, factors = self.model.linearize(batch.x, batch.inputs, row_weights)

        def residual(values: Tensor) -> Tensor:
            return row_weights * (values - batch.u).permute(2, 0, 1)

        r = residual(values)
        loss = (r.square().sum((0, 2)) * len(batch.x)).sqrt().mean()
        self.sampler.learn(batch, values - batch.u)
        self._optimizer.step(
            factors,
            r,
            self.step_size(progress, step_factor),
            lambda: residual(self.model(batch.x, batch.inputs)),
            shrinkage=self.shrinkage(progress),
        )
        return loss

    def state(self) -> dict[str, Any]:
        return {"optimizer": self._optimizer.state(), "sampler": self.sampler.state()}

    def resume(self, state: dict[str, Any]) -> None:
        self._optimizer.resume(state["optimizer"])
        self.sampler.resume(state["sampler"])
