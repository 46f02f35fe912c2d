"""The errors of a `CoLoRAGalerkin` at trajectories that its network was not trained on."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.exceptions import ConvergenceWarning

from skcolora._estimators._left_out import Fold, errors_of
from skcolora._estimators._uncertainty import Uncertainty
from skcolora._estimators._unwrap import find_regressor, replace_regressor, trained_model
from skcolora._galerkin import GalerkinSolution, TrainedModel, initial_fields, path_difficulty
from skcolora._nn import decode_rows
from skcolora._snapshots import Array, SnapshotLayout, StoredRows
from skcolora.utils._deadline import Deadline
from skcolora.utils._sklearn import in_search
from skcolora.utils._stack import caller_stacklevel
from skcolora.utils._torch import as_tensor, with_default_torch_settings

# Share of the time of a fold after which its starts are not encoded any more.
_SHARE_OF_STARTS = 0.5


class _Errors(NamedTuple):
    """Entries of `Uncertainty` for the trajectories of a fold, and which ran out of time."""

    errors: Array
    difficulty: Array
    peaks: Array
    out_of_time: Array


def calibrate(
    galerkin: Any, X: Array, rows: Array | StoredRows, *, seed: int, seconds: float | None
) -> Uncertainty | None:
    """The errors of the equation with networks that were trained without a part of the snapshots.

    They are compared with the indicator of the residual.  It counts what the network cannot
    represent, also at training parameters, so that nothing is left to the training error.  The
    networks are those of the cross-validation of the regressor.  Their equations are solved on
    the workers of joblib.

    Parameters
    ----------
    galerkin : CoLoRAGalerkin
        The estimator, with its equation.
    X : ndarray of shape (n_trajectories, n_parameters)
        Parameters of the equation.
    rows : ndarray of shape (n_trajectories, n_times, n_points, n_fields)
    seed : int
        Seed of the collocation points.
    seconds : float or None
        Time that all folds may take together.

    Returns
    -------
    uncertainty : Uncertainty or None
        None if the regressor was not cross-validated, or not on these trajectories, or the user
        interrupts.
    """
    regressor = find_regressor(galerkin.regressor_)
    folds: list[Fold] = regressor._folds
    left_out = np.sort(np.concatenate([fold.test for fold in folds])) if folds else np.empty(0)
    inputs = galerkin._inner_inputs(X)
    # A frozen regressor may have been fitted to other trajectories.
    same = inputs.shape == regressor._X.shape and np.allclose(inputs, regressor._X)
    if not same or not np.array_equal(left_out, np.arange(len(X))) or isinstance(rows, StoredRows):
        return None
    limit = None
    if seconds is not None:
        limit = seconds / math.ceil(len(folds) / min(len(folds), effective_n_jobs()))
    try:
        found: list[_Errors] = Parallel()(
            delayed(_fold_errors)(
                galerkin, fold, regressor._layout, X, inputs, rows, seed=seed, seconds=limit
            )
            for fold in folds
        )
    except KeyboardInterrupt:
        if in_search():
            raise
        warnings.warn(
            "The cross-validation of the equation was interrupted; the fit is kept, without "
            "`expected_error`.",
            UserWarning,
            stacklevel=caller_stacklevel(),
        )
        return None
    errors, difficulty, peaks, out_of_time = map(np.concatenate, zip(*found, strict=True))
    if out_of_time.any():
        warnings.warn(
            "CoLoRAGalerkin: `max_time` was too short to solve the equation at "
            f"{out_of_time.sum()} of {len(X)} trajectories in the cross-validation, and their "
            "errors count as infinite; raise `max_time` of the regressor.",
            ConvergenceWarning,
            stacklevel=caller_stacklevel(),
        )
    training = np.zeros_like(errors)
    return Uncertainty(errors=errors, training=training, difficulty=difficulty, peaks=peaks)


@with_default_torch_settings
def _fold_errors(
    galerkin: Any,
    fold: Fold,
    layout: SnapshotLayout,
    X: Array,
    inputs: Array,
    rows: Array,
    *,
    seed: int,
    seconds: float | None,
) -> _Errors:
    n, infinite = len(fold.test), np.full(len(fold.test), np.inf)
    # A finite difficulty keeps the ratio of an infinite error to it infinite.
    failed = _Errors(infinite, np.ones(n), infinite, np.zeros(n, dtype=bool))
    if fold.regressor is None:
        return failed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            solution, model = _solve(galerkin, fold, X, seed, Deadline(seconds))
        except (ArithmeticError, RuntimeError, ValueError):
            return failed

        def predict(k: int, some: SnapshotLayout) -> Array:
            at = np.isin(layout.times, some.times)
            latent = as_tensor(solution.latent[k : k + 1, at])
            return decode_rows(model.network, model.units, latent, some)

        errors, peaks = errors_of(
            fold.regressor, inputs[fold.test], layout, rows, fold.test, predict
        )
    difficulty = path_difficulty(solution)
    difficulty[np.isinf(difficulty)] = 1.0
    return _Errors(errors, difficulty, peaks, solution.status == "max_time")


def _solve(
    galerkin: Any, fold: Fold, X: Array, seed: int, deadline: Deadline
) -> tuple[GalerkinSolution, TrainedModel]:
    """The paths of the trajectories that were left out, with the networks of the fold."""
    estimator = replace_regressor(galerkin.regressor_, fold.regressor)
    model = trained_model(estimator, galerkin._order)
    starts = deadline.share(_SHARE_OF_STARTS)
    tolerance = galerkin._tolerance(fold.training)
    equation = galerkin._new_equation(model, X[fold.train], tolerance, seed, deadline=starts)
    trust = galerkin._equation.trust
    if trust is not None:
        # The trajectories that were left out are unseen here.
        trust = replace(trust, learnt=equation.nodes(X[fold.train]))
    equation = replace(equation, trust=trust)
    new, times = X[fold.test], model.layout.times
    known = initial_fields(equation.pde, model.layout, new, None)
    start = equation.start(new, known, deadline=starts)
    path = equation.path(new, times, start, deadline)
    solution = equation.diagnose(new, times, start, path)
    return galerkin._with_fallback(equation, new, solution, known), model
