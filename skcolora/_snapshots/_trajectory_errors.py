"""Errors of trajectories, relative to their variation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skcolora._snapshots._real import Array
from skcolora._snapshots._units import Units


def trajectory_errors(units: Units, true: Array, predicted: Array) -> Array:
    """Errors (n,) of trajectories relative to their variation about the training snapshots.

    They are ``‖(û - u) / σ‖ / ‖(u - ū) / σ‖`` with norms over all observed times, points and
    fields, and the mean ū and the standard deviation σ of each field.  They are NaN for
    trajectories without any observed value.
    """
    scaled = units.fields.apply(true)
    difference = units.fields.apply(predicted) - scaled
    misfits, sizes = (_root_mean_square(part, ~np.isnan(true)) for part in (difference, scaled))
    # Constant snapshots have no variation and no error.
    least = max(units.least_variation, np.finfo(float).tiny)
    return np.asarray(misfits / np.maximum(sizes, least))


def _root_mean_square(values: Array, observed: NDArray[np.bool_]) -> Array:
    """Root mean squares (n,) of observed values; of several fields the sum of their squares."""
    n_observed = np.count_nonzero(observed, axis=(1, 2, 3)).astype(np.float64)
    squares = np.square(values).sum(axis=(1, 2, 3), where=observed) * values.shape[3]
    nan = np.full(len(values), np.nan)
    return np.sqrt(np.divide(squares, n_observed, where=n_observed > 0, out=nan))
