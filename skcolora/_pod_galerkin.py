"""PODGalerkin: the linear reduced model that solves the equation."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import svd
from sklearn.exceptions import ConvergenceWarning

from skcolora._base import SnapshotRegressor
from skcolora._hyperreduction import SampledField, SampledModes, sample
from skcolora._snapshots import Array, SnapshotLayout, validate_parameters, validate_snapshots
from skcolora.galerkin import check_equation
from skcolora.pdes import PDE, GridField, Mesh
from skcolora.pdes._solver import describe_parameters
from skcolora.utils._sklearn import Interval, StrOptions, fit_context

# Coefficients this many times as large as those of all snapshots are an instability.
_UNSTABLE = 2.0
# Of the initial value that the modes may miss without a warning.
_MISSED = 0.1
# Right-hand sides that choose the sampled points.
_MOST_RATES = 400


class PODGalerkin(SnapshotRegressor):
    """Galerkin projection of an equation onto POD modes.

    The solution is sought as ``u ≈ Σ aᵢ(t) vᵢ`` with the snapshots' POD modes vᵢ, and the
    coefficients follow ``ȧᵢ = ⟨vᵢ, f(t, Σ aⱼvⱼ; μ)⟩`` from the projection of the initial
    value.  With ``n_samples`` f is evaluated at few points of the grid only, chosen by
    pivoted QR (Q-DEIM [1]_), and the cost of a step does not depend on the grid.

    Parameters
    ----------
    pde : PDE
        The equation.
    times : array-like of shape (n_times,), default=None
        Strictly increasing times of the snapshots, from 0 or later.  None: uniform on
        [0, 1].
    points : array-like of shape (n_points, 1) or tuple of 1-D axes
        A uniform grid on the equation's domain, with or without the ends of its periods.
    period : object, default=None
        Ignored, the equation knows it; exists so that ``PODGalerkin(pde, **data.grid)``
        works.
    n_components : int, default=10
        Number of POD modes, at most that of the snapshots or points.
    n_samples : int or None, default=None
        Number of points at which f is evaluated, at least ``n_components``; more are
        more accurate and more stable.  None: at all points of the grid.
    method : {"DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA"}, default="RK45"
        Of `scipy.integrate.solve_ivp`.
    tol : float, default=1e-6
        Its relative tolerance; the absolute one is ``tol`` times the largest norm of the
        snapshots' coefficients.

    Attributes
    ----------
    components_ : ndarray of shape (`n_components_`, n_fields, n_0, ...)
        POD modes, orthonormal over the grid.
    singular_values_ : ndarray
        All singular values of the snapshots.
    n_components_ : int
        Number of modes in use.
    sample_points_ : ndarray of shape (n_samples,) or None
        Indices of the sampled points in the flattened grid, without ends of periods.
    n_features_in_ : int
        Number of physics parameters.

    See Also
    --------
    PODRegressor : The same modes, with regression of the coefficients.

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
        "times": "no_validation",
        "points": "no_validation",
        "period": "no_validation",
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "n_samples": [None, Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA"})],
        "tol": [Interval(Real, 0, 1, closed="neither")],
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
        tol: float = 1e-6,
    ) -> None:
        self.pde = pde
        self.times = times
        self.points = points
        self.period = period
        self.n_components = n_components
        self.n_samples = n_samples
        self.method = method
        self.tol = tol

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
        check_equation(self.pde, X, layout)
        self._mesh, self._from_mesh = _mesh_of(self.pde, layout)
        inside = np.full(self._mesh.points[0].size, -1)
        inside[self._from_mesh] = np.arange(len(self._from_mesh))
        # Fields first and points last, without the ends of periods.
        states = np.moveaxis(rows[:, :, inside].astype(np.float64), -1, 2)
        flat = states.reshape(len(X) * layout.n_times, -1)
        _, self.singular_values_, modes = svd(flat, full_matrices=False)
        self.n_components_ = int(min(self.n_components, len(modes)))
        modes = modes[: self.n_components_]
        self.components_ = modes.reshape(-1, self.pde.n_fields, *self._mesh.shape)
        self._largest = float(np.linalg.norm(flat @ modes.T, axis=1).max())
        self._sampled: SampledModes | None = None
        self.sample_points_: NDArray[np.integer[Any]] | None = None
        if self.n_samples is not None:
            if self.n_samples < self.n_components_:
                raise ValueError(
                    f"`n_samples` must be at least n_components = {self.n_components_}; got "
                    f"{self.n_samples}."
                )
            self._choose_points(X, flat, layout.times)
        self._layout = layout
        return self

    def _choose_points(self, X: Array, flat: Array, times: Array) -> None:
        """Q-DEIM: the points that determine the leading modes of f best."""
        n_samples = min(int(self.n_samples or 0), self._mesh.points[0].size)
        n_states = len(flat)
        chosen = np.unique(np.linspace(0, n_states - 1, min(n_states, _MOST_RATES)).astype(int))
        rates = np.stack(
            [
                self._full_rate(times[i % len(times)], flat[i], X[i // len(times)]).ravel()
                for i in chosen
            ]
        )
        self._sampled = sample(self._mesh, self.components_, rates, n_samples)
        self.sample_points_ = self._sampled.at

    def _full_rate(self, t: float, state: Array, mu: Array) -> Array:
        field = GridField(self._mesh, state.reshape(self.pde.n_fields, *self._mesh.shape))
        return np.asarray(self.pde.rate(t, field, mu))

    def predict(self, X: ArrayLike, *, times: ArrayLike | None = None) -> Array:
        """Solve the projected equation at new parameters.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing, from 0 or later; may go beyond those of ``fit``.

        Returns
        -------
        y : ndarray
            In the layout that ``fit`` was given; NaN from the time on at which a
            trajectory became unstable.

        Raises
        ------
        ValueError
            If X does not fit, or times are negative.

        Warns
        -----
        ConvergenceWarning
            If a trajectory became unstable, with its parameter and the time, or the modes
            miss more than a tenth of the initial value.
        """
        X = validate_parameters(self, X)
        layout = self._layout.at(times, None)
        if layout.times[0] < 0:
            raise ValueError(f"`times` must not be negative; got {layout.times[0]:g}.")
        modes = self.components_.reshape(self.n_components_, -1)
        rows = np.empty((len(X), layout.n_times, layout.grid.n_points, layout.n_fields))
        for row, mu in zip(rows, X, strict=True):
            states = self._solve(mu, layout.times) @ modes
            fields = states.reshape(layout.n_times, layout.n_fields, -1)
            row[...] = np.moveaxis(fields, 1, 2)[:, self._from_mesh]
        return layout.from_rows(rows)

    def _solve(self, mu: Array, times: Array) -> Array:
        """Coefficients (n_times, n_components), NaN after an instability."""
        modes, pde = self.components_.reshape(self.n_components_, -1), self.pde
        initial = pde.initial_value(self._mesh.points, mu).ravel()
        start = modes @ initial
        size = float(np.linalg.norm(initial))
        missed = float(np.linalg.norm(initial - start @ modes)) / max(size, 1e-300)
        if missed > _MISSED:
            warnings.warn(
                f"PODGalerkin of {pde!r}: {self.n_components_} modes miss {missed:.0%} of the "
                f"initial value for {describe_parameters(pde, mu)}; take more, or a nonlinear "
                "model.",
                ConvergenceWarning,
                stacklevel=3,
            )
        sampled = self._sampled

        def rate(t: float, a: Array) -> Array:
            if sampled is None:
                return np.asarray(modes @ self._full_rate(t, a @ modes, mu).ravel())
            field = SampledField(sampled, a)
            return np.asarray(sampled.weights @ pde.rate(t, field, mu).ravel())

        def unstable(_: float, a: Array) -> float:
            return float(np.linalg.norm(a)) - _UNSTABLE * max(self._largest, scale)

        scale = float(np.linalg.norm(start))
        unstable.terminal = True  # type: ignore[attr-defined]
        out = np.full((len(times), len(start)), np.nan)
        later = times[times > 0]
        out[: len(times) - len(later)] = start
        if not later.size:
            return out
        with np.errstate(all="ignore"):
            solution = solve_ivp(
                rate,
                (0.0, later[-1]),
                start,
                method=self.method,
                t_eval=later,
                events=unstable,
                rtol=self.tol,
                atol=self.tol * max(self._largest, scale),
            )
        done = len(times) - len(later) + len(solution.t)
        if len(solution.t):
            out[done - len(solution.t) : done] = solution.y.T
        if solution.status != 0:
            where = describe_parameters(pde, mu)
            event = solution.t_events[0]
            at = f"at t = {event[0]:.4g}" if len(event) else f"after t = {times[done - 1]:.4g}"
            warnings.warn(
                f"PODGalerkin of {pde!r} became unstable for {where} {at}; the prediction is "
                f"NaN from there on.  {self.n_components_} modes cannot hold this solution: "
                "take more, or a nonlinear model.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return out


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
