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

    def derivative(self, *orders: int) -> Any:
        """Derivative of the given order along each axis, (n_fields, ...).

        ``field.derivative(3)`` is ``∂³u/∂x³`` in one dimension, ``field.derivative(1, 2)`` is
        ``∂³u/∂x∂y²`` in two.  The sum of the orders is at most 4.
        """


MAX_ORDER = 4
"""Largest sum of the orders of a derivative."""


def check_orders(orders: tuple[Any, ...], n_dims: int) -> tuple[int, ...]:
    """The orders of a derivative along the axes.

    Raises
    ------
    ValueError
        Unless there is one order for each dimension, all orders are integers of at least 0, and
        their sum is from 1 to 4.
    """
    wanted = f"`derivative` needs one order for each of the {n_dims} dimension(s)"
    example = f"derivative({', '.join(['2'] + ['0'] * (n_dims - 1))})"
    valid = all(isinstance(order, int | np.integer) and order >= 0 for order in orders)
    if len(orders) != n_dims or not valid or not 1 <= sum(orders) <= MAX_ORDER:
        given = ", ".join(map(repr, orders))
        raise ValueError(
            f"{wanted}, integers whose sum is from 1 to {MAX_ORDER}, such as {example}; got "
            f"derivative({given})."
        )
    return tuple(int(order) for order in orders)


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
        return np.stack([op.apply(prepared, d + 1, 1) for d, (op, prepared) in enumerate(parts)])

    @cached_property
    def laplacian(self) -> Array:
        """``Σ ∂²u/∂x_d²``, (n_fields, n_0, ...)."""
        parts = zip(self.mesh.derivatives, self._prepared, strict=True)
        terms = [op.apply(prepared, d + 1, 2) for d, (op, prepared) in enumerate(parts)]
        return np.asarray(sum(terms[1:], start=terms[0]))

    def derivative(self, *orders: int) -> Array:
        """Derivative of the given order along each axis.

        Parameters
        ----------
        *orders : int
            One order for each dimension, whose sum is from 1 to 4.

        Returns
        -------
        derivative : ndarray of shape (n_fields, n_0, ...)

        Raises
        ------
        ValueError
            If the orders make no sense, or a non-periodic axis has too few points for them.
        """
        orders = check_orders(orders, len(self.mesh.shape))
        first, *others = (d for d, order in enumerate(orders) if order)
        operators = self.mesh.derivatives
        values = operators[first].apply(self._prepared[first], first + 1, orders[first])
        for d in others:
            prepared = operators[d].prepare(values, d + 1)
            values = operators[d].apply(prepared, d + 1, orders[d])
        return values
