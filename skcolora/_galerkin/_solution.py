"""Solution of the latent equation with diagnostics."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skcolora._nn import CoLoRANetwork, decode_rows
from skcolora._snapshots import Array, SnapshotLayout, Units
from skcolora.utils._torch import as_tensor, with_default_torch_settings


class Status(IntEnum):
    """Outcome of the integration of a trajectory; users see the names in lower case."""

    SUCCESS = 0
    MAX_STEPS = 1
    NOT_FINITE = 2
    STEP_TOO_SMALL = 3
    MAX_TIME = 4
    REGRESSOR = 5

    @property
    def advice(self) -> str:
        """Description of the outcome with advice, for a sentence about a trajectory."""
        return {
            Status.SUCCESS: "was integrated to the end",
            Status.MAX_STEPS: "took all of its `max_steps`; raise `max_steps`; with method='RK4' "
            "also fewer `substeps`, with other methods a larger `rtol`, or try method='Rosenbrock'",
            Status.NOT_FINITE: "met NaN or infinity; check the equation's right-hand side at its "
            "parameters",
            Status.STEP_TOO_SMALL: "needed too small time steps; try method='Rosenbrock'",
            Status.REGRESSOR: "is predicted by the regressor",
            Status.MAX_TIME: "was not integrated to the end within `max_time`; raise `max_time`",
        }[self]


@dataclass(frozen=True, eq=False)
class GalerkinSolution:
    """Latent paths of trajectories, with their diagnostics and their fields.

    `CoLoRAGalerkin.solve` returns it.  All entries are NaN at times that a trajectory did not
    reach.  Residual, condition number, rank and indicator are computed at up to 17 times of each
    path, evenly spread, and interpolated linearly in between.

    Attributes
    ----------
    times : ndarray of shape (n_times,)
        Times of the states, in seconds where the times of ``fit`` are dates.
    latent : ndarray of shape (n_trajectories, n_times, n_latent)
        Latent states φ.  With a free output the last ones are changes of the matrix of the last
        layer, row by row.
    residual : ndarray of shape (n_trajectories, n_times)
        Relative residual ``‖J φ̇ - f‖ / ‖f‖``, the share of the right-hand side outside the tangent
        space of the network.  The divisor is at least a tenth of its largest value on the path.
    condition : ndarray of shape (n_trajectories, n_times)
        Condition number of ``J = ∂û/∂φ``.
    effective_rank : ndarray of shape (n_trajectories, n_times)
        Number of latent directions that the regularisation does not damp.
    error_indicator : ndarray of shape (n_trajectories, n_times)
        ``(‖û(0) - u₀‖ + ∫ ‖J φ̇ - f‖ dt) / ‖û(t) - ū‖`` for scaled fields, where the divisor is
        at least a tenth of the variation of the snapshots, and ‖J φ̇ - f‖ is in the norm that was
        minimised.  In "L2" it bounds the relative error, up to collocation and time-stepping
        errors, if neighbouring solutions of the equation do not diverge.  Otherwise it only ranks
        the trajectories.
    outside : ndarray of shape (n_trajectories,)
        Distance by which the path leaves the box of the training states, relative to the
        diagonal of that box.  A length in the latent space is measured by the change of the field.
    initial_error : ndarray of shape (n_trajectories,)
        Distance of the encoded initial field from the given one, relative to its variation.  NaN
        if no initial field is known.
    status : ndarray of str of shape (n_trajectories,)
        "success", "max_steps", "not_finite", "step_too_small", or "regressor" where the path is
        that of the regressor, because the one of the equation was not to be trusted.
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
    _sizes: Array = field(repr=False)
    """Variation ‖û(t) - ū‖ of the scaled fields that the indicator is relative to, (n, n_times)"""
    _network: CoLoRANetwork = field(repr=False)
    _units: Units = field(repr=False)
    _layout: SnapshotLayout = field(repr=False)
    _dtype: torch.dtype = field(repr=False)

    @with_default_torch_settings
    def predict(self, points: Any = None) -> Array:
        """Fields along the latent paths, at the times of the solution.

        Parameters
        ----------
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or the axes of a tensor grid.  None: the points of ``fit``.

        Returns
        -------
        y : ndarray
            Fields in the layout of the snapshots of ``fit``, in the precision of the regressor, or
            in float64 where integrals are conserved.

        Raises
        ------
        ValueError
            If the points do not fit the fitted model.
        """
        layout = self._layout.at_numbers(self.times, points)
        network = self._network
        if self._dtype != torch.float64:
            network = copy.deepcopy(network).to(self._dtype)
        latent = as_tensor(self.latent).to(self._dtype)
        return layout.from_rows(decode_rows(network, self._units, latent, layout))

    def __repr__(self) -> str:
        shapes = (f"{f.name}: {getattr(self, f.name).shape}" for f in fields(self) if f.repr)
        return f"GalerkinSolution({', '.join(shapes)})"


# Attributes that are not those of single trajectories.
_SHARED = {"times", "_network", "_units", "_layout", "_dtype"}


def concatenate(solutions: Sequence[GalerkinSolution]) -> GalerkinSolution:
    """One solution with the trajectories of several solutions at the same times."""
    entries: dict[str, Any] = {
        f.name: np.concatenate([getattr(solution, f.name) for solution in solutions])
        for f in fields(GalerkinSolution)
        if f.name not in _SHARED
    }
    return replace(solutions[0], **entries)


def subset(solution: GalerkinSolution, chosen: NDArray[Any]) -> GalerkinSolution:
    """One solution with the trajectories that a mask or indices select."""
    entries: dict[str, Any] = {
        f.name: getattr(solution, f.name)[chosen]
        for f in fields(GalerkinSolution)
        if f.name not in _SHARED
    }
    return replace(solution, **entries)


def combine(
    solution: GalerkinSolution, other: GalerkinSolution, chosen: NDArray[np.bool_]
) -> GalerkinSolution:
    """One solution with some trajectories, those of the mask ``chosen``, from another one."""
    entries: dict[str, Any] = {}
    for f in fields(GalerkinSolution):
        if f.name not in _SHARED:
            mine, theirs = getattr(solution, f.name), getattr(other, f.name)
            where = chosen.reshape(-1, *[1] * (mine.ndim - 1))
            entries[f.name] = np.where(where, theirs, mine)
    return replace(solution, **entries)
