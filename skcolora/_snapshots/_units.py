"""The units in which the networks are given parameters, times and fields."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from skcolora._snapshots._grid import Array

# Distance of neighbouring training parameters in the input of the hypernetwork, at most.
_PARAMETER_SPACING = 0.15


def positive(scale: Array) -> Array:
    """Scales to divide by: 1 where nothing varies."""
    return np.where(scale > 0, scale, 1.0)


def input_scale(X: Array, times: Array) -> Array:
    """Units of parameters and time in which the hypernetwork is given them.

    Standard deviations; but where few parameters are known they are brought as close to
    each other as many would be, so that the latent states are as smooth between them.

    Parameters
    ----------
    X : ndarray of shape (n_trajectories, n_parameters)
    times : ndarray of shape (n_times,)

    Returns
    -------
    scale : ndarray of shape (n_parameters + 1,)
    """
    spread = positive(X.std(0))
    known = np.unique(X / spread, axis=0)
    if len(known) > 1:
        nearest = NearestNeighbors(n_neighbors=1).fit(known).kneighbors()[0]
        spread = spread * max(1.0, float(np.median(nearest)) / _PARAMETER_SPACING)
    return np.append(spread, positive(times.std(keepdims=True)))
