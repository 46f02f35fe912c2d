"""The two halves of a `CoLoRAGalerkin`, the equation and the regressor: settings and choice."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any

from sklearn.utils import check_random_state

from skcolora._estimators._distill_and_refine import DistillAndRefine
from skcolora._estimators._galerkin_trust import Choice, judge, regularizations
from skcolora._estimators._unwrap import find_regressor, trained_model
from skcolora._galerkin import (
    GalerkinSolution,
    LatentEquation,
    TrainedModel,
    build_equation,
    combine,
    initial_fields,
    step_tolerance,
    warn_of_fallback,
)
from skcolora._snapshots import Array, SnapshotLayout, StoredRows
from skcolora.utils._deadline import Deadline
from skcolora.utils._sklearn import in_search
from skcolora.utils._stack import caller_stacklevel


class BothHalves(DistillAndRefine):
    """An estimator whose predictions come from an equation or from its regressor.

    The settings in use are ``norm_``, ``regularization_`` and ``free_output_``.
    """

    norm_: str
    regularization_: float
    free_output_: bool
    rtol_: float
    collocation_: Array
    _layout: SnapshotLayout

    def _judge(self, X: Array, rows: Array | StoredRows, deadline: Deadline) -> None:
        """Choose the settings, and learn which half to trust, from some trajectories."""
        params = self._fitted_params
        try:
            self._equation = judge(
                self._equation,
                find_regressor(self.regressor_),
                X,
                rows,
                choice=Choice(
                    norm=params.norm == "auto",
                    regularization=params.regularization == "auto",
                    output=self._with_free_output if params.free_output == "auto" else None,
                ),
                deadline=deadline,
            )
        except KeyboardInterrupt:
            if in_search():
                raise
            warnings.warn(
                "The equation was not solved at training parameters, because the user interrupted; "
                "the fit is kept, and only paths that fail are replaced.",
                UserWarning,
                stacklevel=caller_stacklevel(),
            )
        chosen = self._equation
        self.norm_, self.regularization_ = chosen.norm, chosen.regularization
        self.free_output_ = chosen.free_output
        self.collocation_ = chosen.collocation.points.numpy()
        if params.fallback is None:
            self._equation = replace(self._equation, trust=None)

    def _with_free_output(self, equation: LatentEquation, deadline: Deadline) -> LatentEquation:
        """The equation with a free output, and with the regularisation that this needs."""
        fixed = self._fitted_params.regularization != "auto"
        settings: dict[str, Any] = {
            "norm": equation.norm,
            "regularization": equation.regularization if fixed else regularizations(True)[0],
            "free_output": True,
            "deadline": deadline,
        }
        model = trained_model(self.regressor_, self._order)
        return self._new_equation(model, self._X, self.rtol_, self._seed(), **settings)

    def _set_equation(self, X: Array, **limits: Any) -> None:
        """The latent equation, with collocation points and starts from these parameters."""
        started = time.perf_counter()
        model = trained_model(self.regressor_, self._order)
        seed = self._fitted_params.random_state
        self._equation = self._new_equation(model, X, self.rtol_, seed, **limits)
        self.collocation_ = self._equation.collocation.points.numpy()
        if limits.get("collocation") is None:
            self._equation_seconds = time.perf_counter() - started
        self._layout, self._X = model.layout, X

    def _tolerance(self, error: float) -> float:
        """Tolerance of a step with networks that have this training error."""
        given: float | None = self._fitted_params.rtol
        return step_tolerance(error) if given is None else given

    def _new_equation(
        self, model: TrainedModel, X: Array, rtol: float, seed: Any, **changes: Any
    ) -> LatentEquation:
        params = self._fitted_params
        settings = {
            "norm": self.norm_,
            "regularization": self.regularization_,
            "free_output": self.free_output_,
            **changes,
        }
        return build_equation(
            model,
            X,
            pde=params.pde,
            rule=params.collocation,
            n_points=params.n_collocation,
            rng=check_random_state(seed),
            conserve=params.conserve,
            method=params.method,
            rtol=rtol,
            substeps=params.substeps,
            max_steps=params.max_steps,
            **settings,
        )

    def _paths(
        self, X: Array, times: Array, initial: Any, *, silent: bool = False
    ) -> GalerkinSolution:
        equation = self._equation
        known = initial_fields(equation.pde, self._layout, X, initial)
        solution = equation.integrate(X, times, equation.start(X, known))
        if initial is not None or times[-1] > self._layout.times[-1]:
            return solution
        return self._with_fallback(equation, X, solution, known, silent=silent)

    def _with_fallback(
        self,
        equation: LatentEquation,
        X: Array,
        solution: GalerkinSolution,
        known: tuple[Array, Array] | None,
        *,
        silent: bool = True,
    ) -> GalerkinSolution:
        """The solution, with the paths of the regressor where those are to be trusted more."""
        if self._fitted_params.fallback is None:
            return solution
        other = equation.regressor_solution(X, solution.times, known)
        chosen = solution.status != "success"
        expected = equation.expected_errors(X, solution, other)
        if self._fitted_params.conserve is None:
            chosen |= expected[1] < expected[0]
        chosen &= solution.status != "max_time"
        if not silent:
            warn_of_fallback(equation.pde, X, solution, chosen, expected)
        return combine(solution, other, chosen)

    def _silent_paths(self, X: Array, initial: Any = None) -> GalerkinSolution:
        """Solution at the times of ``fit``, which only serves to tell how wrong it may be."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._paths(X, self._layout.times, initial, silent=True)
