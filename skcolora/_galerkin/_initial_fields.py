"""Initial fields of trajectories, from the equation or from the user."""

from __future__ import annotations

from typing import Any

import numpy as np

from skcolora._snapshots import Array, Grid, SnapshotLayout, as_real_floats, check_points
from skcolora.pdes import PDE


def initial_fields(
    pde: PDE, layout: SnapshotLayout, X: Array, initial: Any
) -> tuple[Array, Array] | None:
    """Points and initial fields of n trajectories.

    Parameters
    ----------
    pde : PDE
    layout : SnapshotLayout
    X : ndarray of shape (n, n_parameters)
    initial : None, array-like, or tuple (points, values)
        See `CoLoRAGalerkin.predict`.  None: the initial fields of the equation.

    Returns
    -------
    known : (points, fields) or None
        Arrays of shapes (n_points, n_dims) and (n, n_points, n_fields).  None: no initial fields
        are known.

    Raises
    ------
    ValueError
        If the shape of ``initial`` does not fit the trajectories and points, or it is not finite.
    """
    if initial is None:
        if not pde.has_initial:
            return None
        points = layout.grid.points
        fields = [pde.initial_value(points.T, mu).T for mu in X]
        return points, np.stack(fields)
    if isinstance(initial, tuple):
        if len(initial) != 2:
            raise ValueError(
                f"`initial` given as a tuple must be (points, values); got {len(initial)} entries."
            )
        grid = check_points(initial[0], layout.grid.n_dims)
        values = as_real_floats(initial[1], "initial")
    else:
        grid, values = layout.grid, as_real_floats(initial, "initial")
    return grid.points, _check_initial(values, grid, layout.n_fields, len(X))


def _check_initial(values: Array, grid: Grid, n_fields: int, n: int) -> Array:
    """Check and reshape initial fields to (n, n_points, n_fields)."""
    spaces = {(n, grid.n_points), (n, *grid.shape), (n, 1, *grid.shape)}
    wanted = {(*shape, n_fields) for shape in spaces} | (spaces if n_fields == 1 else set())
    if n_fields > 1:
        wanted.add((n, grid.n_points * n_fields))
    if values.shape not in wanted:
        fields = f", {n_fields}" if n_fields > 1 else ""
        inner = ", ".join(map(str, grid.shape))
        raise ValueError(
            f"`initial` has shape {values.shape}; expected ({n}, {inner}{fields}), one field for "
            "each row of X, at the points of `fit`.  Give fields at other points as "
            "(points, values)."
        )
    return values.reshape(n, grid.n_points, n_fields)
