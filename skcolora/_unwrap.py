"""The CoLoRARegressor inside pipelines and frozen estimators."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skcolora._colora import CoLoRARegressor
from skcolora._snapshots import Array


def innermost(estimator: Any) -> CoLoRARegressor:
    """The CoLoRARegressor at the end of pipelines, or a ValueError."""
    while not isinstance(estimator, CoLoRARegressor):
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        else:
            raise ValueError(
                "`regressor` must be a CoLoRARegressor, or a Pipeline or FrozenEstimator that "
                f"ends in one; got {type(estimator).__name__}."
            )
    return estimator


def transformed(estimator: Any, X: Array) -> Array:
    """Parameters as the innermost regressor is given them."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps[:-1]:
            X = X if step in (None, "passthrough") else step.transform(X)
        return transformed(estimator.steps[-1][1], X)
    if isinstance(estimator, FrozenEstimator):
        return transformed(estimator.estimator, X)
    return np.asarray(X, dtype=np.float64)


def replaced(estimator: Any, inner: CoLoRARegressor) -> Any:
    """A copy of the estimator, not frozen, with another regressor at its end."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        out = copy.copy(estimator)
        out.steps = [*estimator.steps[:-1], (name, replaced(last, inner))]
        return out
    if isinstance(estimator, FrozenEstimator):
        return replaced(estimator.estimator, inner)
    return inner
