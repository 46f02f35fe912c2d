"""What the estimators share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score

from skcolora._snapshots import Array, SnapshotLayout


class SnapshotRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor whose targets are trajectories of fields."""

    _layout: SnapshotLayout

    def predict(self, X: ArrayLike) -> Array:
        raise NotImplementedError

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Coefficient of determination R² on flattened snapshots.

        ``1 - Σ(u - û)² / Σ(u - ū)²``, both sums over all trajectories, times, points and
        fields together, ū the mean of them all.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            True snapshots, in the layout of ``fit``.
        sample_weight : array-like of shape (n_trajectories,), default=None
            Weights of the trajectories.

        Returns
        -------
        score : float
            At most 1, the best value.
        """
        predicted = self.predict(X)
        true = np.asarray(y)
        if true.size != predicted.size:
            raise ValueError(f"y has shape {true.shape}; the prediction has {predicted.shape}.")
        if sample_weight is not None:
            sample_weight = np.repeat(sample_weight, predicted.size // len(predicted))
        return float(r2_score(true.ravel(), predicted.ravel(), sample_weight=sample_weight))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_layout")
