"""Warnings about predictions that are not to be trusted, with what to change."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skcolora._galerkin._solution import GalerkinSolution, Status
from skcolora._snapshots import Array
from skcolora.pdes import PDE

_LARGE_MISFIT = 0.05  # of the initial field
_LARGE_RESIDUAL = 0.1  # of the right-hand side
_FAR_OUTSIDE = 0.5  # diagonals of the box of the training states
_LOW_RANK = 0.5  # of the latent directions


def warn_of(pde: PDE, X: Array, solution: GalerkinSolution) -> None:
    """Warn of failures, and of what makes predictions doubtful."""
    for status in (Status.MAX_STEPS, Status.NOT_FINITE, Status.STEP_TOO_SMALL):
        failed = np.flatnonzero(solution.status == status.name.lower())
        if len(failed):
            i = failed[0]
            _warn(
                f"CoLoRAGalerkin: {_where(pde, X, failed)} {status.advice}.  It ended at t = "
                f"{solution.time_reached[i]:.4g}; the prediction is NaN from there on.",
                ConvergenceWarning,
            )
    low = _least(solution.effective_rank) < _LOW_RANK * solution.latent.shape[2]
    checks = [
        (
            np.nan_to_num(solution.initial_error) > _LARGE_MISFIT,
            solution.initial_error,
            "the network cannot hold the initial field (relative error {:.2g}); train it longer, "
            "with a larger `rank` or `width`, or on trajectories that start like this one",
        ),
        (
            _most(solution.residual) > _LARGE_RESIDUAL,
            _most(solution.residual),
            "the latent state cannot follow the equation (relative residual up to {:.2g}); "
            "`refine` the model at such parameters, give the regressor more online weights "
            "(`rank` with adaptation='diagonal', `adapted_layers`), or train it nearer to this one",
        ),
        (
            solution.outside > _FAR_OUTSIDE,
            solution.outside,
            "the latent state leaves the region of the training states by {:.2g} times its "
            "size; check the residual, or train on parameters nearer to this one",
        ),
        (
            low,
            _least(solution.effective_rank),
            f"only {{:.2g}} of {solution.latent.shape[2]} latent directions move the field; take "
            "more collocation points, a smaller `regularization`, or fewer online weights",
        ),
    ]
    for mask, values, message in checks:
        where = np.flatnonzero(mask)
        if len(where):
            worst = values[where].min() if mask is low else values[where].max()
            _warn(
                f"CoLoRAGalerkin: for {_where(pde, X, where)} {message.format(worst)}.",
                UserWarning,
            )


def warn_of_drift(pde: PDE, X: Array, failed: Any, names: list[str]) -> None:
    """Warn of trajectories whose conserved quantities could not be kept."""
    where = np.flatnonzero(failed)
    if len(where):
        _warn(
            f"CoLoRAGalerkin: for {_where(pde, X, where)} no latent state nearby has the "
            f"integrals to `conserve` ({', '.join(names)}); conserve fewer quantities, or give "
            "the regressor more online weights.",
            ConvergenceWarning,
        )


def _most(values: Array) -> Array:
    return np.nan_to_num(values, nan=-np.inf).max(axis=1)


def _least(values: Array) -> Array:
    return np.nan_to_num(values, nan=np.inf).min(axis=1)


def _where(pde: PDE, X: Array, indices: Any) -> str:
    more = f" and {len(indices) - 1} more" if len(indices) > 1 else ""
    return pde.describe(X[indices[0]]) + more


def _warn(message: str, category: type[Warning]) -> None:
    # solve is called by the user or by predict; both are in this package.
    warnings.warn(message, category, stacklevel=4)
