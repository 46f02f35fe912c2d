"""What an integration of the latent state found, and how far it is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any

from numpy.typing import NDArray

from skcolora._galerkin._trained_model import TrainedModel
from skcolora._nn import decode_rows
from skcolora._snapshots import Array
from skcolora.utils._torch import as_tensor


class Status(IntEnum):
    """How the integration of a trajectory ended; its name in small letters is what users see."""

    SUCCESS = 0
    MAX_STEPS = 1
    NOT_FINITE = 2
    STEP_TOO_SMALL = 3

    @property
    def advice(self) -> str:
        """What happened, and what the user may do about it."""
        return {
            Status.SUCCESS: "was integrated to the end",
            Status.MAX_STEPS: "took all of its `max_steps`; allow more, raise `rtol`, or try "
            "method='Radau'",
            Status.NOT_FINITE: "met NaN or infinity; check the equation's right-hand side there",
            Status.STEP_TOO_SMALL: "needed steps too small to go on; try method='Radau'",
        }[self]


@dataclass(frozen=True, eq=False)
class GalerkinSolution:
    """Latent paths of trajectories, with their diagnostics and their fields.

    `CoLoRAGalerkin.solve` returns one.  All entries are NaN at times that a trajectory did not
    reach.  Residual, condition number, rank and indicator are computed at up to 17 times of each
    path, evenly spread, and interpolated linearly in between.

    Attributes
    ----------
    times : ndarray of shape (n_times,)
        Times of the states.
    latent : ndarray of shape (n_trajectories, n_times, n_latent)
        Latent states φ.
    residual : ndarray of shape (n_trajectories, n_times)
        ``‖J φ̇ - f‖ / ‖f‖``, the share of the right-hand side that no motion of the latent
        state can follow.
    condition : ndarray of shape (n_trajectories, n_times)
        Condition number of ``J = ∂û/∂φ``.
    effective_rank : ndarray of shape (n_trajectories, n_times)
        Number of directions of the latent space that the regularisation leaves.
    error_indicator : ndarray of shape (n_trajectories, n_times)
        ``(‖û(0) - u₀‖ + ∫ ‖J φ̇ - f‖ dt) / ‖û(t)‖``.  It bounds the relative error, up to the
        errors of collocation and of the time steps, where neighbouring solutions of the equation
        do not move apart.  Elsewhere it ranks the trajectories.
    outside : ndarray of shape (n_trajectories,)
        Distance by which the path leaves the box of the training states, relative to the
        diagonal of that box.  A length in the latent space is measured by the change of the field.
    initial_error : ndarray of shape (n_trajectories,)
        Relative distance of the encoded initial field from the given initial field.  NaN where no
        initial field is known.
    status : ndarray of str of shape (n_trajectories,)
        "success", "max_steps", "not_finite" or "step_too_small".
    time_reached : ndarray of shape (n_trajectories,)
        Time at which the integration ended.
    n_steps, n_rejected : ndarray of int of shape (n_trajectories,)
        Numbers of accepted and of rejected steps.
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
    _model: TrainedModel = field(repr=False)

    def predict(self, points: Any = None) -> Array:
        """Fields along the latent paths, at the times of the solution.

        Parameters
        ----------
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or a tensor grid.  None: the points of ``fit``.

        Returns
        -------
        y : ndarray of float64
            Fields in the layout that ``fit`` was given.

        Raises
        ------
        ValueError
            If the points do not fit the fitted model.
        """
        layout = self._model.layout.at(self.times, points)
        return layout.from_rows(decode_rows(self._model.network, as_tensor(self.latent), layout))

    def __repr__(self) -> str:
        shapes = (f"{f.name}: {getattr(self, f.name).shape}" for f in fields(self) if f.repr)
        return f"GalerkinSolution({', '.join(shapes)})"
