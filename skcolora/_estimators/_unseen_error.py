"""The error of a `CoLoRARegressor` at parameters without snapshots, from cross-validation."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import KFold, train_test_split

from skcolora._snapshots import Array, SnapshotLayout, StoredRows, Units
from skcolora.utils._sklearn import in_search
from skcolora.utils._stack import caller_stacklevel

# Share of a time limit that all folds take together.
_SHARE_OF_FOLDS = 0.5
# Expected error that gives a warning, as such and as a multiple of the training error.
_LARGE, _LARGER_THAN_TRAINING = 0.01, 5.0


def set_aside(regressor: Any, rows: Array | StoredRows, seed: int) -> NDArray[np.bool_]:
    """Which trajectories are not trained on.

    Raises ValueError if none would be left, or the snapshots cannot be divided into folds.
    """
    n, cv = len(rows), regressor.cv
    aside = np.zeros(n, dtype=bool)
    if regressor.early_stopping:
        fraction = regressor.validation_fraction
        aside[train_test_split(range(n), test_size=fraction, random_state=seed)[1]] = True
    if cv is not None and isinstance(rows, StoredRows):
        raise ValueError(
            f"`cv` trains on copies of the snapshots, but y is too large for the memory; got "
            f"cv={cv}.  Set cv=None."
        )
    if cv is not None and cv > n:
        raise ValueError(f"`cv` must be at most the number of trajectories, {n}; got {cv}.")
    return aside


def time_of_folds(cv: int | None, max_time: float | None) -> float:
    """Seconds of a time limit that are kept for the cross-validation."""
    return 0.0 if cv is None or max_time is None else _SHARE_OF_FOLDS * max_time


def cross_validate(regressor: Any, X: Array, rows: Array | StoredRows, seed: int) -> Array | None:
    """Errors (n_trajectories,) at parameters that a network was not trained at.

    For each fold a network is trained on the other trajectories, as the regressor was.  It has
    less time, so that its training error is larger.  The root of the difference of the squared
    errors at the trajectories of the fold and at the others is what the fold has not learnt about
    other parameters.  It is joined with the training error of the regressor.

    Returns None if ``cv`` is None, and if the user interrupts.
    """
    cv, limit = regressor.cv, regressor.max_time
    if cv is None or isinstance(rows, StoredRows):
        return None
    folds = list(KFold(cv, shuffle=True, random_state=seed).split(X))
    if limit is not None:
        n_rounds = math.ceil(cv / min(cv, effective_n_jobs()))
        limit = time_of_folds(cv, limit) / n_rounds
    fold = clone(regressor).set_params(
        cv=None,
        max_time=limit,
        random_state=seed,
        warm_start=False,
        on_extrapolation="ignore",
        verbose=0,
    )
    layout = regressor._layout
    try:
        found = Parallel()(
            delayed(_errors_of_fold)(clone(fold), layout, X, rows, *split) for split in folds
        )
    except KeyboardInterrupt:
        if in_search():
            raise
        warnings.warn(
            "The cross-validation was interrupted; the fit is kept, without `cv_error_`.",
            UserWarning,
            stacklevel=caller_stacklevel(),
        )
        return None
    errors = np.empty(len(X))
    for (_, test), gaps in zip(folds, found, strict=True):
        errors[test] = np.hypot(gaps, regressor.best_loss_)
    _warn(regressor, errors)
    return errors


def _errors_of_fold(
    regressor: Any,
    layout: SnapshotLayout,
    X: Array,
    rows: Array,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> Array:
    """Errors of the trajectories of a fold, less the training error of its network, squared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regressor.fit(X[train], layout.from_rows(rows[train]))
        predicted = layout.check_rows(regressor.predict(X[test]))
    errors = snapshot_errors(regressor._units, rows[test], predicted).mean(axis=1)
    return np.sqrt(np.maximum(errors**2 - regressor.best_loss_**2, 0.0))


def snapshot_errors(units: Units, true: Array, predicted: Array) -> Array:
    """Errors (n_trajectories, n_times) of snapshots, relative to their variation."""
    scaled = units.fields.apply(true)
    difference = units.fields.apply(predicted) - scaled
    sizes = np.sqrt(np.square(scaled).sum(axis=-1).mean(axis=-1))
    misfits = np.sqrt(np.square(difference).sum(axis=-1).mean(axis=-1))
    return np.asarray(misfits / np.maximum(sizes, units.least_variation))


def _warn(regressor: Any, errors: Array) -> None:
    """Warn if the expected error is far above the training error."""
    typical, training = float(np.median(errors)), regressor.best_loss_
    if typical < max(_LARGE, _LARGER_THAN_TRAINING * training):
        return
    worst = ", ".join(f"{value:g}" for value in regressor._X[int(np.argmax(errors))])
    scales = ", ".join(map(repr, regressor.parameter_scale_))
    warnings.warn(
        f"At unseen parameters expect an error of about {typical:.1g}, {typical / training:.0f} "
        f"times the training error of {training:.1g}: {len(errors)} trajectories do not determine "
        f"how the latent state depends on the parameters.  Add snapshots, first near [{worst}]; "
        f"try another `parameter_scale` (now {scales}); or let the equation find the latent "
        "state, with CoLoRAGalerkin.",
        UserWarning,
        stacklevel=caller_stacklevel(),
    )
