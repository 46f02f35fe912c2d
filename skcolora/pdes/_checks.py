"""Whether a user's equation is written as the solvers need it."""

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
        If they do not.
    """
    name = type(pde).__name__
    if len(pde.domain) != pde.n_dims or len(pde.period) != pde.n_dims:
        raise ValueError(
            f"{name} has n_dims = {pde.n_dims}; `domain` and `period` must have as many "
            f"entries, but are {pde.domain} and {pde.period}."
        )
    for (low, high), length in zip(pde.domain, pde.period, strict=True):
        if not low < high or (length is not None and not np.isclose(length, high - low)):
            raise ValueError(
                f"{name} has domain ({low}, {high}) with period {length}; the domain must be "
                "an interval (low, high), and the period None or its length."
            )
    if pde.boundary not in ("free", "fixed"):
        raise ValueError(f"{name}.boundary must be 'free' or 'fixed'; got {pde.boundary!r}.")


def check_grid(pde: PDE, grid: Grid) -> None:
    """Check that points lie in the domain of an equation.

    Raises
    ------
    ValueError
        If they have another number of dimensions, or lie outside along an axis that is not
        periodic.
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
    """Values that a user's method returned as an array of the given shape, fields first."""
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
            "is (n_fields, ...), fields first."
        )
    return values
