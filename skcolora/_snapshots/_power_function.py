"""The power function: how well the training parameters determine a function at a new one."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lstsq
from scipy.spatial.distance import cdist

from skcolora._snapshots._grid import Array

# Singular values below this share of the largest one are rounding.
_FLAT = 1e-10


def power_function(nodes: Array, points: Array) -> Array:
    """Largest error of an interpolant at each point, for functions of norm 1.

    The interpolant is that of cubic radial basis functions with linear polynomials, and the norm
    is that of its native space.  The power function [1]_ is zero at the nodes, grows with the
    distance from them, and grows faster outside their hull than between them.  It is the standard
    deviation of kriging with the same kernel.  Where the nodes do not determine a linear
    polynomial, because there are few of them or they lie on a line, linear radial basis functions
    with constants are used.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes, n_parameters)
        Scaled parameters.
    points : ndarray of shape (n_points, n_parameters)

    Returns
    -------
    power : ndarray of shape (n_points,)

    References
    ----------
    .. [1] H. Wendland, "Scattered Data Approximation", Cambridge University Press (2004),
       definition 11.2.
    """
    nodes = np.unique(nodes, axis=0)
    center = nodes.mean(axis=0)
    nodes, points = nodes - center, points - center
    rank = int(np.linalg.matrix_rank(nodes, rtol=_FLAT)) if len(nodes) > 1 else 0
    cubic = rank == nodes.shape[1]

    def kernel(some: Array) -> Array:
        distances = cdist(some, nodes)
        return np.asarray(distances**3 if cubic else -distances)

    def polynomials(some: Array) -> Array:
        constant = np.ones((len(some), 1))
        return np.hstack([constant, some]) if cubic else constant

    rows, of_nodes = np.hstack([kernel(points), polynomials(points)]), polynomials(nodes)
    n = of_nodes.shape[1]
    system = np.block([[kernel(nodes), of_nodes], [of_nodes.T, np.zeros((n, n))]])
    cardinal = lstsq(system, rows.T, lapack_driver="gelsy", check_finite=False)[0]
    # The kernel vanishes at distance 0, so that nothing is added for the point itself.
    squared = -np.einsum("ij,ji->i", rows, cardinal)
    return np.sqrt(np.maximum(squared, 0.0))
