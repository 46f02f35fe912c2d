"""The convex hull of training parameters: which rows lie outside it, and how far.

All distances are in shares of the range of each training parameter, so that they do not depend on
the units.  A parameter that was constant in ``fit`` has no range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from skcolora._snapshots._grid import Array
from skcolora._snapshots._units import inverse_scale, is_constant

# Shares of the range that are rounding, and not a distance.
_TOLERANCE = 1e-9
# Singular values of the training parameters below this share of the largest are rounding.
_FLAT = 1e-10
# Distance from the line or plane of the training parameters that is more than rounding: users
# round the numbers that follow a linear dependence.
_OFF_THE_PLANE = 1e-6
# Numbers within this many roundings are one number.
_ROUNDINGS = 10


@dataclass(frozen=True, eq=False)
class Hull:
    """The convex hull of training parameters (n_training, n_parameters)."""

    X: Array
    """The training parameters in the user's units"""

    @property
    def low(self) -> Array:
        """Smallest training value of each parameter, (n_parameters,)."""
        return np.asarray(self.X.min(axis=0))

    @property
    def high(self) -> Array:
        """Largest training value of each parameter, (n_parameters,)."""
        return np.asarray(self.X.max(axis=0))

    @property
    def width(self) -> Array:
        """Range of each parameter, 0 for a constant, (n_parameters,)."""
        low, high = self.low, self.high
        return np.where(is_constant(low, high), 0.0, high - low)

    @property
    def rounding(self) -> Array:
        """How far the training values may be from those that the user means, (n_parameters,)."""
        single = (_in_single_precision(self.X) == self.X).all(axis=0)
        return np.asarray(_rounding(self.X, single).max(axis=0))

    def excess(self, X: Array) -> Array:
        """How far each parameter lies beyond its smallest or largest training value.

        Parameters
        ----------
        X : ndarray of shape (n, n_parameters)

        Returns
        -------
        excess : ndarray of shape (n, n_parameters)
            In the user's units, negative below the smallest value, positive above the largest,
            and 0 between them, up to rounding.
        """
        below = np.minimum(X - self.low, 0.0)
        above = np.maximum(X - self.high, 0.0)
        slack = _TOLERANCE * self.width + np.maximum(_rounding_of_each(X), self.rounding)
        excess = below + above
        return np.where(np.abs(excess) <= slack, 0.0, excess)

    def shares(self, excess: Array) -> Array:
        """The sizes of `excess`, in shares of the range; infinite for a constant."""
        size, width = np.abs(excess), np.broadcast_to(self.width, excess.shape)
        unbounded = np.where(size > 0, np.inf, 0.0)
        return np.divide(size, width, out=unbounded, where=width > 0)

    def distances(self, X: Array) -> tuple[Array, Array]:
        """Distances from the plane of the training parameters, and in it from their hull.

        Constant parameters take no part.

        Parameters
        ----------
        X : ndarray of shape (n, n_parameters)

        Returns
        -------
        from_plane : ndarray of shape (n,)
            Euclidean distances from the smallest line, plane or space that holds all training
            parameters, in shares of the ranges; 0 where they are rounding.
        from_hull : ndarray of shape (n,)
            Euclidean distances of the projections onto it from the convex hull, likewise.
        """
        distinct, owner = np.unique(X, axis=0, return_inverse=True)
        slope = inverse_scale(self.width)
        nodes = (self.X - self.low) * slope
        center = nodes.mean(axis=0)
        directions = _directions(nodes - center)
        new = (distinct - self.low) * slope - center
        at = new @ directions
        slack = np.linalg.norm((_rounding_of_each(distinct) + self.rounding) * slope, axis=1)
        from_plane = np.linalg.norm(new - at @ directions.T, axis=1)
        from_plane[from_plane <= _OFF_THE_PLANE * (1 + np.linalg.norm(new, axis=1)) + slack] = 0.0
        inner = (nodes - center) @ directions
        known = {row.tobytes() for row in self.X}
        from_hull = np.zeros(len(distinct))
        for i, row in enumerate(distinct):
            if row.tobytes() not in known:
                from_hull[i] = _distance(inner, at[i])
        from_hull[from_hull <= _TOLERANCE + slack] = 0.0
        owner = owner.reshape(-1)
        return from_plane[owner], from_hull[owner]


def _directions(centered: Array) -> Array:
    """Orthonormal directions in which the training parameters vary, (n_parameters, n)."""
    _, sizes, directions = np.linalg.svd(centered, full_matrices=False)
    return np.asarray(directions[sizes > _FLAT * sizes.max(initial=1e-300)].T)


def _distance(nodes: Array, point: Array) -> float:
    """Distance of a point (n_directions,) from the convex hull of nodes (n, n_directions).

    For the offsets p of the nodes from the point, the nonnegative weights w that minimise
    ``‖Σ wᵢ pᵢ‖² + (Σ wᵢ - 1)²`` are a multiple of those of the nearest point of the hull: for a
    nearest point at the distance d, the best sum of the weights is ``1 / (1 + d²)``.

    No node lies nearer than ``min v·pᵢ`` for any direction v of length 1, and this bound is
    attained where v is the direction of the nearest point.  Returning the bound makes sure that
    a solver that stops early never takes a point out of the hull.
    """
    offsets = nodes - point
    system = np.vstack([offsets.T, np.ones(len(offsets))])
    try:
        weights, _ = nnls(system, np.append(np.zeros(offsets.shape[1]), 1.0))
    except RuntimeError:  # The limit of iterations: what is not proved counts as inside.
        return 0.0
    nearest = weights @ offsets
    length = float(np.linalg.norm(nearest))
    if length == 0.0:
        return 0.0
    return max(0.0, float((offsets @ nearest).min()) / length)


def _in_single_precision(values: Array) -> Array:
    """The values rounded to float32; infinite where they are too large for it."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)


def _rounding_of_each(values: Array) -> Array:
    """How far each value may be from the number that the user means.

    A value that is representable in single precision may have been rounded to it.
    """
    return _rounding(values, values == _in_single_precision(values))


def _rounding(values: Array, single: NDArray[np.bool_]) -> Array:
    """Roundings of the values, of single precision where the mask says so."""
    size = np.abs(values)
    as_single = np.where(single, size, 0.0).astype(np.float32)
    half_a_step = np.where(single, np.spacing(as_single).astype(np.float64) / 2, 0.0)
    return half_a_step + _ROUNDINGS * float(np.finfo(float).eps) * size
