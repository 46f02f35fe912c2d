"""What the trust says about networks that have changed since it was learnt."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skcolora._galerkin._initial_fields import initial_fields
from skcolora._galerkin._latent_equation import LatentEquation
from skcolora._galerkin._solution import GalerkinSolution, subset
from skcolora._galerkin._trust import Trust, error_ratio
from skcolora._snapshots import Array, spread_evenly
from skcolora.utils._deadline import Deadline

# Largest number of parameters without snapshots at which the paths before and after a change are
# compared, and of those with snapshots that the regressor is told to violate the equation usually.
_MAX_COMPARED, _MAX_SEEN = 4, 32


class OutOfTime(RuntimeError):
    """No time was left to solve the equation where paths were to be compared."""


def expected_regressor_errors(
    before: LatentEquation, after: LatentEquation, X: Array
) -> tuple[float, float]:
    """Mean errors that the regressors of two equations should have.

    Those at parameters (n, n_parameters) without snapshots come from what they violate of the
    equation; those at a few parameters with snapshots are known.

    Parameters
    ----------
    before, after : LatentEquation
        The equations before and after a change of the networks, both with the trust of those
        before; the second one may have a ratio of its own.
    X : ndarray of shape (n, n_parameters)
    """
    known, growth = _known_errors(before, after)
    means = []
    for equation, seen, factor in zip((before, after), known, (1.0, growth), strict=True):
        trust = equation.trust
        assert trust is not None
        # What trajectories that were left out say is the same before and after.
        trust = replace(trust, errors=factor * trust.errors, unseen=0.0)
        times = equation.model.layout.times
        initial = initial_fields(equation.pde, equation.model.layout, X, None)
        solution = equation.regressor_solution(X, times, initial)
        new = trust.of_regressor(equation.nodes(X), solution)
        means.append(float(np.nan_to_num(np.concatenate([new, seen]), nan=np.inf).mean()))
    return means[0], means[1]


class ComparedPaths(NamedTuple):
    """Paths of an equation at a few parameters, to be compared with those of another one."""

    equation: LatentEquation
    new: Array
    """Parameters without snapshots, (n_new, n_parameters)"""
    solution: GalerkinSolution
    """Paths at the parameters whose snapshots are known, and then at the new ones"""

    @property
    def ratio(self) -> float:
        """Ratio of the errors and the indicators of the paths whose snapshots are known."""
        trust, model = self.equation.trust, self.equation.model
        assert trust is not None
        errors = trust.known.errors(model, self.solution)
        return error_ratio(self.solution.error_indicator[: len(errors)], errors)

    def expected_best(self, trust: Trust) -> float:
        """Mean error that the better half should have at the new parameters.

        If there are none, it is that at those whose snapshots are known.
        """
        equation, known = self.equation, trust.known.X
        X, first = (self.new, len(known)) if len(self.new) else (known, 0)
        equation, layout = replace(equation, trust=trust), equation.model.layout
        initial = initial_fields(equation.pde, layout, X, None)
        other = equation.regressor_solution(X, layout.times, initial)
        mine = subset(self.solution, first + np.arange(len(X)))
        return float(equation.expected_errors(X, mine, other).min(axis=0).mean())


def compared_paths(equation: LatentEquation, X: Array, deadline: Deadline) -> ComparedPaths:
    """The paths at the parameters whose snapshots are known, and at some others, X.

    Raises `OutOfTime` if the deadline passes before they are found.
    """
    assert equation.trust is not None
    X, times = X[spread_evenly(len(X), _MAX_COMPARED)], equation.model.layout.times
    both = np.vstack([equation.trust.known.X, X])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        initial = initial_fields(equation.pde, equation.model.layout, both, None)
        start = equation.start(both, initial, deadline=deadline)
        path = equation.path(both, times, start, deadline)
        solution = equation.diagnose(both, times, start, path)
    if (solution.status == "max_time").any():
        raise OutOfTime
    return ComparedPaths(equation, X, solution)


def renewed_trust(before: LatentEquation, after: LatentEquation, seen: Array) -> Trust:
    """The trust of networks that have changed; its errors have grown as the known ones have.

    The arguments are those of `expected_regressor_errors`, and parameters (n, n_parameters) with
    snapshots.
    """
    trust = after.trust
    assert trust is not None
    seen = seen[spread_evenly(len(seen), _MAX_SEEN)]
    initial = initial_fields(after.pde, after.model.layout, seen, None)
    solution = after.regressor_solution(seen, after.model.layout.times, initial)
    errors, _ = trust.nearest(before.nodes(seen), trust.times)
    return replace(
        trust,
        nodes=after.nodes(seen),
        errors=_known_errors(before, after)[1] * errors,
        indicators=solution.error_indicator,
    )


def _known_errors(
    before: LatentEquation, after: LatentEquation
) -> tuple[tuple[Array, Array], float]:
    """Errors of both regressors where snapshots are known, and the growth of their mean."""
    assert before.trust is not None
    known, times = before.trust.known, before.model.layout.times
    old, new = (
        known.errors(each.model, each.regressor_solution(known.X, times, None))
        for each in (before, after)
    )
    return (old, new), float(new.mean() / max(old.mean(), np.finfo(float).tiny))
