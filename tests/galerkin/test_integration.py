"""Runge–Kutta: orders of convergence, dense output, trajectories that do not see each other."""

import itertools
import math
import time

import numpy as np
import pytest
import torch

from skcolora._galerkin import _integration, _rosenbrock
from skcolora._galerkin._integration import integrate, integrate_fixed, integrate_implicit
from skcolora._galerkin._solution import Status
from skcolora.utils._deadline import Deadline

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


def explicit(rate, y, times, **options):
    return integrate(rate, y, times, error_norm=norm(1e-6), **{"max_steps": 1000, **options})


def fixed(rate, y, times, *, grid=TIMES, steps_between=4, **options):
    options = {"max_steps": 1000, **options}
    return integrate_fixed(rate, y, times, grid=grid, steps_between=steps_between, **options)


def implicit(rate, y, times, *, tol=1e-5, **options):
    options = {"max_steps": 1000, **options}
    return integrate_implicit(rate, y, times, error_norm=norm(tol), **options)


METHODS = pytest.mark.parametrize("method", [explicit, fixed, implicit])


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


@pytest.mark.parametrize(
    "times", [TIMES, torch.linspace(0.1, 2.9, 13, dtype=torch.float64), TIMES + 1.3]
)
def test_the_fixed_step_is_of_order_4(times):
    """At the times of the grid, between them, and beyond them."""
    errors = []
    for n in (8, 16, 32):
        path = fixed(rotation, start(3), times, steps_between=n)
        assert (path.status == Status.SUCCESS).all()
        errors.append(float((path.states - exact(SPEEDS, times)).abs().max()))
    assert np.allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 4, atol=0.15)


def test_fixed_steps_are_those_of_the_textbook():
    """From time 0 to the first time of a grid that starts later, too."""
    grid = torch.tensor([0.2, 0.5, 1.5], dtype=torch.float64)
    path = fixed(rotation, start(3), grid, grid=grid, steps_between=2)
    y, before = start(3), 0.0
    for k, end in enumerate(grid.tolist()):
        h = (end - before) / 2
        turn = torch.zeros(3, 2, 2, dtype=torch.float64)
        turn[:, 0, 1], turn[:, 1, 0] = SPEEDS * h, -SPEEDS * h
        # For a linear equation a step is the Taylor polynomial of the exponential.
        step = sum(torch.linalg.matrix_power(turn, p) / math.factorial(p) for p in range(5))
        y = (step @ step @ y.unsqueeze(2)).squeeze(2)
        assert torch.allclose(path.states[:, k], y, rtol=0, atol=1e-14)
        before = end
    assert (path.n_steps == 6).all()


@METHODS
@pytest.mark.parametrize("project", [None, lambda at, y: y / y.norm(dim=1, keepdim=True)])
def test_more_times_do_not_change_the_states(method, project):
    asked = torch.tensor([0.3, 1.0, 1.5, 2.9], dtype=torch.float64)
    more = torch.cat([asked, torch.linspace(0, 2.9, 31, dtype=torch.float64)]).unique()
    alone = method(rotation, start(3), asked, project=project)
    together = method(rotation, start(3), more, project=project)
    found = together.states[:, torch.isin(more, asked)]
    assert torch.allclose(found, alone.states, rtol=0, atol=1e-14)
    assert torch.equal(together.n_steps, alone.n_steps)


@pytest.mark.parametrize("later", [1.2, 3.0, 3.1, 17.0])
def test_later_times_do_not_change_fixed_steps(later):
    asked = torch.tensor([0.3, 0.5, 1.1], dtype=torch.float64)
    more = torch.cat([asked, asked.new_tensor([later])])
    alone = fixed(rotation, start(3), asked)
    assert torch.equal(fixed(rotation, start(3), more).states[:, :3], alone.states)
    assert (alone.reached == 1.1).all()


def test_times_that_differ_by_rounding_from_the_grid():
    times = TIMES * (1 + torch.tensor([0, 1, -1, 2, -2, 1, 1]) * 2.0**-52)
    path = fixed(rotation, start(3), times)
    assert torch.equal(path.states, fixed(rotation, start(3), TIMES).states)
    assert (path.n_steps == 24).all()


def test_fixed_steps_need_a_grid():
    zero = torch.zeros(1, dtype=torch.float64)
    assert torch.equal(fixed(rotation, start(1), zero, grid=zero).states[:, 0], start(1))
    with pytest.raises(ValueError, match="no snapshot is later than time 0"):
        fixed(rotation, start(1), TIMES, grid=zero)


def test_time_dependent_rates():
    def rate(at, t, y):
        return torch.cos(t)[:, None].expand_as(y)

    path = integrate(rate, start(1), TIMES, error_norm=norm(1e-10), max_steps=1000)
    expected = start(1)[:, None] + torch.sin(TIMES)[None, :, None]
    assert torch.allclose(path.states, expected, atol=1e-8)
    for times in (TIMES, TIMES / 2.1):
        expected = start(1)[:, None] + torch.sin(times)[None, :, None]
        assert torch.allclose(
            fixed(rate, start(1), times, steps_between=20).states, expected, atol=1e-7
        )


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


@METHODS
def test_projection_holds_at_every_time(method):
    corrected = []

    def onto_circle(at, y):
        corrected.extend(at.tolist())
        return y / y.norm(dim=1, keepdim=True)

    times = torch.linspace(0, 3, 11, dtype=torch.float64)
    free = method(rotation, start(3), times)
    assert (free.states.norm(dim=2) - 1).abs().max() > 1e-8
    path = method(rotation, start(3), times, project=onto_circle)
    assert (path.states[:, 1:].norm(dim=2) - 1).abs().max() < 1e-14
    # After each step, not only at the times.
    for i in range(3):
        assert corrected.count(i) >= path.n_steps[i]
        assert abs(path.n_steps[i] - free.n_steps[i]) <= 2 + 0.05 * free.n_steps[i]


def test_the_implicit_method_converges_with_projection():
    """Projected steps have the error of free steps, with about as many steps."""

    def onto_circle(at, y):
        return y / y.norm(dim=1, keepdim=True)

    for tol in (1e-3, 1e-5, 1e-6):
        free, path = (
            implicit(rotation, start(3), TIMES, tol=tol, project=project)
            for project in (None, onto_circle)
        )
        errors = [(p.states - exact(SPEEDS, TIMES)).abs().max() for p in (free, path)]
        assert errors[1] < 1.1 * errors[0]
        assert errors[1] < 300 * tol
        assert (path.n_steps - free.n_steps).abs().max() <= 0.1 * free.n_steps.max()


def test_the_projection_of_the_implicit_method_moves_the_later_states():
    """ẏ = 1 with a projection that adds a millionth in each step."""

    def rate(at, t, y):
        return torch.ones_like(y)

    path = implicit(rate, start(1), TIMES[1:], project=lambda at, y: y + 1e-6)
    excess = path.states[0, :, 0] - 1 - TIMES[1:]
    assert float(excess[-1]) == pytest.approx(1e-6 * int(path.n_steps[0]), rel=1e-6)


class TableError(np.linalg.LinAlgError):
    pass


@METHODS
@pytest.mark.parametrize("end", [-1.0, 0.5])
def test_exceptions_of_the_rate_come_through(method, end):
    error = TableError("my table ends")

    def rate(at, t, y):
        if (t > end).any():
            raise error
        return -y

    with pytest.raises(TableError) as caught:
        method(rate, start(2), TIMES)
    assert caught.value is error


def test_exceptions_of_the_projection_come_through():
    def project(at, y):
        raise ValueError("my density")

    with pytest.raises(ValueError, match="my density"):
        implicit(rotation, start(2), TIMES, project=project)


@METHODS
@pytest.mark.parametrize("last", [-1.0, 0.4])
def test_a_rate_that_is_not_finite_ends_its_trajectory(method, last):
    def rate(at, t, y):
        return torch.where((t > last) & (at == 0), torch.nan, -1.0)[:, None] * y

    path = method(rate, start(2), TIMES)
    assert path.status.tolist() == [Status.NOT_FINITE, Status.SUCCESS]
    assert path.reached[0] <= max(last, 0)
    assert torch.isnan(path.states[0, 1:]).all()
    assert torch.allclose(path.states[1, :, 0], torch.exp(-TIMES), atol=1e-3)


def test_a_jacobian_that_is_not_finite_ends_the_trajectory():
    def rate(at, t, y):
        return torch.where(y == start(1), y, torch.nan)

    assert implicit(rate, start(1), TIMES).status[0] == Status.NOT_FINITE


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


@METHODS
def test_the_step_budget(method):
    path = method(rotation, start(3), TIMES, max_steps=5)
    assert (path.status == Status.MAX_STEPS).all()
    assert (path.reached < 3).all()
    assert torch.isfinite(path.states[:, 0]).all()
    assert torch.isnan(path.states[:, -1]).all()
    assert (path.n_steps + path.n_rejected == 5).all()
    enough = method(rotation, start(1), TIMES, max_steps=1000)
    exactly = method(rotation, start(1), TIMES, max_steps=int(enough.n_steps + enough.n_rejected))
    assert exactly.status[0] == Status.SUCCESS


@METHODS
def test_a_start_that_is_not_finite(method):
    states = start(2)
    states[0, 0] = torch.nan
    path = method(rotation, states, TIMES)
    assert path.status.tolist() == [Status.NOT_FINITE, Status.SUCCESS]


@pytest.mark.parametrize("times", [[0.0], [0.0, 1.0], [0.5, 2.0]])
def test_times(times):
    times = torch.tensor(times, dtype=torch.float64)
    path = integrate(rotation, start(3), times, error_norm=norm(1e-9), max_steps=1000)
    assert torch.allclose(path.states, exact(SPEEDS, times), atol=1e-7)


def stiff(at, t, y):
    return -1e4 * (y - torch.cos(t)[:, None]) - torch.sin(t)[:, None]


def test_the_implicit_method_takes_few_steps_where_the_equation_is_stiff():
    path = implicit(stiff, start(1)[:, :1], TIMES, tol=1e-6)
    assert path.status[0] == Status.SUCCESS
    assert torch.allclose(path.states[0, :, 0], torch.cos(TIMES), atol=1e-4)
    assert path.n_steps[0] < 60
    assert implicit(stiff, start(1)[:, :1], TIMES, max_steps=3).status[0] == Status.MAX_STEPS


@pytest.mark.parametrize("jacobian", ["right", "wrong"])
def test_the_implicit_method_is_of_order_3(monkeypatch, jacobian):
    """Of the error after a fixed number of steps, and with any matrix for the Jacobian."""
    if jacobian == "wrong":
        linearize = _rosenbrock._linearize
        monkeypatch.setattr(
            _rosenbrock,
            "_linearize",
            lambda *args: [part * k for part, k in zip(linearize(*args), (1, 0.3, 0), strict=True)],
        )

    def rate(at, t, y):
        """A pendulum in a wind."""
        push = 0.5 * torch.sin(3 * t)
        return torch.stack([y[:, 1], push - torch.sin(y[:, 0])], dim=1)

    monkeypatch.setattr(_rosenbrock, "_GROW", 1.0)
    end = TIMES[[-1]]
    fine = integrate(rate, start(1), end, error_norm=norm(1e-12), max_steps=10_000).states
    errors = []
    for n in (40, 80, 160):
        monkeypatch.setattr(_integration, "_FIRST_STEP", 1 / n)
        path = implicit(rate, start(1), end, tol=1e9)
        assert abs(int(path.n_steps[0]) - n) <= 1
        errors.append(float((path.states - fine).norm()))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 2.7).all()
    assert (orders < 3.4).all()


@METHODS
def test_trajectories_that_run_out_of_time_keep_what_they_reached(method, monkeypatch):
    """A clock that each evaluation moves by a second."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def slow(at, t, y):
        now[0] += 1.0
        return rotation(at, t, y)

    whole = method(slow, start(3), TIMES)
    needed, now[0] = now[0], 0.0
    path = method(slow, start(3), TIMES, deadline=Deadline(0.6 * needed))
    assert now[0] <= 0.6 * needed
    late = path.status == Status.MAX_TIME
    assert late.any()
    assert (path.status[~late] == Status.SUCCESS).all()
    assert (path.reached[late] < TIMES[-1]).all()
    known = torch.isfinite(path.states)
    assert known.any()
    assert torch.equal(path.states[known], whole.states[known])
    assert not known[late, -1].any()


@METHODS
def test_no_time_at_all(method):
    path = method(rotation, start(3), TIMES, deadline=Deadline(0.0))
    assert (path.status == Status.MAX_TIME).all()
    assert (path.reached == 0).all()


def test_a_path_of_chosen_trajectories():
    path = explicit(rotation, start(3), TIMES)
    chosen = path.subset(torch.tensor([True, False, True]))
    assert torch.equal(chosen.states, path.states[[0, 2]])
    assert torch.equal(chosen.n_steps, path.n_steps[[0, 2]])
