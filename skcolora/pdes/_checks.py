"""Checks of user-defined equations, points and returned arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skcolora._snapshots import Grid

if TYPE_CHECKING:
    from skcolora.pdes._pde import PDE


def check_definition(pde: PDE) -> None:
    """Check that the attributes of an equation fit together.

    Raises
    ------
    ValueError
        If ``domain``, ``period``, ``n_dims`` or ``boundary`` do not fit together.
    """
    name = type(pde).__name__
    if len(pde.domain) != pde.n_dims or len(pde.period) != pde.n_dims:
        raise ValueError(
            f"{name} has n_dims = {pde.n_dims}; `domain` and `period` must have {pde.n_dims} "
            f"entries each, but are {pde.domain} and {pde.period}."
        )
    for (low, high), length in zip(pde.domain, pde.period, strict=True):
        if not low < high or (length is not None and not np.isclose(length, high - low)):
            raise ValueError(
                f"{name} has domain ({low}, {high}) with period {length}; the domain must be "
                "an interval (low, high), and the period must be None or high - low."
            )
    if pde.boundary not in ("free", "fixed"):
        raise ValueError(f"{name}.boundary must be 'free' or 'fixed'; got {pde.boundary!r}.")


def check_grid(pde: PDE, grid: Grid) -> None:
    """Check that points lie in the domain of an equation.

    Raises
    ------
    ValueError
        If the number of dimensions differs, or a point lies outside the domain along a
        non-periodic axis.
    """
    if grid.n_dims != pde.n_dims:
        raise ValueError(
            f"`points` have {grid.n_dims} dimension(s), but {type(pde).__name__} has {pde.n_dims}."
        )
    for d, ((low, high), length) in enumerate(zip(pde.domain, pde.period, strict=True)):
        least, most = grid.points[:, d].min(), grid.points[:, d].max()
        if length is None and (least < low or most > high):
            raise ValueError(
                f"`points` range over [{least:g}, {most:g}] in dimension {d}, outside the domain "
                f"[{low:g}, {high:g}] of {type(pde).__name__}."
            )


def stack_fields(values: Any, shape: tuple[int, ...], xp: Any, pde: PDE, name: str) -> Any:
    """Convert the result of a user's method to one array of a given shape.

    Parameters
    ----------
    values : array, or tuple of arrays
        Result of the method: (n_fields, ...), or one array (...) for each field.
    shape : tuple of int
        Expected shape (n_fields, ...).
    xp : module
        Module of the arrays, numpy or torch.
    pde : PDE
    name : str
        Name of the method, for messages.

    Returns
    -------
    array : array of the given shape

    Raises
    ------
    ValueError
        If the result has another shape.
    """
    if isinstance(values, (tuple, list)):
        shapes = [tuple(getattr(value, "shape", ())) for value in values]
        if len(set(shapes)) != 1:
            raise ValueError(
                f"{type(pde).__name__}.{name} returned fields of shapes {shapes}; expected "
                f"{shape[0]} of shape {tuple(shape[1:])}."
            )
        values = xp.stack(tuple(values))
    found = tuple(getattr(values, "shape", ()))
    if found == tuple(shape[1:]) and shape[0] == 1:
        return values[None]
    if found != tuple(shape):
        raise ValueError(
            f"{type(pde).__name__}.{name} returned shape {found}; expected {tuple(shape)}, that "
            "is (n_fields, ...)."
        )
    return values
