"""Training that first leaves out some trajectories, to learn what its error is at others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skcolora._nn import CoLoRAModel
from skcolora._training._checkpoint import Checkpoint
from skcolora._training._loop import DEFAULT_STEPS, train
from skcolora._training._progress import Progress
from skcolora._training._result import TrainingResult
from skcolora._training._sampling import SnapshotSampler
from skcolora.utils._deadline import Deadline

# Progress of the second phase from which the left-out trajectories are trained on too.
_ALL_FROM = 0.5


def train_leaving_out(
    model: CoLoRAModel,
    sampler: SnapshotSampler,
    left_out: NDArray[np.bool_],
    measure: Callable[[CoLoRAModel, TrainingResult], None],
    *,
    max_iter: int | None,
    deadline: Deadline,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
    **options: Any,
) -> TrainingResult:
    """Train a model in place as `train` does, but at first without some trajectories.

    Their errors are then those at parameters that the model has not seen.  It is trained on all
    trajectories in the second half of the second phase, about the last half of the budget.  The
    schedule of the training is that of `train`, so that the estimate costs no time, and no data in
    the end.

    Parameters
    ----------
    model : CoLoRAModel
    sampler : SnapshotSampler
        Sampler of all snapshots.
    left_out : ndarray of bool of shape (n_trajectories,)
    measure : callable
        Called with the model and the result of the first part, unless the user interrupts.
    max_iter, deadline, progress, checkpoint, **options
        As in `train`.

    Returns
    -------
    result : TrainingResult
        That of the training on all trajectories, with the losses of both parts.
    """
    n_steps = max_iter
    if max_iter is None and not deadline.limited:
        n_steps = DEFAULT_STEPS
    title = f"without {left_out.sum()} of {len(left_out)} trajectories"
    n_times = len(sampler.inputs) // len(left_out)
    common: dict[str, Any] = {**options, "progress": progress, "checkpoint": checkpoint}
    earlier = None if checkpoint is None else checkpoint.earlier
    if earlier is None:
        sampler.restrict(np.repeat(~left_out, n_times))
        first = train(
            model,
            sampler,
            max_iter=n_steps,
            deadline=deadline,
            part=(0.0, _ALL_FROM),
            title=title,
            **common,
        )
        sampler.restrict(None)
        if first.interrupted:
            return first
        weights = [p.detach().clone() for p in model.parameters()]
        earlier = {**first.state(), "error": first.error, "weights": weights}
        if checkpoint is not None:
            checkpoint.next_part(earlier)
    else:
        first = _resumed(model, earlier, options["dtype"])
        progress.step(len(first.losses))
    started = time.perf_counter()
    measure(model, first)
    # The errors are computed once more at the end.
    deadline = deadline.earlier(time.perf_counter() - started)
    second = train(
        model,
        sampler,
        max_iter=None if n_steps is None else n_steps - len(first.losses),
        deadline=deadline,
        part=(_ALL_FROM, 1.0),
        title="all trajectories",
        **common,
    )
    second.losses = first.losses + second.losses
    second.n_setbacks += first.n_setbacks
    return second


@torch.no_grad()
def _resumed(model: CoLoRAModel, earlier: dict[str, Any], dtype: torch.dtype) -> TrainingResult:
    """The result of a first part that ended before the training was cut off, and its weights."""
    model.to(dtype)
    for parameter, weight in zip(model.parameters(), earlier["weights"], strict=True):
        parameter.copy_(weight)
    first = TrainingResult(error=earlier["error"])
    first.resume(earlier)
    return first
