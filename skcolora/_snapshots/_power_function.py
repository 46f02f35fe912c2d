"""The power function: how well the training parameters determine a function at a new one."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lstsq
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from skcolora._snapshots._grid import Array

# Singular values below this share of the largest one are rounding.
_FLAT = 1e-10
# Number of nodes above which only the nearest ones of each point count, and how many of them: those
# farther away are screened by them, and hardly change the power function.
_MANY, _NEAREST = 512, 64


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
    if len(nodes) > _MANY:
        nearest = KDTree(nodes).query(points, k=_NEAREST)[1]
        return np.array(
            [_power(nodes[few], point[None])[0] for few, point in zip(nearest, points, strict=True)]
        )
    return _power(nodes, points)


def leave_one_out_power(nodes: Array) -> Array:
    """The power function at each of different nodes, for the other nodes, (n_nodes,).

    It follows from a single inverse: the squares are the reciprocals of its diagonal.
    """
    system = _System(nodes)
    inverse = lstsq(system.matrix, np.eye(len(system.matrix)), lapack_driver="gelsy")[0]
    # Without a node, the others may determine no linear polynomial: it lies infinitely far away.
    diagonal = inverse.diagonal()[: len(nodes)]
    with np.errstate(divide="ignore"):
        return np.where(diagonal > 0, 1 / np.sqrt(np.maximum(diagonal, 0.0)), np.inf)


def _power(nodes: Array, points: Array) -> Array:
    system = _System(nodes)
    rows = system.rows(points)
    cardinal = lstsq(system.matrix, rows.T, lapack_driver="gelsy", check_finite=False)[0]
    # The kernel vanishes at distance 0, so that nothing is added for the point itself.
    squared = -np.einsum("ij,ji->i", rows, cardinal)
    return np.sqrt(np.maximum(squared, 0.0))


class _System:
    """The linear system of an interpolation at different nodes."""

    def __init__(self, nodes: Array) -> None:
        self._center = nodes.mean(axis=0)
        self._nodes = nodes - self._center
        rank = int(np.linalg.matrix_rank(self._nodes, rtol=_FLAT)) if len(nodes) > 1 else 0
        self._cubic = rank == nodes.shape[1]
        rows = self.rows(nodes)
        n = rows.shape[1] - len(nodes)
        self.matrix = np.block([[rows], [rows[:, len(nodes) :].T, np.zeros((n, n))]])

    def rows(self, points: Array) -> Array:
        """Kernels and polynomials at points, (n_points, n_nodes + n_polynomials)."""
        points = points - self._center
        distances, constant = cdist(points, self._nodes), np.ones((len(points), 1))
        if self._cubic:
            return np.hstack([distances**3, constant, points])
        return np.hstack([-distances, constant])
