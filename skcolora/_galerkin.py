"""CoLoRAGalerkin: the equation moves the latent state."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state, check_scalar

from skcolora._base import SnapshotRegressor
from skcolora._colora import CoLoRARegressor
from skcolora._decoding import decode_rows
from skcolora._distillation import distilled
from skcolora._latent_equation import LatentEquation
from skcolora._refinement import refined
from skcolora._snapshots import Array, check_period, validate_parameters
from skcolora._stored_rows import validate_rows
from skcolora._unwrap import innermost, replaced, transformed
from skcolora.galerkin import (
    GalerkinSolution,
    Projection,
    check_boundary,
    check_equation,
    check_norm,
    check_rate,
    choose_collocation,
    conserved_densities,
    initial_fields,
    quadrature,
    trained_starts,
    warn_of,
)
from skcolora.pdes import PDE
from skcolora.utils._sklearn import HasMethods, Interval, StrOptions, fit_context
from skcolora.utils._torch import as_tensor

# At which the right-hand side is tried before the training.
_TRIAL_POINTS = 5
# Of the tolerance that is not given: its part of the training error, and its range.
_PART_OF_ERROR, _LEAST_TOL, _MOST_TOL = 50, 1e-9, 3e-5


class CoLoRAGalerkin(SnapshotRegressor):
    """Reduced model whose latent state an equation moves (CoLoRA-EQ).

    The network û(x; θ, φ) of a `CoLoRARegressor` serves as a nonlinear trial space.  Its
    weights θ stay as trained, and the latent state follows the equation
    ``∂ₜu = f(t, x, u; μ)`` by the Dirac–Frenkel principle (Neural Galerkin [1]_, [2]_)::

        φ̇ = argmin Σᵢ wᵢ |∂û/∂φ(xᵢ) φ̇ - f(t, xᵢ, û; μ)|²

    from a state that fits the initial field.  The snapshots are needed to train the network,
    not to say how parameters act: a few trajectories are often enough.

    Parameters
    ----------
    pde : PDE
        The equation.
    regressor : CoLoRARegressor or Pipeline, default=None
        What is fitted to the snapshots; a fitted one can be given in a
        `~sklearn.frozen.FrozenEstimator`.  None: a `CoLoRARegressor` with the equation's
        period.  Transform parameters in a pipeline here, see the Notes.
    collocation : {"qr", "sample", "grid", "gauss"}, default="qr"
        Points xᵢ: those of the snapshots that determine training Jacobians and right-hand
        sides best, by pivoted QR; drawn from them in proportion to their leverage; or all of
        them.  "gauss" does not depend on where the snapshots have points: Gauss–Legendre
        points of the box around them, along periodic axes equispaced points of one period,
        and, where the equation prescribes values on the boundary, points there.  It suits
        smooth fields on a whole box; elsewhere the network would be asked where it has not
        been trained.
    n_collocation : int, default=None
        Number of points, where not all are taken; of "gauss" the nearest product of numbers
        along the axes that are as equal as can be.  None: five for each online weight, and at
        least 150; of "sample" and "gauss" twice as many.  Fewer cost less time.
    norm : {"auto", "L2", "H-1"}, default="auto"
        In which the residual of the equation is least.  "H-1" integrates it first,
        ``‖(I - ℓ²Δ)^(-1/2) r‖`` with ℓ a fifth of the domain: where fronts steepen, the
        residual is largest at the fronts, and what counts is how far it moves them.  The
        integrals follow from the values at the collocation points, as training states
        show them [4]_; the points of the snapshots must form a tensor grid, and the
        boundary values be free.  "auto": that of the equation, ``pde.norm``, where it is
        possible.
    regularization : float, default=1e-8
        Of the least-squares problem, relative to the largest singular value of ``∂û/∂φ``.
    conserve : None, str, sequence or mapping, default=None
        Quantities whose integrals are kept to rounding error: names in ``pde.conserved``,
        or densities of your own, functions of a field.  After each step the state is put
        back to the nearest one that has the integrals of the first [3]_.  The integrals
        are sums over the points of the snapshots, spectrally accurate on a uniform periodic
        grid.
    method : {"RK45", "RK4", "Radau"}, default="RK45"
        Adaptive Runge–Kutta steps of order 5, for each trajectory by itself; fixed steps of
        order 4; or an implicit method for stiff equations, one trajectory at a time.
    tol : float, default=None
        Error of the field in one step, relative to the field ("RK45"), or of the latent
        state ("Radau").  None: a fiftieth of the regressor's error in training, from 1e-9 to
        3e-5, so that the steps add little to what the network lacks.
    substeps : int, default=2
        Steps of "RK4" between two times.
    max_steps : int, default=2000
        After which a trajectory is given up.
    random_state : int, RandomState instance or None, default=None
        Seed of the points drawn.

    Attributes
    ----------
    regressor_ : estimator
        The fitted regressor.
    collocation_ : ndarray of shape (n_points, n_dims)
        The collocation points.
    tol_ : float
        The tolerance of the steps.
    n_features_in_ : int
        Number of physics parameters.

    See Also
    --------
    CoLoRARegressor : The same network without the equation.
    PODGalerkin : The linear counterpart.

    Notes
    -----
    The rows of X are the parameters of the equation.  A `~sklearn.preprocessing.StandardScaler`
    in a pipeline *before* this estimator would change the physics; put transforms inside::

        log = FunctionTransformer(np.log)
        CoLoRAGalerkin(pde, regressor=make_pipeline(log, CoLoRARegressor(...)))

    Scaling alone is never needed, the hypernetwork standardises its inputs.

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
    >>> data = make_advection([0.6, 1.0, 1.4], n_points=64, n_times=21, width=0.1)
    >>> network = CoLoRARegressor(
    ...     **data.grid, width=12, depth=4, adapted_layers=range(4), rank=1, max_iter=300,
    ...     random_state=0,
    ... )
    >>> model = CoLoRAGalerkin(data.pde, regressor=network).fit(data.X, data.y)
    >>> model.predict([[0.3]], times=[0.0, 0.5, 1.0]).shape
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
        "tol": [None, Interval(Real, 0, 1, closed="neither")],
        "substeps": [Interval(Integral, 1, None, closed="left")],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
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
        tol: float | None = None,
        substeps: int = 2,
        max_steps: int = 2000,
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
        self.tol = tol
        self.substeps = substeps
        self.max_steps = max_steps
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike) -> CoLoRAGalerkin:
        """Fit the regressor, and choose the points at which the equation is to hold.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots; see `CoLoRARegressor.fit` for the other layouts, and for those that are
            stored and larger than memory.

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
        regressor = self.regressor
        if regressor is None:
            regressor = CoLoRARegressor(period=self.pde.period, random_state=self.random_state)
        inner = innermost(regressor)
        X, _, layout = validate_rows(self, X, y, times=inner.times, points=inner.points)
        check_equation(self.pde, X, layout)
        check_boundary(self.pde, check_period(inner.period, layout.grid.n_dims))
        self._densities = conserved_densities(self.pde, self.conserve)
        self._quadrature = quadrature(self.pde, layout.grid)
        self._norm = check_norm(self.pde, layout.grid, self.norm)
        points = self._quadrature.points
        check_rate(self.pde, points if self.collocation == "grid" else points[:_TRIAL_POINTS])
        self.regressor_ = clone(regressor).fit(X, y)
        best = innermost(self.regressor_).best_loss_
        self.tol_ = _tolerance(best) if self.tol is None else self.tol
        self._choose(X)
        return self

    def _choose(self, X: Array) -> None:
        """Collocation points and starts, from the regressor's states at these parameters."""
        inner = innermost(self.regressor_)
        self._layout = layout = inner._layout
        self._X = X
        self._network = copy.deepcopy(inner.network_).cpu().double()
        trained = inner._latent(inner._X, layout.times)
        self._training = trained.flatten(0, 1).double().cpu()
        inputs = transformed(self.regressor_, X)
        paths, first = (
            inner._latent(inputs, at).double().cpu() for at in (layout.times, np.zeros(1))
        )
        self._collocation = choose_collocation(
            self.collocation,
            self.n_collocation,
            self._norm,
            Projection(self._network, self.pde, as_tensor(X), self._quadrature, 0.0),
            layout.grid,
            as_tensor(layout.times),
            paths,
            check_random_state(self.random_state),
        )
        projection = Projection(
            self._network, self.pde, as_tensor(X), self._collocation, self.regularization
        )
        known = initial_fields(self.pde, layout, X, None)
        self._trained_starts = trained_starts(
            projection, known, inputs, first[:, 0], self._training
        )
        self.collocation_ = self._collocation.points.numpy()

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
            Strictly increasing, from 0 on, where the initial fields hold; may go beyond those
            of ``fit``.  None: those of ``fit``.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or a tensor grid.  None: those of ``fit``.
        initial : array-like or (points, values), default=None
            Fields at time 0: at the points of ``fit``, of shape
            ``(n_trajectories, n_points[, n_fields])`` or ``(n_trajectories, *grid[, n_fields])``;
            or observations (n_trajectories, n_observed[, n_fields]) at points of their own,
            (n_observed, n_dims).  None: those of ``pde.initial``, or, where the equation has
            none, what the regressor predicts for time 0.

        Returns
        -------
        y : ndarray of float64
            In the layout that ``fit`` was given; NaN after the time that a trajectory
            reached.

        Raises
        ------
        ValueError
            If X, times, points or initial do not fit the fitted model.

        Warns
        -----
        ConvergenceWarning
            If a trajectory could not be integrated to the end.
        UserWarning
            If the network cannot hold the initial field or follow the equation, or the path
            leaves the region of the training states.
        """
        solution = self.solve(X, times=times, initial=initial)
        layout = self._layout.at(times, points)
        return layout.from_rows(decode_rows(self._network, as_tensor(solution.latent), layout))

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
        X = validate_parameters(self, X)
        layout = self._layout.at(times, None)
        if layout.times[0] < 0:
            raise ValueError(
                f"`times` must not be negative; got {layout.times[0]:g}.  The initial field "
                "holds at time 0."
            )
        known = initial_fields(self.pde, self._layout, X, initial)
        equation = self._equation()
        solution = equation.integrate(X, layout.times, equation.start(X, known))
        warn_of(self.pde, X, solution)
        return solution

    def distill(
        self,
        X: ArrayLike,
        *,
        n_solves: int | None = None,
        hyper_width: int | None = None,
        max_iter: int = 300,
    ) -> Any:
        """A data-driven regressor that has learnt the paths found by the equation.

        Solves the equation at parameters without snapshots, and fits a new hypernetwork to
        the latent paths, those of the training parameters among them; paths along which the
        equation does not hold are left out, or, at training parameters, replaced by those
        trained on.  The result predicts at the speed of `CoLoRARegressor`, with about the
        accuracy of this estimator.

        Parameters
        ----------
        X : array-like of shape (n_candidates, n_parameters)
            Physics parameters to learn from; cover the region in which to predict.
        n_solves : int, default=None
            How many of them are solved.  They are chosen one after the other: the one at
            which the hypernetwork learnt so far violates the equation most, as in the greedy
            algorithms of reduced-basis methods.  None: all.
        hyper_width : int, default=None
            Width of the new hypernetwork, not less than that of the regressor's, from whose
            weights the fit starts.  None: at least 20.
        max_iter : int, default=300
            Levenberg–Marquardt iterations of the fit.

        Returns
        -------
        regressor : CoLoRARegressor or Pipeline
            As ``regressor``, fitted.

        Raises
        ------
        ValueError
            If the hypernetwork were to become narrower.
        RuntimeError
            If no trajectory could be integrated to the end.

        Warns
        -----
        ConvergenceWarning
            If the hypernetwork misses the paths by more than a hundredth of the field.
        """
        inner = innermost(self.regressor_)
        if hyper_width is None:
            hyper_width = max(20, inner.hyper_width)
        if hyper_width < inner.hyper_width:
            raise ValueError(
                f"`hyper_width` must be at least {inner.hyper_width}, that of the regressor; got "
                f"{hyper_width}."
            )
        candidates = self._without_snapshots(X)
        out = distilled(
            self._equation(),
            self._X,
            candidates,
            n_solves=len(candidates) if n_solves is None else n_solves,
            hyper_width=hyper_width,
            max_iter=max_iter,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )
        return replaced(self.regressor_, out)

    def refine(
        self, X: ArrayLike, *, max_iter: int = 300, max_time: float | None = None
    ) -> CoLoRAGalerkin:
        """An estimator whose network has learnt the equation at parameters without snapshots.

        Trains network and hypernetwork further, by the natural gradient of `CoLoRARegressor`,
        on the equation itself (a physics-informed loss [1]_)::

            τ ‖∂ₜû - f(t, x, û; μ)‖,  ‖û(0; μ) - u₀(μ)‖

        at the rows of X and the parameters trained on, and on the fields that the network
        gave at the latter.  `solve` and `predict` move the latent state within what the
        network can represent; refining makes that fit the solutions at X, and is worth its
        time where snapshots are few.  Both the returned estimator and its ``regressor_`` are
        more accurate then.  Shows progress where the regressor is ``verbose``.

        Parameters
        ----------
        X : array-like of shape (n_candidates, n_parameters)
            Physics parameters; cover the region in which to predict.
        max_iter : int, default=300
            Steps.
        max_time : float, default=None
            Seconds after which they end at the latest.

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
        if type(self.pde).initial is PDE.initial:
            raise ValueError(
                f"{type(self.pde).__name__} defines no `initial`, and without initial fields the "
                "equation does not determine its solutions; define it to `refine`."
            )
        check_scalar(max_iter, "max_iter", Integral, min_val=1)
        if max_time is not None:
            check_scalar(max_time, "max_time", Real, min_val=0, include_boundaries="neither")
        candidates = self._without_snapshots(X)
        inner = refined(
            self.pde,
            self.regressor_,
            self._X,
            candidates,
            max_iter=max_iter,
            max_time=max_time,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )
        out = copy.copy(self)
        out.regressor_ = replaced(self.regressor_, inner)
        out._choose(np.vstack([self._X, candidates]))
        return out

    def _without_snapshots(self, X: ArrayLike) -> Array:
        """Rows of X that the regressor was not trained on."""
        candidates = validate_parameters(self, X)
        known = (candidates[:, None] == self._X).all(axis=2).any(axis=1)
        return np.asarray(candidates[~known])

    def _equation(self) -> LatentEquation:
        return LatentEquation(
            self.pde,
            self.regressor_,
            self._network,
            self._training,
            self._collocation,
            self.regularization,
            self._trained_starts,
            self._quadrature,
            self._densities,
            method=self.method,
            tol=self.tol_,
            substeps=self.substeps,
            max_steps=self.max_steps,
        )


def _tolerance(training_error: float) -> float:
    """Of the steps, for a network of this error."""
    return min(max(training_error / _PART_OF_ERROR, _LEAST_TOL), _MOST_TOL)
