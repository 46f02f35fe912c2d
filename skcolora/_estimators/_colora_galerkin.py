"""CoLoRAGalerkin: the equation moves the latent state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from skcolora._estimators._both_halves import BothHalves
from skcolora._estimators._colora import CoLoRARegressor
from skcolora._estimators._galerkin_folds import calibrate
from skcolora._estimators._galerkin_trust import regularizations
from skcolora._estimators._spread import spread
from skcolora._estimators._unwrap import find_regressor, transform_parameters
from skcolora._galerkin import (
    GalerkinSolution,
    check_agreement,
    check_grid_is_given,
    check_network_period,
    check_norm,
    check_options,
    parameter_order,
    path_difficulty,
    warn_of_doubts,
)
from skcolora._snapshots import (
    ON_EXTRAPOLATION,
    Array,
    check_extrapolation,
    check_period,
    validate_parameters,
    validate_rows,
)
from skcolora.pdes import PDE
from skcolora.utils._deadline import Deadline
from skcolora.utils._sklearn import HasMethods, Interval, StrOptions, fit_context
from skcolora.utils._torch import with_default_torch_settings

# Time for encoding the starts of the training, and for solving the equation at some training
# parameters, as shares of the regressor's `max_time`.
_SHARE_OF_STARTS, _SHARE_OF_JUDGEMENT = 0.1, 0.3
# Time for the equations of all folds together, as such a share.
_SHARE_OF_FOLDS = 0.5
# Number of parameters whose difficulty is found at once: initial fields take memory.
_BATCH = 128


class CoLoRAGalerkin(BothHalves):
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
        pipeline here; see the Notes.  Beyond its ``max_time`` the equation may take 0.4 of it; with
        an int as its ``cv``, for error bars of the predictions, another half.
    collocation : {"qr", "sample", "grid", "gauss"}, default="qr"
        Rule for the collocation points xᵢ.  "qr": the points of the snapshots that determine
        Jacobians and right-hand sides of the training best, by pivoted QR.  "sample": points of
        the snapshots, drawn in proportion to their leverage.  "grid": all points of the
        snapshots.  "gauss": Gauss–Legendre points of the box around the points of the snapshots,
        and equispaced points along periodic axes.  "gauss" suits smooth fields on a whole box; on
        other domains it would evaluate the network where it has not been trained.  Points of the
        snapshots on the boundary, where the equation has conditions, are added.
    n_collocation : int, default=None
        Number of collocation points for "qr", "sample" and "gauss".  For "gauss" it is rounded
        to a tensor grid with equal numbers (±1) along each axis.  None: five for each online
        weight, and at least 150; twice as many for "sample" and "gauss".  Fewer points cost less
        time.
    norm : {"auto", "L2", "H-1", "whitened"}, default="auto"
        Norm in which the residual r of the equation is minimised.  "H-1" integrates the residual
        first, ``‖(I - ℓ²Δ)^(-1/2) r‖``, with ℓ a fifth of the domain.  Where fronts steepen, the
        residual in "L2" is largest at the fronts, although the motion of the fronts is what
        counts.  The integrals are learnt from training states as functions of the values at the
        collocation points [4]_.  "H-1" needs snapshots on a tensor grid, and no boundary
        conditions.  "whitened" is ``rᵀ Σ⁻¹ r``, with the covariance Σ of the residuals of the
        training states: what even right states violate, because the network does not resolve it,
        counts less [5]_.  "auto": the norm of the equation, ``pde.norm``, where it is possible; if
        the paths at up to three training parameters are then less than half as accurate as the
        regressor, "whitened" if that is better there.
    regularization : float or "auto", default="auto"
        Tikhonov regularisation of the least-squares problem, relative to the largest singular
        value of its matrix.  "auto": 1e-8; if the paths at up to three training parameters are then
        less than half as accurate as the regressor, the best of 1e-8, 1e-4 and 1e-3 there.  With
        ``free_output`` 1e-4, or 1e-5 where that is better.
    free_output : bool or "auto", default="auto"
        Whether all weights of the last layer are online too.  The neurons of the last hidden layer,
        which the other online weights move, are then a basis with free coefficients.  The paths can
        leave the fields that the network has learnt, which makes them more accurate where the
        training parameters are few, at a higher cost.  "auto": if the paths between training
        parameters violate the equation more than is usual at training parameters, and less with
        the free weights.
    conserve : None, str, sequence or mapping, default=None
        Quantities whose integrals are kept to rounding error: names in ``pde.conserved``, or
        your own densities, functions of a field.  After each step the state is projected onto
        the nearest state with the initial integrals [3]_.  The integrals are sums over the points
        of the snapshots, with the weights of a quadrature rule.
    method : {"RK45", "RK4", "Rosenbrock"}, default="RK45"
        Time integration.  "RK45": adaptive Runge–Kutta steps of order 5, for each trajectory by
        itself.  "Rosenbrock": linearly implicit steps of order 3 for stiff equations, likewise
        adaptive; a step costs more.  "RK4": fixed steps of order 4 between the times of ``fit``,
        whatever times are asked for.
    rtol : float, default=None
        Tolerance of one adaptive step: the error of the field relative to its variation.  None: a
        fiftieth of the regressor's training error, within 1e-9 and 3e-5, which is small beside the
        error of the network.
    substeps : int, default=2
        Number of steps of "RK4" between two times of ``fit``.
    max_steps : int, default=2000
        Number of steps after which the integration of a trajectory is given up.
    fallback : {"regressor", None}, default="regressor"
        What `predict` and `solve` return where the path of the equation is not to be trusted: it
        failed, or its error is expected to be larger than that of the regressor, by what both
        violate of the equation and what this means at training parameters.  "regressor": the path
        of the regressor, with a warning and the status "regressor" in the solution.  None: always
        the path of the equation.  With initial fields of your own, and beyond the times of
        ``fit``, the regressor has no answer.  With ``conserve`` it only replaces failed paths.
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
    norm_ : {"L2", "H-1", "whitened"}
        The norm in use.
    regularization_ : float
        The regularisation in use.
    free_output_ : bool
        Whether all weights of the last layer are online.
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

    The equation is solved on the CPU, in float64.  The fields have the precision of the regressor,
    or float64 with `conserve`.

    `expected_error` is a multiple of the root mean square of the ``error_indicator`` of
    `GalerkinSolution` over the times of ``fit``.  The factor comes from the cross-validation of the
    regressor: each of its networks gives an equation, which is solved at the trajectories that the
    network was not trained on.  `suggest` compares the indicators.  Both solve the equation at all
    their parameters.  A path that ends early has an infinite error.

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
    .. [5] A. C. Aitken, "On least squares and linear combination of observations", Proc. R. Soc.
       Edinburgh 55 (1936), 42-48.

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
        "norm": [StrOptions({"auto", "L2", "H-1", "whitened"})],
        "regularization": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "free_output": ["boolean", StrOptions({"auto"})],
        "conserve": [None, str, list, tuple, Mapping],
        "method": [StrOptions({"RK45", "RK4", "Rosenbrock"})],
        "rtol": [None, Interval(Real, 0, 1, closed="neither")],
        "substeps": [Interval(Integral, 1, None, closed="left")],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "fallback": [None, StrOptions({"regressor"})],
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
        regularization: float | str = "auto",
        free_output: bool | str = "auto",
        conserve: str | Sequence[Any] | Mapping[str, Any] | None = None,
        method: str = "RK45",
        rtol: float | None = None,
        substeps: int = 2,
        max_steps: int = 2000,
        fallback: str | None = "regressor",
        on_extrapolation: str = "warn",
        random_state: Any = None,
    ) -> None:
        self.pde = pde
        self.regressor = regressor
        self.collocation = collocation
        self.n_collocation = n_collocation
        self.norm = norm
        self.regularization = regularization
        self.free_output = free_output
        self.conserve = conserve
        self.method = method
        self.rtol = rtol
        self.substeps = substeps
        self.max_steps = max_steps
        self.fallback = fallback
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
        X, rows, layout = validate_rows(
            self, X, y, times=inner.times, points=inner.points, missing=inner.missing
        )
        given = X
        self._order = parameter_order(pde, getattr(self, "feature_names_in_", None))
        X = self._in_order(X)
        check_agreement(pde, X, layout)
        check_network_period(pde, check_period(inner.period, layout.grid))
        points = self.collocation, self.n_collocation
        check_options(pde, X, layout.grid, self.conserve, self.norm, *points)
        self.regressor_ = clone(regressor).fit(given if named is None else named, y)
        # Parameters that change later have no effect before the next fit.
        self._fitted_params = SimpleNamespace(**self.get_params(deep=False))
        self.rtol_ = self._tolerance(find_regressor(self.regressor_).best_loss_)
        # The limit of the regressor leaves little time for the starts of the equation.
        limit = find_regressor(self.regressor_).max_time
        self.norm_ = check_norm(pde, layout.grid, self.norm)
        chosen = self.regularization != "auto"
        self.free_output_ = self.free_output is True
        automatic = regularizations(self.free_output_)[0]
        self.regularization_ = float(self.regularization) if chosen else automatic
        self._set_equation(X, deadline=Deadline(limit and _SHARE_OF_STARTS * limit))
        settings = self.norm, self.regularization, self.free_output
        if "auto" in settings or self.fallback is not None:
            self._judge(X, rows, deadline=Deadline(limit and _SHARE_OF_JUDGEMENT * limit))
        seconds = limit and _SHARE_OF_FOLDS * limit
        self._uncertainty = calibrate(self, X, rows, seed=self._seed(), seconds=seconds)
        return self

    @with_default_torch_settings
    def predict(
        self,
        X: ArrayLike,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        initial: Any = None,
        return_std: bool = False,
        return_interval: float | None = None,
    ) -> Any:
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
        return_std : bool, default=False
            Whether to return standard deviations too.  They need a regressor with an int as
            ``cv``.
        return_interval : float, default=None
            Level of a band that is returned too, for example 0.9: this share of new trajectories
            lies in it as a whole, at all times and points of ``fit``.  It needs a regressor with
            an int as ``cv``, and for a level p at least p / (1 - p) training trajectories: 9 for
            0.9, and 19 for 0.95.

        Returns
        -------
        y : ndarray
            Fields in the layout that ``fit`` was given.  Those of the regressor where the path of
            the equation is not to be trusted, see ``fallback``; otherwise with NaN after the time
            that a trajectory reached.
        std : ndarray of the shape of y
            Standard deviations of the fields, only with ``return_std``; infinite for a trajectory
            that does not reach the last time of ``fit``, and NaN where y is NaN.  They do not grow
            beyond the times of ``fit``.
        lower, upper : ndarray of the shape of y
            The ends of the band, only with ``return_interval``.

        Raises
        ------
        ValueError
            If X, times, points or initial do not fit the fitted model, or parameters extrapolate
            and ``on_extrapolation`` is "raise"; or if the fit had no cross-validation, or too few
            trajectories, for the uncertainty that is asked for.

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
        inputs = self._in_order(validate_parameters(self, X))
        uncertain = self._check_asked(return_std, return_interval)
        layout = self._layout.at(times, points)
        solution = self.solve(X, times=times, initial=initial)
        y = solution.predict(points)
        if not uncertain:
            return y
        rows = layout.to_rows(y)

        def deviations() -> Array:
            known = solution if times is None else self._silent_paths(inputs, initial)
            uncertainty = self._known_uncertainty("`return_std`")
            expected = uncertainty.expected(path_difficulty(known), self._training_error)
            spreads = spread(find_regressor(self.regressor_), self._inner_inputs(inputs), layout)
            return np.where(np.isnan(rows), np.nan, expected[:, None, None, None] * spreads)

        return self._with_uncertainty(rows, layout, deviations, return_interval)

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
        pde = self._equation.pde
        names = pde.parameter_names or None
        check_extrapolation(
            self.on_extrapolation, self._X, X, None, None, names, constants_count=True
        )
        solution = self._paths(X, layout.times, initial)
        warn_of_doubts(pde, X, solution)
        return solution

    # The indicator of the residual counts the errors of the network already.
    _training_error = 0.0
    _cure_without_folds = "Fit with a regressor that has cv=5."

    def _inner_inputs(self, X: Array) -> Array:
        """Parameters as the innermost regressor is given them."""
        return transform_parameters(self.regressor_, X, order=self._order)

    def _coordinates(self, X: Array) -> Array:
        return find_regressor(self.regressor_)._coordinates(self._inner_inputs(X))

    @with_default_torch_settings
    def _difficulty(self, X: Array) -> Array:
        parts = (X[i : i + _BATCH] for i in range(0, len(X), _BATCH))
        return np.concatenate([path_difficulty(self._silent_paths(part)) for part in parts])

    def _in_order(self, X: Array) -> Array:
        """Columns of X in the order of the equation's parameters."""
        return X if self._order is None else X[:, self._order]
