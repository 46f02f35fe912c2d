"""Finite volumes: order where smooth, shocks at the right place, Lee & Carlberg's problem."""

import numpy as np
import pytest

from skcolora.pdes import PDE, InviscidBurgers, SolverError


class PeriodicBurgers(PDE):
    """Inviscid, from 1/2 + sin(2πx)/4: smooth until t = 2/π."""

    parameter_names = ("mean",)
    period = (1.0,)
    resolution = 64

    def initial(self, points, mu):
        return mu[0] + 0.25 * np.sin(2 * np.pi * points[0])

    def flux(self, u, mu):
        return 0.5 * u * u

    def speed(self, u, mu):
        return u

    def source(self, t, x, mu):
        return 0.0 * x

    def inflow(self, t, mu):
        raise NotImplementedError


class Riemann(InviscidBurgers):
    """Without a source: the shock from μ₁ to 1 moves with speed (μ₁ + 1) / 2."""

    def source(self, t, x, mu):
        return 0.0 * x


def characteristic(x, t, mean):
    u = np.full_like(x, mean)
    for _ in range(200):
        u = mean + 0.25 * np.sin(2 * np.pi * (x - u * t))
    return u


def test_averages_of_smooth_solutions_converge_with_order_three():
    nodes, weights = np.polynomial.legendre.leggauss(5)
    errors = []
    for n in (64, 128, 256):
        x = (np.arange(n) + 0.5) / n
        # At the centre of a cell its average is returned.
        u = PeriodicBurgers().solve([0.5], [0.3], x[:, None], n_points=n)[0, 0]
        within = x[:, None] + 0.5 / n * nodes
        averages = characteristic(within, 0.3, 0.5) @ (weights / 2)
        errors.append(abs(u - averages).mean())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 2.7).all()


def test_mass_is_conserved_through_the_shock():
    n = 100
    x = ((np.arange(n) + 0.5) / n)[:, None]
    u = PeriodicBurgers().solve([0.5], [0.0, 1.0, 2.0], x, n_points=n)[0]
    assert np.allclose(u.mean(axis=1), 0.5, rtol=1e-12)


def test_a_shock_moves_with_the_right_speed():
    n = 200
    x = 0.5 * (np.arange(n) + 0.5)
    u = Riemann().solve([[5.0, 0.0]], [20.0], x[:, None], n_points=n)[0, 0]
    exact = np.where(x < 60.0, 5.0, 1.0)
    assert abs(u - exact).mean() / exact.mean() < 5e-3
    assert u.max() < 5.0 + 1e-3
    assert u.min() > 1.0 - 1e-3


@pytest.mark.slow
def test_lee_carlberg_at_the_default_resolution():
    x = np.linspace(0.0, 100.0, 256)
    times = [5.0, 20.0, 35.0]
    u = InviscidBurgers().solve([[4.25, 0.015]], times, x)
    fine = InviscidBurgers().solve([[4.25, 0.015]], times, x, n_points=4096)
    assert abs(u - fine).sum() / abs(fine).sum() < 1e-3


def test_first_order_in_l1_at_the_shock():
    x = np.linspace(0.0, 100.0, 1000)
    solve = InviscidBurgers().solve
    u = [solve([[5.0, 0.02]], [10.0], x, n_points=n)[0, 0] for n in (100, 200, 800)]
    errors = [abs(row - u[2]).mean() for row in u[:2]]
    assert errors[1] < 0.75 * errors[0]


def test_values_that_do_not_stay_finite():
    class Exploding(PeriodicBurgers):
        def source(self, t, x, mu):
            return np.where(t > 0.1, np.nan, 0.0 * x)

    with pytest.raises(SolverError, match=r"mean = 0.5, t = .*did not stay finite"):
        Exploding().solve([0.5], [0.5], n_points=32)
