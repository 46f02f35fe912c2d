"""Candidates that are spread evenly: each is the farthest from all before it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from skcolora._snapshots import Array, merge_close

# Distances that agree to so many digits are equal, and the first candidate is taken.
_DIGITS = 12


def ranks(X: Array, among: Array) -> Array:
    """Parameters in shares of the different values that the candidates have, from 0 to 1.

    So the candidates themselves say in which coordinate they are evenly spread: for
    logarithmically spaced candidates it is the logarithm.  Between the values of the candidates
    the rank is interpolated, beyond them it is 0 or 1.

    Parameters
    ----------
    X : ndarray of shape (n, n_parameters)
    among : ndarray of shape (n_candidates, n_parameters)
        All candidates.
    """
    out = np.zeros(X.shape)
    for j, column in enumerate(merge_close(among).T):
        values = np.unique(column)
        if len(values) > 1:
            out[:, j] = np.interp(X[:, j], values, np.linspace(0.0, 1.0, len(values)))
    return out


def farthest_points(points: Array, n: int, known: Array) -> list[int]:
    """Indices of n points, each the farthest from those before it and from the known ones.

    The first of all, if none is known, is the farthest from the middle.  So the corners come
    first, and predictions interpolate as soon as possible.  The largest distance of any point from
    the nearest chosen one is at most twice the least possible [1]_.  Each choice begins with the
    smaller ones.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_parameters)
        Different points in [0, 1] along each axis.
    n : int
        At most n_points.
    known : ndarray of shape (n_known, n_parameters)

    References
    ----------
    .. [1] T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance", Theor.
       Comput. Sci. 38 (1985), 293-306.
    """
    chosen: list[int] = []
    from_middle = np.linalg.norm(points - 0.5, axis=1)
    gaps = cdist(points, known).min(axis=1) if len(known) else from_middle
    while len(chosen) < n:
        open_gaps = gaps.round(_DIGITS)
        open_gaps[chosen] = -1.0
        newest = int(np.argmax(open_gaps))
        to_newest = np.linalg.norm(points - points[newest], axis=1)
        # The distances from the middle no longer count once a point is chosen.
        gaps = np.minimum(gaps, to_newest) if chosen or len(known) else to_newest
        chosen.append(newest)
    return chosen
