"""CoLoRAGalerkin: the equation moves the latent state."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state, check_scalar

from skcolora._estimators._base import SnapshotRegressor
from skcolora._estimators._colora import CoLoRARegressor
from skcolora._estimators._unwrap import find_regressor, replace_regressor, trained_model
from skcolora._galerkin import (
    GalerkinSolution,
    build_equation,
    check_agreement,
    check_grid_is_given,
    check_network_period,
    check_options,
    distill,
    initial_fields,
    parameter_order,
    refine,
    step_tolerance,
    warn_of_doubts,
)
from skcolora._nn import CoLoRAModel
from skcolora._snapshots import (
    ON_EXTRAPOLATION,
    Array,
    check_extrapolation,
    check_period,
    rows_among,
    validate_parameters,
    validate_rows,
)
from skcolora.pdes import PDE
from skcolora.utils._deadline import Deadline, time_limit
from skcolora.utils._sklearn import HasMethods, Interval, StrOptions, fit_context
from skcolora.utils._torch import with_default_torch_settings

# Time for encoding the starts of the training, as a share of the regressor's `max_time`.
_SHARE_OF_STARTS = 0.1


class CoLoRAGalerkin(SnapshotRegressor):
    """Reduced model whose latent state follows an equation (CoLoRA-EQ).

    The network û(x; θ, φ) of a `CoLoRARegressor` serves as a nonlinear trial space.  Its
    weights θ stay as trained, and the latent state φ follows the equation
    ``∂ₜu = f(t, x, u; μ)`` by the Dirac–Frenkel principle (Neural Galerkin [1]_, [2]_)::

        φ̇ = argmin Σᵢ wᵢ |∂û/∂φ(xᵢ) φ̇ - f(t, xᵢ, û; μ)|²

    from a state that fits the initial field.  Snapshots are needed to train the network, not to
    learn the effect of the parameters: a few trajectories are often enough.

    All parameters but ``on_extrapolation`` hold from ``fit`` on.  Changing one has no effect before
    the next ``fit``, which takes a moment if the regressor is in a
    `~sklearn.frozen.FrozenEstimator`.

    Parameters
    ----------
    pde : PDE
        The equation.
    regressor : CoLoRARegressor, Pipeline or search, default=None
        The estimator that is fitted to the snapshots, with their times and points and with the
        period of the equation; None raises an error that says so.  A fitted estimator can be
        given in a `~sklearn.frozen.FrozenEstimator`.  Transforms of the parameters belong into a
        pipeline here; see the Notes.
    collocation : {"qr", "sample", "grid", "gauss"}, default="qr"
        Rule for the collocation points xᵢ.  "qr": the points of the snapshots that determine
        Jacobians and right-hand sides of the training best, by pivoted QR.  "sample": points of
        the snapshots, drawn in proportion to their leverage.  "grid": all points of the
        snapshots.  "gauss": Gauss–Legendre points of the box around the points of the snapshots,
        equispaced points along periodic axes, and, where the equation prescribes boundary
        values, points on the boundary.  "gauss" suits smooth fields on a whole box; on other
        domains it would evaluate the network where it has not been trained.
    n_collocation : int, default=None
        Number of collocation points for "qr", "sample" and "gauss".  For "gauss" it is rounded
        to a tensor grid with equal numbers (±1) along each axis.  None: five for each online
        weight, and at least 150; twice as many for "sample" and "gauss".  Fewer points cost less
        time.
    norm : {"auto", "L2", "H-1"}, default="auto"
        Norm in which the residual of the equation is minimised.  "H-1" integrates the residual
        first, ``‖(I - ℓ²Δ)^(-1/2) r‖``, with ℓ a fifth of the domain.  Where fronts steepen, the
        residual in "L2" is largest at the fronts, although the motion of the fronts is what
        counts.  The integrals are learnt from training states as functions of the values at the
        collocation points [4]_.  "H-1" needs snapshots on a tensor grid, and free boundary
        values.  "auto": the norm of the equation, ``pde.norm``, where it is possible.
    regularization : float, default=1e-8
        Tikhonov regularisation of the least-squares problem, relative to the largest singular
        value of ``∂û/∂φ``.
    conserve : None, str, sequence or mapping, default=None
        Quantities whose integrals are kept to rounding error: names in ``pde.conserved``, or
        your own densities, functions of a field.  After each step the state is projected onto
        the nearest state with the initial integrals [3]_.  The integrals are sums over the points
        of the snapshots, with the weights of a quadrature rule.
    method : {"RK45", "RK4", "Radau"}, default="RK45"
        Time integration.  "RK45": adaptive Runge–Kutta steps of order 5, for each trajectory by
        itself.  "RK4": fixed steps of order 4 between the times of ``fit``, whatever times are
        asked for.  "Radau": an implicit method for stiff equations.
    rtol : float, default=None
        Tolerance of one step: the error of the field relative to its variation ("RK45"), or the
        error of the latent state ("Radau").  None: a fiftieth of the regressor's training error,
        within 1e-9 and 3e-5, which is small beside the error of the network.
    substeps : int, default=2
        Number of steps of "RK4" between two times of ``fit``.
    max_steps : int, default=2000
        Number of steps after which the integration of a trajectory is given up.
    {on_extrapolation}  Times do not
        count: the equation is integrated beyond those of ``fit``.
    random_state : int, RandomState instance or None, default=None
        Seed of the points that are drawn.

    Attributes
    ----------
    regressor_ : estimator
        The fitted regressor.
    collocation_ : ndarray of shape (n_points, n_dims)
        The collocation points.
    rtol_ : float
        The tolerance of one step.
    n_features_in_ : int
        Number of physics parameters.

    See Also
    --------
    CoLoRARegressor : The same network without the equation.
    PODGalerkin : The linear counterpart.

    Notes
    -----
    The rows of X are the parameters of the equation; named columns are put into the order of
    ``pde.parameter_names``.  With dates as times, time 0 is the first date, in seconds.  A
    `~sklearn.preprocessing.StandardScaler` *before* this estimator would change the physics, and
    inside it gains nothing, as all inputs are scaled.  Put other transforms inside::

        root = FunctionTransformer(np.sqrt)
        CoLoRAGalerkin(pde, regressor=make_pipeline(root, CoLoRARegressor(...)))

    Predictions are computed on the CPU, in float64.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA: Continuous low-rank adaptation for
       reduced implicit neural modeling of parameterized partial differential
       equations", ICML 2024, arXiv:2402.14646.
    .. [2] J. Bruna, B. Peherstorfer and E. Vanden-Eijnden, "Neural Galerkin schemes with
       active learning for high-dimensional evolution equations", J. Comput. Phys. 496
       (2024), arXiv:2203.01360.
    .. [3] P. Schwerdtner, P. Schulze, J. Berman and B. Peherstorfer, "Nonlinear embeddings
       for conserving Hamiltonians and other quantities with Neural Galerkin schemes",
       SIAM J. Sci. Comput. 46 (2024), arXiv:2310.07485.
    .. [4] R. Everson and L. Sirovich, "Karhunen-Loève procedure for gappy data", J. Opt.
       Soc. Am. A 12 (1995), 1657-1664.

    Examples
    --------
    >>> from skcolora import CoLoRAGalerkin, CoLoRARegressor
    >>> from skcolora.datasets import make_advection
    >>> data = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
    >>> network = CoLoRARegressor(
    ...     **data.grid, width=12, depth=4, adapted_layers=range(4), rank=1, max_iter=300,
    ...     random_state=0,
    ... )
    >>> model = CoLoRAGalerkin(data.pde, regressor=network).fit(data.X, data.y)
    >>> model.predict([[0.8]], times=[0.0, 0.5, 1.0]).shape
    (1, 3, 64)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "pde": [PDE],
        "regressor": [None, HasMethods(["fit", "predict"])],
        "collocation": [StrOptions({"qr", "sample", "grid", "gauss"})],
        "n_collocation": [None, Interval(Integral, 1, None, closed="left")],
        "norm": [StrOptions({"auto", "L2", "H-1"})],
        "regularization": [Interval(Real, 0, 1, closed="left")],
        "conserve": [None, str, list, tuple, Mapping],
        "method": [StrOptions({"RK45", "RK4", "Radau"})],
        "rtol": [None, Interval(Real, 0, 1, closed="neither")],
        "substeps": [Interval(Integral, 1, None, closed="left")],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "on_extrapolation": [StrOptions(set(ON_EXTRAPOLATION))],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        pde: PDE,
        *,
        regressor: BaseEstimator | None = None,
        collocation: str = "qr",
        n_collocation: int | None = None,
        norm: str = "auto",
        regularization: float = 1e-8,
        conserve: str | Sequence[Any] | Mapping[str, Any] | None = None,
        method: str = "RK45",
        rtol: float | None = None,
        substeps: int = 2,
        max_steps: int = 2000,
        on_extrapolation: str = "warn",
        random_state: Any = None,
    ) -> None:
        self.pde = pde
        self.regressor = regressor
        self.collocation = collocation
        self.n_collocation = n_collocation
        self.norm = norm
        self.regularization = regularization
        self.conserve = conserve
        self.method = method
        self.rtol = rtol
        self.substeps = substeps
        self.max_steps = max_steps
        self.on_extrapolation = on_extrapolation
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    @with_default_torch_settings
    def fit(self, X: ArrayLike, y: ArrayLike) -> CoLoRAGalerkin:
        """Fit the regressor, and choose the collocation points.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots; see `CoLoRARegressor.fit` for the other layouts, and for snapshots that
            are stored and larger than memory.

        Returns
        -------
        self : CoLoRAGalerkin
            The fitted estimator.

        Raises
        ------
        ValueError
            If the snapshots, the regressor and the equation do not fit together, before any
            training.
        """
        pde = self.pde
        regressor = CoLoRARegressor() if self.regressor is None else self.regressor
        inner = find_regressor(regressor)
        where = "regressor=CoLoRARegressor(times=..., points=..., period=pde.period)"
        check_grid_is_given(pde, inner.times, inner.points, where)
        named = X if hasattr(X, "columns") else None
        X, _, layout = validate_rows(self, X, y, times=inner.times, points=inner.points)
        given = X
        self._order = parameter_order(pde, getattr(self, "feature_names_in_", None))
        X = self._in_order(X)
        check_agreement(pde, X, layout)
        check_network_period(pde, check_period(inner.period, layout.grid))
        check_options(pde, X, layout.grid, self.conserve, self.norm, self.collocation)
        self.regressor_ = clone(regressor).fit(given if named is None else named, y)
        error = find_regressor(self.regressor_).best_loss_
        self.rtol_ = step_tolerance(error) if self.rtol is None else self.rtol
        # Parameters that change later have no effect before the next fit.
        self._fitted_params = SimpleNamespace(**self.get_params(deep=False))
        # The limit of the regressor leaves little time for the starts of the equation.
        limit = find_regressor(self.regressor_).max_time
        self._set_equation(X, deadline=Deadline(limit and _SHARE_OF_STARTS * limit))
        return self

    def _set_equation(self, X: Array, **limits: Any) -> None:
        """The latent equation, with collocation points and starts from these parameters."""
        started = time.perf_counter()
        params, model = self._fitted_params, trained_model(self.regressor_, self._order)
        self._equation = build_equation(
            model,
            X,
            pde=params.pde,
            rule=params.collocation,
            n_points=params.n_collocation,
            norm=params.norm,
            rng=check_random_state(params.random_state),
            regularization=params.regularization,
            conserve=params.conserve,
            method=params.method,
            rtol=self.rtol_,
            substeps=params.substeps,
            max_steps=params.max_steps,
            **limits,
        )
        self.collocation_ = self._equation.collocation.points.numpy()
        if limits.get("collocation") is None:
            self._equation_seconds = time.perf_counter() - started
        self._layout, self._X = model.layout, X

    @with_default_torch_settings
    def predict(
        self,
        X: ArrayLike,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        initial: Any = None,
    ) -> Array:
        """Fields at new parameters, by solving the equation in the latent space.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing times from 0, the time of the initial fields, or later.  They may
            go beyond the times of ``fit``.  None: the times of ``fit``.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or a tensor grid.  None: the points of ``fit``.
        initial : array-like or (points, values), default=None
            Fields at time 0: at the points of ``fit``, of shape
            ``(n_trajectories, n_points[, n_fields])`` or ``(n_trajectories, *grid[, n_fields])``;
            or observations (n_trajectories, n_observed[, n_fields]) at points of their own,
            (n_observed, n_dims).  None: the fields of ``pde.initial``, or, where the equation
            defines none, the prediction of the regressor for time 0.

        Returns
        -------
        y : ndarray of float64
            Fields in the layout that ``fit`` was given, with NaN after the time that a
            trajectory reached.

        Raises
        ------
        ValueError
            If X, times, points or initial do not fit the fitted model, or parameters extrapolate
            and ``on_extrapolation`` is "raise".

        Warns
        -----
        ExtrapolationWarning
            If parameters lie outside the region that the training parameters span.
        ConvergenceWarning
            If a trajectory could not be integrated to the end.
        UserWarning
            If the network cannot represent the initial field or follow the equation, or the path
            leaves the region of the training states.
        """
        return self.solve(X, times=times, initial=initial).predict(points)

    @with_default_torch_settings
    def solve(
        self, X: ArrayLike, *, times: ArrayLike | None = None, initial: Any = None
    ) -> GalerkinSolution:
        """Latent paths at new parameters, and how far they are to be trusted.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            As in `predict`.
        initial : array-like or (points, values), default=None
            As in `predict`.

        Returns
        -------
        solution : GalerkinSolution
            Latent path, residual, condition number, effective rank and an indicator of the
            error over time; steps, status and time reached of each trajectory.
        """
        X = self._in_order(validate_parameters(self, X))
        layout = self._layout.at(times, None)
        if layout.times[0] < 0:
            raise ValueError(
                f"`times` must not be negative; got {layout.times[0]:g}.  The initial field "
                "holds at time 0."
            )
        equation, names = self._equation, self._equation.pde.parameter_names or None
        check_extrapolation(
            self.on_extrapolation, self._X, X, None, None, names, constants_count=True
        )
        known = initial_fields(equation.pde, self._layout, X, initial)
        solution = equation.integrate(X, layout.times, equation.start(X, known))
        warn_of_doubts(equation.pde, X, solution)
        return solution

    @with_default_torch_settings
    def distill(
        self,
        X: ArrayLike,
        *,
        n_solves: int | None = None,
        hyper_width: int | None = None,
        max_iter: int = 300,
        max_time: float | None = None,
    ) -> Any:
        """A data-driven regressor that has learnt the paths found by the equation.

        Solves the equation at parameters without snapshots, and fits a new hypernetwork to
        the latent paths, together with the paths at the training parameters.  Paths along which
        the equation does not hold are dropped; at training parameters the path of the
        hypernetwork replaces them.  The result predicts at the speed of `CoLoRARegressor`.

        Parameters
        ----------
        X : array-like of shape (n_candidates, n_parameters)
            Candidate parameters; they should cover the region in which you want to predict.
        n_solves : int, default=None
            Number of candidates at which the equation is solved.  They are chosen one after the
            other: each time the candidate at which the hypernetwork learnt so far violates the
            equation most, as in the greedy algorithms of reduced-basis methods.  None: all.
        hyper_width : int, default=None
            Width of the new hypernetwork, not less than the width of the regressor's
            hypernetwork, from whose weights the fit starts.  None: at least 20.
        max_iter : int, default=300
            Number of Levenberg–Marquardt iterations, rejected ones included.
        max_time : float, default=None
            Seconds that the call may take.  Some candidates may then be left out.

        Returns
        -------
        regressor : CoLoRARegressor or Pipeline
            A fitted copy of ``regressor_``.

        Raises
        ------
        ValueError
            If ``hyper_width`` is less than the width of the regressor's hypernetwork.
        RuntimeError
            If no trajectory could be integrated to the end.

        Warns
        -----
        ConvergenceWarning
            If the hypernetwork misses the paths by more than a hundredth of the variation, or
            ``max_time`` is not enough to solve the equation everywhere.
        """
        deadline = time_limit(max_time)
        inner = find_regressor(self.regressor_)
        if hyper_width is None:
            hyper_width = max(20, inner.hyper_width)
        if hyper_width < inner.hyper_width:
            raise ValueError(
                f"`hyper_width` must be at least {inner.hyper_width}, that of the regressor; got "
                f"{hyper_width}."
            )
        candidates = self._without_snapshots(X)
        found = distill(
            self._equation,
            self._X,
            candidates,
            n_solves=len(candidates) if n_solves is None else n_solves,
            hyper_width=hyper_width,
            max_iter=max_iter,
            seed=self._seed(),
            deadline=deadline,
        )
        networks = CoLoRAModel(copy.deepcopy(inner.network_), found.hypernetwork)
        out = inner._with_model(networks, found.inputs, found.errors[1:], found.errors[-1])
        return replace_regressor(self.regressor_, out)

    @with_default_torch_settings
    def refine(
        self, X: ArrayLike, *, max_iter: int = 300, max_time: float | None = None
    ) -> CoLoRAGalerkin:
        """An estimator whose network has learnt the equation at parameters without snapshots.

        Trains network and hypernetwork further, with the natural gradient of `CoLoRARegressor`,
        on the equation itself (a physics-informed loss [1]_)::

            τ ‖∂ₜû - f(t, x, û; μ)‖,  ‖û(0; μ) - u₀(μ)‖

        at the rows of X and at the training parameters, and on the fields that the network
        predicted at the training parameters.  `solve` and `predict` move the latent state within
        the fields that the network can represent.  Refinement makes the network represent the
        solutions at X, and is worth its time where snapshots are few.  Both the returned
        estimator and its ``regressor_`` are then more accurate.  A progress bar appears if the
        regressor is ``verbose``.

        Parameters
        ----------
        X : array-like of shape (n_candidates, n_parameters)
            Candidate parameters; they should cover the region in which you want to predict.
        max_iter : int, default=300
            Number of training steps.
        max_time : float, default=None
            Seconds that the call may take.

        Returns
        -------
        refined : CoLoRAGalerkin
            A fitted copy; this estimator stays as it is.

        Raises
        ------
        ValueError
            If X or a limit does not fit, the equation has no initial field, or its right-hand
            side is not finite.
        TypeError
            If a limit is no number.

        Warns
        -----
        ConvergenceWarning
            If the equation is still violated by more than a tenth of the field.
        UserWarning
            If the training is interrupted (Ctrl-C); the best weights so far are kept.

        References
        ----------
        .. [1] M. Raissi, P. Perdikaris and G. E. Karniadakis, "Physics-informed neural
           networks", J. Comput. Phys. 378 (2019), 686-707.
        """
        deadline = time_limit(max_time)
        check_scalar(max_iter, "max_iter", Integral, min_val=1)
        candidates = self._without_snapshots(X)
        all_parameters = np.vstack([self._X, candidates])
        inner = find_regressor(self.regressor_)
        # The new equation takes its time after the training.  If time is short, the points stay.
        reserve = self._equation_seconds * len(all_parameters) / len(self._X)
        points = self._equation.collocation if reserve > deadline.remaining / 3 else None
        networks, result = refine(
            self._equation.pde,
            self._equation.model,
            self._X,
            candidates,
            max_iter=max_iter,
            deadline=deadline.earlier(min(reserve, deadline.remaining / 3)),
            seed=self._seed(),
            verbose=int(inner.verbose),
        )
        inputs = self._equation.model.transform(all_parameters)
        refined = inner._with_model(networks, inputs, result.loss_curve, result.error)
        out = copy.copy(self)
        out.regressor_ = replace_regressor(self.regressor_, refined)
        out._set_equation(all_parameters, collocation=points, deadline=deadline)
        return out

    def _seed(self) -> int:
        return int(check_random_state(self._fitted_params.random_state).randint(2**31 - 1))

    def _in_order(self, X: Array) -> Array:
        """Columns of X in the order of the equation's parameters."""
        return X if self._order is None else X[:, self._order]

    def _without_snapshots(self, X: ArrayLike) -> Array:
        """Rows of X that the regressor was not trained on."""
        candidates = self._in_order(validate_parameters(self, X))
        return candidates[~rows_among(candidates, self._X)]
