"""Warnings about doubtful predictions, each with advice to the user."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skcolora._galerkin._solution import GalerkinSolution, Status
from skcolora._snapshots import Array
from skcolora.pdes import PDE
from skcolora.utils._stack import caller_stacklevel

_LARGE_MISFIT = 0.05  # error of the initial field, relative to its variation
_LARGE_RESIDUAL = 0.1  # relative to the right-hand side
_FAR_OUTSIDE = 0.5  # relative to the diagonal of the box of the training states
_LOW_RANK = 0.5  # share of the latent directions


def warn_of_doubts(pde: PDE, X: Array, solution: GalerkinSolution) -> None:
    """Warn about failed trajectories and about doubtful predictions.

    Parameters
    ----------
    pde : PDE
    X : ndarray of shape (n, n_parameters)
    solution : GalerkinSolution
        Solution at the parameters X.
    """
    solved = solution.status != Status.REGRESSOR.name.lower()
    for status in (each for each in Status if each not in (Status.SUCCESS, Status.REGRESSOR)):
        failed = np.flatnonzero(solution.status == status.name.lower())
        if len(failed):
            i = failed[0]
            _warn(
                f"CoLoRAGalerkin: {_describe(pde, X, failed)} {status.advice}.  The "
                f"integration ended at t = {solution.time_reached[i]:.4g}; the prediction at later "
                "times is NaN.",
                ConvergenceWarning,
            )
    # The regularisation is there to damp many of the free directions.
    n_directions = solution.latent.shape[2] - solution._network.n_free
    low_rank = _min_over_times(solution.effective_rank) < _LOW_RANK * n_directions
    checks = [
        (
            np.nan_to_num(solution.initial_error) > _LARGE_MISFIT,
            solution.initial_error,
            "the network cannot represent the initial field (error {:.2g} of its variation); train "
            "it longer, with a larger `rank` or `width`, or on trajectories with such initial "
            "fields",
        ),
        (
            _max_over_times(solution.residual) > _LARGE_RESIDUAL,
            _max_over_times(solution.residual),
            "the latent state cannot follow the equation (relative residual up to {:.2g}); "
            "`refine` the model at such parameters, give the regressor more online weights "
            "(`rank` with adaptation='diagonal', `adapted_layers`), or train it at parameters "
            "nearer to these",
        ),
        (
            solution.outside > _FAR_OUTSIDE,
            solution.outside,
            "the latent state leaves the box of the training states by {:.2g} times its diagonal; "
            "check the residual, or train the regressor at parameters nearer to these",
        ),
        (
            low_rank,
            _min_over_times(solution.effective_rank),
            f"only {{:.2g}} of {n_directions} latent directions change the field; use "
            "more collocation points, a smaller `regularization`, or fewer online weights",
        ),
    ]
    for mask, values, message in checks:
        where = np.flatnonzero(mask & solved)
        if len(where):
            worst = values[where].min() if mask is low_rank else values[where].max()
            _warn(
                f"CoLoRAGalerkin: for {_describe(pde, X, where)} {message.format(worst)}.",
                UserWarning,
            )


def warn_of_fallback(
    pde: PDE, X: Array, solution: GalerkinSolution, chosen: Array, expected: Array
) -> None:
    """Warn about trajectories for which the regressor answers in place of the equation.

    Parameters
    ----------
    pde : PDE
    X : ndarray of shape (n, n_parameters)
    solution : GalerkinSolution
        Solution of the equation.
    chosen : ndarray of bool of shape (n,)
        Mask of these trajectories.
    expected : ndarray of shape (2, n)
        Errors that are expected of the equation and of the regressor.
    """
    kept = (
        "The regressor's answer stands in its place (status 'regressor'); `fallback=None` keeps "
        "the path of the equation."
    )
    for status in (each for each in Status if each not in (Status.SUCCESS, Status.REGRESSOR)):
        failed = np.flatnonzero(chosen & (solution.status == status.name.lower()))
        if len(failed):
            i = failed[0]
            _warn(
                f"CoLoRAGalerkin: {_describe(pde, X, failed)} {status.advice}.  The integration "
                f"ended at t = {solution.time_reached[i]:.4g}.  {kept}",
                ConvergenceWarning,
            )
    where = np.flatnonzero(chosen & (solution.status == "success"))
    if len(where):
        mine, theirs = expected[:, where[0]]
        _warn(
            f"CoLoRAGalerkin: for {_describe(pde, X, where)} the path of the equation is expected "
            f"to have an error of about {mine:.2g} of the variation, and the regressor of "
            f"{theirs:.2g}, by what their residuals meant at training parameters.  {kept}",
            UserWarning,
        )


def warn_of_worse_networks(what: str, before: float, after: float) -> None:
    """Warn that networks that learnt from the equation are not used.

    Parameters
    ----------
    what : str
        Name of the training.
    before, after : float
        Errors that are expected of the regressor now, and of the new networks.
    """
    _warn(
        f"CoLoRAGalerkin: the {what} would have made the regressor less accurate, with an expected "
        f"error of {after:.2g} of the variation in place of {before:.2g}, by what both violate of "
        "the equation and by their errors at training parameters; what was there before is "
        "returned.  Try more steps, or parameters nearer to the training parameters.",
        UserWarning,
    )


def warn_of_no_gain(before: float, after: float) -> None:
    """Warn that refined networks are not used, because no more accurate paths are expected.

    Parameters
    ----------
    before, after : float
        Errors that are expected of the paths, or of the regressor where it is better.
    """
    _warn(
        "CoLoRAGalerkin: the refinement would not have made the estimator clearly more accurate, "
        f"with an expected error of {after:.2g} of the variation in place of {before:.2g}; what "
        "was there before is returned.  If that is not enough, try more steps, or parameters "
        "nearer to the training parameters; an error near that at the training parameters falls "
        "with more training of the regressor.",
        UserWarning,
    )


def warn_of_no_comparison() -> None:
    """Warn that refined networks are not used, because there was no time to compare paths."""
    _warn(
        "CoLoRAGalerkin: `max_time` was not enough to solve the equation before and after the "
        "refinement, and so to compare both; what was there before is returned.  Give more "
        "`max_time`.",
        UserWarning,
    )


def warn_of_drift(pde: PDE, X: Array, failed: Any, names: list[str]) -> None:
    """Warn about trajectories whose conserved quantities changed.

    Parameters
    ----------
    pde : PDE
    X : ndarray of shape (n, n_parameters)
    failed : ndarray of bool of shape (n,)
        Mask of these trajectories.
    names : list of str
        Names of the conserved quantities.
    """
    where = np.flatnonzero(failed)
    if len(where):
        _warn(
            f"CoLoRAGalerkin: for {_describe(pde, X, where)} the solver found no latent "
            "state with the initial integrals of the quantities to `conserve` "
            f"({', '.join(names)}); conserve fewer quantities, or give the regressor more online "
            "weights.",
            ConvergenceWarning,
        )


def _max_over_times(values: Array) -> Array:
    """Maximum of values (n, n_times) over the times, (n,); NaN is ignored."""
    return np.nan_to_num(values, nan=-np.inf).max(axis=1)


def _min_over_times(values: Array) -> Array:
    """Minimum of values (n, n_times) over the times, (n,); NaN is ignored."""
    return np.nan_to_num(values, nan=np.inf).min(axis=1)


def _describe(pde: PDE, X: Array, indices: Any) -> str:
    """Parameters of the first trajectory and the number of the other trajectories."""
    more = f" and {len(indices) - 1} more" if len(indices) > 1 else ""
    return pde.describe(X[indices[0]]) + more


def _warn(message: str, category: type[Warning]) -> None:
    warnings.warn(message, category, stacklevel=caller_stacklevel())
