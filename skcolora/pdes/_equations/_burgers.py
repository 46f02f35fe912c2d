"""The viscous Burgers equation in one dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from skcolora.pdes._field import Field
from skcolora.pdes._pde import PDE


class Burgers(PDE):
    """``∂ₜu + u ∂ₓu = μ ∂ₓₓu`` on [0, 1), periodic, with the viscosity μ as parameter.

    The initial field is ``u(0, x) = 1/2 + sin(2πx)/2``.  The wave travels, steepens until
    t ≈ 1/π into a front of width ≈ 4μ, and decays.  The Cole–Hopf transform gives the solution
    in closed form [1]_.

    References
    ----------
    .. [1] J. D. Cole, "On a quasi-linear parabolic equation occurring in aerodynamics",
       Quart. Appl. Math. 9 (1951), 225-236.
    """

    parameter_names = ("viscosity",)
    period = (1.0,)
    resolution = 128
    conserved = {"mass": lambda field: field.value[0]}  # noqa: RUF012
    norm = "H-1"

    def rhs(self, t: float, field: Field, mu: Any) -> Any:
        return -field.value * field.grad[0] + mu[0] * field.laplacian

    def initial(self, points: Any, mu: Any) -> Any:
        return 0.5 + 0.5 * np.sin(2 * np.pi * points[0])
