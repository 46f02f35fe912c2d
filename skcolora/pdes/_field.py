"""Fields: the arguments of the right-hand side of an equation."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np

from skcolora._snapshots import Array
from skcolora.pdes._mesh import Mesh


class Field(Protocol):
    """The values of all fields of a solution, and their derivatives.

    All arrays have the components first.  ``...`` stands for the axes of the points, in any
    shape.  The arrays are computed on first access.
    """

    @property
    def xp(self) -> Any:
        """Module of the arrays: numpy or torch."""

    @property
    def points(self) -> Any:
        """Coordinates, (n_dims, ...)."""

    @property
    def value(self) -> Any:
        """Values, (n_fields, ...)."""

    @property
    def grad(self) -> Any:
        """First derivatives, (n_dims, n_fields, ...)."""

    @property
    def laplacian(self) -> Any:
        """Sums of the second derivatives along the axes, (n_fields, ...)."""


class GridField:
    """A field given by its values on a grid.

    Parameters
    ----------
    mesh : Mesh
        Grid of the values.
    value : ndarray of shape (n_fields, n_0, ...)
        Values at the points of the grid.
    """

    xp = np

    def __init__(self, mesh: Mesh, value: Array) -> None:
        self.mesh = mesh
        self.value = value

    @property
    def points(self) -> Array:
        """Coordinates, (n_dims, n_0, ...)."""
        return self.mesh.points

    @cached_property
    def _prepared(self) -> list[Any]:
        operators = self.mesh.derivatives
        return [operator.prepare(self.value, d + 1) for d, operator in enumerate(operators)]

    @cached_property
    def grad(self) -> Array:
        """First derivatives, (n_dims, n_fields, n_0, ...)."""
        parts = zip(self.mesh.derivatives, self._prepared, strict=True)
        return np.stack([op.first(prepared, d + 1) for d, (op, prepared) in enumerate(parts)])

    @cached_property
    def laplacian(self) -> Array:
        """``Σ ∂²u/∂x_d²``, (n_fields, n_0, ...)."""
        parts = zip(self.mesh.derivatives, self._prepared, strict=True)
        terms = [op.second(prepared, d + 1) for d, (op, prepared) in enumerate(parts)]
        return np.asarray(sum(terms[1:], start=terms[0]))
