"""Combustion waves in a rotating detonation engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_scalar

from skcolora.pdes._field import Field
from skcolora.pdes._pde import PDE


class RotatingDetonation(PDE):
    """Combustion waves that travel round the annulus of a rotating detonation engine [1]_.

    The domain is [0, 2π), periodic.  The fields are the intensity η and the share λ of burnt
    fuel, and the parameter is the injection μ.  With the rate of combustion
    ``ω = exp((η - 1.1) / 0.3)``::

        ∂ₜη = -η ∂ₓη + ν ∂ₓₓη + (1 - λ) ω - 0.11 η
        ∂ₜλ = ν ∂ₓₓλ + (1 - λ) ω - μ λ / (1 + exp(5 (η - 0.5)))

    The initial fields are ``η = 1 + 0.4 exp(-2.25 (x - π)²)`` and ``λ = 0.75``.

    Parameters
    ----------
    viscosity : float, default=0.026
        Viscosity ν.  The default is fitted to the snapshots published with [2]_.

    References
    ----------
    .. [1] J. Koch, M. Kurosaka, C. Knowlen and J. N. Kutz, "Mode-locked rotating detonation
       waves: Experiments and a model equation", Phys. Rev. E 101 (2020), 013106.
    .. [2] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646.
    """

    n_fields = 2
    parameter_names = ("injection",)
    field_names = ("intensity", "burnt")
    domain = ((0.0, 2 * np.pi),)
    period = (2 * np.pi,)
    resolution = 256

    def __init__(self, viscosity: float = 0.026) -> None:
        check_scalar(viscosity, "viscosity", (int, float), min_val=0)
        self.viscosity = viscosity

    def rhs(self, t: float, field: Field, mu: Any) -> Any:
        exp = field.xp.exp
        intensity, burnt = field.value
        burning = (1.0 - burnt) * exp((intensity - 1.1) / 0.3)
        injected = mu[0] * burnt / (1.0 + exp(5.0 * (intensity - 0.5)))
        diffusion = self.viscosity * field.laplacian
        return (
            -intensity * field.grad[0, 0] + diffusion[0] + burning - 0.11 * intensity,
            diffusion[1] + burning - injected,
        )

    def initial(self, points: Any, mu: Any) -> Any:
        bump = 0.4 * np.exp(-2.25 * (points[0] - np.pi) ** 2)
        return 1.0 + bump, 0.75 + 0.0 * bump
