"""SnapshotData, the result of every reader and generator, and the choice of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state, check_scalar

from skcolora._snapshots import Array as Array
from skcolora._snapshots import as_real_floats


@dataclass(frozen=True, eq=False)
class SnapshotData:
    """Snapshots of a parametrised evolution equation, with their grid.

    Parameters
    ----------
    X : ndarray of shape (n_trajectories, n_parameters)
        Physics parameters.
    y : ndarray of shape (n_trajectories, n_times, n_0, ...[, n_fields])
        Snapshots of the trajectories.
    times : ndarray of shape (n_times,)
        Strictly increasing times of the snapshots, numbers or dates.
    points : ndarray of shape (n_points, n_dims), or tuple of n_dims axes
        Scattered points, or the axes of a tensor grid (``indexing="ij"``).
    period : None, float or tuple
        Period of each dimension of the domain.  None: not periodic, or not known.
    pde : object or None
        Equation of the snapshots.  None: not known.
    """

    X: Array
    y: Array
    times: Array
    points: Array | tuple[Array, ...]
    period: float | tuple[float | None, ...] | None = None
    pde: Any = None

    @property
    def grid(self) -> dict[str, Any]:
        """Constructor arguments of the estimators: times, points and period."""
        return {"times": self.times, "points": self.points, "period": self.period}

    def __repr__(self) -> str:
        return f"SnapshotData(X: {self.X.shape}, y: {self.y.shape} {self.y.dtype})"


def draw_parameters(
    parameters: ArrayLike | int, low: ArrayLike, high: ArrayLike, random_state: Any
) -> Array:
    """Check given parameters, or draw uniform random parameters.

    Parameters
    ----------
    parameters : array-like of shape (n, n_parameters) or (n,), or int
        Values, where a 1-D array holds a single parameter, or the number of values to draw.
    low, high : array-like of shape (n_parameters,)
        Range of the random parameters.
    random_state : int, RandomState instance or None

    Returns
    -------
    X : ndarray of shape (n, n_parameters)
        Random parameters are sorted by the first one.

    Raises
    ------
    ValueError
        If the shape is wrong, or a value is not a finite real number.
    """
    low, high = np.atleast_1d(low), np.atleast_1d(high)
    if np.ndim(parameters) == 0:
        n = check_scalar(parameters, "parameters", (int, np.integer), min_val=1)
        drawn = check_random_state(random_state).uniform(low, high, size=(n, len(low)))
        return np.asarray(drawn[np.argsort(drawn[:, 0])])
    array = as_real_floats(parameters, "parameters")
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] != len(low) or not len(array):
        raise ValueError(
            f"`parameters` must have shape (n, {len(low)}) or be a number of trajectories; got "
            f"shape {np.shape(parameters)}."
        )
    return array
