"""What all estimators share: the snapshots' grid among their parameters, and their score."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score

from skcolora._snapshots import Array, SnapshotLayout

# Stands in the docstring of a class where the class has these parameters.
_GRID_PLACE = "{times, points, period}"
_GRID_PARAMETERS = """times : array-like of shape (n_times,), default=None
        Strictly increasing times of the snapshots.  None: uniform times on [0, 1], or a steady
        field where y is 1-D or 2-D.
    points : array-like of shape (n_points, n_dims) or tuple of 1-D axes, default=None
        Points of the snapshots.  A tuple of axes is a tensor grid with ``indexing="ij"``.
        None: uniform points on [0, 1].
    period : None, float or tuple, default=None
        Period of the domain: one number for all dimensions, or one entry for each dimension,
        with None for a dimension that is not periodic."""


class SnapshotRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor whose targets are trajectories of fields."""

    _layout: SnapshotLayout
    # Times, points and period are checked together with the snapshots, in `fit`.
    _grid_constraints: ClassVar[dict[str, Any]] = {
        "times": "no_validation",
        "points": "no_validation",
        "period": "no_validation",
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__doc__:
            cls.__doc__ = cls.__doc__.replace(_GRID_PLACE, _GRID_PARAMETERS)

    def predict(self, X: ArrayLike) -> Array:
        raise NotImplementedError

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Coefficient of determination R² on flattened snapshots.

        ``1 - Σ(u - û)² / Σ(u - ū)²``, where both sums run over all trajectories, times, points
        and fields together, and ū is the mean of all values.

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
            The best value is 1.  Minus infinity where the prediction holds NaN, because a
            trajectory could not be integrated to the end.
        """
        predicted = self.predict(X)
        true = np.asarray(y)
        if true.size != predicted.size:
            raise ValueError(f"y has shape {true.shape}; the prediction has {predicted.shape}.")
        if sample_weight is not None:
            sample_weight = np.repeat(sample_weight, predicted.size // len(predicted))
        if not np.isfinite(predicted).all():
            return -np.inf
        return float(r2_score(true.ravel(), predicted.ravel(), sample_weight=sample_weight))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_layout")
