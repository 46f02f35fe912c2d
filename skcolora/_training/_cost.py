"""What a training will take: its steps, its time and its memory, measured before it begins."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from skcolora._nn import CoLoRAModel
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._loop import (
    DEFAULT_STEPS,
    FIRST_PHASE_TIME,
    UNLIMITED,
    first_phase_steps,
)
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._phase import Phase
from skcolora._training._sampling import SnapshotSampler
from skcolora.utils._deadline import Deadline

# Memory of the libraries that the first steps load.
_LIBRARIES = 10**8


class TrainingCost(NamedTuple):
    """What a training is expected to take."""

    n_weights: int
    n_first: int
    """Number of steps of the first phase"""
    n_second: int
    """Number of steps of the second phase"""
    seconds: float
    n_bytes: int
    """Memory beside the snapshots"""

    def sentence(self) -> str:
        """The figures in words."""
        n_steps, n_threads = self.n_first + self.n_second, torch.get_num_threads()
        threads = "one thread" if n_threads == 1 else f"{n_threads} threads"
        return (
            f"Training of {self.n_weights:,} weights: about {n_steps:,} steps in "
            f"{_duration(self.seconds)} on {threads}, and {_size(self.n_bytes)} of memory beside "
            "the snapshots."
        )


def expected_cost(
    model: CoLoRAModel,
    sampler: SnapshotSampler,
    *,
    max_iter: int | None = None,
    deadline: Deadline | None = None,
    refine_only: bool = False,
) -> TrainingCost:
    """Time two steps of each phase on a copy of the model, and extrapolate.

    The model and the sampler stay as they are.  The parameters are as in `train`.
    """
    deadline = deadline or Deadline()
    if max_iter is None:
        max_iter = UNLIMITED if deadline.limited else DEFAULT_STEPS
    n_first = 0 if refine_only else first_phase_steps(max_iter)
    first = _step_seconds(FirstOrderPhase, model, sampler) if n_first else 0.0
    second = _step_seconds(NaturalGradientPhase, model, sampler)
    if deadline.limited:
        if n_first:
            n_first = min(n_first, round(FIRST_PHASE_TIME * deadline.remaining / first))
        left = max(deadline.remaining - n_first * first, 0.0)
        n_second = min(max_iter - n_first, round(left / second))
    else:
        n_second = max_iter - n_first
    return TrainingCost(
        sum(p.numel() for p in model.parameters()),
        n_first,
        n_second,
        n_first * first + n_second * second,
        _LIBRARIES + sampler.n_bytes + _bytes_of_steps(model, sampler),
    )


def _step_seconds(
    phase_of: Callable[[CoLoRAModel, SnapshotSampler], Phase],
    model: CoLoRAModel,
    sampler: SnapshotSampler,
) -> float:
    """Duration of a step; the first one also sets up what the others use."""
    phase = phase_of(copy.deepcopy(model), sampler.preview())
    phase.model.to(phase.dtype).requires_grad_(True)
    phase.restart()
    seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        float(phase.step(0.5, 1.0))
        seconds = time.perf_counter() - started
    return seconds


def _bytes_of_steps(model: CoLoRAModel, sampler: SnapshotSampler) -> int:
    """Memory of the largest arrays of the two kinds of steps, in bytes.

    The first kind keeps each layer's values and what SiLU needs for its gradient, in float32; the
    second kind keeps the matrix of the rows three times, with its factor and the room to form it,
    and a few sensitivities and inputs of each layer.
    """
    later: list[Any] = list(model.network.layers[1:])
    n_neurons = sum(len(layer.W) for layer in later)
    n_snapshots, n_points = FirstOrderPhase.batch_shape(sampler)
    n_rows = NaturalGradientPhase.n_rows(sampler.n_fields)
    merged = n_snapshots * sum(layer.W.numel() for layer in later)
    first = 4 * (4 * n_snapshots * n_points * n_neurons + 3 * merged)
    second = 8 * (3 * n_rows**2 + 6 * n_rows * n_neurons)
    return max(first, second)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than a second"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(n_bytes / 1e6, 1):.0f} MB"
