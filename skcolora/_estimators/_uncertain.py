"""What both halves say about the errors of their predictions, and where they need snapshots."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar

from skcolora._estimators._base import SnapshotRegressor
from skcolora._estimators._uncertainty import Uncertainty
from skcolora._snapshots import (
    Array,
    SnapshotLayout,
    power_function,
    rows_among,
    validate_parameters,
)


class UncertainRegressor(SnapshotRegressor):
    """A regressor that knows how wrong its predictions may be, if it was cross-validated."""

    _uncertainty: Uncertainty | None
    _X: Array
    _training_error: float
    """Error at the training parameters"""

    def expected_error(self, X: ArrayLike) -> Array:
        """Errors that predictions should have, from the cross-validation.

        The error of a trajectory is relative to its variation about the mean of the training
        snapshots, with norms over all times, points and fields.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.

        Returns
        -------
        errors : ndarray of shape (n_trajectories,)

        Raises
        ------
        ValueError
            If X does not fit the fitted model, or the fit had no cross-validation.
        """
        X = self._in_order(validate_parameters(self, X))
        uncertainty = self._known_uncertainty("`expected_error`")
        return uncertainty.expected(self._difficulty(X), self._training_error)

    def suggest(self, candidates: ArrayLike, n: int = 1) -> Array:
        """Parameters at which snapshots would help most.

        The candidate with the largest expected error comes first.  Each of the following is chosen
        as if there were snapshots at those before it, so that they lie apart [1]_.  No
        cross-validation is needed.

        Parameters
        ----------
        candidates : array-like of shape (n_candidates, n_parameters)
            Physics parameters at which snapshots can be computed.  Those of ``fit`` are never
            suggested.
        n : int, default=1
            Number of suggestions.

        Returns
        -------
        X : ndarray of shape (n, n_parameters)
            Rows of the candidates.

        Raises
        ------
        ValueError
            If fewer than n different candidates lie outside the parameters of ``fit``.

        References
        ----------
        .. [1] S. De Marchi, R. Schaback and H. Wendland, "Near-optimal data-independent point
           locations for radial basis function interpolation", Adv. Comput. Math. 23 (2005),
           317-330.
        """
        X = validate_parameters(self, candidates)
        check_scalar(n, "n", Integral, min_val=1)
        new = np.unique(X[~rows_among(self._in_order(X), self._X)], axis=0)
        if len(new) < n:
            raise ValueError(
                f"`candidates` must hold at least n={n} different rows that are not parameters of "
                f"`fit`; got {len(new)}."
            )
        points, nodes = (self._coordinates(some) for some in (self._in_order(new), self._X))
        power = power_function(nodes, points)
        difficulty = self._difficulty(self._in_order(new))
        # A difficulty that is not known, because a prediction failed, is the largest one.
        difficulty = np.nan_to_num(difficulty, nan=np.inf, posinf=np.finfo(float).max)
        chosen: list[int] = []
        for _ in range(n):
            share = np.divide(
                power_function(np.vstack([nodes, points[chosen]]), points),
                power,
                out=np.zeros_like(power),
                where=power > 0,
            )
            share[chosen] = -1.0
            chosen.append(int(np.argmax(difficulty * share)))
        return np.asarray(new[chosen])

    @abstractmethod
    def _coordinates(self, X: Array) -> Array:
        """Scaled parameters, in which distances mean something."""

    @abstractmethod
    def _difficulty(self, X: Array) -> Array:
        """How difficult predictions are, up to a factor, (n,)."""

    def _in_order(self, X: Array) -> Array:
        return X

    def _known_uncertainty(self, name: str) -> Uncertainty:
        """The result of the cross-validation, or a ValueError if there was none."""
        if self._uncertainty is None:
            raise ValueError(
                f"{name} needs the errors of a cross-validation.  {self._cure_without_folds}"
            )
        return self._uncertainty

    _cure_without_folds = "Fit with cv=5."

    def _check_asked(self, return_std: bool, return_interval: float | None) -> bool:
        """Whether a prediction is asked for with its uncertainty, or a ValueError."""
        if return_interval is None:
            if return_std:
                self._known_uncertainty("`return_std`")
            return bool(return_std)
        if return_std:
            raise ValueError("Give `return_std` or `return_interval`, not both.")
        check_scalar(
            return_interval,
            "return_interval",
            Real,
            min_val=0,
            max_val=1,
            include_boundaries="neither",
        )
        self._known_uncertainty("`return_interval`").factor(return_interval)
        return True

    def _with_uncertainty(
        self,
        rows: Array,
        layout: SnapshotLayout,
        deviations: Callable[[], Array],
        return_interval: float | None,
    ) -> tuple[Any, ...]:
        """The prediction with standard deviations, or with the ends of a band."""
        y, std = layout.from_rows(rows), deviations()
        if return_interval is None:
            return y, layout.from_rows(std.astype(rows.dtype))
        half = self._known_uncertainty("`return_interval`").factor(return_interval) * std
        return y, *(layout.from_rows((rows + d).astype(rows.dtype)) for d in (-half, half))
