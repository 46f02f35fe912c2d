"""What the training trajectories say about the latent equation: its settings and its errors."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from skcolora._estimators._left_out import trajectory_errors
from skcolora._galerkin import (
    GalerkinSolution,
    LatentEquation,
    Trust,
    error_ratio,
    initial_fields,
)
from skcolora._nn import decode_rows
from skcolora._snapshots import Array, StoredRows, spread_evenly
from skcolora.utils._deadline import Deadline
from skcolora.utils._torch import as_tensor

# Largest numbers of trajectories, times and points that are looked at.
_MAX_LEARNT, _MAX_TIMES, _MAX_POINTS = 32, 32, 2**11
# Largest number of trajectories at which the equation is solved.
_MAX_SOLVED = 3
# Choices of the regularisation.  The next one is tried if the errors exceed those of the regressor
# by the first factor, and taken if it reduces them by the second one.
REGULARIZATIONS = (1e-8, 1e-4, 1e-3)
_GOOD, _BETTER = 2.0, 0.8


class _Judged(NamedTuple):
    """Paths at some training trajectories."""

    indicators: Array
    """Error indicators, (n, n_times)"""
    errors: Array
    """Errors relative to the variation, over the times that were reached, (n,)"""


def judge(
    equation: LatentEquation,
    regressor: Any,
    X: Array,
    rows: Array | StoredRows,
    *,
    choose: bool,
    deadline: Deadline,
) -> LatentEquation:
    """Compare both halves with the snapshots of some trajectories.

    Parameters
    ----------
    equation : LatentEquation
    regressor : CoLoRARegressor
        The innermost regressor.
    X : ndarray of shape (n_trajectories, n_parameters)
    rows : ndarray or StoredRows of shape (n_trajectories, n_times, n_points, n_fields)
        Stored snapshots are not read: the fields of the regressor, with its training error, stand
        for them.
    choose : bool
        Whether the regularisation is chosen.
    deadline : Deadline
        Time limit.

    Returns
    -------
    equation : LatentEquation
        With the regularisation that was chosen, and the trust; without trust if the equation
        defines no initial fields, or no path got far enough in time.
    """
    if not equation.pde.has_initial:
        return equation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        many = spread_evenly(len(X), _MAX_LEARNT)
        errors, solution = _regressor_errors(equation, regressor, X, rows, many)
        few = spread_evenly(len(X), _MAX_SOLVED)
        usual = float(errors[np.isin(many, few)].mean())
        true, known = _Truth(equation, regressor, X, rows, few), _initial(equation, X[few])
        best, least = _Judged(np.empty(0), np.full(len(few), np.nan)), np.inf
        for regularization in REGULARIZATIONS if choose else (equation.regularization,):
            if least <= _GOOD * usual or (len(best.indicators) and deadline.passed):
                break
            trial = replace(equation, regularization=regularization)
            found = _solved(trial, true, X[few], known, deadline)
            error = float(np.nan_to_num(found.errors, nan=np.inf).mean())
            if not len(best.indicators) or error < _BETTER * least:
                equation, best, least = trial, found, error
    told = ~np.isnan(best.errors)
    if not told.any():
        return equation
    ratio = error_ratio(best.indicators[told], best.errors[told])
    times, indicators = solution.times, solution.error_indicator
    trust = Trust(ratio, equation.nodes(X[many]), errors, times, indicators)
    return replace(equation, trust=trust)


def _initial(equation: LatentEquation, X: Array) -> tuple[Array, Array] | None:
    return initial_fields(equation.pde, equation.model.layout, X, None)


def _regressor_errors(
    equation: LatentEquation, regressor: Any, X: Array, rows: Array | StoredRows, chosen: Any
) -> tuple[Array, GalerkinSolution]:
    """Errors of the regressor at some trajectories, and its paths there."""
    times = equation.model.layout.times
    solution = equation.regressor_solution(X[chosen], times, _initial(equation, X[chosen]))
    if isinstance(rows, StoredRows):
        return np.full(len(chosen), regressor.best_loss_), solution
    return _Truth(equation, regressor, X, rows, chosen).errors(solution), solution


def _solved(
    equation: LatentEquation,
    true: _Truth,
    X: Array,
    known: tuple[Array, Array] | None,
    deadline: Deadline,
) -> _Judged:
    """The paths of the equation at trajectories with snapshots."""
    times = equation.model.layout.times
    start = equation.start(X, known, deadline=deadline)
    path = equation.path(X, times, start, deadline)
    solution = equation.diagnose(X, times, start, path)
    return _Judged(solution.error_indicator, true.errors(solution))


class _Truth:
    """Snapshots of some trajectories at some times and points."""

    def __init__(
        self,
        equation: LatentEquation,
        regressor: Any,
        X: Array,
        rows: Array | StoredRows,
        some: Any,
    ) -> None:
        layout = equation.model.layout
        self._times = spread_evenly(layout.n_times, _MAX_TIMES)
        points = np.random.default_rng(0).permutation(layout.grid.n_points)[:_MAX_POINTS]
        self._layout = layout.at_numbers(layout.times[self._times], layout.grid.points[points])
        self._model, self._units = equation.model, regressor._units
        if isinstance(rows, StoredRows):
            model = equation.model
            latent = model.latent(model.transform(X[some]), self._layout.times)
            self._true = decode_rows(model.network, model.units, latent, self._layout)
        else:
            self._true = rows[np.ix_(some, self._times, points)]

    def errors(self, solution: GalerkinSolution) -> Array:
        """Errors (n,) of a solution at the times of ``fit``.

        They are infinite for trajectories that failed, and NaN for those that were out of time
        before the first of the times.
        """
        errors = np.full(len(self._true), np.inf)
        for i, latent in enumerate(solution.latent[:, self._times]):
            reached = np.isfinite(latent).all(axis=1)
            out_of_time = solution.status[i] == "max_time"
            if out_of_time and reached.sum() < 2:
                errors[i] = np.nan
            elif reached.all() or out_of_time:
                layout = self._layout.at_numbers(self._layout.times[reached])
                found = decode_rows(
                    self._model.network, self._model.units, as_tensor(latent[None, reached]), layout
                )
                true = self._true[i : i + 1, reached]
                errors[i] = np.nan_to_num(
                    trajectory_errors(self._units, true, found)[0], nan=np.inf
                )
        return errors
