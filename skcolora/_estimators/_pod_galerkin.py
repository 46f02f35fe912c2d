"""PODGalerkin: the linear reduced model that solves the equation."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import svd
from sklearn.exceptions import ConvergenceWarning

from skcolora._estimators._base import SnapshotRegressor
from skcolora._galerkin import (
    PODEquation,
    SampledModes,
    check_agreement,
    initial_fields,
    sample_modes,
)
from skcolora._snapshots import (
    Array,
    SnapshotLayout,
    check_period,
    check_points,
    validate_parameters,
    validate_snapshots,
)
from skcolora.pdes import PDE, Mesh
from skcolora.pdes._checks import check_grid
from skcolora.utils._sklearn import Interval, StrOptions, fit_context

# Share of the initial field that the modes may miss without a warning.
_LARGE_MISS = 0.1
# Number of right-hand sides that choose the sampled points.
_MOST_RATES = 400


class PODGalerkin(SnapshotRegressor):
    """Galerkin projection of an equation onto POD modes.

    The solution is approximated as ``u ≈ Σ aᵢ(t) vᵢ`` with the POD modes vᵢ of the snapshots.
    The coefficients follow ``ȧᵢ = ⟨vᵢ, f(t, Σ aⱼvⱼ; μ)⟩`` from the projection of the initial
    field.  With ``n_samples``, f is evaluated at a few points of the grid, which are chosen by
    pivoted QR (Q-DEIM [1]_), and the cost of a step does not depend on the grid.

    Parameters
    ----------
    pde : PDE
        The equation.
    {times, points, period}
    n_components : int, default=10
        Number of POD modes, at most the number of snapshots or of points.
    n_samples : int or None, default=None
        Number of points at which f is evaluated, at least ``n_components``.  More points are
        more accurate and more stable.  None: all points of the grid.
    method : {"DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA"}, default="RK45"
        Method of `scipy.integrate.solve_ivp`.
    rtol : float, default=1e-6
        Relative tolerance of the time integration.  The absolute tolerance is ``rtol`` times the
        largest norm of the coefficients of the snapshots.

    Attributes
    ----------
    components_ : ndarray of shape (`n_components_`, n_fields, n_0, ...)
        POD modes, orthonormal over the grid.
    singular_values_ : ndarray
        All singular values of the snapshots.
    n_components_ : int
        Number of modes in use.
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
    equation.

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
        "n_samples": [None, Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA"})],
        "rtol": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        pde: PDE,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        period: Any = None,
        n_components: int = 10,
        n_samples: int | None = None,
        method: str = "RK45",
        rtol: float = 1e-6,
    ) -> None:
        self.pde = pde
        self.times = times
        self.points = points
        self.period = period
        self.n_components = n_components
        self.n_samples = n_samples
        self.method = method
        self.rtol = rtol

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
        X, rows, layout = validate_snapshots(self, X, y, times=self.times, points=self.points)
        check_agreement(self.pde, X, layout)
        _check_period(self.pde, self.period)
        if self.n_samples is not None and self.n_samples < self.n_components:
            raise ValueError(
                f"`n_samples` must be at least `n_components`; got n_samples={self.n_samples}, "
                f"n_components={self.n_components}."
            )
        mesh, self._from_mesh = _mesh_of(self.pde, layout)
        self._to_mesh = np.full(mesh.points[0].size, -1)
        self._to_mesh[self._from_mesh] = np.arange(len(self._from_mesh))
        # Fields first and points last, without the repeated ends of periods.
        states = np.moveaxis(rows[:, :, self._to_mesh].astype(np.float64), -1, 2)
        flat = states.reshape(len(X) * layout.n_times, -1)
        _, self.singular_values_, modes = svd(flat, full_matrices=False)
        self.n_components_ = int(min(self.n_components, len(modes)))
        modes = modes[: self.n_components_]
        self.components_ = modes.reshape(-1, self.pde.n_fields, *mesh.shape)
        largest = float(np.linalg.norm(flat @ modes.T, axis=1).max())
        self._equation = PODEquation(self.pde, mesh, self.components_, None, largest)
        self.sample_points_: NDArray[np.integer[Any]] | None = None
        if self.n_samples is not None:
            sampled = self._sampled_modes(X, flat, layout.times)
            self.sample_points_ = sampled.indices
            self._equation = replace(self._equation, sampled=sampled)
        self._layout = layout
        self._solver: dict[str, Any] = {"method": self.method, "rtol": self.rtol}
        return self

    def _sampled_modes(self, X: Array, flat: Array, times: Array) -> SampledModes:
        """The modes at the points that determine the leading modes of f best."""
        mesh, n_states, n_times = self._equation.mesh, len(flat), len(times)
        n_samples = min(int(self.n_samples or 0), mesh.points[0].size)
        chosen = np.unique(np.linspace(0, n_states - 1, min(n_states, _MOST_RATES)).astype(int))
        rates = np.stack(
            [
                self._equation.full_rate(times[i % n_times], flat[i], X[i // n_times]).ravel()
                for i in chosen
            ]
        )
        return sample_modes(mesh, self.components_, rates, n_samples)

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
            If X, times, points or initial do not fit the fitted model, or no initial field is
            known.

        Warns
        -----
        ConvergenceWarning
            If a trajectory became unstable, with its parameter and the time, or the modes
            miss more than a tenth of the initial field.
        """
        X = validate_parameters(self, X)
        equation, pde = self._equation, self._equation.pde
        layout = self._layout.at(times, points)
        if layout.times[0] < 0:
            raise ValueError(f"`times` must not be negative; got {layout.times[0]:g}.")
        starts = self._starts(X, initial)
        modes, places = self.components_, self._from_mesh
        if points is not None:
            check_grid(pde, layout.grid)
            modes, places = equation.modes_at(layout.grid), np.arange(layout.grid.n_points)
        modes = modes.reshape(self.n_components_, layout.n_fields, -1)
        rows = np.empty((len(X), layout.n_times, layout.grid.n_points, layout.n_fields))
        for row, mu, start in zip(rows, X, starts, strict=True):
            path, ended = equation.integrate(mu, start, layout.times, **self._solver)
            row[...] = np.moveaxis(np.tensordot(path, modes, axes=1), 1, 2)[:, places]
            if ended is not None:
                _warn(
                    f"PODGalerkin of {pde!r} became unstable for {pde.describe(mu)} {ended}; the "
                    f"prediction is NaN from there on.  {self.n_components_} modes cannot hold "
                    "this solution: take more modes, or a nonlinear model.",
                    stacklevel=2,
                )
        return layout.from_rows(rows)

    def _starts(self, X: Array, initial: Any) -> list[Array]:
        """Coefficients (n_components,) of the initial field of each trajectory.

        A field on the mesh is projected onto the modes, which are orthonormal there.  To
        observations at other points the modes are fitted by least squares.
        """
        equation, pde = self._equation, self._equation.pde
        modes, inverse = equation.flat_modes, equation.flat_modes
        if initial is None:
            if not pde.has_initial:
                raise ValueError(f"{type(pde).__name__} defines no `initial`; give `initial`.")
            fields = [pde.initial_value(equation.mesh.points, mu) for mu in X]
        else:
            known = initial_fields(pde, self._layout, X, initial)
            assert known is not None
            points, values = known
            if points is self._layout.grid.points:
                values = values[:, self._to_mesh]
            else:
                modes = equation.modes_at(check_points(points)).reshape(self.n_components_, -1)
                inverse = np.linalg.pinv(modes).T
            fields = [field.T for field in values]
        starts: list[Array] = []
        for mu, field in zip(X, fields, strict=True):
            start = inverse @ field.ravel()
            size = max(float(np.linalg.norm(field)), 1e-300)
            missed = float(np.linalg.norm(field.ravel() - start @ modes)) / size
            if missed > _LARGE_MISS:
                _warn(
                    f"PODGalerkin of {pde!r}: {self.n_components_} modes miss {missed:.0%} of the "
                    f"initial field for {pde.describe(mu)}; take more modes, or a nonlinear model.",
                    stacklevel=3,
                )
            starts.append(start)
        return starts


def _warn(message: str, stacklevel: int) -> None:
    """Warn at the caller of `predict`, which is ``stacklevel`` calls above."""
    warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel + 1)


def _check_period(pde: PDE, period: Any) -> None:
    """A ValueError where a given period is not that of the equation."""
    if period is None:
        return
    given = check_period(period, pde.n_dims)
    for d, (length, wanted) in enumerate(zip(given, pde.period, strict=True)):
        equal = length is wanted or (
            length is not None and wanted is not None and np.isclose(length, wanted)
        )
        if not equal:
            raise ValueError(
                f"`period` is {length} in dimension {d}, but {type(pde).__name__} has "
                f"{wanted}; give period={pde.period!r}, or None for the period of the equation."
            )


def _mesh_of(pde: PDE, layout: SnapshotLayout) -> tuple[Mesh, NDArray[np.integer[Any]]]:
    """The equation's mesh of which the layout's points are a copy, with or without the ends
    of periods, and for each of the points its index in the flattened mesh; or a ValueError."""
    grid = layout.grid
    axes = grid.axes or ((grid.points[:, 0],) if grid.n_dims == 1 else ())
    shape, places = [], []
    for axis, (low, high), length in zip(axes, pde.domain, pde.period, strict=False):
        repeated = length is not None and np.isclose(axis[-1], high, atol=1e-5 * (high - low))
        n = len(axis) - int(repeated)
        wanted = np.linspace(low, high, len(axis), endpoint=length is None or bool(repeated))
        if n < 6 or np.abs(axis - wanted).max() > 1e-5 * (high - low):
            axes = ()
            break
        shape.append(n)
        places.append(np.arange(len(axis)) % n)
    if not axes:
        raise ValueError(
            f"PODGalerkin needs snapshots on a uniform tensor grid of the whole domain "
            f"{pde.domain} of {type(pde).__name__}, of at least 6 points along each axis; give "
            "`points` as a tuple of 1-D axes."
        )
    where = np.ravel_multi_index(tuple(np.meshgrid(*places, indexing="ij")), tuple(shape))
    return pde.mesh(tuple(shape)), np.asarray(where).ravel()
