"""The one way into pipelines, searches and other estimators that hold a model of the package."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skcolora._estimators._colora import CoLoRARegressor
from skcolora._galerkin import TrainedModel
from skcolora._snapshots import Array, SnapshotLayout
from skcolora.utils._sklearn import BaseSearchCV

# Where meta-estimators of scikit-learn keep the estimator that they hold, the fitted one first.
_HELD = ("best_estimator_", "regressor_", "estimator_", "estimator", "regressor")


def find_model(estimator: Any, X: Any = None) -> tuple[Any, Any]:
    """The fitted model in any estimator of scikit-learn, and X as the model is given it.

    Raises
    ------
    TypeError
        If there is no model of skcolora in the estimator.
    """
    check_is_fitted(estimator)
    steps, model = _unwrapped(
        estimator,
        lambda inner: (
            isinstance(getattr(inner, "_layout", None), SnapshotLayout)
            and not isinstance(inner, FrozenEstimator)
        ),
        lambda inner: True,
    )
    if model is None:
        raise TypeError(
            f"{type(estimator).__name__} does not know the times and points of its snapshots; "
            "expected an estimator of skcolora, or one that wraps it."
        )
    return model, X if X is None else _transformed(steps, X)


def find_suggesting(estimator: Any, X: Any = None) -> tuple[Any, Any]:
    """The model with a method ``suggest`` in any estimator, and X as the model is given it.

    Without X the estimator need not be fitted.

    Raises
    ------
    TypeError
        If there is no such model, or it is in a `FrozenEstimator`, which is never trained again.
    """
    steps, model = _unwrapped(
        estimator,
        lambda inner: hasattr(inner, "suggest") and not isinstance(inner, FrozenEstimator),
        lambda inner: not isinstance(inner, FrozenEstimator),
    )
    if model is None:
        raise TypeError(
            f"{type(estimator).__name__} has no method `suggest`; expected a CoLoRARegressor, a "
            "CoLoRAGalerkin, or a pipeline or a search that ends in one and is not frozen."
        )
    return model, X if X is None else _transformed(steps, X)


def find_regressor(estimator: Any) -> CoLoRARegressor:
    """The CoLoRARegressor in pipelines, searches and frozen estimators, or a ValueError."""
    return _to_regressor(estimator)[1]


def transform_parameters(estimator: Any, X: Array, *, order: list[int] | None = None) -> Array:
    """Parameters as the innermost regressor is given them, under the names of ``fit``.

    ``order`` holds the indices that put the columns of ``fit`` into the order of X.
    """
    X = X if order is None else X[:, np.argsort(order)]
    named = _with_names(X, getattr(estimator, "feature_names_in_", None))
    return np.asarray(_transformed(_to_regressor(estimator)[0], named), dtype=np.float64)


def trained_model(estimator: Any, order: list[int] | None) -> TrainedModel:
    """The networks of the innermost regressor, on the CPU, behind the transformers before it.

    ``order`` is that of `transform_parameters`.
    """
    inner = find_regressor(estimator)
    return TrainedModel(
        network=copy.deepcopy(inner.network_).cpu().double(),
        hypernetwork=copy.deepcopy(inner.hypernetwork_).cpu(),
        units=inner._units,
        layout=inner._layout,
        inputs=inner._X,
        transform=partial(transform_parameters, estimator, order=order),
    )


def replace_regressor(estimator: Any, inner: CoLoRARegressor) -> Any:
    """A copy of the estimator, neither frozen nor a search, with another regressor at its end."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        out = copy.copy(estimator)
        out.steps = [*estimator.steps[:-1], (name, replace_regressor(last, inner))]
        return out
    held = _held(estimator)
    return inner if held is None else replace_regressor(held, inner)


def _to_regressor(estimator: Any) -> tuple[list[Any], CoLoRARegressor]:
    # No others: one that transforms the fields would change the equation that they solve.
    transparent = (Pipeline, FrozenEstimator, BaseSearchCV)
    steps, model = _unwrapped(
        estimator,
        lambda inner: isinstance(inner, CoLoRARegressor),
        lambda inner: isinstance(inner, transparent),
    )
    if model is None:
        raise ValueError(
            "`regressor` must be a CoLoRARegressor, or a Pipeline, a search or a FrozenEstimator "
            f"that ends in one; got {type(estimator).__name__}."
        )
    return steps, model


def _unwrapped(
    estimator: Any, is_model: Callable[[Any], bool], may_enter: Callable[[Any], bool]
) -> tuple[list[Any], Any]:
    """The steps before the model, and the model, None where there is none."""
    steps: list[Any] = []
    while not is_model(estimator):
        if not may_enter(estimator):
            return steps, None
        if getattr(estimator, "steps", None):
            steps += [step for _, step in estimator.steps[:-1]]
            estimator = estimator.steps[-1][1]
        else:
            estimator = _held(estimator)
            if estimator is None:
                return steps, None
    return steps, estimator


def _held(estimator: Any) -> Any:
    if isinstance(estimator, FrozenEstimator):  # it shows the attributes of what it holds
        return estimator.estimator
    return next((getattr(estimator, name) for name in _HELD if hasattr(estimator, name)), None)


def _with_names(X: Array, names: Any) -> Any:
    if names is None:
        return X
    from pandas import DataFrame  # the user has it, who fitted on a data frame

    return DataFrame(X, columns=names)


def _transformed(steps: list[Any], X: Any) -> Any:
    for step in steps:
        X = X if step in (None, "passthrough") else step.transform(X)
    return X
