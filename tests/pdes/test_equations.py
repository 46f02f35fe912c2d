"""Every equation: exact solutions, conserved quantities, published snapshots."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ive

from skcolora.datasets import load_snapshots, make_rotating_detonation, make_vlasov
from skcolora.pdes import Advection, Burgers, Burgers2D, RotatingDetonation, Vlasov, Wave


def relative(u, v):
    return np.linalg.norm(u - v) / np.linalg.norm(v)


def published(name):
    folder = os.environ.get("SKCOLORA_DATA")
    if not folder:
        pytest.skip("SKCOLORA_DATA, the folder of the published snapshots, is not set")
    return load_snapshots(Path(folder) / name)


def cole_hopf(x, t, mu, n=60):
    """Burgers from 1/2 + sin(2πx)/2: the logarithmic derivative of a solution of the heat
    equation, in the frame that moves with speed 1/2."""
    z, k = 1.0 / (8 * np.pi * mu), np.arange(n)
    weights = ive(k, z) * np.exp(-mu * (2 * np.pi * k) ** 2 * t)
    weights[1:] *= 2
    angle = 2 * np.pi * np.outer(x - 0.5 * t, k)
    heat = np.cos(angle) @ weights
    slope = -np.sin(angle) @ (2 * np.pi * k * weights)
    return 0.5 - 2 * mu * slope / heat


@pytest.mark.parametrize("mu", [0.2, 0.02])
def test_burgers_against_cole_hopf(mu):
    x = np.linspace(0.0, 1.0, 50)
    times = np.array([0.1, 0.4, 1.0])
    u = Burgers().solve([mu], times, x)[0]
    for row, t in zip(u, times, strict=True):
        assert relative(row, cole_hopf(x, t, mu)) < 1e-7


def test_burgers_converges_spectrally(monkeypatch):
    monkeypatch.setattr("skcolora.pdes._solvers._lines._TOO_COARSE", np.inf)
    x = Burgers().mesh(48).axes[0]
    solve = Burgers().solve
    errors = [
        relative(solve([0.02], [0.3], x, n_points=n)[0, 0], cole_hopf(x, 0.3, 0.02))
        for n in (16, 32, 64)
    ]
    # The number of right digits doubles with the number of points.
    assert errors[1] < 10 * errors[0] ** 1.7
    assert errors[2] < 10 * errors[1] ** 1.7


@pytest.mark.parametrize(
    ("pde", "mu", "tolerance"),
    [(Advection(), [0.7], 1e-6), (Wave(), [[1.2, 0.1, -0.3, 0.15]], 1e-6)],
)
def test_the_method_of_lines_agrees_with_the_exact_solution(pde, mu, tolerance):
    times, axes = [0.0, 0.5], pde.mesh(64).axes
    lines = pde.solve(mu, times, axes, method="DOP853")
    assert relative(lines, pde.solve(mu, times, axes)) < tolerance


def test_vlasov_by_lines_agrees_with_the_characteristics():
    axes = Vlasov().mesh(32).axes
    lines = Vlasov().solve([0.3], [0.4], axes, method="DOP853", rtol=1e-7, atol=1e-7)
    assert relative(lines, Vlasov().solve([0.3], [0.4], axes)) < 1e-5


def test_the_wave_at_scattered_points_and_on_axes():
    axes = (np.linspace(-1, 1, 12), np.linspace(-0.3, 1.7, 9))
    mu, times = [[1.0, 0.2, 0.1, 0.2], [0.5, 0.0, 0.0, 0.1]], [0.3, 2.0]
    tensor = Wave().solve(mu, times, axes)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    assert tensor.shape == (2, 2, 12, 9, 2)
    shuffled = np.random.RandomState(0).permutation(len(points))
    jittered = points[shuffled] + 2.0  # one period on
    scattered = Wave().solve(mu, times, jittered)
    assert np.allclose(scattered, tensor.reshape(2, 2, -1, 2)[:, :, shuffled], atol=1e-11)


def test_the_wave_starts_as_a_gaussian_at_rest():
    u, v = np.moveaxis(Wave().solve([[1.5, 0.1, 0.0, 0.1]], [0.0], [[0.2, 0.0]])[0, 0], -1, 0)
    assert np.isclose(u, 1.5 * np.exp(-0.5))
    assert v == 0


@pytest.mark.parametrize(
    ("pde", "mu", "options"),
    [
        (Advection(), [0.9], {}),
        (Advection(), [0.9], {"method": "DOP853"}),
        (Burgers(), [0.02], {}),
        (Burgers2D(), [0.01], {"rtol": 1e-5, "atol": 1e-5, "n_points": 128}),
        (Vlasov(), [0.3], {"method": "DOP853", "rtol": 1e-5, "atol": 1e-5, "n_points": 96}),
        (Wave(), [[1.0, 0.2, 0.1, 0.2]], {}),
    ],
)
def test_conserved_quantities_drift_by_less_than_1e_10(pde, mu, options):
    mesh = pde.mesh(options.get("n_points"))
    u = pde.solve(mu, [0.0, 0.1, 0.3], mesh.axes, **options)
    integrals = pde.integrals(u, mesh)
    assert set(integrals) == set(pde.conserved)
    for values in integrals.values():
        assert (abs(values / values[:, :1] - 1) < 1e-10).all()


def test_the_energy_of_the_wave_solved_by_lines_drifts_within_its_tolerance():
    mesh = Wave().mesh()
    u = Wave().solve([[1.0, 0.2, 0.1, 0.2]], [0.0, 0.5], mesh.axes, method="DOP853")
    energy = Wave().integrals(u, mesh)["energy"][0]
    assert abs(energy[1] / energy[0] - 1) < 1e-7


def test_rotating_detonation_agrees_with_itself_on_a_finer_grid():
    pde, times = RotatingDetonation(), [1.0, 3.0]
    x = pde.mesh(100).axes[0]
    chosen = pde.solve([2.5], times, x)
    assert chosen.shape == (1, 2, 100, 2)
    assert relative(chosen, pde.solve([2.5], times, x, n_points=384)) < 1e-6


def test_published_vlasov():
    data = published("vlasov")
    # Some of the points, and every mu and time.
    axes = tuple(axis[::5] for axis in data.points)
    ours = Vlasov().solve(data.X, data.times, axes)
    for u, v in zip(ours, data.y[:, :, ::5, ::5], strict=True):
        assert relative(u, v) < 1e-6


@pytest.mark.slow
def test_published_vlasov_in_full():
    data = published("vlasov")
    for u, v in zip(make_vlasov(data.X).y, data.y, strict=True):
        assert relative(u, v) < 1e-6


@pytest.mark.slow
def test_published_rotating_detonation():
    data = published("rde")
    ours = make_rotating_detonation(data.X)
    for u, v in zip(ours.y, data.y, strict=True):
        assert relative(u, v) < 5e-3


def test_published_burgers_up_to_its_time_steps():
    """The files hold what backward Euler of step 5e-4 gives, on a grid of 128 points; that
    differs from the equation's solution by 2e-3 at viscosity 0.01 and by 7e-3 at 0.001."""
    data = published("burgers")
    i = int(np.argmax(data.X[:, 0]))
    axes = tuple(axis[:-1] for axis in data.points)
    u = Burgers2D().solve(data.X[i : i + 1], data.times, axes, rtol=1e-6, atol=1e-6)[0]
    v = data.y[i, :, :-1, :-1]
    assert relative(u, v) < 2e-3
    implicit = backward_euler(data.X[i, 0], 5e-4, 0.2)
    assert relative(implicit, v[: len(implicit)]) < 2e-5


@pytest.mark.slow
def test_published_burgers_at_every_viscosity(monkeypatch):
    monkeypatch.setattr("skcolora.pdes._solvers._lines._TOO_COARSE", np.inf)
    data = published("burgers")
    axes = tuple(axis[:-1] for axis in data.points)
    for mu, y in zip(data.X, data.y[:, :, :-1, :-1], strict=True):
        n = 256 if mu[0] < 2e-3 else 192
        u = Burgers2D().solve([mu], data.times, axes, n_points=n, rtol=1e-6, atol=1e-6)[0]
        assert relative(u, y) < 7e-3
        implicit = backward_euler(mu[0], 5e-4, 1.0, n=2 * 128 if mu[0] < 2e-3 else 128)
        assert relative(implicit, y) < 1e-3


def test_published_burgers_starts_from_the_same_spot():
    data = published("burgers")
    u = Burgers2D().initial(np.stack(np.meshgrid(*data.points, indexing="ij")), [0.0])
    assert abs(u[:-1, :-1] - data.y[:, 0, :-1, :-1]).max() < 1e-7


def backward_euler(mu, step, until, n=128):
    """2-D Burgers on the published grid at its times, Fourier in space, by fixed point."""
    x = np.stack(np.meshgrid(*[np.arange(n) / n] * 2, indexing="ij"))
    k = 2 * np.pi * np.fft.fftfreq(n, 1 / n)[:, None], 2 * np.pi * np.arange(n // 2 + 1)
    laplacian, slope = -mu * (k[0] ** 2 + k[1] ** 2), 0.5j * (k[0] + k[1])
    u = np.fft.rfft2(Burgers2D().initial(x, [mu]))
    before, saved = u, [np.fft.irfft2(u)[:: n // 128, :: n // 128]]
    for i in range(round(until / step)):
        guess = 2 * u - before
        for _ in range(50):
            convection = slope * np.fft.rfft2(np.fft.irfft2(guess) ** 2)
            new = (u - step * convection) / (1 - step * laplacian)
            change, guess = abs(new - guess).max(), new
            if change < 1e-8 * abs(u).max():
                break
        before, u = u, guess
        if (i + 1) % round(0.02 / step) == 0:
            saved.append(np.fft.irfft2(u)[:: n // 128, :: n // 128])
    return np.array(saved)
