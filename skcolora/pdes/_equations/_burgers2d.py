"""The viscous Burgers equation in two dimensions, with one field."""

from __future__ import annotations

from typing import Any

import numpy as np

from skcolora.pdes._field import Field
from skcolora.pdes._pde import PDE

_CENTER = np.pi / 10
_SHARPNESS = (14 * np.pi) ** 2


class Burgers2D(PDE):
    """``∂ₜu + u (∂ₓu + ∂ᵧu) = μ Δu`` on [0, 1]², periodic, with the viscosity μ as parameter.

    The initial field is the spot ``u(0) = exp(-(14π)² [(x - π/10)² + (y - π/10)²]²)``.  The spot
    moves along the diagonal, steepens and fades [1]_.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646, Appendix.
    """

    n_dims = 2
    parameter_names = ("viscosity",)
    domain = ((0.0, 1.0), (0.0, 1.0))
    period = (1.0, 1.0)
    resolution = 128
    conserved = {"mass": lambda field: field.value[0]}  # noqa: RUF012
    norm = "H-1"

    def rhs(self, t: float, field: Field, mu: Any) -> Any:
        return -field.value * (field.grad[0] + field.grad[1]) + mu[0] * field.laplacian

    def initial(self, points: Any, mu: Any) -> Any:
        x, y = points
        return np.exp(-_SHARPNESS * ((x - _CENTER) ** 2 + (y - _CENTER) ** 2) ** 2)
