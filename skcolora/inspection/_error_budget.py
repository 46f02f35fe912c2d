"""Which part of a model the error at unseen parameters comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skcolora._estimators._colora import CoLoRARegressor
from skcolora._estimators._colora_galerkin import CoLoRAGalerkin
from skcolora._estimators._unwrap import find_model, find_regressor
from skcolora._snapshots import Array
from skcolora.inspection._error_parts import (
    VariationScale,
    best_fit,
    deviations_of,
    left_out_error,
    mean_error,
    still_fell,
    times_between,
)
from skcolora.inspection._verdict import TITLES, Levels, advise


@dataclass(frozen=True, eq=False)
class ErrorBudget:
    """Errors of the parts of a model at unseen parameters, with a verdict and its cure.

    `error_budget` returns it.  All errors are relative to the variation of their trajectory: the
    root mean square over the times of a trajectory is its `relative_l2_error` with
    ``centered=True``.  Several fields count alike.

    Attributes
    ----------
    times : ndarray of shape (n_times,)
        Times of the unseen snapshots, in seconds where the times of ``fit`` are dates.
    training_times : ndarray of shape (n_training_times,)
        Times of the training snapshots.
    training : ndarray of shape (n_training, n_training_times)
        Error of the regressor on training snapshots.
    training_fit : ndarray of shape (n_training, n_training_times)
        Error of the best fit to training snapshots: what the network alone cannot hold.
    best_fit : ndarray of shape (n_trajectories, n_times)
        Error of the best fit to unseen snapshots: what the manifold lacks.
    prediction : ndarray of shape (n_trajectories, n_times)
        Error of the regressor at unseen parameters.
    map : ndarray of shape (n_trajectories, n_times)
        Distance of the regressor's prediction from the best fit: what the map from parameters
        and time to the latent state misses.
    equation : ndarray of shape (n_trajectories, n_times) or None
        Error of the prediction by the equation; None without an equation.  Infinite at times
        that a trajectory did not reach.
    path : ndarray of shape (n_trajectories, n_times) or None
        Distance of the prediction by the equation from the best fit: what its path misses.
    between : ndarray of bool of shape (n_times,)
        Which of the times lie between two training times.
    left_out : float
        Error at every second training time where the latent states are interpolated from the
        other times.  It is large if the latent state moves too fast for the training times, and
        NaN if there are fewer than five.
    verdict : str
        "training_too_short", "network_too_small", "hypernetwork_too_small", "manifold", "map",
        "times" or "path".
    title : str
        The verdict in words.
    advice : str
        What the verdict rests on, and what mends it.

    See Also
    --------
    ErrorBudgetDisplay : The budget as a picture.
    """

    times: Array
    training_times: Array
    training: Array
    training_fit: Array
    best_fit: Array
    prediction: Array
    map: Array
    equation: Array | None
    path: Array | None
    between: NDArray[np.bool_]
    left_out: float
    verdict: str
    title: str
    advice: str

    @property
    def means(self) -> dict[str, float]:
        """The errors by name, each a mean over the trajectories."""
        names = ("training_fit", "training", "best_fit", "map", "prediction", "path", "equation")
        arrays = {name: getattr(self, name) for name in names}
        return {name: mean_error(array) for name, array in arrays.items() if array is not None}

    def __str__(self) -> str:
        numbers = ", ".join(f"{name} {value:.2g}" for name, value in self.means.items())
        return f"{self.title}.  {self.advice}  (Mean errors: {numbers}.)"


def error_budget(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    X_train: ArrayLike,
    y_train: ArrayLike,
    times: ArrayLike | None = None,
) -> ErrorBudget:
    """Find the part of a model that its error at unseen parameters comes from.

    The error is followed from the training snapshots to the best fit to the unseen snapshots,
    then to their prediction at the training times, and at last to the times between these.  The
    step at which the squared error grows most is the part that fails.

    Parameters
    ----------
    estimator : fitted CoLoRARegressor or CoLoRAGalerkin, or pipeline that ends in one
        The transformers of a pipeline are applied to X.
    X : array-like of shape (n_trajectories, n_parameters)
        Parameters that the estimator was not trained on.
    y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
        Snapshots at these parameters, at the points of ``fit`` and in its layout.
    X_train : array-like of shape (n_training, n_parameters)
        Parameters of ``fit``, which does not keep its snapshots.  A few of the trajectories
        suffice, if all would take too much memory or time.
    y_train : array-like of shape (n_training, n_training_times, n_points[, n_fields])
        Snapshots of ``fit`` at these parameters.
    times : array-like of shape (n_times,), default=None
        Times of y.  None: the times of ``fit``.  Finer times show whether the times of ``fit``
        are too coarse.

    Returns
    -------
    budget : ErrorBudget
        Errors of the parts, verdict and advice.

    Raises
    ------
    TypeError
        If the estimator has no latent states.
    ValueError
        If the parameters, snapshots and times do not fit the estimator.

    See Also
    --------
    ErrorBudgetDisplay : The budget as a picture.

    Notes
    -----
    Whether a training was too short, or the network is too small, is read from ``loss_curve_``.
    After `CoLoRAGalerkin.refine` and `CoLoRAGalerkin.distill` this is the curve of these.

    Examples
    --------
    >>> from skcolora import CoLoRARegressor
    >>> from skcolora.datasets import make_advection
    >>> from skcolora.inspection import error_budget
    >>> grid = {"n_points": 32, "times": np.linspace(0, 1, 6), "width": 0.1}
    >>> data, new = make_advection([0.5, 1.0, 1.5], **grid), make_advection([0.9], **grid)
    >>> model = CoLoRARegressor(**data.grid, width=8, depth=3, max_iter=5, random_state=0)
    >>> model.fit(data.X, data.y)
    CoLoRARegressor(...)
    >>> budget = error_budget(model, new.X, new.y, X_train=data.X, y_train=data.y)
    >>> budget.verdict
    'training_too_short'
    """
    model, outer_inputs = find_model(estimator, X)
    regressor, inputs = _regressor(estimator, X)
    _, training_inputs = _regressor(estimator, X_train)
    layout = regressor._layout
    training_rows = _rows(regressor, "X_train", X_train, "y_train", y_train, len(layout.times))
    at_times = layout.at(times, None).times
    rows = _rows(regressor, "X", X, "y", y, len(at_times))
    deviations = deviations_of(training_rows)
    seen, unseen = VariationScale(training_rows, deviations), VariationScale(rows, deviations)
    fitted = regressor.predict(training_inputs).reshape(training_rows.shape)
    predicted = regressor.predict(inputs, times=times).reshape(rows.shape)
    known, solution = [predicted], None
    if isinstance(model, CoLoRAGalerkin):
        solution = model.solve(outer_inputs, times=times)
        known.append(solution.predict().reshape(rows.shape))
    nearest, best_errors = best_fit(regressor, y, unseen, known)
    training, training_fit = seen.errors(fitted), best_fit(regressor, y_train, seen, [fitted])[1]
    answer = unseen.errors(known[-1])
    between = times_between(at_times, layout.times)
    at_training_times = ~between if not between.all() else between
    levels = Levels(
        training=mean_error(training),
        training_fit=mean_error(training_fit),
        best_fit=mean_error(best_errors, at_training_times),
        prediction=mean_error(answer, at_training_times),
        between=mean_error(answer, between) if between.any() else float("nan"),
        left_out=left_out_error(regressor, training_inputs, seen),
        still_fell=still_fell(regressor.loss_curve_),
        with_equation=solution is not None,
    )
    return ErrorBudget(
        times=at_times,
        training_times=layout.times,
        training=training,
        training_fit=training_fit,
        best_fit=best_errors,
        prediction=unseen.errors(predicted),
        map=unseen.distances(predicted, nearest),
        equation=None if solution is None else answer,
        path=None if solution is None else unseen.distances(known[-1], nearest),
        between=between,
        left_out=levels.left_out,
        verdict=levels.verdict,
        title=TITLES[levels.verdict],
        advice=advise(levels, solution),
    )


def _regressor(estimator: Any, X: Any) -> tuple[CoLoRARegressor, Any]:
    """The regressor in an estimator, and X as the regressor is given it."""
    model, inputs = find_model(estimator, X)
    if isinstance(model, CoLoRAGalerkin):
        return _regressor(model.regressor_, inputs)
    if not isinstance(model, CoLoRARegressor):
        raise TypeError(
            f"{type(model).__name__} has no latent states (method `encode`); give a fitted "
            "CoLoRARegressor or CoLoRAGalerkin."
        )
    try:
        find_regressor(estimator)
    except ValueError as error:
        raise TypeError(
            f"{type(estimator).__name__} may transform the snapshots; give the fitted "
            "CoLoRARegressor in it, with snapshots as that was given them."
        ) from error
    return model, inputs


def _rows(model: CoLoRARegressor, name_X: str, X: Any, name_y: str, y: Any, n_times: int) -> Array:
    """Snapshots as rows in float64, or a ValueError if they do not fit X or the times."""
    try:
        rows = model._layout.check_rows(y)
    except ValueError as error:
        raise ValueError(f"`{name_y}`: {error}") from error
    if len(rows) != np.shape(X)[0]:
        raise ValueError(
            f"`{name_X}` has {np.shape(X)[0]} rows, but `{name_y}` has {len(rows)} trajectories."
        )
    if rows.shape[1] != n_times:
        of_times = "`times` has" if name_y == "y" else "`fit` was given"
        raise ValueError(
            f"`{name_y}` has {rows.shape[1]} times, but {of_times} {n_times}.  Give "
            + ("`times`, the times of `y`." if name_y == "y" else "the snapshots of `fit`.")
        )
    return np.asarray(rows, dtype=np.float64)
