"""Q-DEIM: choice of interpolation points by QR with column pivoting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from skcolora._snapshots import Array


def qdeim_points(basis: Array, n_points: int) -> NDArray[np.intp]:
    """Choose the points that determine the functions in the span of a basis best [1]_.

    If there are more points than functions, the choice is repeated among the remaining points.
    If the basis is empty, the points are evenly spread.

    Parameters
    ----------
    basis : ndarray of shape (n_functions, n_candidates)
        Values of orthonormal functions at the candidate points.
    n_points : int
        Number of points, at most n_candidates.

    Returns
    -------
    indices : ndarray of int of shape (n_points,)
        Sorted indices of the chosen candidates.

    References
    ----------
    .. [1] Z. Drmač and S. Gugercin, "A new selection operator for the discrete empirical
       interpolation method", SIAM J. Sci. Comput. 38 (2016), A631-A648.
    """
    if not len(basis):
        return np.unique(np.linspace(0, basis.shape[1] - 1, n_points).round().astype(np.intp))
    left = np.arange(basis.shape[1])
    chosen = np.empty(0, dtype=left.dtype)
    while len(chosen) < n_points:
        order = qr(basis[:, left], mode="r", pivoting=True)[1]
        taken = order[: min(len(basis), n_points - len(chosen))]
        chosen = np.append(chosen, left[taken])
        left = np.delete(left, taken)
    chosen.sort()
    return chosen
