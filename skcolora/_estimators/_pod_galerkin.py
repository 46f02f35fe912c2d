"""PODGalerkin: the linear reduced model that solves the equation."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from skcolora._estimators._base import SnapshotRegressor
from skcolora._galerkin import (
    PODEquation,
    SampledModes,
    check_agreement,
    check_grid_is_given,
    check_pod_boundary,
    initial_fields,
    parameter_order,
    points_of_mesh,
    sample_modes,
    snapshot_mesh,
)
from skcolora._snapshots import (
    ON_EXTRAPOLATION,
    Array,
    Grid,
    check_extrapolation,
    check_period,
    check_points,
    validate_parameters,
    validate_snapshots,
)
from skcolora._snapshots._pod import decompose
from skcolora.pdes import PDE
from skcolora.pdes._checks import check_grid
from skcolora.pdes._interpolant import MeshInterpolant
from skcolora.pdes._trial import used_derivatives
from skcolora.utils._sklearn import Interval, StrOptions, fit_context
from skcolora.utils._stack import caller_stacklevel

# Share of the variation of the initial field that the modes may miss without a warning.
_LARGE_MISS = 0.1
# Number of right-hand sides that choose the sampled points.
_MOST_RATES = 400


class PODGalerkin(SnapshotRegressor):
    """Galerkin projection of an equation onto POD modes.

    The solution is approximated as ``u ≈ ū + s Σ aᵢ(t) vᵢ`` with the mean snapshot ū, the scale s
    of each field, and the POD modes vᵢ of the centred and scaled snapshots.  The coefficients
    follow ``ȧᵢ = ⟨vᵢ, f(t, ū + s Σ aⱼvⱼ; μ) / s⟩`` from the projection of the initial field.
    With ``n_samples``, f is evaluated at a few points of the grid, which are chosen by pivoted QR
    (Q-DEIM [1]_), and the cost of a step does not depend on the grid.

    Parameters
    ----------
    pde : PDE
        The equation.
    {times, points, period}
    n_components : int, default=10
        Number of POD modes, at most the number of snapshots or of points.
    {center, scale}
    n_samples : int or None, default=None
        Number of points at which f is evaluated, at least ``n_components``.  More points are
        more accurate and more stable.  None: all points of the grid, as boundary conditions that
        depend on the time or on parameters need.
    method : {"DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA"}, default="RK45"
        Method of `scipy.integrate.solve_ivp`.
    rtol : float, default=1e-6
        Relative tolerance of the time integration.  The absolute tolerance is ``rtol`` times the
        largest norm of the coefficients of the snapshots.
    {on_extrapolation}  Times do not
        count: the equation is integrated beyond those of ``fit``.

    Attributes
    ----------
    components_ : ndarray of shape (`n_components_`, n_fields, n_0, ...)
        POD modes of the centred and scaled snapshots, orthonormal over the grid.
    mean_ : ndarray of shape (n_fields, n_0, ...)
        Mean snapshot; zeros for ``center=False``.
    scale_ : ndarray of shape (n_fields,)
        Scale of each field; ones for ``scale=False``.  It is 0 for a field that is the same in all
        snapshots; such a field remains at its mean.
    singular_values_ : ndarray
        All singular values of the centred and scaled snapshots.
    n_components_ : int
        Number of modes in use, without those within the rounding of the snapshots.
    sample_points_ : ndarray of shape (n_samples,) or None
        Indices of the sampled points in the flattened grid, without the repeated ends of periods.
    n_features_in_ : int
        Number of physics parameters.

    See Also
    --------
    PODRegressor : The same modes, with regression of the coefficients.
    CoLoRAGalerkin : The nonlinear counterpart.

    Notes
    -----
    Times start at 0 or later.  The points must be a uniform grid on the whole domain of the
    equation, with or without the repeated ends of its periods, and the period must be that of the
    equation.  All is computed in float64, and predictions are in the dtype of y.

    References
    ----------
    .. [1] Z. Drmač and S. Gugercin, "A new selection operator for the discrete empirical
       interpolation method", SIAM J. Sci. Comput. 38 (2016), A631-A648.

    Examples
    --------
    >>> from skcolora import PODGalerkin
    >>> from skcolora.datasets import make_burgers
    >>> data = make_burgers([0.05, 0.1, 0.2])
    >>> model = PODGalerkin(data.pde, **data.grid, n_components=6).fit(data.X, data.y)
    >>> model.predict([[0.07]]).shape
    (1, 51, 256)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "pde": [PDE],
        **SnapshotRegressor._grid_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "center": ["boolean"],
        "scale": ["boolean"],
        "n_samples": [None, Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA"})],
        "rtol": [Interval(Real, 0, 1, closed="neither")],
        "on_extrapolation": [StrOptions(set(ON_EXTRAPOLATION))],
    }

    def __init__(
        self,
        pde: PDE,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        period: Any = None,
        n_components: int = 10,
        center: bool = True,
        scale: bool = True,
        n_samples: int | None = None,
        method: str = "RK45",
        rtol: float = 1e-6,
        on_extrapolation: str = "warn",
    ) -> None:
        self.pde = pde
        self.times = times
        self.points = points
        self.period = period
        self.n_components = n_components
        self.center = center
        self.scale = scale
        self.n_samples = n_samples
        self.method = method
        self.rtol = rtol
        self.on_extrapolation = on_extrapolation

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike) -> PODGalerkin:
        """Compute the modes, and choose the sampled points.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots; see `CoLoRARegressor.fit` for the other layouts.

        Returns
        -------
        self : PODGalerkin
            The fitted estimator.

        Raises
        ------
        ValueError
            If the arguments do not fit together or to the equation.
        """
        check_grid_is_given(self.pde, self.times, self.points, "PODGalerkin(times=..., points=...)")
        X, rows, layout = validate_snapshots(self, X, y, times=self.times, points=self.points)
        self._order = parameter_order(self.pde, getattr(self, "feature_names_in_", None))
        X = X if self._order is None else X[:, self._order]
        check_agreement(self.pde, X, layout)
        _check_period(self.pde, self.period, layout.grid)
        if self.n_samples is not None and self.n_samples < self.n_components:
            raise ValueError(
                f"`n_samples` must be at least `n_components`; got n_samples={self.n_samples}, "
                f"n_components={self.n_components}."
            )
        check_pod_boundary(self.pde, X, layout.times, sampled=self.n_samples is not None)
        shape, from_mesh = snapshot_mesh(self.pde, layout)
        # Without the repeated ends of periods.
        states = rows[:, :, points_of_mesh(from_mesh)].reshape(
            len(X) * layout.n_times, -1, rows.shape[3]
        )
        pod, self.singular_values_ = decompose(
            states, self.n_components, center=self.center, scale=self.scale
        )
        self.n_components_ = len(pod.modes)
        # Fields first and points last.
        self.components_ = np.moveaxis(pod.modes, 2, 1).reshape(self.n_components_, -1, *shape)
        self.mean_, self.scale_ = pod.mean.T.reshape(-1, *shape), pod.scale
        variation = (states - states.mean(axis=1, keepdims=True, dtype=np.float64)) * pod.slope
        self._equation = PODEquation(
            self.pde,
            self.mean_,
            self.scale_,
            self.components_,
            None,
            max_norm=float(np.linalg.norm(pod.encode(states), axis=1).max()),
            max_variation=float(np.linalg.norm(variation, axis=(1, 2)).max()),
            duration=float(layout.times[-1]),
        )
        self.sample_points_: NDArray[np.integer[Any]] | None = None
        if self.n_samples is not None:
            sampled = self._sampled_modes(X, np.swapaxes(states, 1, 2), layout.times)
            self.sample_points_ = sampled.indices
            self._equation = replace(self._equation, sampled=sampled)
        self._X, self._layout, self._dtype = X, layout, rows.dtype
        self._solver: dict[str, Any] = {"method": self.method, "rtol": self.rtol}
        return self

    def _sampled_modes(self, X: Array, states: Array, times: Array) -> SampledModes:
        """The modes at the points that determine the leading modes of f best.

        The states are of shape (n_states, n_fields, n_points).
        """
        equation, n_states, n_times = self._equation, len(states), len(times)
        n_samples = min(int(self.n_samples or 0), states.shape[2])
        chosen = np.unique(np.linspace(0, n_states - 1, min(n_states, _MOST_RATES)).astype(int))
        rates = np.stack(
            [
                equation.full_rate(
                    times[i % n_times],
                    states[i].astype(np.float64),
                    equation.conditions(X[i // n_times]),
                ).ravel()
                for i in chosen
            ]
        )
        return sample_modes(
            equation.mesh,
            self.mean_,
            self.scale_,
            self.components_,
            rates,
            n_samples,
            used_derivatives(self.pde, X[0]),
        )

    def predict(
        self,
        X: ArrayLike,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        initial: Any = None,
    ) -> Array:
        """Fields at new parameters, by solving the projected equation.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing, from 0 or later.  They may go beyond the times of ``fit``.
            None: the times of ``fit``.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or a tensor grid in the domain.  The modes are interpolated to them
            by trigonometric polynomials along periodic axes and by splines along the others.
            None: the points of ``fit``.
        initial : array-like or (points, values), default=None
            Fields at time 0: at the points of ``fit``, of shape
            ``(n_trajectories, n_points[, n_fields])`` or ``(n_trajectories, *grid[, n_fields])``;
            or observations (n_trajectories, n_observed[, n_fields]) at points of their own,
            (n_observed, n_dims).  None: the fields of ``pde.initial``.

        Returns
        -------
        y : ndarray
            Fields in the layout that ``fit`` was given, with NaN from the time on at which a
            trajectory became unstable.

        Raises
        ------
        ValueError
            If X, times, points or initial do not fit the fitted model, no initial field is
            known, or parameters extrapolate and ``on_extrapolation`` is "raise".

        Warns
        -----
        ExtrapolationWarning
            If parameters lie outside the region that the training parameters span.
        ConvergenceWarning
            If a trajectory became unstable, with its parameter and the time, or the modes
            miss more than a tenth of the variation of the initial field.
        """
        X = validate_parameters(self, X)
        X = X if self._order is None else X[:, self._order]
        equation, pde = self._equation, self._equation.pde
        layout = self._layout.at(times, points)
        if layout.times[0] < 0:
            raise ValueError(f"`times` must not be negative; got {layout.times[0]:g}.")
        names = pde.parameter_names or None
        check_extrapolation(
            self.on_extrapolation, self._X, X, None, None, names, constants_count=True
        )
        starts = self._starts(X, initial)
        if points is None:
            at_points: MeshInterpolant | None = None
            places = snapshot_mesh(pde, layout)[1]
        else:
            check_grid(pde, layout.grid)
            at_points = MeshInterpolant(equation.mesh, layout.grid)
            places = np.arange(layout.grid.n_points)
        shape = (len(X), layout.n_times, layout.grid.n_points, layout.n_fields)
        rows = np.empty(shape, self._dtype)
        for row, mu, start in zip(rows, X, starts, strict=True):
            path, ended = equation.integrate(mu, start, layout.times, **self._solver)
            fields = equation.completed_fields(layout.times, path, mu)
            if at_points is not None:
                fields = at_points(fields.reshape(-1, *equation.mesh.shape))
            fields = fields.reshape(layout.n_times, layout.n_fields, -1)
            row[...] = np.moveaxis(fields, 1, 2)[:, places]
            if ended is not None:
                _warn(
                    f"PODGalerkin of {pde!r} became unstable for {pde.describe(mu)} {ended}; the "
                    f"prediction is NaN from there on.  {self.n_components_} modes cannot hold "
                    "this solution: take more modes, or a nonlinear model.",
                )
        return layout.from_rows(rows)

    def _starts(self, X: Array, initial: Any) -> list[Array]:
        """Coefficients (n_components,) of the initial field of each trajectory.

        A field on the mesh is projected onto the modes, which are orthonormal there.  To
        observations at other points the modes are fitted by least squares.
        """
        equation, pde = self._equation, self._equation.pde
        mean, modes = self.mean_, self.components_
        if initial is None:
            if not pde.has_initial:
                raise ValueError(f"{type(pde).__name__} defines no `initial`; give `initial`.")
            fields = [pde.initial_value(equation.mesh.points, mu) for mu in X]
        else:
            known = initial_fields(pde, self._layout, X, initial)
            assert known is not None
            points, values = known
            if points is self._layout.grid.points:
                values = values[:, points_of_mesh(snapshot_mesh(pde, self._layout)[1])]
            else:
                mean, modes = equation.at(check_points(points))
            fields = [field.T for field in values]
        starts: list[Array] = []
        for mu, field in zip(X, fields, strict=True):
            start, missed = equation.project(field.reshape(pde.n_fields, -1), mean, modes)
            if missed > _LARGE_MISS:
                _warn(
                    f"PODGalerkin of {pde!r}: {self.n_components_} modes miss {missed:.0%} of the "
                    f"variation of the initial field for {pde.describe(mu)}; take more modes, or "
                    "a nonlinear model.",
                )
            starts.append(start)
        return starts


def _warn(message: str) -> None:
    warnings.warn(message, ConvergenceWarning, stacklevel=caller_stacklevel())


def _check_period(pde: PDE, period: Any, grid: Grid) -> None:
    """A ValueError where a given period is not that of the equation."""
    if period is None:
        return
    given = check_period(period, grid)
    for d, (length, wanted) in enumerate(zip(given, pde.period, strict=True)):
        equal = length is wanted or (
            length is not None and wanted is not None and np.isclose(length, wanted)
        )
        if not equal:
            raise ValueError(
                f"`period` is {length} in dimension {d}, but {type(pde).__name__} has "
                f"{wanted}; give period={pde.period!r}, or None for the period of the equation."
            )
