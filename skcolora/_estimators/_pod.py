"""PODRegressor: the linear, data-driven reduced model."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skcolora._estimators._base import SnapshotRegressor
from skcolora._estimators._parameter_interpolator import ParameterInterpolator
from skcolora._snapshots import (
    ON_EXTRAPOLATION,
    Array,
    check_extrapolation,
    check_period,
    parameter_time_rows,
    validate_parameters,
    validate_snapshots,
)
from skcolora._snapshots._pod import POD, decompose
from skcolora.utils._sklearn import HasMethods, Interval, StrOptions, fit_context


class PODRegressor(SnapshotRegressor):
    """Proper orthogonal decomposition with regression of the coefficients.

    The fields are approximated as ``ū + s Σ aᵢ vᵢ`` with the mean snapshot ū, the scale s of each
    field, and the POD modes vᵢ, the leading singular vectors of the centred and scaled
    snapshots.  A regressor gives the coefficients aᵢ from parameters and time [1]_.

    Parameters
    ----------
    {times, points, period}
    n_components : int or float, default=10
        Number of POD modes, at most the number of snapshots or of points.  A float in (0, 1) is
        the share of the energy that the modes keep: of the sum of the squared singular values.
    {center, scale}
    regressor : estimator, default=None
        Regressor from (μ, t), one row for each snapshot, to the coefficients.  None: the
        coefficients are interpolated as in `ParameterInterpolator`.
    {on_extrapolation}

    Attributes
    ----------
    components_ : ndarray of shape (`n_components_`, n_points * n_fields)
        POD modes of the centred and scaled snapshots, orthonormal.
    mean_ : ndarray of shape (n_points * n_fields,)
        Mean snapshot; zeros for ``center=False``.
    scale_ : ndarray of shape (n_fields,)
        Scale of each field; ones for ``scale=False``.  It is 0 for a field that is the same in all
        snapshots; such a field is predicted as its mean.
    singular_values_ : ndarray
        All singular values of the centred and scaled snapshots.
    n_components_ : int
        Number of modes in use, without those within the rounding of the snapshots.
    regressor_ : estimator
        The fitted regressor.
    n_features_in_ : int
        Number of physics parameters.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the parameters, where X had string column names.

    See Also
    --------
    ParameterInterpolator : The same model with all modes.
    PODGalerkin : The same modes, with coefficients that solve the equation.

    Notes
    -----
    All is computed in float64, and predictions are in the dtype of y.  The predictions do not
    depend on the units of the parameters, the times, the points and each field, unless a regressor
    of your own does: it is given parameters and times as they are.

    The period matters only for predictions at other points.

    References
    ----------
    .. [1] J. S. Hesthaven and S. Ubbiali, "Non-intrusive reduced order modeling of
       nonlinear problems using neural networks", J. Comput. Phys. 363 (2018), Section 2.

    Examples
    --------
    >>> from skcolora import PODRegressor
    >>> from skcolora.datasets import make_advection
    >>> data = make_advection([0.5, 0.75, 1.0, 1.25, 1.5])
    >>> model = PODRegressor(**data.grid, n_components=4).fit(data.X, data.y)
    >>> model.predict([[0.9]]).shape
    (1, 51, 256)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SnapshotRegressor._grid_constraints,
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "center": ["boolean"],
        "scale": ["boolean"],
        "regressor": [None, HasMethods(["fit", "predict"])],
        "on_extrapolation": [StrOptions(set(ON_EXTRAPOLATION))],
    }

    def __init__(
        self,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        period: Any = None,
        n_components: int | float = 10,
        center: bool = True,
        scale: bool = True,
        regressor: Any = None,
        on_extrapolation: str = "warn",
    ) -> None:
        self.times = times
        self.points = points
        self.period = period
        self.n_components = n_components
        self.center = center
        self.scale = scale
        self.regressor = regressor
        self.on_extrapolation = on_extrapolation

    @fit_context(prefer_skip_nested_validation=False)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike) -> PODRegressor:
        """Compute the modes and fit the coefficients.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots; see `CoLoRARegressor.fit` for the other layouts.

        Returns
        -------
        self : PODRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If the arguments do not fit together.
        """
        needed = 2 if self.regressor is None else 1
        X, rows, layout = validate_snapshots(
            self, X, y, times=self.times, points=self.points, min_trajectories=needed
        )
        self._period = check_period(self.period, layout.grid)
        n, n_times = rows.shape[:2]
        snapshots = rows.reshape(n * n_times, *rows.shape[2:])
        pod, self.singular_values_ = decompose(
            snapshots, self.n_components, center=self.center, scale=self.scale
        )
        self.n_components_ = len(pod.modes)
        self.components_ = pod.modes.reshape(self.n_components_, -1)
        self.mean_, self.scale_ = pod.mean.ravel(), pod.scale
        coefficients = pod.encode(snapshots)
        if self.regressor is None:
            self.regressor_ = ParameterInterpolator(times=layout.times)
            self.regressor_.fit(X, coefficients.reshape(n, n_times, -1))
        else:
            self.regressor_ = clone(self.regressor)
            target = coefficients[:, 0] if self.n_components_ == 1 else coefficients
            self.regressor_.fit(parameter_time_rows(X, layout), target)
        self._X, self._layout, self._dtype = X, layout, rows.dtype
        return self

    @property
    def _pod(self) -> POD:
        """Mean, scale and modes, as arrays of points and fields."""
        shape = (self._layout.grid.n_points, self._layout.n_fields)
        modes = self.components_.reshape(-1, *shape)
        return POD(self.mean_.reshape(shape), self.scale_, modes)

    def predict(self, X: ArrayLike, *, times: ArrayLike | None = None, points: Any = None) -> Array:
        """Fields at new parameters.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing.  Without a regressor of your own they must lie between the first
            and the last time of ``fit``.  None: the times of ``fit``.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Points in the range of the points of ``fit``, to which mean and modes are interpolated:
            on a tensor grid by cubic splines, from scattered points by thin-plate splines.  None:
            the points of ``fit``.

        Returns
        -------
        y : ndarray
            In the layout that ``fit`` was given.

        Raises
        ------
        ValueError
            If X does not fit the model, times or points lie outside the ranges of ``fit``, a
            point is far from all scattered points of ``fit``, or parameters or times extrapolate
            and ``on_extrapolation`` is "raise".

        Warns
        -----
        ExtrapolationWarning
            If parameters lie outside the region that the training parameters span, or, with a
            ``regressor``, times lie outside the training times.
        UserWarning
            As in `ParameterInterpolator.predict`, unless ``regressor`` is given.
        """
        X = validate_parameters(self, X)
        layout = self._layout.at(times, points)
        names, own = getattr(self, "feature_names_in_", None), self.regressor is not None
        # The interpolation refuses other times, and reports parameters that were constant.
        trained, asked = (self._layout.user_times, layout.user_times) if own else (None, None)
        check_extrapolation(
            self.on_extrapolation, self._X, X, trained, asked, names, constants_count=own
        )
        if not own:
            coefficients = self.regressor_._interpolate(X, names, layout.times, None)
        else:
            coefficients = self.regressor_.predict(parameter_time_rows(X, layout))
        pod = self._pod
        if points is not None:
            pod = pod.at(self._layout.grid, layout.grid.points, self._period)
        flat = pod.decode(np.reshape(coefficients, (len(X), layout.n_times, -1)))
        return layout.from_rows(flat.astype(self._dtype, copy=False))

    def project(self, y: ArrayLike) -> Array:
        """Best approximation of snapshots by the mean and the modes.

        It is best in the norm in which each field is divided by its scale.  No model with these
        modes can be more accurate.  The projection error is the linear baseline of the
        literature.

        Parameters
        ----------
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots at the points of ``fit``, in its layout; n_times may differ.

        Returns
        -------
        y : ndarray
            Projected snapshots, in the shape and the dtype of ``y``.

        Raises
        ------
        ValueError
            If y has another layout than in ``fit``.
        """
        check_is_fitted(self)
        rows = self._layout.check_rows(y)
        pod = self._pod
        projected = pod.decode(pod.encode(rows))
        return np.asarray(projected.reshape(np.shape(y)), dtype=np.result_type(rows, np.float32))
