"""What all estimators share: the grid among their parameters, their score and their pickles."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.metrics import r2_score

from skcolora._snapshots import Array, SnapshotLayout, check_real, marks_as_nan
from skcolora.utils._stack import caller_stacklevel
from skcolora.utils._version import __version__

# Parameters that several classes share, by what stands for them in the docstrings.
_SHARED = {
    "{times, points, period}": """times : array-like of shape (n_times,), default=None
        Strictly increasing times of the snapshots.  Dates (datetime64, pandas or `datetime`)
        count as seconds after the first date, and durations as seconds.  None: uniform times on
        [0, 1], or a steady field where y is 1-D or 2-D.
    points : array-like of shape (n_points, n_dims) or tuple of 1-D axes, default=None
        Points of the snapshots.  A tuple of axes is a tensor grid with ``indexing="ij"``.
        None: uniform points on [0, 1].
    period : None, float or tuple, default=None
        Period of the domain: one number for all dimensions, or one entry for each dimension,
        with None for a dimension that is not periodic.  It is at least as long
        as the range of the points.""",
    "{center, scale}": """center : bool, default=True
        Subtract the mean snapshot, which is the mean over all trajectories and times at each
        point.  With False, the modes also represent the mean, which takes one of them or more.
    scale : bool, default=True
        Divide each field by its root mean square, after the mean is subtracted, so that all
        fields count equally whatever their units are.""",
    "{on_extrapolation}": """on_extrapolation : {"warn", "raise", "ignore"}, default="warn"
        What ``predict`` does where it extrapolates: for parameters outside the region that the
        training parameters span, and for times outside the training times.  "warn": one
        `ExtrapolationWarning` for each call, which says how far.  "raise": a ValueError.  It may
        be changed after ``fit``.""",
}
# Package of attributes that belong to a running fit.
_CALLBACKS = "sklearn.callback"
# The key of the version among the contents of a pickle.
_VERSION = "_skcolora_version"


class InconsistentModelWarning(InconsistentVersionWarning):  # type: ignore[misc]
    """Warning that a model was saved by another version of skcolora.

    Parameters
    ----------
    estimator_name : str
        Class of the model.
    current_version : str
        Version of skcolora that loads the model.
    original_version : str or None
        Version of skcolora that saved the model; None where the model does not say.
    """

    def __init__(
        self, *, estimator_name: str, current_version: str, original_version: str | None
    ) -> None:
        self.estimator_name = estimator_name
        self.current_version, self.original_version = current_version, original_version

    def __str__(self) -> str:
        known = self.original_version is not None
        saved_by = f"skcolora {self.original_version}" if known else "another version of skcolora"
        return (
            f"This {self.estimator_name} was saved by {saved_by} and is loaded by skcolora "
            f"{self.current_version}.  It may fail or predict wrong fields.  Load it with "
            f"{saved_by if known else 'the version that saved it'}, or fit and save it again."
        )

    def __reduce__(self) -> Any:
        return _rebuild, (self.estimator_name, self.current_version, self.original_version)


def _rebuild(name: str, current: str, original: str | None) -> InconsistentModelWarning:
    return InconsistentModelWarning(
        estimator_name=name, current_version=current, original_version=original
    )


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
            for place, parameters in _SHARED.items():
                cls.__doc__ = cls.__doc__.replace(place, parameters)

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
            True snapshots, in the layout of ``fit``: the shape of the prediction.
        sample_weight : array-like of shape (n_trajectories,), default=None
            Weights of the trajectories.

        Returns
        -------
        score : float
            The best value is 1.  With ``missing="ignore"`` values that were not observed do not
            count.  Minus infinity where the prediction holds NaN, because a
            trajectory could not be integrated to the end.

        Raises
        ------
        ValueError
            If y has another shape than the prediction.
        """
        predicted = self.predict(X)
        true = np.asarray(check_real(marks_as_nan(y) if self._ignores_gaps else y, "y"))
        if true.shape != predicted.shape:
            raise ValueError(
                f"y has shape {true.shape}; expected {predicted.shape}, the shape of the "
                "prediction.  Give y in the layout of `fit`, with the same order of axes."
            )
        if not np.isfinite(predicted).all():
            return -np.inf
        observed = np.ones(true.shape, dtype=bool)
        if self._ignores_gaps:
            observed = ~np.isnan(true)
        if sample_weight is not None:
            counts = observed.reshape(len(true), -1).sum(axis=1)
            sample_weight = np.repeat(sample_weight, counts)
        return float(r2_score(true[observed], predicted[observed], sample_weight=sample_weight))

    @property
    def _ignores_gaps(self) -> bool:
        """Whether NaN in snapshots is a value that was not observed."""
        return getattr(self, "missing", "error") == "ignore"

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        # A copy that is made during a fit would keep the context of scikit-learn's callbacks.
        kept = {k: v for k, v in state.items() if not type(v).__module__.startswith(_CALLBACKS)}
        return {**kept, _VERSION: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        original, current = state.pop(_VERSION, None), __version__
        if original != current:
            warnings.warn(
                InconsistentModelWarning(
                    estimator_name=type(self).__name__,
                    current_version=current,
                    original_version=original,
                ),
                stacklevel=caller_stacklevel(),
            )
        super().__setstate__(state)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_layout")
