"""The inviscid Burgers equation with a source, whose solutions have shocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from skcolora.pdes._conditions import Dirichlet, Outflow
from skcolora.pdes._field import Field
from skcolora.pdes._pde import PDE


class InviscidBurgers(PDE):
    """``∂ₜu + ∂ₓ(u²/2) = 0.02 exp(μ₂ x)`` on [0, 100], the benchmark of Lee & Carlberg [1]_.

    The inflow is ``u(t, 0) = μ₁`` and the initial field is ``u(0, x) = 1``.  A shock enters at
    x = 0 and crosses the domain until t ≈ 35.  The full-order solver uses finite volumes.

    References
    ----------
    .. [1] K. Lee and K. T. Carlberg, "Model reduction of dynamical systems on nonlinear
       manifolds using deep convolutional autoencoders", J. Comput. Phys. 404 (2020), 108973,
       Section 7.1.
    """

    parameter_names = ("inflow", "source_exponent")
    domain = ((0.0, 100.0),)
    boundary = ((Dirichlet(lambda t, points, mu: mu[0]), Outflow()),)
    resolution = 1024

    def rhs(self, t: float, field: Field, mu: Any) -> Any:
        return -field.value * field.grad[0] + self._source(field.points[0], mu, field.xp)

    def initial(self, points: Any, mu: Any) -> Any:
        return np.where(points[0] > self.domain[0][0], 1.0, mu[0])

    def flux(self, u: Any, mu: Any) -> Any:
        """The flux ``u²/2``.

        Parameters
        ----------
        u : ndarray
            Values.
        mu : sequence
            Parameters.

        Returns
        -------
        flux : ndarray
        """
        return 0.5 * u * u

    def speed(self, u: Any, mu: Any) -> Any:
        """The derivative u of the flux, the wave speed.

        Parameters
        ----------
        u : ndarray
            Values.
        mu : sequence
            Parameters.

        Returns
        -------
        speed : ndarray
        """
        return u

    def source(self, t: float, x: Any, mu: Any) -> Any:
        """The source ``0.02 exp(μ₂ x)``.

        Parameters
        ----------
        t : float
            Time.
        x : ndarray
            Coordinates.
        mu : sequence
            Parameters.

        Returns
        -------
        source : ndarray
        """
        return self._source(x, mu, np)

    def inflow(self, t: float, mu: Any) -> float:
        """The boundary value μ₁ at x = 0.

        Parameters
        ----------
        t : float
            Time.
        mu : sequence
            Parameters.

        Returns
        -------
        value : float
        """
        return float(mu[0])

    def _source(self, x: Any, mu: Any, xp: Any) -> Any:
        return 0.02 * xp.exp(mu[1] * x)
