"""sample_greedily: run a solver where a model needs it most, until the model is good enough."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar

from skcolora._estimators._unwrap import find_suggesting
from skcolora.model_selection._candidates import Candidates
from skcolora.model_selection._result import GreedyResult
from skcolora.model_selection._sampling import Sampling, StopRule
from skcolora.utils._sklearn import BaseSearchCV

# Folds of a search without `cv`.
_FOLDS_OF_SEARCH = 5


def sample_greedily(
    estimator: Any,
    solve: Callable[[Any], ArrayLike],
    candidates: Any,
    *,
    n_initial: int | None = None,
    n_per_round: int = 1,
    target_error: float | None = None,
    n_below: int = 3,
    max_runs: int = 20,
    X: Any = None,
    y: ArrayLike | None = None,
    multioutput: str = "joint",
    verbose: int = 0,
) -> GreedyResult:
    """Run a solver where a model needs it most, until the model is good enough.

    A few initial runs are spread over the candidates.  Then each round fits the estimator on all
    runs, asks it which candidates it needs most (``suggest``), runs the solver there, and measures
    the error of the prediction there, before it is trained on.  This is the weak greedy algorithm
    of reduced-basis methods [1]_, with a model whose errors are estimated and not bounded.

    Parameters
    ----------
    estimator : estimator
        `CoLoRARegressor`, `CoLoRAGalerkin`, or a pipeline or search that ends in one.  It is
        cloned for each fit, so that it remains as it is.
    solve : callable
        ``solve(X) -> y``, where X holds n rows of the candidates and y their snapshots,
        (n, n_times, ...), in the layout of ``fit``.  The first call has all initial rows, and
        each later one those of a round, so that they can be solved side by side, as `PDE.solve`
        does with ``n_jobs``.
    candidates : array-like or DataFrame of shape (n_candidates, n_parameters)
        Parameters at which the solver may be run, such as a fine grid or some hundred random
        rows.  No candidate is run twice.  The names of the columns are kept.
    n_initial : int, default=None
        Number of runs before the first fit, those of X among them.  None: twice the number of
        parameters and one more, or the folds of a cross-validation in the estimator, if those are
        more, but at most what ``max_runs`` allows.
    n_per_round : int, default=1
        Number of candidates that are run before the next fit.
    target_error : float, default=None
        The sampling stops when the errors are at most ``target_error``, relative to the
        variation: see ``n_below`` and the Notes.  None: it uses all runs.
    n_below : int, default=3
        Number of runs in a row, with all of the last round, whose errors must be at most
        ``target_error``, so that one easy candidate does not end the sampling.
    max_runs : int, default=20
        Largest number of runs in this call, those that fail among them.
    X : array-like or DataFrame of shape (n_runs, n_parameters), default=None
        Parameters of runs that exist.  They need not be candidates.
    y : array-like of shape (n_runs, n_times, ...), default=None
        Snapshots of runs that exist.
    multioutput : {"joint", "uniform_average"}, default="joint"
        How the errors of several fields become one: as in
        `~skcolora.metrics.relative_l2_error`.
    verbose : int, default=0
        A positive number shows a progress bar with the last error.

    Returns
    -------
    result : GreedyResult
        All runs, the estimator fitted on them, and the errors of the runs that it asked for.

    Raises
    ------
    TypeError
        If the estimator has no method ``suggest``, or ``solve`` is not callable.
    ValueError
        If an argument has the wrong shape or range, before any run.
    SamplingError
        If the solver, a fit or a prediction fails after runs of the solver.  Its attribute
        ``result`` holds the runs so far; its cause is the failure.  Before, the failure comes to
        you unchanged.

    Warns
    -----
    UserWarning
        If a candidate is left out because the solver returned NaN or infinity there, or if the
        user interrupts (Ctrl-C): then the result holds the runs so far.

    See Also
    --------
    CoLoRARegressor.suggest : The candidates that a fitted model needs most.

    Notes
    -----
    The errors are ``relative_l2_error(..., centered=True)``.  Each was measured at a candidate
    that was expected to be among the worst, by a model with fewer runs than the last one.  The
    errors of the last model at other candidates are therefore mostly smaller, but no bound.

    The initial runs are the corners of the candidates first, then those that are farthest from
    all before them.  Distances are in ranks of the values of each parameter, so that
    logarithmically spaced candidates give logarithmically spaced runs.

    A solver that fails at some parameters should return NaN for these rows: they are left out,
    and the sampling goes on.  A `~skcolora.pdes.SolverError` counts alike.  Any other exception
    ends the sampling.  To go on, after it or after an earlier call, give the runs of its result
    as X and y.

    No `ExtrapolationWarning` appears for the predictions that are compared with a run: the error
    says what it would fear, and the next fit has the run.

    References
    ----------
    .. [1] P. Binev, A. Cohen, W. Dahmen, R. DeVore, G. Petrova, P. Wojtaszczyk, "Convergence
       rates for greedy algorithms in reduced basis methods", SIAM J. Math. Anal. 43 (2011),
       1457-1472.

    Examples
    --------
    >>> from skcolora import CoLoRARegressor
    >>> from skcolora.datasets import make_advection
    >>> from skcolora.model_selection import sample_greedily
    >>> grid = {"n_points": 32, "times": np.linspace(0, 1, 6), "width": 0.1}
    >>> def solve(X):
    ...     return make_advection(X, **grid).y
    >>> candidates = np.linspace(0.5, 1.5, 21).reshape(-1, 1)
    >>> network = CoLoRARegressor(times=grid["times"], period=1.0, max_iter=10, random_state=0)
    >>> result = sample_greedily(network, solve, candidates, max_runs=5)
    >>> result.X[:3].ravel()
    array([0.5, 1.5, 1. ])
    >>> result.n_runs, result.y.shape, result.stopped
    (array([3, 4]), (5, 6, 32), 'max_runs')
    """
    find_suggesting(estimator)
    if not callable(solve):
        raise TypeError(f"`solve` must be a function of X; got {type(solve).__name__}.")
    checked = Candidates(candidates)
    for name, value in (("n_per_round", n_per_round), ("n_below", n_below), ("max_runs", max_runs)):
        check_scalar(value, name, (int, np.integer), min_val=1)
    if target_error is not None:
        check_scalar(target_error, "target_error", Real, min_val=0)
    if multioutput not in ("joint", "uniform_average"):
        raise ValueError(
            f"`multioutput` must be 'joint' or 'uniform_average'; got {multioutput!r}."
        )
    if (X is None) != (y is None):
        given, missing = ("y", "X") if X is None else ("X", "y")
        raise ValueError(f"{given} was given without {missing}; give both or none of them.")
    sampling = Sampling(
        estimator,
        solve,
        checked,
        stop=StopRule(target_error, n_below, max_runs),
        n_per_round=n_per_round,
        multioutput=multioutput,
        verbose=int(verbose),
    )
    if X is not None:
        sampling.take(X, y)
    return sampling.run(_check_n_initial(n_initial, estimator, checked, sampling))


def _check_n_initial(
    n_initial: int | None, estimator: Any, candidates: Candidates, sampling: Sampling
) -> int:
    """Number of runs before the first fit, or a ValueError if there cannot be so many."""
    folds = _folds(estimator)
    most = sampling.n_known + min(sampling.n_left, len(sampling.open()))
    if n_initial is None:
        n_initial = min(max(2 * candidates.n_parameters + 1, folds), most)
    check_scalar(n_initial, "n_initial", (int, np.integer), min_val=1)
    if n_initial > most:
        raise ValueError(
            f"`n_initial` is {n_initial}, but only {most} runs are possible: {sampling.n_known} "
            f"exist, `max_runs` allows {sampling.n_left} more, and {len(sampling.open())} "
            "candidates are left."
        )
    if max(n_initial, sampling.n_known) < folds:
        raise ValueError(
            f"The estimator has a cross-validation of {folds} folds and needs as many runs before "
            f"the first fit; got {n_initial}.  Raise `n_initial` and `max_runs`."
        )
    return n_initial


def _folds(estimator: Any) -> int:
    """The largest number of folds among the parameters of an estimator; 0 without any."""
    parameters = estimator.get_params()
    found = [v for k, v in parameters.items() if k.split("__")[-1] == "cv" and isinstance(v, int)]
    if isinstance(estimator, BaseSearchCV) and estimator.cv is None:
        found.append(_FOLDS_OF_SEARCH)
    return max(found, default=0)
