"""ParameterInterpolator: interpolation of whole snapshots in the parameters."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike
from scipy.interpolate import RBFInterpolator, make_interp_spline

from skcolora._estimators._base import SnapshotRegressor
from skcolora._snapshots import (
    ON_EXTRAPOLATION,
    Array,
    check_extrapolation,
    check_period,
    column_scale,
    interpolate_in_space,
    interpolate_in_time,
    merge_close,
    validate_parameters,
    validate_snapshots,
)
from skcolora._snapshots._constants import warn_of_constant_parameters
from skcolora.utils._sklearn import StrOptions, fit_context
from skcolora.utils._stack import caller_stacklevel

# A polynomial through more nodes than this oscillates; a spline takes over.
_MAX_NODES = 12
# Largest sum of the absolute weights without a warning: single precision keeps three digits, and
# a polynomial through twelve uniform nodes may be used up to a tenth of their range outside it.
_LARGEST_SUM = 1e4
# Nodes closer than this share of the usual distance are nearly equal.
_CLOSE = 0.01


class ParameterInterpolator(SnapshotRegressor):
    """Interpolation of snapshots in the physics parameters.

    The plainest model.  It is strong where a single parameter is sampled densely: compare
    every other model with it.

    Parameters
    ----------
    {times, points, period}
    method : {"auto", "polynomial", "spline", "linear", "rbf"}, default="auto"
        Kind of interpolation.  In one parameter: the polynomial through all values, a cubic
        spline, or straight lines.  In several parameters: thin-plate splines, "rbf".  "auto" is
        the polynomial for up to 12 values of one parameter, the spline for more values, and
        "rbf" for several parameters.
    {on_extrapolation}

    Attributes
    ----------
    method_ : str
        The method in use, where ``method`` is "auto".
    n_features_in_ : int
        Number of physics parameters.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the parameters, where X had string column names.

    See Also
    --------
    CoLoRARegressor : The nonlinear reduced model.

    Notes
    -----
    Outside the range of the training parameters the formulas are extrapolated.  The error of the
    polynomial then grows fast.  Where training parameters depend on each other linearly, only the
    projection of new parameters onto their line or plane counts.  Where a parameter varies over
    orders of magnitude, interpolate in its logarithm, with a
    :class:`~sklearn.preprocessing.FunctionTransformer` in front.

    Parameters that agree to rounding, or to 1e-10 of their range, are one parameter with the mean
    of their snapshots.  A parameter that is constant in ``fit`` takes no part.

    The period matters only for predictions at other points.

    Examples
    --------
    >>> import numpy as np
    >>> from skcolora import ParameterInterpolator
    >>> y = np.array([[[0.0, 1.0]], [[1.0, 3.0]], [[4.0, 5.0]]])
    >>> ParameterInterpolator().fit([[0.0], [1.0], [2.0]], y).predict([[1.5]])
    array([[[2.25, 4.  ]]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SnapshotRegressor._grid_constraints,
        "method": [StrOptions({"auto", "polynomial", "spline", "linear", "rbf"})],
        "on_extrapolation": [StrOptions(set(ON_EXTRAPOLATION))],
    }

    def __init__(
        self,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        period: Any = None,
        method: str = "auto",
        on_extrapolation: str = "warn",
    ) -> None:
        self.times = times
        self.points = points
        self.period = period
        self.method = method
        self.on_extrapolation = on_extrapolation

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike) -> ParameterInterpolator:
        """Keep a copy of the snapshots.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters, of at least two trajectories.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots; see `CoLoRARegressor.fit` for the other layouts.

        Returns
        -------
        self : ParameterInterpolator
            The fitted estimator.

        Raises
        ------
        ValueError
            If the arguments do not fit together, or ``method`` needs a single parameter and
            there are several.
        """
        X, rows, layout = validate_snapshots(
            self, X, y, times=self.times, points=self.points, min_trajectories=2
        )
        self._period = check_period(self.period, layout.grid)
        nodes, owner = np.unique(merge_close(X), axis=0, return_inverse=True)
        # Repeated parameters count with the mean of their snapshots.
        share = (owner.reshape(-1) == np.arange(len(nodes))[:, None]).astype(float)
        self._share = share / share.sum(axis=1, keepdims=True)
        self._parameters, self._scale = nodes, column_scale(nodes)
        scaled = self._scale.apply(nodes)
        # The directions in which the parameters vary at all.
        _, sizes, directions = np.linalg.svd(scaled, full_matrices=False)
        self._directions = directions[sizes > 1e-10 * max(sizes[0], 1e-300)].T
        self._nodes = scaled @ self._directions
        self.method_ = self._resolve_method()
        # A copy: the predictions must not change with the user's array.
        self._rows, self._layout = rows.copy(), layout
        return self

    def _resolve_method(self) -> str:
        n_nodes, n_directions = self._nodes.shape
        if n_directions <= 1:
            auto = "polynomial" if n_nodes <= _MAX_NODES else "spline"
        else:
            auto = "rbf"
            if self.method not in ("auto", "rbf"):
                raise ValueError(
                    f"`method` must be 'auto' or 'rbf' for parameters that vary in "
                    f"{n_directions} directions; got {self.method!r}."
                )
        return auto if self.method == "auto" else self.method

    def predict(self, X: ArrayLike, *, times: ArrayLike | None = None, points: Any = None) -> Array:
        """Fields at new parameters.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing times between the first and the last time of ``fit``, to which the
            snapshots are interpolated by cubic splines.  None: the times of ``fit``.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Points in the range of the points of ``fit``, to which the snapshots are interpolated:
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
            point is far from all scattered points of ``fit``, or parameters extrapolate and
            ``on_extrapolation`` is "raise".

        Warns
        -----
        ExtrapolationWarning
            If parameters lie outside the region that the training parameters span.
        UserWarning
            If a prediction amplifies errors of the snapshots more than 10,000 times, or a
            parameter that was constant in ``fit`` has another value.
        """
        X = validate_parameters(self, X)
        names = getattr(self, "feature_names_in_", None)
        check_extrapolation(self.on_extrapolation, self._parameters, X, None, None, names)
        return self._interpolate(X, names, times, points)

    def _interpolate(self, X: Array, names: Any, times: Any, points: Any) -> Array:
        """Fields at validated parameters."""
        layout = self._layout.at(times, points)
        warn_of_constant_parameters(self._scale, X, names)
        weights = self._weights(self._scale.apply(X) @ self._directions)
        self._warn_of_amplification(X, weights, names)
        out = np.empty(
            (len(X), layout.n_times, layout.grid.n_points, layout.n_fields), self._rows.dtype
        )
        for trajectory, w in zip(out, weights @ self._share, strict=True):
            values = self._combine(w)
            values = interpolate_in_time(self._layout.times, values, layout.times)
            if points is not None:
                in_front = np.moveaxis(values, 1, 0)
                moved = interpolate_in_space(
                    self._layout.grid, in_front, layout.grid.points, self._period
                )
                values = np.moveaxis(moved, 0, 1)
            trajectory[...] = values
        return layout.from_rows(out)

    def _combine(self, weights: Array) -> Array:
        """Weighted sum of the snapshots in float64, for weights (n_trajectories,) of sum 1.

        Only differences are summed, so that a constant is reproduced exactly.
        """
        first = self._rows[0].astype(np.float64)
        total = np.zeros_like(first)
        for row, weight in zip(self._rows[1:], weights[1:], strict=True):
            if weight:
                total += weight * (row - first)
        return np.asarray(first + total)

    def _weights(self, z: Array) -> Array:
        """Share of each node in the prediction at z, (n, n_nodes): all methods are linear."""
        n_nodes, n_directions = self._nodes.shape
        if n_directions == 0:
            return np.ones((len(z), 1))
        identity = np.eye(n_nodes)
        if self.method_ == "rbf":
            rbf = RBFInterpolator(self._nodes, identity, kernel="thin_plate_spline")
            return np.asarray(rbf(z))
        nodes, at = self._nodes[:, 0], z[:, 0]
        if self.method_ == "polynomial":
            # In Chebyshev polynomials on the nodes' range, whose matrix is well conditioned.
            middle, half = (nodes.max() + nodes.min()) / 2, np.ptp(nodes) / 2
            basis = chebyshev.chebvander((nodes - middle) / half, n_nodes - 1)
            there = chebyshev.chebvander((at - middle) / half, n_nodes - 1)
            return np.linalg.solve(basis.T, there.T).T
        degree = 1 if self.method_ == "linear" else min(3, n_nodes - 1)
        order = np.argsort(nodes)
        return np.asarray(make_interp_spline(nodes[order], identity[order], k=degree)(at))

    def _warn_of_amplification(self, X: Array, weights: Array, names: Any) -> None:
        """Warn if a prediction multiplies errors of the snapshots by more than `_LARGEST_SUM`."""
        sums = np.abs(weights).sum(axis=1)
        if (sums <= _LARGEST_SUM).all():
            return
        i = int(np.argmax(sums))
        low, high = self._parameters.min(axis=0), self._parameters.max(axis=0)
        outside = ((X[i] < low) | (X[i] > high)) & self._scale.varies
        distances = np.linalg.norm(self._nodes[:, None] - self._nodes, axis=2)
        np.fill_diagonal(distances, np.inf)
        nearest = distances.min(axis=1)
        close = bool(nearest.min() < _CLOSE * np.median(nearest))
        # The straight lines between different nodes never amplify.
        other = ", or give method='linear'" if self._nodes.shape[1] == 1 else ""
        reasons = []
        if close:
            pair = np.unravel_index(np.argmin(distances), distances.shape)
            one, two = (_describe(self._parameters[k], names) for k in pair)
            reasons.append(
                f"the training parameters {one} and {two} are nearly equal (give equal numbers "
                "for equal parameters, and their snapshots are averaged; or leave one out)"
            )
        if outside.any():
            reasons.append(
                "it is far outside the range of the training parameters (fit on parameters "
                f"around it{other})"
            )
        if not reasons:
            cure = "give method='spline'" if self._nodes.shape[1] == 1 else "fit on more parameters"
            reasons.append(f"the interpolant oscillates between the parameters ({cure})")
        warnings.warn(
            f"ParameterInterpolator: the prediction for {_describe(X[i], names)} amplifies errors "
            f"of the snapshots {sums[i]:.1g} times, because {'; and '.join(reasons)}.",
            UserWarning,
            stacklevel=caller_stacklevel(),
        )


def _describe(row: Array, names: Any) -> str:
    """Parameters of a trajectory for messages, with as many digits as tell neighbours apart."""
    if names is None:
        return f"[{', '.join(f'{value:.12g}' for value in row)}]"
    return ", ".join(f"{name} = {value:.12g}" for name, value in zip(names, row, strict=True))
