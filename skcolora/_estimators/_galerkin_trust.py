"""What the training trajectories say about the latent equation: its settings and its errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from skcolora._galerkin import (
    GalerkinSolution,
    LatentEquation,
    Trust,
    can_whiten,
    error_ratio,
    initial_fields,
    known_snapshots,
    path_difficulty,
)
from skcolora._snapshots import Array, StoredRows, spread_evenly
from skcolora.utils._deadline import Deadline

# Largest numbers of trajectories whose errors are looked at, and at which the equation is solved.
_MAX_LEARNT, _MAX_SOLVED = 32, 3
# Another setting is tried if errors exceed those of the regressor by the first factor: at training
# parameters for norm and regularisation, and also between them for a free output.  It is taken if
# it reduces all errors by the second factor.
_GOOD, _BETTER = 2.0, 0.8


def regularizations(free_output: bool) -> tuple[float, ...]:
    """Choices of the regularisation.  The many directions of a free output need more at first."""
    return (1e-4, 1e-5, 1e-3) if free_output else (1e-8, 1e-4, 1e-3)


class _Judged(NamedTuple):
    """An equation and its paths at some training trajectories, and between these."""

    equation: LatentEquation
    indicators: Array
    """Error indicators, (n, n_times)"""
    errors: Array
    """Errors relative to the variation, over the times that were reached, (n,)"""
    difficulty: Array
    """`path_difficulty` between the training trajectories"""

    @property
    def ratio(self) -> float:
        """Ratio of errors and indicators, of the paths that got far enough in time."""
        told = ~np.isnan(self.errors)
        return error_ratio(self.indicators[told], self.errors[told]) if told.any() else np.inf

    @property
    def error(self) -> float:
        """Mean error at training trajectories; infinite if a path failed."""
        return float(np.nan_to_num(self.errors, nan=np.inf).mean())

    @property
    def score(self) -> float:
        """Mean of the errors, and of those to expect between; infinite if a path failed."""
        with np.errstate(all="ignore"):
            errors = np.concatenate([self.errors, self.ratio * self.difficulty])
        return float(np.nan_to_num(errors, nan=np.inf).mean())


class Choice(NamedTuple):
    """Which settings of the equation are to be chosen."""

    norm: bool
    regularization: bool
    output: Callable[..., LatentEquation] | None
    """Frees the output of an equation, before a deadline; None: it is not to be chosen"""


def judge(
    equation: LatentEquation,
    regressor: Any,
    X: Array,
    rows: Array | StoredRows,
    *,
    choice: Choice,
    deadline: Deadline,
) -> LatentEquation:
    """Compare both halves with the snapshots of some trajectories.

    Parameters
    ----------
    equation : LatentEquation
    regressor : CoLoRARegressor
        The innermost regressor.
    X : ndarray of shape (n_trajectories, n_parameters)
    rows : ndarray or StoredRows of shape (n_trajectories, n_times, n_points, n_fields)
        Stored snapshots are not read: the fields of the regressor, with its training error, stand
        for them.
    choice : Choice
        The settings that are chosen.
    deadline : Deadline
        Time limit.

    Returns
    -------
    equation : LatentEquation
        With the settings that were chosen, and the trust; without trust if the equation
        defines no initial fields.
    """
    if not equation.pde.has_initial:
        return equation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        many = spread_evenly(len(X), _MAX_LEARNT)
        few, times = spread_evenly(len(X), _MAX_SOLVED), equation.model.layout.times
        learnt, known = (
            known_snapshots(equation.model, X, rows, some, error=regressor.best_loss_)
            for some in (many, few)
        )
        initial = initial_fields(equation.pde, equation.model.layout, X[many], None)
        solution = equation.regressor_solution(X[many], times, initial)
        errors = learnt.errors(equation.model, solution)
        good = _GOOD * float(errors[np.isin(many, few)].mean())
        looked_at = np.vstack([X[few], _between(equation, X, few)])
        initial = initial_fields(equation.pde, equation.model.layout, looked_at, None)

        def judged(trial: LatentEquation) -> _Judged:
            paths = _solved(trial, looked_at, initial, deadline)
            errors = known.errors(trial.model, paths)
            indicators = paths.error_indicator[: len(few)]
            return _Judged(trial, indicators, errors, path_difficulty(paths)[len(few) :])

        def better(change: Callable[[LatentEquation], LatentEquation]) -> _Judged:
            """The best so far, or a change of it that is clearly better."""
            if deadline.passed:
                return best
            found = judged(change(best.equation))
            return found if found.score < _BETTER * best.score else best

        best = judged(equation)
        if choice.norm and best.error > good and can_whiten(equation.pde, equation.collocation):
            best = better(lambda equation: equation.whitened(X))
        if choice.output is not None and best.score > good:
            best = better(partial(choice.output, deadline=deadline))
        if choice.regularization:
            for other in regularizations(best.equation.free_output)[1:]:
                if best.error > good:
                    best = better(partial(replace, regularization=other))
    nodes, left_out = equation.nodes(X), regressor._uncertainty
    trust = Trust(
        # Where no path got far enough in time, the indicator stands for the error.
        ratio=1.0 if np.isnan(best.errors).all() else best.ratio,
        nodes=nodes[many],
        errors=errors,
        times=solution.times,
        indicators=solution.error_indicator,
        learnt=nodes,
        known=known,
        unseen=0.0 if left_out is None else left_out.ratio,
    )
    return replace(best.equation, trust=trust)


def _between(equation: LatentEquation, X: Array, chosen: Any) -> Array:
    """Parameters halfway between some training parameters and their nearest neighbours."""
    nodes = equation.nodes(X)
    distances = cdist(nodes[chosen], nodes)
    distances[distances == 0.0] = np.inf
    near = distances.argmin(axis=1)
    return np.unique((X[chosen] + X[near]) / 2, axis=0)


def _solved(
    equation: LatentEquation,
    X: Array,
    known: tuple[Array, Array] | None,
    deadline: Deadline,
) -> GalerkinSolution:
    """The paths of the equation."""
    times = equation.model.layout.times
    start = equation.start(X, known, deadline=deadline)
    return equation.diagnose(X, times, start, equation.path(X, times, start, deadline))
