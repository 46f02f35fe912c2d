"""Training loop: phases, budget, interruption, recovery and resumption."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel
from skcolora._training._best import Best
from skcolora._training._checkpoint import Checkpoint
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._phase import Stage
from skcolora._training._progress import Progress
from skcolora._training._result import TrainingResult
from skcolora._training._sampling import Batch, SnapshotSampler
from skcolora._training._threads import ThreadChoice, chosen_threads
from skcolora.utils._deadline import Deadline
from skcolora.utils._sklearn import in_search
from skcolora.utils._stack import caller_stacklevel

DEFAULT_STEPS, UNLIMITED = 3000, 10**9
# Largest shares of the steps and of the seconds for the first phase, and its largest number of
# steps.  It only finds a good start: a second of the second phase gains more.
FIRST_PHASE_STEPS = 0.2
FIRST_PHASE_TIME = 0.1
FIRST_PHASE_ENOUGH = 500
# Number of steps between two evaluations of the error on a fixed sample.
CHECK_EVERY = 25


def train(
    model: CoLoRAModel,
    sampler: SnapshotSampler,
    *,
    validation: SnapshotSampler | None = None,
    max_iter: int | None = None,
    deadline: Deadline | None = None,
    target_error: float = 0.0,
    n_iter_no_change: int = 250,
    refine_only: bool = False,
    part: tuple[float, float] = (0.0, 1.0),
    dtype: torch.dtype = torch.float64,
    verbose: int = 0,
    title: str = "",
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> TrainingResult:
    """Train a model in place, first with Adam and then with natural-gradient steps.

    The model keeps the best weights.

    Parameters
    ----------
    model : CoLoRAModel
    sampler : SnapshotSampler
    validation : SnapshotSampler or None
        Sampler of trajectories that are not used for training.  If it is given, its error
        selects the best weights and ends the second phase when it no longer decreases.
    max_iter : int or None
        Number of steps of both phases.  None: `DEFAULT_STEPS`, or as many as ``deadline``
        allows.
    deadline : Deadline or None
        Time limit of the call that the training belongs to.  The step-size schedule adapts to the
        time that is left, and ends at the limit that is reached first.  The training ends before
        the time limit if another step, with the last evaluations, would exceed it.
    target_error : float
        Relative error on a fixed sample at which the training stops.
    n_iter_no_change : int
        Number of steps without a smaller error on ``validation`` that end the second phase.
    refine_only : bool
        Whether to skip the first phase, for a model that has already been trained.
    part : tuple of float
        Part of the second phase that is run, from its progress at the start to that at the end.
        The first phase is skipped unless the part starts at 0.
    dtype : torch.dtype
        Precision of the returned model, in which its error is computed at the end.
    verbose : int
        A positive value shows the progress.
    title : str
        Words before it.
    progress : Progress or None
        Progress of a longer training that this one is a part of, in place of its own.
    checkpoint : Checkpoint or None
        File of the state, from which the training goes on if it holds one.

    Returns
    -------
    result : TrainingResult

    Raises
    ------
    FloatingPointError
        If the error was not finite in any step.
    KeyboardInterrupt
        If the user interrupts a training inside a search; otherwise the best weights are kept.
    """
    deadline = deadline or Deadline()
    if max_iter is None:
        max_iter = UNLIMITED if deadline.limited else DEFAULT_STEPS
    monitored = sampler if validation is None else validation
    saved = None if checkpoint is None else checkpoint.saved
    sample = (
        Batch(*saved["sample"]) if saved is not None else monitored.draw(256, 32, torch.float64)
    )
    patience = math.inf if validation is None else math.ceil(n_iter_no_change / CHECK_EVERY)
    start, end = part
    skipped = refine_only or start > 0
    n_first = 0 if skipped else first_phase_steps(max_iter)
    # A part that does not reach the end of the schedule leaves the rest of the budget.
    first_time, share = (0.0, 1.0) if skipped else (FIRST_PHASE_TIME, end)
    stages = [
        Stage(
            lambda: FirstOrderPhase(model, sampler),
            n_first,
            time_share=FIRST_PHASE_TIME,
            keep_last=True,
        ),
        Stage(
            lambda: NaturalGradientPhase(model, sampler, all_times=refine_only),
            n_first + round(share * (max_iter - n_first)),
            time_share=first_time + share * (1 - first_time),
            patience=patience,
            part=part,
        ),
    ]
    return train_in_stages(
        model,
        stages,
        lambda: _relative_error(sample, model),
        deadline=deadline,
        target_error=target_error,
        dtype=dtype,
        verbose=verbose,
        title=title,
        progress=progress,
        checkpoint=checkpoint,
        kept={"sample": tuple(sample)},
    )


def first_phase_steps(max_iter: int) -> int:
    return min(round(FIRST_PHASE_STEPS * max_iter), FIRST_PHASE_ENOUGH)


def train_in_stages(
    model: CoLoRAModel,
    stages: Sequence[Stage],
    evaluate: Callable[[], float],
    *,
    deadline: Deadline | None = None,
    target_error: float = 0.0,
    dtype: torch.dtype = torch.float64,
    verbose: int = 0,
    title: str = "",
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    kept: dict[str, Any] | None = None,
) -> TrainingResult:
    """Run phases one after the other, and keep the weights with the smallest error.

    ``evaluate`` computes the error of the model, which is in the precision of a phase, in float64
    or in ``dtype``.  ``kept`` is written to the checkpoint with the state.  The other parameters,
    the result and the exceptions are as in `train`.
    """
    deadline = deadline or Deadline()
    result = TrainingResult()
    model.to(torch.float64)
    best = Best(model, evaluate, target_error)
    saved = None if checkpoint is None else checkpoint.saved
    if saved is None:
        best.update()
    device = next(model.parameters()).device
    with contextlib.ExitStack() as stack:
        threads = stack.enter_context(chosen_threads(device, evaluate))
        if progress is None:
            # With a time limit the number of steps is not known in advance.
            n_steps = None if deadline.limited else stages[-1].last_step
            progress = stack.enter_context(Progress(n_steps, deadline, verbose=verbose))
        progress.begin(title)
        ends = [deadline.share(stage.time_share) for stage in stages]
        if saved is not None:
            ends = [Deadline(seconds) for seconds in saved["remaining"]]
            result.resume(saved)
            progress.step(len(result.losses))
        training = _Training(best, result, threads, deadline, progress, ends)
        if checkpoint is not None:
            training.keep(checkpoint, kept or {})
        try:
            for number, stage in enumerate(stages):
                if saved is not None and number < saved["stage"]:
                    continue
                n_left = stage.last_step - len(result.losses)
                # A stage that was cut off after its last step has its best weights to restore.
                unfinished = n_left > 0 or (saved is not None and number == saved["stage"])
                if unfinished and not (best.good_enough or training.stopped):
                    training.run(number, stage, n_left)
        except KeyboardInterrupt:
            if in_search():
                raise
            result.interrupted = True
            best.finish()
            warnings.warn(
                f"Training was interrupted after {len(result.losses)} steps; the best weights so "
                f"far are kept (sampled relative error {best.error:.2g}).",
                UserWarning,
                stacklevel=caller_stacklevel(),
            )
        model.to(dtype)
        result.error = best.error if dtype == torch.float64 else evaluate()
    # The initial weights may have a finite error although no step has a finite loss.
    if not math.isfinite(result.error) or not _any_finite(result.losses):
        raise FloatingPointError(
            "The training error was not finite in any step; look for outliers in X and y, and make "
            "the network smaller."
        )
    return result


@torch.no_grad()
def _relative_error(sample: Batch, model: CoLoRAModel) -> float:
    """Mean relative error of the model on a sample in float64.

    The model computes in its own precision.
    """
    dtype = next(model.parameters()).dtype
    predicted = model(sample.x.to(dtype), sample.inputs.to(dtype)).double()
    squared = (sample.weights * (predicted - sample.u)).square().sum((1, 2))
    return float(squared.sqrt().mean())


def _any_finite(losses: list[Tensor]) -> bool:
    """Whether any step had a finite loss; True if there was no step."""
    return not losses or bool(torch.isfinite(torch.stack(losses)).any())


class _Training:
    """What the phases of a training share: best weights, result, threads and time limit.

    Attributes
    ----------
    stopped : bool
        Whether the user's function has ended the training.
    """

    # Number of steps whose longest one is the expected duration of the next step.
    N_RECENT = 5

    def __init__(
        self,
        best: Best,
        result: TrainingResult,
        threads: ThreadChoice,
        deadline: Deadline,
        progress: Progress,
        ends: list[Deadline],
    ) -> None:
        self._best, self._result, self._threads, self._progress = best, result, threads, progress
        self._deadline, self._ends = deadline, ends
        self._checkpoint: Checkpoint | None = None
        self._kept: dict[str, Any] = {}
        self.stopped = False

    def keep(self, checkpoint: Checkpoint, kept: dict[str, Any]) -> None:
        """Write the state to a checkpoint from time to time, together with ``kept``."""
        self._checkpoint, self._kept = checkpoint, kept

    def run(self, number: int, stage: Stage, n_steps: int) -> None:
        """Run one stage with its phase, and restore the best weights at its end.

        The phase ends when its time has passed, or before the time limit of the training.
        """
        best, phase, end = self._best, stage.phase(), self._ends[number]
        phase.model.to(phase.dtype)
        phase.restart()
        self._threads.restart()
        best.duration = min(best.duration, self._threads.work_seconds)
        available, first = end.remaining, 0
        durations: deque[float] = deque([0.0], self.N_RECENT)
        (low, high), step_factor, n_checks_since_best = stage.part, 1.0, 0
        saved = None if self._checkpoint is None else self._checkpoint.saved
        if self._checkpoint is not None and saved is not None:
            first, n_steps = saved["n"], saved["n"] + n_steps
            step_factor, n_checks_since_best = saved["step_factor"], saved["n_checks_since_best"]
            available = saved["available"]
            best.resume(saved["best"])
            phase.resume(saved["phase"])
            self._checkpoint.saved = None
        for n in range(first, n_steps):
            if self._no_time_for(max(durations), end):
                break
            elapsed_share = 1 - end.remaining / available if end.limited else 0.0
            start = time.perf_counter()
            progress = low + (high - low) * max(n / n_steps, elapsed_share)
            loss = phase.step(progress, step_factor)
            durations.append(time.perf_counter() - start)
            self._result.losses.append(loss)
            self._threads.record(durations[-1])
            self._progress.step()
            # The evaluations need their time too.
            if n % CHECK_EVERY != CHECK_EVERY - 1 or self._no_time_for(0.0, end):
                continue
            before, error = best.error, best.update()
            if not error <= phase.max_rise * best.error:
                best.restore()
                phase.restart()
                step_factor *= 0.5
                self._result.n_setbacks += 1
            # The error at all times does not judge a phase that does not see all of them yet.
            stalled = best.error >= before and math.isfinite(phase.max_rise)
            n_checks_since_best = n_checks_since_best + 1 if stalled else 0
            self.stopped = self._progress.look(best.error, best.copied)
            if best.good_enough or self.stopped or n_checks_since_best >= stage.patience:
                break
            if self._checkpoint is not None and self._checkpoint.due:
                state = {
                    "stage": number,
                    "n": n + 1,
                    "step_factor": step_factor,
                    "n_checks_since_best": n_checks_since_best,
                    "available": available,
                    "remaining": [limit.remaining for limit in self._ends],
                    "best": best.state(),
                    "phase": phase.state(),
                    **self._result.state(),
                    **self._kept,
                }
                self._checkpoint.write(state)
        last_phase = (
            best.good_enough or self.stopped or self._no_time_for(max(durations), self._deadline)
        )
        best.finish(last=stage.keep_last and not last_phase)
        self._progress.finish(best.error)
        phase.model.zero_grad(set_to_none=True)

    def _no_time_for(self, seconds: float, end: Deadline) -> bool:
        """Whether the phase is over, or ``seconds`` and the last evaluations exceed the limit."""
        evaluations = self._best.N_LAST * self._best.duration
        return end.passed or self._deadline.remaining < seconds + evaluations
