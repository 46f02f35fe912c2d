"""What an integration of the latent state found, and how far it is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from numpy.typing import NDArray

from skcolora._snapshots import Array


@dataclass(frozen=True, eq=False)
class GalerkinSolution:
    """Latent paths of the trajectories, with their diagnostics.

    All entries are NaN at times that a trajectory did not reach.  Residual, condition number,
    rank and indicator are computed at up to 33 of the times, evenly spread, and are linear in
    between.

    Attributes
    ----------
    times : ndarray of shape (n_times,)
        Times of the states.
    latent : ndarray of shape (n_trajectories, n_times, n_latent)
        Latent states φ.
    residual : ndarray of shape (n_trajectories, n_times)
        ``‖J φ̇ - f‖ / ‖f‖``: the share of the right-hand side that no motion of the latent
        state can follow.
    condition : ndarray of shape (n_trajectories, n_times)
        Condition number of ``J = ∂û/∂φ``.
    effective_rank : ndarray of shape (n_trajectories, n_times)
        Directions of the latent space that the regularisation leaves.
    error_indicator : ndarray of shape (n_trajectories, n_times)
        ``(‖û(0) - u₀‖ + ∫ ‖J φ̇ - f‖ dt) / ‖û(t)‖``.  It bounds the relative error, up to that
        of the points and of the steps, where solutions of the equation do not move apart;
        it ranks trajectories elsewhere.
    outside : ndarray of shape (n_trajectories,)
        How far the path leaves the box of the training states, relative to its diagonal;
        lengths in the latent space are weighed by what they mean for the field.
    initial_error : ndarray of shape (n_trajectories,)
        Relative distance of the encoded initial field from the given one, NaN where none
        was given.
    status : ndarray of str of shape (n_trajectories,)
        "success", "max_steps", "not_finite" or "step_too_small".
    time_reached : ndarray of shape (n_trajectories,)
        Where the integration ended.
    n_steps, n_rejected : ndarray of int of shape (n_trajectories,)
        Steps taken, and tried in vain.
    """

    times: Array
    latent: Array
    residual: Array
    condition: Array
    effective_rank: Array
    error_indicator: Array
    outside: Array
    initial_error: Array
    status: NDArray[Any]
    time_reached: Array
    n_steps: NDArray[Any]
    n_rejected: NDArray[Any]

    def __repr__(self) -> str:
        shapes = (f"{f.name}: {getattr(self, f.name).shape}" for f in fields(self))
        return f"GalerkinSolution({', '.join(shapes)})"
