"""The training loop: phases, budget, best weights, interruption and recovery."""

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
# Share of the steps, and of the seconds, that the first phase takes at most, and the number
# of steps beyond which it gains little.  A step of the second costs about five times as much.
FIRST_PHASE_STEPS = 0.8
FIRST_PHASE_TIME = 0.5
FIRST_PHASE_ENOUGH = 1500
# Steps between two looks at the error on a fixed sample.
CHECK_EVERY = 25


@dataclass
class TrainingResult:
    """What training leaves behind besides the weights."""

    losses: list[Tensor] = field(default_factory=list)
    """Sampled relative error of each step; on the device, which need not be waited for."""
    error: float = math.inf
    """Relative error of the weights that were kept, on a fixed sample."""
    n_setbacks: int = 0
    interrupted: bool = False

    @property
    def loss_curve(self) -> list[float]:
        """The losses as numbers."""
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
    """Train in place: SOAP first, then a natural gradient; the best weights stay, in float64.

    Parameters
    ----------
    model : CoLoRAModel
    sampler : SnapshotSampler
    validation : SnapshotSampler or None
        Trajectories that are not trained on.  Their error then decides which weights are
        the best, and ends the second phase when it gets no better.
    max_iter : int or None
        Steps of both phases together.  None: `DEFAULT_STEPS`, or with ``max_time`` as many
        as fit.
    max_time : float or None
        Seconds; the schedule runs to its end in what is reached first.
    target_error : float
        Relative error, on a fixed sample, at which the training stops.
    n_iter_no_change : int
        Steps of the second phase without a better error on ``validation`` that end it.
    refine_only : bool
        Go straight to the second phase, for weights that are trained already.
    verbose : int
        Positive for a progress bar.

    Returns
    -------
    result : TrainingResult

    Raises
    ------
    FloatingPointError
        If the error was not finite from the first step to the last.
    """
    if max_iter is None:
        max_iter = DEFAULT_STEPS if max_time is None else UNLIMITED
    n_first = 0 if refine_only else min(round(FIRST_PHASE_STEPS * max_iter), FIRST_PHASE_ENOUGH)
    judge = sampler if validation is None else validation
    sample = judge.draw(256, 32, torch.float64)
    patience = math.inf if validation is None else math.ceil(n_iter_no_change / CHECK_EVERY)
    stages = [
        Stage(lambda: FirstOrderPhase(model, sampler), n_first, share=FIRST_PHASE_TIME),
        Stage(lambda: NaturalGradientPhase(model, sampler), max_iter, patience=patience),
    ]
    return train_in_stages(
        model,
        stages,
        lambda: _error_on(sample, model),
        max_time=max_time,
        target_error=target_error,
        verbose=verbose,
    )


class Stage(NamedTuple):
    """A phase and when it ends at the latest."""

    phase: Callable[[], Phase]
    until: int
    """Steps, counted from the first of the training"""
    share: float = 1.0
    """Of the seconds, counted from the first as well"""
    patience: float = math.inf
    """Looks without a better error"""


def train_in_stages(
    model: CoLoRAModel,
    stages: Sequence[Stage],
    judge: Callable[[], float],
    *,
    max_time: float | None = None,
    target_error: float = 0.0,
    verbose: int = 0,
) -> TrainingResult:
    """Run phases one after the other; the weights that ``judge`` finds best stay.

    ``max_time``, ``target_error`` and ``verbose`` are as in `train`, and so are the result and the
    error that is raised.
    """
    result = TrainingResult()
    best = _Best(model, judge, target_error)
    best.update()
    started = time.perf_counter()
    budget = math.inf if max_time is None else max_time
    # With a limit of time the number of steps is not known beforehand.
    total = stages[-1].until if max_time is None else None
    with tqdm(total=total, disable=verbose <= 0, unit="step") as bar:
        try:
            for stage in stages:
                n_steps = stage.until - len(result.losses)
                if n_steps > 0 and not best.good_enough:
                    ends = started + stage.share * budget
                    _run(stage.phase(), n_steps, ends, best, stage.patience, result, bar)
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
    # That of the weights that training started from may be finite where no step's is.
    if not math.isfinite(best.error) or not _any_finite(result.losses):
        raise FloatingPointError(
            "The training error was not finite in any step; rescale y, whose values are too large "
            "or too small for float32."
        )
    return result


@torch.no_grad()
def _error_on(sample: Batch, model: CoLoRAModel) -> float:
    """Mean relative error on a sample."""
    dtype = next(model.parameters()).dtype
    x, u, inputs, weights = (t.to(dtype) for t in sample[:4])
    squared = (weights * (model(x, inputs) - u)).square().sum((1, 2))
    return float(squared.sqrt().mean())


def _any_finite(losses: list[Tensor]) -> bool:
    """Whether a step had a finite loss, or none was taken."""
    return not losses or bool(torch.isfinite(torch.stack(losses)).any())


def _run(
    phase: Phase,
    n_steps: int,
    ends: float,
    best: _Best,
    patience: float,
    result: TrainingResult,
    bar: tqdm[None],
) -> None:
    """One phase, from the best weights to better ones."""
    phase.model.to(phase.dtype)
    phase.restart()
    starts = time.perf_counter()
    available = max(ends - starts, 1e-9)
    caution, n_looks_since_best = 1.0, 0
    for n in range(n_steps):
        spent = 0.0 if math.isinf(ends) else (time.perf_counter() - starts) / available
        if spent >= 1:
            break
        result.losses.append(phase.step(max(n / n_steps, spent), caution))
        bar.update()
        if n % CHECK_EVERY != CHECK_EVERY - 1:
            continue
        before, error = best.error, best.update()
        bar.set_postfix_str(f"error {best.error:.2e}", refresh=False)
        if not error <= phase.max_rise * best.error:
            best.restore()
            phase.restart()
            caution *= 0.5
            result.n_setbacks += 1
        n_looks_since_best = 0 if best.error < before else n_looks_since_best + 1
        if best.good_enough or n_looks_since_best >= patience:
            break
    best.update()
    best.restore()
    phase.model.zero_grad(set_to_none=True)


class _Best:
    """The best weights so far, by an error that is always judged in the same way."""

    def __init__(self, model: CoLoRAModel, judge: Callable[[], float], target_error: float) -> None:
        self.model, self._judge, self._target_error = model, judge, target_error
        self._weights = self._copy()
        self.error = math.inf

    @property
    def good_enough(self) -> bool:
        return self.error <= self._target_error

    def _copy(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.model.parameters()]

    def update(self) -> float:
        """Judge, and keep the weights if they are the best."""
        error = self._judge()
        if error < self.error:
            self.error, self._weights = error, self._copy()
        return error

    @torch.no_grad()
    def restore(self) -> None:
        for parameter, best in zip(self.model.parameters(), self._weights, strict=True):
            parameter.copy_(best)
