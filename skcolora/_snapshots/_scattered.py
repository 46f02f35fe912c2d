"""Interpolation from scattered points: thin-plate splines through the nearest neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from skcolora._snapshots._grid import Array

# Number of neighbours of the interpolation.
_NEIGHBORS = 30
# Rounds in which the axes are scaled such that neighbours are equally far along each of them, and
# the largest change of a scale in a round.
_ROUNDS, _LARGEST_CHANGE = 6, 10.0
# Neighbours whose extent in one direction is below this share of that in another are on a line or
# a plane, on which the thin-plate spline does not exist.
_FLAT = 1e-3
# Distance from all points in the unit box at which a new point may be in a hole.
_FAR = 0.3


def interpolate_scattered(
    points: Array, values: Array, new: Array, periodic: NDArray[np.bool_], named: Array
) -> Array:
    """Interpolate values (n_points, n_values) to new points.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_dims)
        Distinct points in the unit box.
    values : ndarray of shape (n_points, n_values)
    new : ndarray of shape (n_new_points, n_dims)
        New points in the unit box.
    periodic : ndarray of bool of shape (n_dims,)
        Dimensions with period 1.
    named : ndarray of shape (n_new_points, ...)
        The new points in the user's units, for messages.

    Returns
    -------
    moved : ndarray of shape (n_new_points, n_values)

    Raises
    ------
    ValueError
        If a new point is far from all points: further than their neighbours, and than 0.3 times
        the box.
    """
    if len(points) == 1 or not points.shape[1]:
        return np.repeat(values[:1], len(new), axis=0)
    scale = _neighbour_scale(points)
    points, new, lengths = points / scale, new / scale, 1.0 / scale
    reach = _reach(points)
    points, owner = _repeat_over_periods(points, lengths, periodic, 2.0 * float(reach.max()))
    values = values[owner]
    distance, nearest = cKDTree(points).query(new)
    in_box = np.linalg.norm((new - points[nearest]) * scale, axis=1)
    far = (distance > reach[owner[nearest]]) & (in_box > _FAR)
    if far.any():
        i = int(np.argmax(far))
        raise ValueError(
            f"`points` must lie among the points of the snapshots, but points[{i}] = "
            f"{named[i].tolist()} is far from all of them; fit on snapshots there, or leave the "
            "point out."
        )
    n_neighbors = min(_NEIGHBORS, len(points))
    flat = _on_a_plane(points, new, n_neighbors)
    moved = np.empty((len(new), values.shape[1]))
    # The linear kernel without a polynomial exists for all points.
    for chosen, kernel, degree in ((~flat, "thin_plate_spline", 1), (flat, "linear", 0)):
        if chosen.any():
            spline = RBFInterpolator(
                points, values, neighbors=n_neighbors, kernel=kernel, degree=degree
            )
            moved[chosen] = spline(new[chosen])
    return moved


def _on_a_plane(points: Array, new: Array, n_neighbors: int) -> NDArray[np.bool_]:
    """Whether the neighbours of new points are on a line or a plane, (n_new_points,)."""
    _, neighbors = cKDTree(points).query(new, k=list(range(1, n_neighbors + 1)))
    around = points[neighbors]
    around -= around.mean(axis=1, keepdims=True)
    if n_neighbors <= points.shape[1]:
        return np.ones(len(new), dtype=bool)
    extents = np.linalg.svd(around, compute_uv=False)
    return np.asarray(extents[:, -1] <= _FLAT * extents[:, 0])


def _neighbour_scale(points: Array) -> Array:
    """Scales of the axes, such that neighbours are equally far along each of them."""
    scale = np.ones(points.shape[1])
    k = list(range(2, min(_NEIGHBORS, len(points)) + 1))
    for _ in range(_ROUNDS):
        scaled = points / scale
        _, neighbors = cKDTree(scaled).query(scaled, k=k)
        offsets = np.sqrt(np.mean((scaled[neighbors] - scaled[:, None]) ** 2, axis=(0, 1)))
        change = offsets / offsets.max()
        # Neighbours are close along an axis on which the points are too far apart to be neighbours.
        scale /= np.maximum(change, 1.0 / _LARGEST_CHANGE)
        if change.min() > 0.8:
            break
    return scale


def _reach(points: Array) -> Array:
    """Distance of each point from the last of its neighbours, (n_points,)."""
    n = min(_NEIGHBORS, len(points))
    return np.asarray(cKDTree(points).query(points, k=[n])[0][:, 0])


def _repeat_over_periods(
    points: Array, lengths: Array, periodic: NDArray[np.bool_], margin: float
) -> tuple[Array, NDArray[np.intp]]:
    """Points and their copies within a margin beyond both ends of each period, and the index of
    the point of which each is a copy."""
    owner = np.arange(len(points))
    for d in np.flatnonzero(periodic):
        length = lengths[d]
        copies = [(points, owner)]
        for sign, near in (
            (1.0, points[:, d] < margin),
            (-1.0, points[:, d] > length - margin),
        ):
            moved = points[near].copy()
            moved[:, d] += sign * length
            copies.append((moved, owner[near]))
        points = np.concatenate([copy for copy, _ in copies])
        owner = np.concatenate([indices for _, indices in copies])
    return points, owner
