"""Boundary conditions, in the words in which an equation states them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

Given = float | Callable[[Any, Any, Any], Any]
"""A number, or a function of (t, points, mu)"""


class Condition:
    """What holds at a part of the boundary: ``a u + b ∂u/∂n = g``, with the outward normal n."""

    @property
    def terms(self) -> tuple[Given, Given, Given | None] | None:
        """a, b and g.  None: no condition."""
        raise NotImplementedError


@dataclass(frozen=True)
class Dirichlet(Condition):
    """Given values, ``u = g``.

    Parameters
    ----------
    value : number or callable, default=None
        g, a number or a function ``g(t, points, mu)`` written with numpy, with the arguments of
        `PDE.initial` after the time t.  It returns one value, values of shape (...), or with
        several fields (n_fields, ...) or a tuple.  t and ``mu[i]`` are numbers or arrays that
        broadcast with ``points[d]``.  None: the values of `PDE.initial`, at all times.

    Examples
    --------
    >>> import numpy as np
    >>> from skcolora.pdes import Dirichlet
    >>> heated = Dirichlet(lambda t, points, mu: 293.0 + 10.0 * np.sin(t / mu[0]))
    """

    value: Given | None = None

    @property
    def terms(self) -> tuple[Given, Given, Given | None]:
        """a, b and g."""
        return 1.0, 0.0, self.value


@dataclass(frozen=True)
class Neumann(Condition):
    """Given derivatives along the outward normal, ``∂u/∂n = g``.

    With ``g = 0`` nothing diffuses through the boundary.  A diffusive flux q out of the domain is
    ``q = -κ ∂u/∂n`` with the diffusivity κ: give ``g = -q / κ``.

    Parameters
    ----------
    slope : number or callable, default=0.0
        g, as in `Dirichlet`.
    """

    slope: Given = 0.0

    @property
    def terms(self) -> tuple[Given, Given, Given | None]:
        """a, b and g."""
        return 0.0, 1.0, self.slope


@dataclass(frozen=True)
class Robin(Condition):
    """Mixed condition ``a u + b ∂u/∂n = g``, with the outward normal n.

    A wall that loses heat to surroundings of temperature U, ``-κ ∂u/∂n = h (u - U)``, has
    ``a = h``, ``b = κ`` and ``g = h U``.

    Parameters
    ----------
    a, b, g : number or callable
        As in `Dirichlet`.  a and b have the same sign.
    """

    a: Given
    b: Given
    g: Given

    @property
    def terms(self) -> tuple[Given, Given, Given | None]:
        """a, b and g."""
        return self.a, self.b, self.g


@dataclass(frozen=True)
class Outflow(Condition):
    """No condition: the equation itself holds, with one-sided derivatives.

    This is for what leaves the domain.  Second and higher derivatives need another condition.
    """

    @property
    def terms(self) -> None:
        """None."""
        return None


@dataclass(frozen=True)
class Surface:
    """A part of the boundary that is no end of the box, such as the wall of an obstacle.

    Parameters
    ----------
    condition : Dirichlet, Neumann or Robin
        What holds on it; for some of the fields, a mapping from their names to conditions.
    on : callable or array-like of shape (n_nodes, n_dims)
        Which points lie on it: a function from points (n_dims, n) to a mask (n,), or the
        coordinates of the boundary nodes.
    normal : callable, default=None
        Function from points (n_dims, n) on it to the outward normals (n_dims, n), which point out
        of the region of the equation, of any length.  `Neumann` and `Robin` need it.

    Examples
    --------
    A cylinder of radius 0.25 around the origin, through which nothing diffuses:

    >>> import numpy as np
    >>> from skcolora.pdes import Neumann, Surface
    >>> cylinder = Surface(
    ...     Neumann(0.0),
    ...     on=lambda points: np.hypot(*points) < 0.2501,
    ...     normal=lambda points: -points,
    ... )
    """

    condition: Any
    on: Callable[[Any], Any] | ArrayLike
    normal: Callable[[Any], Any] | None = None
