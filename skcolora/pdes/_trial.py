"""Trials of a right-hand side, on fields without meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skcolora._snapshots import Array
from skcolora.pdes._field import check_orders

if TYPE_CHECKING:
    from skcolora.pdes._pde import PDE

# Number of points along each axis at which an equation is tried.
TRIAL_POINTS = 8


class TrialField:
    """A field whose values and derivatives are given, or 1.

    Parameters
    ----------
    points : array of shape (n_dims, ...)
        Coordinates.
    ones : array of shape (n_fields, ...)
        Array of ones of the module ``xp``.
    xp : module
        Module of the arrays, numpy or torch.
    given : dict
        Arrays in place of the ones, by the name of the attribute, or by the orders of a derivative.

    Attributes
    ----------
    used : set of tuple of int
        Orders of all derivatives that were asked for.
    """

    def __init__(
        self, points: Any, ones: Any, xp: Any, given: dict[Any, Any] | None = None
    ) -> None:
        self.points, self.xp = points, xp
        self._given, self._ones = given or {}, ones
        self.used: set[tuple[int, ...]] = set()

    @property
    def value(self) -> Any:
        return self._part("value", self._ones)

    @property
    def grad(self) -> Any:
        return self._part("grad", self.xp.stack([self._ones] * len(self.points)))

    @property
    def laplacian(self) -> Any:
        return self._part("laplacian", self._ones)

    def derivative(self, *orders: int) -> Any:
        orders = check_orders(orders, len(self.points))
        self.used.add(orders)
        return self._part(orders, self._ones)

    def _part(self, name: Any, otherwise: Any) -> Any:
        return self._given.get(name, otherwise)


def used_derivatives(pde: PDE, mu: Array) -> tuple[tuple[int, ...], ...]:
    """Orders of the derivatives that the right-hand side asks for, at parameters (n_parameters,).

    There are none where the right-hand side fails, which others report.
    """
    points = pde.mesh(TRIAL_POINTS).points
    field = TrialField(points, np.ones((pde.n_fields, *points.shape[1:])), np)
    try:
        with np.errstate(all="ignore"):
            pde.rhs(0.0, field, mu)
    except Exception:
        return ()
    return tuple(sorted(field.used))
