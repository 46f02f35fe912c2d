"""Scaling of parameters, times and fields for the networks."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from skcolora._snapshots._grid import Array

# Largest median distance between neighbouring training parameters, after the scaling.
_PARAMETER_SPACING = 0.15


def nonzero_scale(scale: Array) -> Array:
    """Replace zero scales by 1, so that constant quantities can be divided by them."""
    return np.where(scale > 0, scale, 1.0)


def input_scale(X: Array, times: Array) -> Array:
    """Scales by which the parameters and the time are divided for the hypernetwork.

    The scales are standard deviations.  The parameters are further rescaled so that the median
    distance between neighbours is at most 0.15, since otherwise the latent states vary too
    strongly between a few training parameters.

    Parameters
    ----------
    X : ndarray of shape (n_trajectories, n_parameters)
    times : ndarray of shape (n_times,)

    Returns
    -------
    scale : ndarray of shape (n_parameters + 1,)
    """
    spread = nonzero_scale(X.std(0))
    distinct = np.unique(X / spread, axis=0)
    if len(distinct) > 1:
        nearest = NearestNeighbors(n_neighbors=1).fit(distinct).kneighbors()[0]
        spread = spread * max(1.0, float(np.median(nearest)) / _PARAMETER_SPACING)
    return np.append(spread, nonzero_scale(times.std(keepdims=True)))
