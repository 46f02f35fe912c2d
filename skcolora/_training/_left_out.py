"""Training that first leaves out some trajectories, to learn what its error is at others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skcolora._nn import CoLoRAModel
from skcolora._training._loop import DEFAULT_STEPS, TrainingResult, train
from skcolora._training._sampling import SnapshotSampler
from skcolora.utils._deadline import Deadline

# Share of the steps and of the time before the left-out trajectories are trained on too.  The first
# part has both phases of the training, and the second one the natural gradient alone.
_FIRST_PART = 0.75


def train_leaving_out(
    model: CoLoRAModel,
    sampler: SnapshotSampler,
    left_out: NDArray[np.bool_],
    measure: Callable[[CoLoRAModel, TrainingResult], None],
    *,
    max_iter: int | None,
    deadline: Deadline,
    **options: Any,
) -> TrainingResult:
    """Train a model in place as `train` does, but at first without some trajectories.

    Their errors are then those at parameters that the model has not seen.  It is trained on all
    trajectories in the last quarter of the budget, so that the estimate costs no data in the end.

    Parameters
    ----------
    model : CoLoRAModel
    sampler : SnapshotSampler
        Sampler of all snapshots.
    left_out : ndarray of bool of shape (n_trajectories,)
    measure : callable
        Called with the model and the result of the first part, unless the user interrupts.
    max_iter, deadline, **options
        As in `train`.

    Returns
    -------
    result : TrainingResult
        That of the training on all trajectories, with the losses of both parts.
    """
    n_steps = max_iter
    if max_iter is None and not deadline.limited:
        n_steps = DEFAULT_STEPS
    n_first = None if n_steps is None else round(_FIRST_PART * n_steps)
    title = f"without {left_out.sum()} of {len(left_out)} trajectories"
    n_times = len(sampler.inputs) // len(left_out)
    sampler.restrict(np.repeat(~left_out, n_times))
    first = train(
        model,
        sampler,
        max_iter=n_first,
        deadline=deadline.share(_FIRST_PART),
        title=title,
        **options,
    )
    sampler.restrict(None)
    if first.interrupted:
        return first
    started = time.perf_counter()
    measure(model, first)
    # The errors are computed once more at the end.
    deadline = deadline.earlier(time.perf_counter() - started)
    rest = None if n_steps is None else n_steps - len(first.losses)
    second = train(
        model,
        sampler,
        max_iter=rest,
        deadline=deadline,
        refine_only=True,
        title="all trajectories",
        **options,
    )
    second.losses = first.losses + second.losses
    second.n_setbacks += first.n_setbacks
    return second
