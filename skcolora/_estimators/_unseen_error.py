"""The error of a `CoLoRARegressor` at parameters without snapshots, from trajectories left out."""

from __future__ import annotations

import math
import warnings
from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from scipy.stats import qmc
from sklearn.base import clone
from sklearn.model_selection import KFold, train_test_split

from skcolora._estimators._left_out import Fold, failed_fold, fold_of
from skcolora._estimators._uncertainty import Uncertainty
from skcolora._snapshots import (
    Array,
    ParameterScale,
    SnapshotLayout,
    StoredRows,
    power_function,
)
from skcolora.utils._deadline import Deadline
from skcolora.utils._sklearn import in_search
from skcolora.utils._stack import caller_stacklevel

# Share of a time limit that all folds take together.
_SHARE_OF_FOLDS = 0.5
# Share of the time of a fold for its training; the rest is for its errors.
_SHARE_OF_TRAINING = 0.9
# Smallest time limit of a fold: a limit must be positive, even if no time is left.
_LEAST_SECONDS = 1e-3
# Number of parameters that are typical of the box of the training parameters.
_N_TYPICAL = 256
# Error that gives a warning, as such and as a multiple of the training error.
_LARGE, _LARGER_THAN_TRAINING = 0.01, 5.0


def set_aside(n: int, fraction: float | None, seed: int) -> NDArray[np.bool_]:
    """Which of n trajectories are not trained on, or a ValueError where none would be left."""
    aside = np.zeros(n, dtype=bool)
    if fraction is not None:
        aside[train_test_split(range(n), test_size=fraction, random_state=seed)[1]] = True
    return aside


def check_folds(cv: int | str | None, rows: Array | StoredRows, fraction: float | None) -> None:
    """Raise ValueError where folds cannot be made, before any training.

    ``fraction`` is the share of the trajectories that is set aside, if any.
    """
    if not isinstance(cv, Integral):
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


def training_limit(cv: int | str | None, deadline: Deadline) -> Deadline:
    """The time limit of the training on all trajectories, which leaves time for the folds."""
    return deadline.share(1 - _SHARE_OF_FOLDS) if isinstance(cv, Integral) else deadline


def cross_validate(
    regressor: Any, X: Array, rows: Array | StoredRows, *, seed: int, deadline: Deadline
) -> list[Fold]:
    """Regressors that were trained without a part of the trajectories, as the regressor was.

    They may have less time than the regressor.  The list is empty if ``cv`` is no number, and if
    the user interrupts.
    """
    cv, limit = regressor.cv, None
    if not isinstance(cv, Integral) or isinstance(rows, StoredRows):
        return []
    splits = list(KFold(cv, shuffle=True, random_state=seed).split(X))
    if deadline.limited:
        n_rounds = math.ceil(cv / min(cv, effective_n_jobs()))
        limit = max(_SHARE_OF_TRAINING * deadline.remaining / n_rounds, _LEAST_SECONDS)
    unfitted = clone(regressor).set_params(
        cv=None,
        checkpoint=None,
        max_time=limit,
        random_state=seed,
        warm_start=False,
        on_extrapolation="ignore",
        verbose=0,
    )
    layout = regressor._layout
    try:
        return list(
            Parallel()(delayed(_fold)(clone(unfitted), layout, X, rows, *split) for split in splits)
        )
    except KeyboardInterrupt:
        if in_search():
            raise
        warnings.warn(
            "The cross-validation was interrupted; the fit is kept, without `cv_error_`.",
            UserWarning,
            stacklevel=caller_stacklevel(),
        )
        return []


def _fold(
    regressor: Any,
    layout: SnapshotLayout,
    X: Array,
    rows: Array,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> Fold:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            regressor.fit(X[train], layout.from_rows(rows[train]))
        except FloatingPointError:
            return failed_fold(train, test)
        return fold_of(regressor, layout, X, rows, train, test)


def unseen_errors(
    folds: list[Fold], parameters: ParameterScale, X: Array, training: float
) -> tuple[Uncertainty | None, Array | None, float | None]:
    """What trajectories that were left out say about others; three times None without any.

    Parameters
    ----------
    folds : list of Fold
    parameters : ParameterScale
    X : ndarray of shape (n_trajectories, n_parameters)
        All training parameters.
    training : float
        Error of the regressor at these.

    Returns
    -------
    uncertainty : Uncertainty
        The errors, compared with the power function.
    of_each : ndarray of shape (n_trajectories,)
        The error to expect at typical parameters, from each trajectory that was left out.
    expected : float
        The same from all of them.
    """
    if not folds:
        return None, None, None
    nodes = parameters.apply(X)
    powers = [power_function(nodes[fold.train], nodes[fold.test]) for fold in folds]
    uncertainty = Uncertainty(
        errors=np.concatenate([fold.errors for fold in folds]),
        training=np.concatenate([np.full(len(fold.test), fold.training) for fold in folds]),
        difficulty=np.concatenate(powers),
        peaks=np.concatenate([fold.peaks for fold in folds]),
    )
    typical = typical_power(nodes)
    of_each = np.full(len(X), np.nan)
    left_out = np.concatenate([fold.test for fold in folds])
    of_each[left_out] = uncertainty.transferred(typical, training)
    return uncertainty, of_each, float(uncertainty.expected(typical, training))


def typical_power(nodes: Array) -> float:
    """Root mean square of the power function in the box around nodes (n, n_parameters)."""
    low, high = nodes.min(axis=0), nodes.max(axis=0)
    points = qmc.Halton(nodes.shape[1], scramble=False).random(_N_TYPICAL)
    return float(np.sqrt(np.mean(power_function(nodes, low + (high - low) * points) ** 2)))


def warn_of_unseen_error(regressor: Any) -> None:
    """Warn if the error to expect at unseen parameters is far above the training error."""
    expected, training = regressor.unseen_error_, regressor._training_error
    if expected < max(_LARGE, _LARGER_THAN_TRAINING * training):
        return
    worst = regressor._X[int(np.nanargmax(regressor.cv_error_))]
    scales = ", ".join(map(repr, regressor.parameter_scale_))
    warnings.warn(
        f"The error at parameters without snapshots is about {expected:.1g}, "
        f"{expected / training:.0f} times the training error of {training:.1g}, as trajectories "
        "that were left out of a training say.  "
        f"Add snapshots, first near [{', '.join(f'{value:g}' for value in worst)}] or where "
        f"`suggest` says; try another `parameter_scale` (now {scales}); or let the equation find "
        "the latent state, with CoLoRAGalerkin.",
        UserWarning,
        stacklevel=caller_stacklevel(),
    )
