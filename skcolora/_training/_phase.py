"""A phase of the training: an optimiser with its objective, its precision and its batches."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel
from skcolora._training._sampling import SnapshotSampler


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
