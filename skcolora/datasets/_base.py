"""SnapshotData, the result of every reader and generator, and the choice of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state, check_scalar

from skcolora._snapshots import Array as Array
from skcolora._snapshots import as_real_floats
from skcolora.datasets._runs import on_common_times


@dataclass(frozen=True, eq=False)
class SnapshotData:
    """Snapshots of a parametrised evolution equation, with their grid.

    Parameters
    ----------
    X : ndarray of shape (n_trajectories, n_parameters)
        Physics parameters.
    y : ndarray of shape (n_trajectories, n_times, n_0, ...[, n_fields])
        Snapshots of the trajectories.
    times : ndarray of shape (n_times,) or None
        Strictly increasing times of the snapshots, numbers or dates.  None: steady fields, and y
        has no axis of times.
    points : ndarray of shape (n_points, n_dims), or tuple of n_dims axes
        Scattered points, or the axes of a tensor grid (``indexing="ij"``).
    period : None, float or tuple
        Period of each dimension of the domain.  None: not periodic, or not known.
    pde : object or None
        Equation of the snapshots.  None: not known.
    parameter_names, coordinate_names, field_names : tuple of str
        Names of the columns of X, the dimensions of space and the fields.  Empty: not known.
    units : dict of str to str
        Units of these names, and of "time", where they are known.
    cells : dict of str to ndarray
        Cells of the mesh whose nodes are the points, (n_cells, n_nodes) for each kind of cell in
        the words of meshio, such as "triangle".  Empty: no mesh, or not known.
    """

    X: Array
    y: Array
    times: Array | None
    points: Array | tuple[Array, ...]
    period: float | tuple[float | None, ...] | None = None
    pde: Any = None
    parameter_names: tuple[str, ...] = ()
    coordinate_names: tuple[str, ...] = ()
    field_names: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, Array] = field(default_factory=dict)

    @property
    def grid(self) -> dict[str, Any]:
        """Constructor arguments of the estimators: times, points and period."""
        return {"times": self.times, "points": self.points, "period": self.period}

    @classmethod
    def from_runs(
        cls,
        X: ArrayLike,
        times: Sequence[ArrayLike],
        y: Sequence[ArrayLike],
        *,
        points: Any,
        period: Any = None,
        pde: Any = None,
    ) -> SnapshotData:
        """Snapshots of runs with times of their own, on the common axis of all times.

        Nothing is interpolated: where a run has no snapshot, the result is NaN, which
        ``missing="ignore"`` of `CoLoRARegressor` takes for "not observed".  Runs with the same
        times have no NaN.

        Parameters
        ----------
        X : array-like of shape (n_runs, n_parameters)
            Parameters of the runs.
        times : sequence of n_runs array-likes of shape (n_times,)
            Strictly increasing times of each run, numbers or dates.  Numbers that differ by less
            than a billionth of the whole range are the same time.
        y : sequence of n_runs array-likes of shape (n_times, n_0, ...[, n_fields])
            Snapshots of each run at its times.  Only the number of times may differ.
        points, period, pde
            As in `SnapshotData`.

        Returns
        -------
        data : SnapshotData

        Raises
        ------
        ValueError
            If the runs do not fit together.

        Examples
        --------
        >>> from skcolora.datasets import SnapshotData
        >>> runs = [np.zeros((3, 16)), np.ones((2, 16))]
        >>> data = SnapshotData.from_runs(
        ...     [[1.0], [2.0]], [[0.0, 0.3, 1.0], [0.0, 0.4]], runs, points=np.arange(16.0)
        ... )
        >>> data.times, data.y.shape
        (array([0. , 0.3, 0.4, 1. ]), (2, 4, 16))
        """
        common, values = on_common_times(times, y)
        parameters = as_real_floats(X, "X")
        if parameters.ndim != 2 or len(parameters) != len(values):
            raise ValueError(
                f"X must have one row for each of the {len(values)} runs; got shape "
                f"{parameters.shape}."
            )
        return cls(parameters, values, common, points, period, pde)

    def predicted(
        self, model: Any, X: ArrayLike, *, times: ArrayLike | None = None
    ) -> SnapshotData:
        """The prediction of a fitted model, with the names, units and cells of these snapshots.

        Parameters
        ----------
        model : estimator
            Fitted on these snapshots.
        X : array-like of shape (n, n_parameters)
            Parameters.
        times : array-like of shape (n_times,), default=None
            Times.  None: those of the snapshots.

        Returns
        -------
        data : SnapshotData
            It has no equation, as it is not a solution.
        """
        parameters = as_real_floats(X, "X")
        y = model.predict(parameters) if times is None else model.predict(parameters, times=times)
        asked = self.times if times is None else np.asarray(times)
        return replace(self, X=parameters, y=y, times=asked, pde=None)

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
