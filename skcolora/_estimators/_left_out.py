"""Trajectories that are left out of a training, and the errors that the regressor has there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from skcolora._estimators._spread import spread
from skcolora._snapshots import (
    Array,
    SnapshotLayout,
    has_gaps,
    leave_one_out_power,
    merge_close,
    observed_times,
    spread_evenly,
    trajectory_errors,
)

# Fewest different parameters of which some are left out, share of them that is, and their largest
# number.  One is enough to tell the size of the error, and more would change what is learnt.
_FEWEST, _SHARE, _MOST = 5, 0.1, 16
# Largest number of trajectories from which they are chosen.
_CANDIDATES = 256
# Largest number of times that are compared.
_MAX_TIMES = 64
# Largest numbers of values of each field that are compared, for a mean error, and for the largest
# error of each left-out trajectory, which few points would understate.
_MAX_VALUES, _MAX_PEAK_VALUES = 2**16, 2**22
# Number of points of a trajectory, those with its largest misfits, at which they are measured.
_PEAK_POINTS = 64


class Fold(NamedTuple):
    """A regressor that was trained without some trajectories, and its errors there."""

    train: NDArray[np.intp]
    """Indices of the trajectories that it was trained on"""
    test: NDArray[np.intp]
    """Indices of the others"""
    regressor: Any
    """The fitted regressor, or None if its training failed"""
    errors: Array
    """Errors of the others, relative to their variation, (n_test,)"""
    peaks: Array
    """Their largest errors at any time and point, in units of `spread`, (n_test,)"""
    training: Array | float
    """Errors that come from the training, and not from leaving out the others"""


def inner_trajectories(nodes: Array) -> NDArray[np.bool_]:
    """Mask of trajectories that the others surround best, about a tenth of them.

    They are apart from each other.  The parameters of the others still cover the region.  None is
    chosen if there are fewer than five different parameters.

    Parameters
    ----------
    nodes : ndarray of shape (n_trajectories, n_parameters)
        Scaled parameters.  Trajectories with the same parameters are chosen together.
    """
    distinct, owner = np.unique(merge_close(nodes), axis=0, return_inverse=True)
    n = len(distinct)
    if n < _FEWEST:
        return np.zeros(len(nodes), dtype=bool)
    # Of many, a part is enough to choose from.
    order = spread_evenly(n, _CANDIDATES)
    powers = leave_one_out_power(distinct[order])
    # Of trajectories that lie alike, the first one counts, whatever the rounding.
    finite = np.isfinite(powers)
    if finite.any():
        powers[finite] = (powers[finite] / powers[finite].min()).round(6)
    inner = order[np.argsort(powers, kind="stable")[: -(-len(order) // 3)]]
    chosen = [int(inner[0])]
    while len(chosen) < min(int(_SHARE * n), _MOST):
        gaps = cdist(distinct[inner], distinct[chosen]).min(axis=1)
        chosen.append(int(inner[np.argmax(gaps)]))
    return np.isin(owner.reshape(-1), chosen)


def fold_of(
    regressor: Any, layout: SnapshotLayout, X: Array, rows: Array, train: Any, test: Any
) -> Fold:
    """The errors of a regressor that was fitted to the trajectories ``train``.

    They are computed from a part of the times and points, if there are very many.

    Parameters
    ----------
    regressor : CoLoRARegressor
    layout : SnapshotLayout
    X : ndarray of shape (n_trajectories, n_parameters)
    rows : ndarray of shape (n_trajectories, n_times, n_points, n_fields)
    train, test : ndarray of int
        Indices of trajectories.
    """

    def predict(k: int, some: SnapshotLayout) -> Array:
        inputs = X[test[k : k + 1]]
        return np.asarray(regressor._evaluate(regressor._latent(inputs, some.times), some))

    errors, peaks = errors_of(regressor, X[test], layout, rows, test, predict)
    seen = float(
        _errors_at(regressor, layout, X, rows, train[spread_evenly(len(train), _MOST)]).mean()
    )
    return Fold(train, test, regressor, errors, peaks, seen)


def when_seen(
    regressor: Any,
    layout: SnapshotLayout,
    X: Array,
    rows: Array,
    folds: list[Fold],
    left_out: NDArray[np.bool_],
) -> tuple[list[Fold], float]:
    """The folds of a regressor that is trained on everything, and its own training error.

    Where it was trained at first without the trajectories ``left_out``, their errors now say what
    comes from the training: the hardest ones may lie elsewhere.  The training was not at its end
    when they were predicted, so that this part was larger by as much as the error of the others.
    """
    seen = float(_errors_at(regressor, layout, X, rows, spread_evenly(len(X), _MOST)).mean())
    if not left_out.any():
        return folds, seen
    (fold,) = folds
    larger = max(float(fold.training) / seen, 1.0) if seen > 0 else 1.0
    return [
        fold._replace(training=larger * _errors_at(regressor, layout, X, rows, fold.test))
    ], seen


def _errors_at(
    regressor: Any, layout: SnapshotLayout, X: Array, rows: Array, chosen: NDArray[np.intp]
) -> Array:
    if has_gaps(rows) and len(chosen) > 1:
        # Each trajectory has its own observed times.
        each = [_errors_at(regressor, layout, X, rows, one) for one in chosen[:, None]]
        return np.concatenate(each)
    some, true = sample(layout, rows, chosen)
    predicted = regressor._evaluate(regressor._latent(X[chosen], some.times), some)
    return trajectory_errors(regressor._units, true, predicted)


def sample(
    layout: SnapshotLayout, rows: Array, chosen: Any, max_values: int = _MAX_VALUES
) -> tuple[SnapshotLayout, Array]:
    """A part of the times and points, the last time among them, and some trajectories there.

    The times are among those at which something was observed.
    """
    observed = observed_times(rows[chosen])
    times = observed[spread_evenly(len(observed), _MAX_TIMES)]
    n_points = max(1, min(layout.grid.n_points, max_values // (len(times) * max(len(chosen), 1))))
    points = np.random.default_rng(0).permutation(layout.grid.n_points)[:n_points]
    some = layout.at_numbers(layout.times[times], layout.grid.points[points])
    return some, rows[np.ix_(chosen, times, points)]


def errors_of(
    regressor: Any,
    X: Array,
    layout: SnapshotLayout,
    rows: Array,
    test: NDArray[np.intp],
    predict: Callable[[int, SnapshotLayout], Array],
) -> tuple[Array, Array]:
    """Errors and largest errors of predictions, as in `Fold`; infinite where there is NaN.

    Parameters
    ----------
    regressor : CoLoRARegressor
        The units and the `spread` are its own.
    X : ndarray of shape (n, n_parameters)
        Parameters as the regressor is given them.
    layout : SnapshotLayout
    rows : ndarray of shape (n_trajectories, n_times, n_points, n_fields)
    test : ndarray of int of shape (n,)
        Rows that the predictions are compared with.
    predict : callable
        Prediction (1, n_times, n_points, n_fields) of the k-th of them at the times and points of
        a layout, which are among those of ``layout``.
    """
    errors, peaks = np.full((2, len(test)), np.inf)
    for k, i in enumerate(test):
        some, true = sample(layout, rows, [i], _MAX_PEAK_VALUES // len(test))
        predicted = predict(k, some)
        if np.isnan(predicted).any():
            continue
        errors[k] = trajectory_errors(regressor._units, true, predicted)[0]
        # Sensitivities are expensive, and of interest only where the misfit is large.
        misfit = np.abs((predicted - true) * regressor._units.fields.slope)
        misfit = np.nan_to_num(misfit).max(axis=(0, 1, 3))
        worst = np.argsort(misfit)[-_PEAK_POINTS:]
        there = some.at(None, some.grid.points[worst])
        scale = spread(regressor, X[k : k + 1], there)
        peaks[k] = peak_errors(true[:, :, worst], predicted[:, :, worst], scale)[0]
    return errors, peaks


def failed_fold(train: Any, test: Any) -> Fold:
    """The infinite errors of a training that failed."""
    infinite = np.full(len(test), np.inf)
    return Fold(train, test, None, infinite, infinite, 0.0)


def peak_errors(true: Array, predicted: Array, scale: Array) -> Array:
    """Largest errors of trajectories in units of ``scale``, (n,); constant fields do not count."""
    misfit = np.abs(np.asarray(predicted, dtype=np.float64) - true)
    misfit[np.isnan(true)] = 0.0
    ratio = np.divide(misfit, scale, out=np.zeros_like(misfit), where=scale > 0)
    return np.asarray(ratio.max(axis=(1, 2, 3)))
