"""What a `CoLoRAGalerkin` learns from the equation alone: distillation and refinement."""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from dataclasses import replace
from numbers import Integral
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state, check_scalar

from skcolora._estimators._uncertain import UncertainRegressor
from skcolora._estimators._unwrap import find_regressor, replace_regressor, trained_model
from skcolora._galerkin import (
    ComparedPaths,
    LatentEquation,
    OutOfTime,
    compared_paths,
    distill,
    expected_regressor_errors,
    refine,
    renewed_trust,
    same_weights,
    warn_of_no_comparison,
    warn_of_no_gain,
    warn_of_worse_networks,
)
from skcolora._snapshots import Array, rows_among, validate_parameters
from skcolora.utils._deadline import Deadline, time_limit
from skcolora.utils._torch import with_default_torch_settings

# Share of a limited time of a refinement in which the paths before it are solved; those after it
# take about as long.
_JUDGEMENT = 0.3
# Factor of the expected error of a regressor above which the one before is kept, and of that of
# paths above which nothing is gained.
_WORSE, _GAINED = 1.1, 2 / 3
# Seconds of paths after a refinement, relative to those before; they may need smaller steps.
_LONGER = 1.5

_Refined = TypeVar("_Refined", bound="DistillAndRefine")


class DistillAndRefine(UncertainRegressor):
    """An estimator with a fitted regressor and a latent equation."""

    regressor_: Any
    _X: Array
    _order: Any
    _equation: LatentEquation
    _equation_seconds: float
    _fitted_params: Any

    @with_default_torch_settings
    def distill(
        self,
        X: ArrayLike,
        *,
        max_iter: int = 500,
        max_time: float | None = None,
    ) -> Any:
        """A data-driven regressor that has learnt the paths found by the equation.

        Solves the equation at the rows of X, and trains the networks of the regressor further: on
        the fields along these paths, and on their own fields at the other training parameters.
        Paths along which the equation does not hold, or that are to be trusted less than the
        regressor, are dropped.  The result predicts at the speed of `CoLoRARegressor`.

        Parameters
        ----------
        X : array-like of shape (n_candidates, n_parameters)
            Candidate parameters; they should cover the region in which you want to predict.
        max_iter : int, default=500
            Number of training steps.
        max_time : float, default=None
            Seconds that the call may take.  Some candidates may then be left out.

        Returns
        -------
        regressor : CoLoRARegressor or Pipeline
            A fitted copy of ``regressor_``.

        Raises
        ------
        ValueError
            If X or a limit does not fit.
        RuntimeError
            If no trajectory could be integrated to the end.

        Warns
        -----
        ConvergenceWarning
            If the networks miss the fields by more than a hundredth of the variation, or
            ``max_time`` is not enough to solve the equation everywhere.
        UserWarning
            If the new networks are expected to be less accurate than those of the regressor, by
            what both violate of the equation at X.  A copy of the regressor is then returned.
        """
        deadline = time_limit(max_time)
        check_scalar(max_iter, "max_iter", Integral, min_val=1)
        candidates = self._in_order(validate_parameters(self, X))
        inner = find_regressor(self.regressor_)
        found = distill(
            self._equation,
            trained_model(self.regressor_, self._order),
            self._X,
            candidates,
            max_iter=max_iter,
            deadline=deadline,
            seed=self._seed(),
            verbose=int(inner.verbose),
        )
        if not found.result.losses:
            return replace_regressor(self.regressor_, copy.deepcopy(inner))
        out = inner._with_model(
            found.networks, found.inputs, found.result.loss_curve, found.result.error
        )
        learnt = replace_regressor(self.regressor_, out)
        model = trained_model(learnt, self._order)
        new = candidates[~rows_among(candidates, self._X)]
        before, after = self._expected_errors(replace(self._equation, model=model), new)
        if after > _WORSE * before:
            warn_of_worse_networks("distillation", before, after)
            return replace_regressor(self.regressor_, copy.deepcopy(inner))
        return learnt

    def _expected_errors(self, changed: LatentEquation, candidates: Array) -> tuple[float, float]:
        """Mean errors that this regressor, and another one, should have at all parameters.

        They are 0 where nothing is known.
        """
        if self._equation.trust is None or not len(candidates):
            return 0.0, 0.0
        return expected_regressor_errors(self._equation, changed, candidates)

    @with_default_torch_settings
    def refine(
        self: _Refined, X: ArrayLike, *, max_iter: int = 300, max_time: float | None = None
    ) -> _Refined:
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

        The paths at a few rows of X, and at up to three training parameters with their snapshots,
        are compared with those before.  If the error that they should have at X does not fall by a
        third, what was there before is returned.

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
            A fitted copy; this estimator stays as it is.  The copy does not know how wrong its
            predictions may be, as the cross-validation was that of other networks.  If no step has
            reduced the error, the copy is the same as this estimator.

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
            If the training is interrupted (Ctrl-C); the best weights so far are kept.  If the
            refined networks are expected to be less accurate at X and at the training parameters,
            or their paths at X not to be more accurate, by what they violate of the equation, or
            ``max_time`` is not enough to find out; a copy of this estimator is then returned.

        References
        ----------
        .. [1] M. Raissi, P. Perdikaris and G. E. Karniadakis, "Physics-informed neural
           networks", J. Comput. Phys. 378 (2019), 686-707.
        """
        deadline = time_limit(max_time)
        check_scalar(max_iter, "max_iter", Integral, min_val=1)
        candidates = self._without_snapshots(X)
        try:
            return self._refined(candidates, max_iter, deadline)
        except OutOfTime:
            warn_of_no_comparison()
            return copy.copy(self)

    def _refined(self: _Refined, candidates: Array, max_iter: int, deadline: Deadline) -> _Refined:
        """The refined estimator, or a copy; `OutOfTime` if there is no time to compare both."""
        all_parameters = np.vstack([self._X, candidates])
        inner, base = find_regressor(self.regressor_), trained_model(self.regressor_, self._order)
        before, seconds = self._paths_before(candidates, deadline)
        # The new equation takes its time after the training.  If time is short, the points stay.
        reserve = self._equation_seconds * len(all_parameters) / len(self._X)
        points = self._equation.collocation if reserve > deadline.remaining / 3 else None
        networks, result = refine(
            self._equation.pde,
            base,
            self._X,
            candidates,
            max_iter=max_iter,
            deadline=deadline.earlier(seconds + min(reserve, deadline.remaining / 3)),
            seed=self._seed(),
            verbose=int(inner.verbose),
        )
        if same_weights(networks, base):
            # No step has reduced the error.
            return copy.copy(self)
        inputs = self._equation.model.transform(all_parameters)
        refined = inner._with_model(networks, inputs, result.loss_curve, result.error)
        out = copy.copy(self)
        out.regressor_ = replace_regressor(self.regressor_, refined)
        out._set_equation(all_parameters, collocation=points, deadline=deadline)
        # The errors of the cross-validation are those of the earlier networks.
        out._uncertainty = None
        return out if before is None else self._better(out, before, candidates, deadline)

    def _paths_before(
        self, candidates: Array, deadline: Deadline
    ) -> tuple[ComparedPaths | None, float]:
        """Paths to compare with, and the seconds that those of a refinement will take."""
        if self._equation.trust is None:
            return None, 0.0
        limit, started = deadline.share(_JUDGEMENT), time.perf_counter()
        before = compared_paths(self._equation, candidates, limit)
        seconds = _LONGER * (time.perf_counter() - started)
        return before, seconds if deadline.limited else 0.0

    def _better(
        self: _Refined, out: _Refined, before: ComparedPaths, candidates: Array, deadline: Deadline
    ) -> _Refined:
        """The refined estimator, with its trust, or a copy of this one if nothing is gained."""
        mine = self._equation
        assert mine.trust is not None
        changed = replace(out._equation, trust=mine.trust)
        after = compared_paths(changed, candidates, deadline)
        changed = replace(changed, trust=replace(mine.trust, ratio=after.ratio))
        expected = self._expected_errors(changed, candidates)
        if expected[1] > _WORSE * expected[0]:
            warn_of_worse_networks("refinement", *expected)
            return copy.copy(self)
        trust = renewed_trust(mine, changed, self._X)
        expected = before.expected_best(mine.trust), after.expected_best(trust)
        if expected[1] > _GAINED * expected[0]:
            warn_of_no_gain(*expected)
            return copy.copy(self)
        out._equation = replace(changed, trust=trust)
        return out

    @abstractmethod
    def _set_equation(self, X: Array, **limits: Any) -> None:
        """The latent equation, with collocation points and starts from these parameters."""

    def _seed(self) -> int:
        return int(check_random_state(self._fitted_params.random_state).randint(2**31 - 1))

    def _without_snapshots(self, X: ArrayLike) -> Array:
        """Rows of X that the regressor was not trained on."""
        candidates = self._in_order(validate_parameters(self, X))
        return candidates[~rows_among(candidates, self._X)]
