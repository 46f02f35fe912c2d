"""Runge–Kutta: orders of convergence, dense output, trajectories that do not see each other."""

import itertools

import numpy as np
import pytest
import torch

from skcolora._galerkin._integration import integrate, integrate_fixed, integrate_implicit
from skcolora._galerkin._solution import Status

TIMES = torch.linspace(0, 3, 7, dtype=torch.float64)
SPEEDS = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)


def rotation(at, t, y):
    """ẏ = ω (y₁, -y₀)."""
    return SPEEDS[at, None] * torch.stack([y[:, 1], -y[:, 0]], dim=1)


def exact(speeds, times):
    angle = torch.outer(speeds, times)
    return torch.stack([torch.cos(angle), -torch.sin(angle)], dim=-1)


def norm(tol):
    return lambda at, y, z: (y - z).norm(dim=1) / tol


def start(n):
    return torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(n, 1)


def test_the_error_follows_the_tolerance():
    errors, steps = [], []
    for tol in (1e-4, 1e-6, 1e-8, 1e-10):
        path = integrate(rotation, start(3), TIMES, error_norm=norm(tol), max_steps=10_000)
        assert (path.status == Status.SUCCESS).all()
        assert (path.reached == 3.0).all()
        errors.append(float((path.states - exact(SPEEDS, TIMES)).abs().max()))
        steps.append(int(path.n_steps[2]))
    for coarse, fine in itertools.pairwise(errors):
        assert fine < coarse / 20
    # Order 5: a hundredth of the tolerance costs 100^(1/5) = 2.5 times the steps.
    assert 2 < steps[-1] / steps[-2] < 3.2


def test_the_fixed_step_is_of_order_4():
    errors = []
    for n in (8, 16, 32):
        path = integrate_fixed(rotation, start(3), TIMES, steps_between=n)
        errors.append(float((path.states - exact(SPEEDS, TIMES)).abs().max()))
    assert np.allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 4, atol=0.1)


def test_time_dependent_rates():
    def rate(at, t, y):
        return torch.cos(t)[:, None].expand_as(y)

    path = integrate(rate, start(1), TIMES, error_norm=norm(1e-10), max_steps=1000)
    expected = start(1)[:, None] + torch.sin(TIMES)[None, :, None]
    assert torch.allclose(path.states, expected, atol=1e-8)
    fixed = integrate_fixed(rate, start(1), TIMES, steps_between=20)
    assert torch.allclose(fixed.states, expected, atol=1e-8)


def test_a_trajectory_alone_and_among_others():
    together = integrate(rotation, start(3), TIMES, error_norm=norm(1e-6), max_steps=1000)
    for i in range(3):

        def rate(at, t, y, i=i):
            return rotation(at + i, t, y)

        alone = integrate(rate, start(1), TIMES, error_norm=norm(1e-6), max_steps=1000)
        assert torch.allclose(alone.states[0], together.states[i], rtol=0, atol=1e-13)
        assert alone.n_steps[0] == together.n_steps[i]


def test_dense_output_does_not_change_the_steps():
    many = torch.linspace(0, 3, 301, dtype=torch.float64)
    few = integrate(rotation, start(3), TIMES, error_norm=norm(1e-6), max_steps=1000)
    path = integrate(rotation, start(3), many, error_norm=norm(1e-6), max_steps=1000)
    assert torch.equal(path.n_steps, few.n_steps)
    assert (path.states - exact(SPEEDS, many)).abs().max() < 1e-4
    assert torch.allclose(path.states[:, ::50], few.states, atol=1e-12)


def test_projection_holds_at_every_time():
    def onto_circle(at, y):
        return y / y.norm(dim=1, keepdim=True)

    options = {"error_norm": norm(1e-3), "max_steps": 1000}
    free = integrate(rotation, start(3), TIMES, **options).states
    assert (free.norm(dim=2) - 1).abs().max() > 1e-6
    path = integrate(rotation, start(3), TIMES, project=onto_circle, **options)
    assert (path.states.norm(dim=2) - 1).abs().max() < 1e-14
    fixed = integrate_fixed(rotation, start(3), TIMES, steps_between=4, project=onto_circle)
    assert (fixed.states.norm(dim=2) - 1).abs().max() < 1e-14


def test_failures_are_those_of_one_trajectory():
    """ẏ = y² from 1 has no solution beyond t = 1; NaN appears at t = 1/2 in another."""

    def rate(at, t, y):
        late = torch.where(t > 0.5, torch.nan, 0.0)[:, None]
        kinds = [y**2, -y, -y + late]
        return torch.stack([kinds[int(i)][j] for j, i in enumerate(at)])

    path = integrate(rate, start(3), TIMES, error_norm=norm(1e-6), max_steps=200)
    assert path.status[0] in (Status.MAX_STEPS, Status.STEP_TOO_SMALL)
    assert path.status[1] == Status.SUCCESS
    assert path.status[2] == Status.NOT_FINITE
    assert 0.9 < path.reached[0] <= 1.0
    assert 0.49 < path.reached[2] <= 0.5
    assert torch.isnan(path.states[0, 2:]).all()
    assert torch.isfinite(path.states[0, :2]).all()
    assert torch.allclose(path.states[1, :, 0], torch.exp(-TIMES), atol=1e-5)


def test_the_step_budget():
    path = integrate(rotation, start(3), TIMES, error_norm=norm(1e-9), max_steps=10)
    assert (path.status == Status.MAX_STEPS).all()
    assert (path.reached < 3).all()
    assert torch.isfinite(path.states[:, 0]).all()


def test_a_start_that_is_not_finite():
    states = start(2)
    states[0, 0] = torch.nan
    path = integrate(rotation, states, TIMES, error_norm=norm(1e-6), max_steps=1000)
    assert path.status.tolist() == [Status.NOT_FINITE, Status.SUCCESS]


@pytest.mark.parametrize("times", [[0.0], [0.0, 1.0], [0.5, 2.0]])
def test_times(times):
    times = torch.tensor(times, dtype=torch.float64)
    path = integrate(rotation, start(3), times, error_norm=norm(1e-9), max_steps=1000)
    assert torch.allclose(path.states, exact(SPEEDS, times), atol=1e-7)


def test_the_implicit_method_takes_few_steps_where_the_equation_is_stiff():
    def stiff(at, t, y):
        return -1e4 * (y - torch.cos(t)[:, None]) - torch.sin(t)[:, None]

    path = integrate_implicit(stiff, start(1)[:, :1], TIMES, rtol=1e-8, max_steps=1000)
    assert path.status[0] == Status.SUCCESS
    assert torch.allclose(path.states[0, :, 0], torch.cos(TIMES), atol=1e-4)
    assert path.n_steps[0] < 60
    short = integrate_implicit(stiff, start(1)[:, :1], TIMES, rtol=1e-6, max_steps=3)
    assert short.status[0] == Status.MAX_STEPS
