"""The Vlasov equation with a fixed potential, with exact solutions by characteristics."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp
from sklearn.utils import check_scalar

from skcolora._snapshots import Array
from skcolora.pdes._field import Field
from skcolora.pdes._pde import PDE


class Vlasov(PDE):
    """``∂ₜu + v ∂ₓu + φ'(x) ∂ᵥu = 0``: particles in a fixed potential, in phase space.

    The domain is [-1, 1]², periodic, and the potential is
    ``φ = 0.2 + 0.2 cos(πx⁴) + 0.1 sin(πx)``.  The initial field is
    ``u(0) = exp(-100 [(x - μ + 0.2)² + v²])`` with the parameter μ [1]_.  The solution is
    constant along the characteristics ``ẋ = v, v̇ = φ'(x)``, which `exact` integrates backwards
    in time.

    Parameters
    ----------
    rtol : float, default=1e-10
        Tolerance of the integration of the characteristics.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646, Appendix.
    """

    n_dims = 2
    parameter_names = ("position",)
    domain = ((-1.0, 1.0), (-1.0, 1.0))
    period = (2.0, 2.0)
    resolution = 128
    conserved = {"mass": lambda field: field.value[0]}  # noqa: RUF012

    def __init__(self, rtol: float = 1e-10) -> None:
        check_scalar(rtol, "rtol", (int, float), min_val=3e-14, max_val=1e-2)
        self.rtol = rtol

    def rhs(self, t: float, field: Field, mu: Any) -> Any:
        x, v = field.points
        return -v * field.grad[0] - _force(x, field.xp) * field.grad[1]

    def initial(self, points: Any, mu: Any) -> Any:
        x, v = points
        return np.exp(-100.0 * ((x - mu[0] + 0.2) ** 2 + v**2))

    def exact(self, t: Any, points: Any, mu: Any) -> Any:
        return self.initial(self._origins(np.asarray(t, dtype=np.float64), points), mu)

    def _origins(self, t: Array, points: Any) -> Array:
        """Positions at time 0 of the particles at the points at times t, (2, n_times, ...)."""
        start = np.asarray(points, dtype=np.float64)
        times = t.ravel()

        def backwards(_: float, state: Array) -> Array:
            x, v = state.reshape(2, -1)
            return -np.concatenate([v, _force(_wrap(x), np)])

        later = times[times > 0]
        if not later.size:
            return start[:, None]
        solution = solve_ivp(
            backwards,
            (0.0, later[-1]),
            start.ravel(),
            method="DOP853",
            t_eval=later,
            rtol=self.rtol,
            atol=self.rtol,
        )
        states = np.hstack([np.tile(start.reshape(-1, 1), len(times) - len(later)), solution.y])
        return _wrap(np.moveaxis(states.reshape(*start.shape, -1), -1, 1))


def _wrap(z: Array) -> Array:
    """Coordinates reduced to the periodic interval [-1, 1)."""
    return z - 2.0 * np.floor(0.5 * (z + 1.0))


def _force(x: Any, xp: Any) -> Any:
    """Force φ'(x)."""
    square = x * x
    return np.pi * (0.1 * xp.cos(np.pi * x) - 0.8 * x * square * xp.sin(np.pi * square * square))
