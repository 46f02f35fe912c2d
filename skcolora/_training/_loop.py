"""Training loop: phases, budget, best weights, interruption and recovery."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from skcolora._nn import CoLoRAModel
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._phase import Phase
from skcolora._training._sampling import Batch, SnapshotSampler

DEFAULT_STEPS, UNLIMITED = 3000, 10**9
# Largest share of the steps and of the seconds for the first phase, and its largest number of
# steps: more steps gain little.  A step of the second phase costs about five times as much.
FIRST_PHASE_STEPS = 0.8
FIRST_PHASE_TIME = 0.5
FIRST_PHASE_ENOUGH = 1500
# Number of steps between two evaluations of the error on a fixed sample.
CHECK_EVERY = 25


@dataclass
class TrainingResult:
    """Result of the training besides the weights."""

    losses: list[Tensor] = field(default_factory=list)
    """Sampled relative error of each step, kept on the device so that no step waits for it."""
    error: float = math.inf
    """Relative error of the final weights on a fixed sample."""
    n_setbacks: int = 0
    """Number of times that the best weights were restored because the error had risen."""
    interrupted: bool = False

    @property
    def loss_curve(self) -> list[float]:
        """Losses as floats."""
        return torch.stack(self.losses).tolist() if self.losses else []


def train(
    model: CoLoRAModel,
    sampler: SnapshotSampler,
    *,
    validation: SnapshotSampler | None = None,
    max_iter: int | None = None,
    max_time: float | None = None,
    target_error: float = 0.0,
    n_iter_no_change: int = 250,
    refine_only: bool = False,
    verbose: int = 0,
) -> TrainingResult:
    """Train a model in place, first with SOAP and then with natural-gradient steps.

    The model keeps the best weights, in float64.

    Parameters
    ----------
    model : CoLoRAModel
    sampler : SnapshotSampler
    validation : SnapshotSampler or None
        Sampler of trajectories that are not used for training.  If it is given, its error
        selects the best weights and ends the second phase when it no longer decreases.
    max_iter : int or None
        Number of steps of both phases.  None: `DEFAULT_STEPS`, or as many as ``max_time``
        allows.
    max_time : float or None
        Time limit in seconds.  The step-size schedule ends at the limit that is reached first.
    target_error : float
        Relative error on a fixed sample at which the training stops.
    n_iter_no_change : int
        Number of steps without a smaller error on ``validation`` that end the second phase.
    refine_only : bool
        Whether to skip the first phase, for a model that has already been trained.
    verbose : int
        A positive value shows a progress bar.

    Returns
    -------
    result : TrainingResult

    Raises
    ------
    FloatingPointError
        If the error was not finite in any step.
    """
    if max_iter is None:
        max_iter = DEFAULT_STEPS if max_time is None else UNLIMITED
    n_first = 0 if refine_only else min(round(FIRST_PHASE_STEPS * max_iter), FIRST_PHASE_ENOUGH)
    monitored = sampler if validation is None else validation
    sample = monitored.draw(256, 32, torch.float64)
    patience = math.inf if validation is None else math.ceil(n_iter_no_change / CHECK_EVERY)
    stages = [
        Stage(lambda: FirstOrderPhase(model, sampler), n_first, time_share=FIRST_PHASE_TIME),
        Stage(lambda: NaturalGradientPhase(model, sampler), max_iter, patience=patience),
    ]
    return train_in_stages(
        model,
        stages,
        lambda: _relative_error(sample, model),
        max_time=max_time,
        target_error=target_error,
        verbose=verbose,
    )


class Stage(NamedTuple):
    """A training phase with its limits."""

    phase: Callable[[], Phase]
    last_step: int
    """Last step of the phase, counted from the first step of the training"""
    time_share: float = 1.0
    """End of the phase as a share of the time limit of the training"""
    patience: float = math.inf
    """Number of evaluations without a smaller error that end the phase"""


def train_in_stages(
    model: CoLoRAModel,
    stages: Sequence[Stage],
    evaluate: Callable[[], float],
    *,
    max_time: float | None = None,
    target_error: float = 0.0,
    verbose: int = 0,
) -> TrainingResult:
    """Run phases one after the other, and keep the weights with the smallest error.

    ``evaluate`` computes the error of the current weights.  The other parameters, the result and
    the exception are as in `train`.
    """
    result = TrainingResult()
    best = _Best(model, evaluate, target_error)
    best.update()
    training_start = time.perf_counter()
    budget = math.inf if max_time is None else max_time
    # With a time limit the number of steps is not known in advance.
    total = stages[-1].last_step if max_time is None else None
    with tqdm(total=total, disable=verbose <= 0, unit="step") as bar:
        try:
            for stage in stages:
                n_steps = stage.last_step - len(result.losses)
                if n_steps > 0 and not best.good_enough:
                    deadline = training_start + stage.time_share * budget
                    _run_phase(stage.phase(), n_steps, deadline, best, stage.patience, result, bar)
        except KeyboardInterrupt:
            result.interrupted = True
            best.update()
            best.restore()
            warnings.warn(
                f"Training was interrupted after {len(result.losses)} steps; the best weights so "
                f"far are kept (sampled relative error {best.error:.2g}).",
                UserWarning,
                stacklevel=4,
            )
    model.to(torch.float64)
    result.error = best.error
    # The initial weights may have a finite error although no step has a finite loss.
    if not math.isfinite(best.error) or not _any_finite(result.losses):
        raise FloatingPointError(
            "The training error was not finite in any step; rescale y, whose values are too large "
            "or too small for float32."
        )
    return result


@torch.no_grad()
def _relative_error(sample: Batch, model: CoLoRAModel) -> float:
    """Mean relative error of the model on a sample."""
    dtype = next(model.parameters()).dtype
    x, u, inputs, weights = (t.to(dtype) for t in sample[:4])
    squared = (weights * (model(x, inputs) - u)).square().sum((1, 2))
    return float(squared.sqrt().mean())


def _any_finite(losses: list[Tensor]) -> bool:
    """Whether any step had a finite loss; True if there was no step."""
    return not losses or bool(torch.isfinite(torch.stack(losses)).any())


def _run_phase(
    phase: Phase,
    n_steps: int,
    deadline: float,
    best: _Best,
    patience: float,
    result: TrainingResult,
    bar: tqdm[None],
) -> None:
    """Run one phase, and restore the best weights at its end."""
    phase.model.to(phase.dtype)
    phase.restart()
    phase_start = time.perf_counter()
    available = max(deadline - phase_start, 1e-9)
    step_factor, n_checks_since_best = 1.0, 0
    for n in range(n_steps):
        elapsed_share = (
            0.0 if math.isinf(deadline) else (time.perf_counter() - phase_start) / available
        )
        if elapsed_share >= 1:
            break
        result.losses.append(phase.step(max(n / n_steps, elapsed_share), step_factor))
        bar.update()
        if n % CHECK_EVERY != CHECK_EVERY - 1:
            continue
        before, error = best.error, best.update()
        bar.set_postfix_str(f"error {best.error:.2e}", refresh=False)
        if not error <= phase.max_rise * best.error:
            best.restore()
            phase.restart()
            step_factor *= 0.5
            result.n_setbacks += 1
        n_checks_since_best = 0 if best.error < before else n_checks_since_best + 1
        if best.good_enough or n_checks_since_best >= patience:
            break
    best.update()
    best.restore()
    phase.model.zero_grad(set_to_none=True)


class _Best:
    """Best weights so far, by an error that is always computed on the same sample."""

    def __init__(
        self, model: CoLoRAModel, evaluate: Callable[[], float], target_error: float
    ) -> None:
        self.model, self._evaluate, self._target_error = model, evaluate, target_error
        self._weights = self._copy()
        self.error = math.inf

    @property
    def good_enough(self) -> bool:
        return self.error <= self._target_error

    def _copy(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.model.parameters()]

    def update(self) -> float:
        """Evaluate the error, and keep a copy of the weights if it is the smallest one."""
        error = self._evaluate()
        if error < self.error:
            self.error, self._weights = error, self._copy()
        return error

    @torch.no_grad()
    def restore(self) -> None:
        for parameter, best in zip(self.model.parameters(), self._weights, strict=True):
            parameter.copy_(best)
