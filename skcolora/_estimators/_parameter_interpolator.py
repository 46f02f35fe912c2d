"""ParameterInterpolator: interpolation of whole snapshots in the parameters."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike
from scipy.interpolate import RBFInterpolator, make_interp_spline

from skcolora._estimators._base import SnapshotRegressor
from skcolora._snapshots import (
    Array,
    check_period,
    interpolate_in_space,
    interpolate_in_time,
    validate_parameters,
    validate_snapshots,
)
from skcolora.utils._sklearn import StrOptions, fit_context

# A polynomial through more nodes than this oscillates; a spline takes over.
_MAX_NODES = 12


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
    polynomial then grows fast.  Where a parameter varies over orders of magnitude, interpolate
    in its logarithm, with a :class:`~sklearn.preprocessing.FunctionTransformer` in front.

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
    }

    def __init__(
        self,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        period: Any = None,
        method: str = "auto",
    ) -> None:
        self.times = times
        self.points = points
        self.period = period
        self.method = method

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
        self._period = check_period(self.period, layout.grid.n_dims)
        nodes, owner = np.unique(X, axis=0, return_inverse=True)
        # Repeated parameters count with the mean of their snapshots.
        share = (owner.reshape(-1) == np.arange(len(nodes))[:, None]).astype(float)
        self._share = share / share.sum(axis=1, keepdims=True)
        self._center = nodes.mean(axis=0)
        self._scale = np.where(np.ptp(nodes, axis=0) > 0, nodes.std(axis=0), 1.0)
        scaled = (nodes - self._center) / self._scale
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
            Points in the range of the points of ``fit``, to which the snapshots are interpolated
            by cubic splines.  None: the points of ``fit``.

        Returns
        -------
        y : ndarray
            In the layout that ``fit`` was given.

        Raises
        ------
        ValueError
            If X does not fit the model, or times or points lie outside the ranges of ``fit``.
        """
        X = validate_parameters(self, X)
        layout = self._layout.at(times, points)
        weights = self._weights((X - self._center) / self._scale @ self._directions) @ self._share
        out = np.empty(
            (len(X), layout.n_times, layout.grid.n_points, layout.n_fields), self._rows.dtype
        )
        for trajectory, w in zip(out, weights, strict=True):
            values = np.tensordot(w.astype(self._rows.dtype), self._rows, axes=1)
            values = interpolate_in_time(self._layout.times, values, layout.times)
            if points is not None:
                in_front = np.moveaxis(values, 1, 0)
                moved = interpolate_in_space(
                    self._layout.grid, in_front, layout.grid.points, self._period
                )
                values = np.moveaxis(moved, 0, 1)
            trajectory[...] = values
        return layout.from_rows(out)

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
