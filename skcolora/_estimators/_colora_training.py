"""The training of the networks of a `CoLoRARegressor`."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import joblib
import numpy as np
import torch
from numpy.typing import NDArray

from skcolora._estimators._architecture import check_architecture, new_model, weight_shapes
from skcolora._estimators._callbacks import FitReport
from skcolora._estimators._left_out import Fold, fold_of, inner_trajectories
from skcolora._estimators._unseen_error import check_folds, set_aside, training_limit
from skcolora._nn import CoLoRAModel
from skcolora._snapshots import (
    Array,
    SnapshotLayout,
    StoredRows,
    Units,
    check_period,
    choose_logarithms,
)
from skcolora._training import (
    DEFAULT_STEPS,
    Checkpoint,
    Progress,
    SnapshotSampler,
    TrainingResult,
    expected_cost,
    make_sampler,
    train,
    train_leaving_out,
)
from skcolora.utils._deadline import Deadline
from skcolora.utils._sklearn import check_sample_weight, in_search
from skcolora.utils._torch import resolve_device, resolve_dtype
from skcolora.utils._version import __version__

# Bytes of the pool of stored snapshots that the early-stopping error is computed on.
_VALIDATION_BYTES = 2**27
# Fewest steps of a training that leaves out trajectories at first.
_FEWEST_STEPS = 8
# Parameters that do not change the training.
_WITHOUT_EFFECT = ("checkpoint", "on_extrapolation", "verbose")


class TrainedNetworks(NamedTuple):
    """What comes out of the training of a `CoLoRARegressor`."""

    model: CoLoRAModel
    units: Units
    result: TrainingResult
    continued: bool
    """Whether the training continued from the weights of an earlier fit"""
    signature: tuple[Any, ...]
    """What the shapes and the meaning of all weights depend on"""
    left_out: NDArray[np.bool_]
    """Which trajectories were left out at first, (n_trajectories,)"""
    folds: list[Fold]
    """Their errors, if there are any"""


def train_networks(
    regressor: Any,
    X: Array,
    rows: Array | StoredRows,
    layout: SnapshotLayout,
    *,
    weights: Array | None,
    seed: int,
    deadline: Deadline,
    checkpoint: Checkpoint | None,
    report: FitReport | None,
) -> TrainedNetworks:
    """Train the networks of a regressor, which is not changed.

    Parameters
    ----------
    regressor : CoLoRARegressor
        Estimator with validated parameters, and with the networks of an earlier fit if it has a
        ``warm_start``.
    X : ndarray of shape (n_trajectories, n_parameters)
    rows : ndarray or StoredRows of shape (n_trajectories, n_times, n_points, n_fields)
    layout : SnapshotLayout
    weights : ndarray of shape (n_trajectories,) or None
        Positive weights of the trajectories, with mean 1.
    seed : int
    deadline : Deadline
        Time limit of the whole fit.
    checkpoint : Checkpoint or None
    report : FitReport or None
    """
    device, adapted_layers = resolve_device(regressor.device), check_architecture(regressor)
    period = check_period(regressor.period, layout.grid)
    fraction = regressor.validation_fraction if regressor.early_stopping else None
    aside = set_aside(len(X), fraction, seed)
    logarithmic = choose_logarithms(X, rows, regressor.parameter_scale, ~aside, layout.times)
    points, n_fields = layout.grid.points, layout.n_fields
    units = Units.of(X[~aside], layout.times, points, period, n_fields, logarithmic)
    # A constant field is not learnt, so that the model would not continue with it.
    signature = weight_shapes(regressor, layout, period, adapted_layers) + units.varying
    earlier = getattr(regressor, "_fitted_signature", None)
    continued = regressor.warm_start and signature == earlier
    units = regressor._units if continued else units
    limit = training_limit(regressor.cv, deadline)
    n_steps = regressor.max_iter
    if n_steps is None and not deadline.limited:
        n_steps = DEFAULT_STEPS
    folds: list[Fold] = []
    with contextlib.ExitStack() as stack:

        def sampler(chosen: NDArray[np.bool_], **options: Any) -> SnapshotSampler:
            some = X[chosen], rows if chosen.all() else rows[chosen]
            each = None if weights is None else weights[chosen]
            opened = make_sampler(
                *some, layout, units, device=device, seed=seed, weights=each, **options
            )
            return stack.enter_context(contextlib.closing(opened))

        training = sampler(~aside, scale=units.fields if continued else None)
        units = units.with_fields(training.scale)
        validation = None
        if aside.any():
            validation = sampler(aside, scale=training.scale, max_bytes=_VALIDATION_BYTES)
        if continued:
            model = copy.deepcopy(CoLoRAModel(regressor.network_, regressor.hypernetwork_))
            model.requires_grad_(True)
        else:
            model = new_model(regressor, layout, units, adapted_layers, seed)
        model.to(device=device, dtype=torch.float64)

        def watch(share: float, best: Callable[[], CoLoRAModel]) -> bool:
            def attributes() -> dict[str, Any]:
                trained = copy.copy(regressor)._set_up(units, layout, X)
                trained._set_model(best().to(options["dtype"]))
                trained._set_history([], np.nan)
                trained._set_folds([])
                return vars(trained)

            return report is not None and report.part(share, attributes)

        progress = Progress(n_steps, limit, verbose=int(regressor.verbose), watch=watch)
        options: dict[str, Any] = {
            "max_iter": regressor.max_iter,
            "deadline": limit,
            "target_error": regressor.target_error,
            "dtype": resolve_dtype(regressor.dtype, rows.dtype),
            "progress": stack.enter_context(progress),
            "checkpoint": checkpoint,
        }
        if progress.shown:
            cost = expected_cost(
                model,
                training,
                max_iter=regressor.max_iter,
                deadline=limit,
                refine_only=continued,
            )
            progress.tell(cost.sentence())
        left_out = _left_out(regressor, units, X, rows, continued)
        if left_out.any():
            kept, others = np.flatnonzero(~left_out), np.flatnonzero(left_out)

            def measure(model: CoLoRAModel, first: TrainingResult) -> None:
                trained = copy.copy(regressor)._set_up(units, layout, X[kept])
                trained._set_model(copy.deepcopy(model))
                trained._set_history(first.loss_curve, first.error)
                trained._set_folds([])
                folds.append(fold_of(trained, layout, X, cast(Array, rows), kept, others))

            result = train_leaving_out(model, training, left_out, measure, **options)
        else:
            result = train(
                model,
                training,
                validation=validation,
                n_iter_no_change=regressor.n_iter_no_change,
                refine_only=continued,
                **options,
            )
    model.network.mute(~units.fields.varies)
    return TrainedNetworks(model, units, result, continued, signature, left_out, folds)


def weighted_trajectories(
    X: Array, rows: Array | StoredRows, sample_weight: Any
) -> tuple[Array, Array | StoredRows, Array | None]:
    """The trajectories that have a weight, and these weights with mean 1; None: all alike.

    Trajectories without weight do not count in units and errors either.
    """
    if sample_weight is None:
        return X, rows, None
    weights = check_sample_weight(sample_weight, X, ensure_non_negative=True)
    kept = weights > 0
    weights = weights[kept]
    return X[kept], rows[kept], weights / weights.mean()


def check_training(regressor: Any, X: Array, rows: Array | StoredRows, layout: Any) -> None:
    """Raise ValueError where parameters of the training do not fit, before it begins."""
    check_architecture(regressor)
    resolve_device(regressor.device)
    check_period(regressor.period, layout.grid)
    check_folds(
        regressor.cv, rows, regressor.validation_fraction if regressor.early_stopping else None
    )


def open_checkpoint(
    regressor: Any,
    X: Array,
    rows: Array | StoredRows,
    layout: SnapshotLayout,
    *,
    weights: Array | None,
    seed: int,
) -> Checkpoint | None:
    """The checkpoint of a fit, or a ValueError where it cannot have one."""
    if regressor.checkpoint is None:
        return None
    path = Path(regressor.checkpoint)
    if regressor.warm_start:
        raise ValueError("`checkpoint` does not go with warm_start=True; set one of them.")
    if in_search():
        raise ValueError(
            "`checkpoint` is the file of one fit, but a search fits many; set checkpoint=None "
            "there, and give it for the last fit."
        )
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(
            f"`checkpoint` must be the name of a file in a folder that exists; got {str(path)!r}."
        )
    params = regressor.get_params(deep=False)
    key = {f"`{name}`": repr(params[name]) for name in params if name not in _WITHOUT_EFFECT}
    if not isinstance(regressor.random_state, (int, np.integer, type(None))):
        del key["`random_state`"]
    arrays = {
        "X": X,
        "y": rows,
        "`times`": layout.times,
        "`points`": layout.grid.points,
        "`sample_weight`": weights,
    }
    if isinstance(rows, StoredRows):
        last = rows.shape[0] * rows.shape[1] - 1
        arrays["y"] = np.array([rows.read(0), rows.read(last)])
    key |= {
        name: "" if each is None else joblib.hash(np.ascontiguousarray(each))
        for name, each in arrays.items()
    }
    key |= {"version of skcolora": __version__, "version of torch": str(torch.__version__)}
    return Checkpoint(path, key, seed)


def _left_out(
    regressor: Any, units: Units, X: Array, rows: Array | StoredRows, continued: bool
) -> NDArray[np.bool_]:
    """Which trajectories are left out at first."""
    # The error must not be that of trajectories that an earlier fit has seen.
    asked = regressor.cv == "once" and not regressor.early_stopping and not continued
    short = regressor.max_iter is not None and regressor.max_iter < _FEWEST_STEPS
    if not asked or short or isinstance(rows, StoredRows):
        return np.zeros(len(X), dtype=bool)
    return inner_trajectories(units.parameters.apply(X))
