"""A training phase: an optimiser with its objective, precision and batches, and its limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel
from skcolora._training._sampling import SnapshotSampler


class Phase(Protocol):
    """One phase of training."""

    dtype: torch.dtype
    model: CoLoRAModel

    @property
    def max_rise(self) -> float:
        """Ratio of the error to the smallest error above which the best weights are restored.

        It is infinite while the phase does not yet see all times.
        """

    def step(self, progress: float, step_factor: float) -> Tensor:
        """Take one step, and return its loss.

        ``progress`` in [0, 1] is the share of the phase that is done; ``step_factor`` ≤ 1
        multiplies the step size.
        """

    def restart(self) -> None:
        """Reset the optimiser, which then continues from the current weights."""

    def state(self) -> dict[str, Any]:
        """What `resume` needs to go on as if the training had not been cut off."""

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with a state, after `restart` and with the weights of that time."""


class Stage(NamedTuple):
    """A training phase with its limits."""

    phase: Callable[[], Phase]
    last_step: int
    """Last step of the phase, counted from the first step of the training"""
    time_share: float = 1.0
    """End of the phase as a share of the time limit of the training"""
    patience: float = math.inf
    """Number of evaluations without a smaller error that end the phase"""
    part: tuple[float, float] = (0.0, 1.0)
    """Progress of the phase at its first step and after its last one"""
    keep_last: bool = False
    """Whether the next phase begins with the last weights, and not with the best ones"""


def batch_shape(sampler: SnapshotSampler, n_values: int, max_points: int) -> tuple[int, int]:
    """Numbers of snapshots and points of a batch with at most about ``n_values`` field values.

    A batch of whole snapshots has no more snapshots than there are, since others would be copies.
    """
    n_points = max(1, min(max_points // sampler.n_fields, sampler.n_points))
    n_snapshots = max(1, n_values // (n_points * sampler.n_fields))
    if n_points == sampler.n_points:
        n_snapshots = min(n_snapshots, sampler.n_snapshots)
    return n_snapshots, n_points
