"""The second phase of the training: a natural gradient on the mean squared relative error."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._phase import batch_shape
from skcolora._training._sampling import SnapshotSampler
from skcolora._training._spring import SPRING


class NaturalGradientPhase:
    """SPRING in float64 on the mean squared relative error, with a linearly decaying step."""

    dtype = torch.float64
    # Ratio of errors above which the best weights are restored.
    MAX_RISE = 30.0
    # Share of the time range that is sampled at first, and progress at which it is complete.  A
    # network that sees all times at once may not find how structures move.
    FIRST_TIMES, ALL_TIMES_FROM = FirstOrderPhase.FIRST_TIMES, 0.3
    # Rows of the Jacobian for one field: with more of them a step costs more than it gains.
    N_ROWS, MAX_POINTS = 512, 16
    STEP_SIZE, MOMENTUM = 0.5, 0.97
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

    def __init__(
        self, model: CoLoRAModel, sampler: SnapshotSampler, *, all_times: bool = False
    ) -> None:
        self.model, self.sampler = model, sampler
        # A model that has been trained is not taught the early times anew.
        self._first_times = 1.0 if all_times else self.FIRST_TIMES
        self._shape = batch_shape(sampler, self.n_rows(sampler.n_fields), self.MAX_POINTS)
        self.max_rise = self.MAX_RISE

    def restart(self) -> None:
        least = self.ROUNDING_DAMPING * self.sampler.rounding**2
        self._optimizer = SPRING(
            self.model.parameters(),
            shrunk=self.model.hypernetwork.weights,
            momentum=self.MOMENTUM,
            least_damping=least,
        )

    @classmethod
    def n_rows(cls, n_fields: int) -> int:
        """Number of rows of the Jacobian, which grows more slowly than the number of fields."""
        return round(cls.N_ROWS * math.sqrt(n_fields))

    @classmethod
    def step_size(cls, progress: float, step_factor: float) -> float:
        """Step size s of `SPRING` at a progress in [0, 1]."""
        return cls.STEP_SIZE * step_factor * min(1.0, (1 - progress) / (1 - cls.DECAY_FROM))

    @classmethod
    def shrinkage(cls, progress: float) -> float:
        """Shrinkage ρ of `SPRING` at a progress in [0, 1]."""
        return cls.SHRINKAGE * max(0.0, 1 - progress / cls.SHRINK_UNTIL)

    def time_share(self, progress: float) -> float:
        """Share of the time range that is sampled at a progress in [0, 1]."""
        first = self._first_times
        return min(1.0, first + (1 - first) * progress / self.ALL_TIMES_FROM)

    def step(self, progress: float, step_factor: float) -> Tensor:
        time_share = self.time_share(progress)
        self.max_rise = self.MAX_RISE if time_share >= 1 else math.inf
        batch = self.sampler.draw(
            *self._shape, self.dtype, time_share=time_share, emphasis=self.END_EMPHASIS
        )
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
