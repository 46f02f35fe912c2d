"""What a `CoLoRAGalerkin` learns from the equation alone: distillation and refinement."""

from __future__ import annotations

import copy
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
    LatentEquation,
    distill,
    field_gaps,
    refine,
    warn_of_no_gain,
)
from skcolora._nn import CoLoRAModel
from skcolora._snapshots import Array, rows_among, validate_parameters
from skcolora.utils._deadline import time_limit
from skcolora.utils._torch import with_default_torch_settings

# Factor of the expected error above which what was there before is kept.
_WORSE = 1.1

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
        UserWarning
            If the new hypernetwork is expected to be less accurate than that of the regressor, by
            what both violate of the equation at X.  A copy of the regressor is then returned.
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
        learnt = replace_regressor(self.regressor_, out)
        model = trained_model(learnt, self._order)
        before, after = self._expected_errors(replace(self._equation, model=model), candidates)
        if after > _WORSE * before:
            warn_of_no_gain("distillation", before, after)
            return copy.deepcopy(self.regressor_)
        return learnt

    def _expected_errors(self, changed: LatentEquation, candidates: Array) -> tuple[float, float]:
        """Mean errors that this regressor, and another one, should have at all parameters.

        They are 0 where nothing is known.
        """
        mine, X = self._equation, self._X
        if mine.trust is None or not len(candidates):
            return 0.0, 0.0
        gaps = field_gaps(mine.model, changed.model, X)
        found = (
            equation.expected_regressor_errors(candidates, X, gap)
            for equation, gap in ((mine, np.zeros(len(X))), (changed, gaps))
        )
        before, after = (float(np.nan_to_num(errors, nan=np.inf).mean()) for errors in found)
        return before, after

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
            predictions may be, as the cross-validation was that of other networks.

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
            by what they violate of the equation; a copy of this estimator is then returned.

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
        # The errors of the cross-validation are those of the earlier networks.
        out._uncertainty = None
        mine = self._equation
        if mine.trust is not None:
            changed = replace(out._equation, trust=mine.trust)
            before, after = self._expected_errors(changed, candidates)
            if after > _WORSE * before:
                warn_of_no_gain("refinement", before, after)
                return copy.copy(self)
            gaps = field_gaps(mine.model, changed.model, self._X)
            out._equation = replace(changed, trust=changed.renewed_trust(self._X, gaps))
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
