"""Advection of a bump, a simple problem whose POD modes converge slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_scalar

from skcolora.pdes._field import Field
from skcolora.pdes._pde import PDE


class Advection(PDE):
    """``∂ₜu + c ∂ₓu = 0`` on [0, 1), periodic, with the speed c as parameter.

    The initial field is the periodic bump ``u(0, x) = exp(-(sin(π(x - 1/4)) / (π width))² / 2)``,
    and the exact solution is ``u(t, x) = u(0, x - ct)``.  The singular values of the snapshots
    decay slowly, see [1]_.

    Parameters
    ----------
    width : float, default=0.03
        Standard deviation of the bump, as a share of the domain.

    References
    ----------
    .. [1] M. Ohlberger and S. Rave, "Reduced basis methods: success, limitations and future
       challenges", Proc. Algoritmy (2016), 1-12.
    """

    parameter_names = ("speed",)
    period = (1.0,)
    resolution = 256
    conserved = {"mass": lambda field: field.value[0]}  # noqa: RUF012

    def __init__(self, width: float = 0.03) -> None:
        check_scalar(width, "width", (int, float), min_val=0, include_boundaries="neither")
        self.width = width

    def rhs(self, t: float, field: Field, mu: Any) -> Any:
        return -mu[0] * field.grad[0]

    def initial(self, points: Any, mu: Any) -> Any:
        return self.exact(0.0, points, mu)

    def exact(self, t: Any, points: Any, mu: Any) -> Any:
        wave = np.sin(np.pi * (points[0] - 0.25 - mu[0] * t))
        return np.exp(-0.5 * (wave / (np.pi * self.width)) ** 2)
