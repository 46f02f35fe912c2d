"""Snapshots that are kept after the fit, to tell how wrong changed networks and paths are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skcolora._galerkin._solution import GalerkinSolution
from skcolora._galerkin._trained_model import TrainedModel
from skcolora._nn import decode_rows
from skcolora._snapshots import (
    Array,
    SnapshotLayout,
    StoredRows,
    observed_times,
    spread_evenly,
    trajectory_errors,
)
from skcolora.utils._torch import as_tensor

# Largest numbers of times and points.
_MAX_TIMES, _MAX_POINTS = 32, 2**10


@dataclass(frozen=True, eq=False)
class KnownSnapshots:
    """Snapshots of some trajectories at some times and points."""

    X: Array
    """Parameters of the trajectories, (n, n_parameters)"""
    times: NDArray[np.intp]
    """Numbers of the times among those of ``fit``, (n_times,)"""
    layout: SnapshotLayout
    """These times and points"""
    fields: Array
    """Fields in the units of the network, (n, n_times, n_points, n_fields), in float32"""
    error: float = 0.0
    """Error of the fields themselves"""

    def errors(self, model: TrainedModel, solution: GalerkinSolution) -> Array:
        """Errors (n,) of the first n trajectories of a solution, at the times of ``fit``.

        They are infinite for trajectories that failed, and NaN for those that were out of time
        before the second of the times.
        """
        errors = np.full(len(self.fields), np.inf)
        units = model.units
        for i, latent in enumerate(solution.latent[: len(errors), self.times]):
            reached = np.isfinite(latent).all(axis=1)
            out_of_time = solution.status[i] == "max_time"
            if out_of_time and reached.sum() < 2:
                errors[i] = np.nan
            elif reached.all() or out_of_time:
                layout = self.layout.at_numbers(self.layout.times[reached])
                states = as_tensor(latent[None, reached])
                found = decode_rows(model.network, units, states, layout)
                true = units.fields.invert(self.fields[i : i + 1, reached].astype(np.float64))
                error = np.nan_to_num(trajectory_errors(units, true, found)[0], nan=np.inf)
                # At least: a distance within the error of the fields tells nothing.
                rest = np.sqrt(max(error**2 - self.error**2, 0.0)) if self.error else error
                errors[i] = max(self.error, rest)
        return errors


def known_snapshots(
    model: TrainedModel, X: Array, rows: Array | StoredRows, some: Any, *, error: float
) -> KnownSnapshots:
    """Snapshots of the trajectories ``some``.

    Stored snapshots are not read: the fields of the regressor stand for them.

    Parameters
    ----------
    model : TrainedModel
    X : ndarray of shape (n_trajectories, n_parameters)
    rows : ndarray or StoredRows of shape (n_trajectories, n_times, n_points, n_fields)
    some : ndarray of int
    error : float
        Training error of the regressor.
    """
    layout, stored = model.layout, isinstance(rows, StoredRows)
    observed = np.arange(layout.n_times)
    if not isinstance(rows, StoredRows):
        observed = observed_times(rows[some])
    times = observed[spread_evenly(len(observed), _MAX_TIMES)].astype(np.intp)
    points = np.random.default_rng(0).permutation(layout.grid.n_points)[:_MAX_POINTS]
    few = layout.at_numbers(layout.times[times], layout.grid.points[points])
    if isinstance(rows, StoredRows):
        latent = model.latent(model.transform(X[some]), few.times)
        true = decode_rows(model.network, model.units, latent, few)
    else:
        true = rows[np.ix_(some, times, points)]
    fields = model.units.fields.apply(true).astype(np.float32)
    return KnownSnapshots(X[some], times, few, fields, error if stored else 0.0)
