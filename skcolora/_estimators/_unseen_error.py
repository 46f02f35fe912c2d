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
from skcolora.utils._deadline import Deadline
from skcolora.utils._sklearn import in_search
from skcolora.utils._stack import caller_stacklevel

# Share of a time limit that all folds take together.
_SHARE_OF_FOLDS = 0.5
# Smallest time limit of a fold: a limit must be positive, even if no time is left.
_LEAST_SECONDS = 1e-3
# Median error that gives a warning, as such and as a multiple of the training error.
_LARGE, _LARGER_THAN_TRAINING = 0.01, 5.0


def set_aside(n: int, fraction: float | None, seed: int) -> NDArray[np.bool_]:
    """Which of n trajectories are not trained on, or a ValueError where none would be left."""
    aside = np.zeros(n, dtype=bool)
    if fraction is not None:
        aside[train_test_split(range(n), test_size=fraction, random_state=seed)[1]] = True
    return aside


def check_folds(cv: int | None, rows: Array | StoredRows, fraction: float | None) -> None:
    """Raise ValueError where folds cannot be made, before any training.

    ``fraction`` is the share of the trajectories that is set aside, if any.
    """
    if cv is None:
        return
    n = len(rows)
    if isinstance(rows, StoredRows):
        raise ValueError(
            f"`cv` trains on copies of the snapshots, but y is too large for the memory; got "
            f"cv={cv}.  Set cv=None."
        )
    if cv > n:
        raise ValueError(f"`cv` must be at most the number of trajectories, {n}; got {cv}.")
    set_aside(n - math.ceil(n / cv), fraction, 0)


def training_limit(cv: int | None, deadline: Deadline) -> Deadline:
    """The time limit of the training on all trajectories, which leaves time for the folds."""
    return deadline if cv is None else deadline.share(1 - _SHARE_OF_FOLDS)


def cross_validate(
    regressor: Any, X: Array, rows: Array | StoredRows, *, seed: int, deadline: Deadline
) -> Array | None:
    """Errors (n_trajectories,) at parameters that a network was not trained at.

    For each fold a network is trained on the other trajectories, as the regressor was.  It may
    have less time than the regressor, and then a larger training error.  Its error e at a
    trajectory of the fold therefore counts without its training error s, but with the training
    error r of the regressor: ``sqrt(max(e² - s², 0) + r²)``.  It is infinite if the training of the
    fold failed.

    Returns None if ``cv`` is None, and if the user interrupts.
    """
    cv, limit = regressor.cv, None
    if cv is None or isinstance(rows, StoredRows):
        return None
    folds = list(KFold(cv, shuffle=True, random_state=seed).split(X))
    if deadline.limited:
        n_rounds = math.ceil(cv / min(cv, effective_n_jobs()))
        limit = max(deadline.remaining / n_rounds, _LEAST_SECONDS)
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
    """Errors (n_test,) of the trajectories of a fold without the training error of its network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            regressor.fit(X[train], layout.from_rows(rows[train]))
        except FloatingPointError:
            return np.full(len(test), np.inf)
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
    """Warn if the median error is far above the training error."""
    typical, training = float(np.median(errors)), regressor.best_loss_
    if typical < max(_LARGE, _LARGER_THAN_TRAINING * training):
        return
    worst = ", ".join(f"{value:g}" for value in regressor._X[int(np.argmax(errors))])
    scales = ", ".join(map(repr, regressor.parameter_scale_))
    warnings.warn(
        f"In the cross-validation, the median error at parameters that a network had not seen is "
        f"{typical:.1g}, {typical / training:.0f} times the training error of {training:.1g}.  "
        "Predictions at new parameters may be worse than the training error says.  "
        f"Add snapshots, first near [{worst}]; try another `parameter_scale` (now {scales}); or "
        "let the equation find the latent state, with CoLoRAGalerkin.",
        UserWarning,
        stacklevel=caller_stacklevel(),
    )
