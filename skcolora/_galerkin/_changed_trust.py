"""What the trust says about networks that have changed since it was learnt."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from skcolora._galerkin._initial_fields import initial_fields
from skcolora._galerkin._latent_equation import LatentEquation
from skcolora._galerkin._solution import GalerkinSolution
from skcolora._galerkin._trained_model import field_gaps
from skcolora._galerkin._trust import Trust, error_ratio
from skcolora._snapshots import Array, spread_evenly
from skcolora.utils._deadline import Deadline
from skcolora.utils._torch import as_tensor

# Largest numbers of parameters, without and with snapshots, at which the paths before and after a
# change are compared.
_MAX_COMPARED, _MAX_SEEN = 4, 3


class OutOfTime(RuntimeError):
    """No time was left to solve the equation where paths were to be compared."""


def expected_regressor_errors(
    equation: LatentEquation, X: Array, seen: Array, changes: Array
) -> Array:
    """Errors that the regressor should have, (n + n_seen,).

    Parameters
    ----------
    equation : LatentEquation
        The equation of the networks, with the trust of the networks before.
    X : ndarray of shape (n, n_parameters)
        Parameters without snapshots, whose errors come from what it violates of the equation.
    seen : ndarray of shape (n_seen, n_parameters)
        Parameters with snapshots.
    changes : ndarray of shape (n_seen,)
        Changes of the fields there since their errors were measured.
    """
    assert equation.trust is not None
    known = initial_fields(equation.pde, equation.model.layout, X, None)
    solution = equation.regressor_solution(X, equation.model.layout.times, known)
    before = _changed_errors(equation, seen, np.zeros(len(seen)))
    after = _changed_errors(equation, seen, changes)
    # Errors at parameters without snapshots have grown as much as those with snapshots.
    growth = after.mean() / max(before.mean(), 1e-300)
    trust = replace(equation.trust, errors=growth * equation.trust.errors)
    return np.concatenate([trust.of_regressor(equation.nodes(X), solution), after])


def with_new_ratio(
    equation: LatentEquation,
    before: LatentEquation,
    seen: Array,
    deadline: Deadline,
) -> LatentEquation:
    """The equation of networks that have changed, with the ratio of its errors and indicators.

    Training on the residual lowers the indicator more than the error.  At parameters with
    snapshots, the distances of both paths from the fields that the regressor has learnt there say
    how much the error has changed, as far as these fields are right.

    Parameters
    ----------
    equation, before : LatentEquation
        The equations after and before the change, both with the trust before it.
    seen : ndarray of shape (n_seen, n_parameters)
        Parameters with snapshots.
    deadline : Deadline
        Time limit.

    Raises
    ------
    OutOfTime
    """
    assert equation.trust is not None
    X = seen[spread_evenly(len(seen), _MAX_SEEN)]
    least, _ = equation.trust.nearest(equation.nodes(X), equation.trust.times)
    ratios = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each, share in ((before, 0.5), (equation, 1.0)):
            solution = _solved(each, X, deadline.share(share))
            latent = as_tensor(solution.latent)
            gaps = field_gaps(before.model, each.model, X, latent)
            # At least: a distance within the error of the regressor tells nothing.
            errors = np.maximum(least, np.nan_to_num(gaps, nan=np.inf) - least)
            ratios.append(error_ratio(solution.error_indicator, errors))
    # If the paths failed before, or were exact, there is nothing to compare with.
    known_before = np.isfinite(ratios[0]) and ratios[0] > 0
    change = ratios[1] / ratios[0] if known_before else 1.0
    return replace(equation, trust=replace(equation.trust, ratio=change * equation.trust.ratio))


def expected_best(equation: LatentEquation, X: Array, deadline: Deadline) -> float:
    """Mean error that the better half should have at some of the parameters (n, n_parameters).

    Raises `OutOfTime` if the deadline passes before the paths are found.
    """
    X = X[spread_evenly(len(X), _MAX_COMPARED)]
    times = equation.model.layout.times
    known = initial_fields(equation.pde, equation.model.layout, X, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solution = _solved(equation, X, deadline)
        other = equation.regressor_solution(X, times, known)
    return float(equation.expected_errors(X, solution, other).min(axis=0).mean())


def _solved(equation: LatentEquation, X: Array, deadline: Deadline) -> GalerkinSolution:
    """The paths of an equation at the times of the snapshots; see `OutOfTime`."""
    times = equation.model.layout.times
    known = initial_fields(equation.pde, equation.model.layout, X, None)
    start = equation.start(X, known, deadline=deadline)
    solution = equation.diagnose(X, times, start, equation.path(X, times, start, deadline))
    if (solution.status == "max_time").any():
        raise OutOfTime
    return solution


def renewed_trust(equation: LatentEquation, seen: Array, changes: Array) -> Trust:
    """The trust of networks whose fields at parameters with snapshots have changed.

    The arguments are those of `expected_regressor_errors`.
    """
    assert equation.trust is not None
    known = initial_fields(equation.pde, equation.model.layout, seen, None)
    solution = equation.regressor_solution(seen, equation.model.layout.times, known)
    return replace(
        equation.trust,
        nodes=equation.nodes(seen),
        errors=_changed_errors(equation, seen, changes),
        indicators=solution.error_indicator,
    )


def _changed_errors(equation: LatentEquation, seen: Array, changes: Array) -> Array:
    """Errors (n_seen,) of the regressor after its fields have changed.

    Before and after, the errors differ by the change, so that a small one tells nothing.
    """
    assert equation.trust is not None
    before, _ = equation.trust.nearest(equation.nodes(seen), equation.trust.times)
    return np.maximum(before, np.sqrt(np.maximum(changes**2 - before**2, 0.0)))
