"""Equations with third, fourth and mixed derivatives, in the solver and in both Galerkin models."""

import numpy as np
import pytest

from skcolora import CoLoRAGalerkin, CoLoRARegressor, PODGalerkin
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Dirichlet

ANGLE = 2 * np.pi


class KortewegDeVries(PDE):
    """Solitons; faster ones are higher and narrower."""

    parameter_names = ("speed",)
    domain, period, resolution = ((-25.0, 25.0),), (50.0,), 256

    def rhs(self, t, field, mu):
        return -6 * field.value * field.grad[0] - field.derivative(3)

    def initial(self, points, mu):
        return self.soliton(0.0, points, mu)

    def soliton(self, t, points, mu):
        gap = np.mod(points[0] + 5 - mu[0] * t + 25, 50) - 25
        return 0.5 * mu[0] / np.cosh(0.5 * np.sqrt(mu[0]) * gap) ** 2


class Beam(PDE):
    """Biharmonic decay of a wave that drifts: ``∂ₜu = -∂ₓu - μ ∂ₓₓₓₓu``."""

    domain, period, resolution = ((0.0, ANGLE),), (ANGLE,), 32

    def rhs(self, t, field, mu):
        return -field.grad[0] - mu[0] * field.derivative(4)

    def initial(self, points, mu):
        return self.wave(0.0, points, mu)

    def wave(self, t, points, mu):
        return np.exp(-mu[0] * t) * np.sin(points[0] - t)


class Anisotropic(PDE):
    """Diffusion along directions that are not those of the axes."""

    n_dims, parameter_names = 2, ("along",)
    domain, period, resolution = ((0.0, ANGLE),) * 2, (ANGLE,) * 2, 16

    def rhs(self, t, field, mu):
        mixed = 2 * mu[0] * field.derivative(1, 1)
        return 0.5 * field.derivative(2, 0) + mixed + 0.5 * field.derivative(0, 2)

    def initial(self, points, mu):
        return self.waves(0.0, points, mu)

    def waves(self, t, points, mu):
        x, y = points
        decay = [np.exp(-(1 + sign * 2 * mu[0]) * t) for sign in (1, -1)]
        return decay[0] * np.sin(x + y) + decay[1] * np.cos(x - y)


class CahnHilliard(PDE):
    """``∂ₜu = ∂ₓₓ(u³ - u - μ ∂ₓₓu)``: phases that separate."""

    domain, period, resolution = ((0.0, ANGLE),), (ANGLE,), 64

    def rhs(self, t, field, mu):
        u, slope = field.value, field.grad[0]
        return (3 * u**2 - 1) * field.laplacian + 6 * u * slope**2 - mu[0] * field.derivative(4)

    def initial(self, points, mu):
        return 0.1 + 0.2 * np.cos(points[0]) + 0.1 * np.sin(3 * points[0])


class KuramotoSivashinsky(PDE):
    domain, period, resolution = ((0.0, ANGLE),), (ANGLE,), 32

    def rhs(self, t, field, mu):
        return -field.value * field.grad[0] - field.derivative(2) - mu[0] * field.derivative(4)

    def initial(self, points, mu):
        return 1e-6 * np.cos(2 * points[0])


def exact(solution, X, times, axes):
    points = np.meshgrid(*axes, indexing="ij")
    return np.stack([np.stack([solution(t, points, mu) for t in times]) for mu in X])


@pytest.mark.parametrize(
    ("pde", "solution", "X"),
    [
        (KortewegDeVries(), KortewegDeVries().soliton, [[1.0], [2.0]]),
        (Beam(), Beam().wave, [[0.1], [1.0]]),
        (Anisotropic(), Anisotropic().waves, [[-0.3], [0.4]]),
    ],
)
def test_the_solver_follows_closed_forms(pde, solution, X):
    times = np.array([0.0, 0.5, 1.5])
    axes = pde.mesh().axes
    y = pde.solve(X, times, axes)
    assert relative_l2_error(exact(solution, np.array(X), times, axes), y) < 1e-6


def test_small_waves_grow_as_the_linear_equation_says():
    """``exp((k² - μ k⁴) t)`` for the wave number k = 2."""
    (u,) = KuramotoSivashinsky().solve([[0.1]], [0.0, 1.0])
    growth = np.linalg.norm(u[1]) / np.linalg.norm(u[0])
    assert growth == pytest.approx(np.exp(4 - 0.1 * 16), rel=1e-4)


def test_phases_separate_with_less_and_less_energy():
    pde, times = CahnHilliard(), np.linspace(0, 2, 9)
    (u,) = pde.solve([[0.05]], times, method="BDF", rtol=1e-6, atol=1e-8)
    slope = np.fft.irfft(1j * np.arange(33) * np.fft.rfft(u), 64)
    energy = ((u**2 - 1) ** 2 / 4 + 0.025 * slope**2).mean(axis=1)
    assert (np.diff(energy) < 0).all()
    assert abs(u.mean(axis=1) - u[0].mean()).max() < 1e-6
    assert u.max() > 0.8


@pytest.mark.parametrize("n_samples", [None, 8])
@pytest.mark.parametrize(
    ("pde", "solution"), [(Beam(), Beam().wave), (Anisotropic(), Anisotropic().waves)]
)
def test_projected_equations_follow_closed_forms(pde, solution, n_samples):
    X, new, times = np.array([[0.1], [0.2], [0.4]]), np.array([[0.15], [0.3]]), np.linspace(0, 1, 9)
    axes = pde.mesh().axes
    model = PODGalerkin(pde, n_components=2, n_samples=n_samples, times=times, points=axes)
    predicted = model.fit(X, exact(solution, X, times, axes)).predict(new)
    assert relative_l2_error(exact(solution, new, times, axes), predicted) < 1e-4


def test_a_network_follows_a_wave_that_decays():
    pde, times = Beam(), np.linspace(0, 1, 11)
    X, new = np.array([[0.2], [0.6], [1.0]]), np.array([[0.4], [0.8]])
    axes = pde.mesh().axes
    network = CoLoRARegressor(
        times=times,
        points=axes,
        period=pde.period,
        width=12,
        depth=3,
        rank=2,
        adaptation="diagonal",
        max_iter=500,
        random_state=0,
    )
    model = CoLoRAGalerkin(pde, regressor=network, random_state=0)
    model.fit(X, exact(pde.wave, X, times, axes))
    truth = exact(pde.wave, new, times, axes)
    path = relative_l2_error(truth, model.predict(new))
    assert path < 1e-3
    assert path < 0.2 * relative_l2_error(truth, model.regressor_.predict(new))
    refined = model.refine(new, max_iter=5)
    assert relative_l2_error(truth, refined.predict(new)) < 1e-2


class FreeBeam(Beam):
    period = (None,)


class FixedBeam(FreeBeam):
    boundary = Dirichlet()


def test_higher_derivatives_at_free_ends_are_refused():
    with pytest.raises(ValueError, match=r"second or higher derivatives at the free ends"):
        FreeBeam().solve([[0.1]], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"FixedBeam has the derivative\(4\).*has one condition"):
        FixedBeam().solve([[0.1]], [0.0, 1.0])
