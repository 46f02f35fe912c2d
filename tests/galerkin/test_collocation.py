"""Collocation points: exact sums, unbiased samples, functions determined by few points."""

import numpy as np
import pytest
import torch

from skcolora._galerkin._collocation import gauss_collocation, grid_collocation
from skcolora._galerkin._point_choice import importance_sample, pivoted_qr
from skcolora._snapshots import check_points
from skcolora.pdes import PDE, Advection, Burgers2D, InviscidBurgers


def test_a_periodic_grid_is_spectrally_accurate_with_and_without_its_end():
    for n, endpoint in ((32, False), (33, True)):
        x = np.linspace(0, 1, n, endpoint=endpoint).astype(np.float32)
        rule = grid_collocation(Advection(), check_points(x))
        assert len(rule.points) == 32
        assert np.ptp(rule.weights.numpy()) == 0
        value = (torch.exp(torch.sin(2 * np.pi * rule.points[:, 0])) * rule.weights).sum()
        assert np.isclose(value, 1.2660658777520084, rtol=1e-7)


def test_a_tensor_grid_and_uneven_axes():
    x = np.linspace(0, 1, 21) ** 1.1
    rule = grid_collocation(Burgers2D(), check_points((x, np.linspace(0, 1, 17))))
    assert len(rule.points) == 20 * 16
    assert np.isclose(rule.weights.sum(), 1.0)
    value = (torch.cos(2 * np.pi * rule.points).square().prod(1) * rule.weights).sum()
    assert np.isclose(value, 0.25, atol=2e-3)


def test_points_with_given_values_are_left_out():
    grid = check_points(np.linspace(0, 100, 51))
    rule = grid_collocation(InviscidBurgers(), grid)
    assert rule.points.ravel().tolist() == np.linspace(2, 100, 50).tolist()
    assert np.isclose(rule.weights.sum(), 1.0)


class Channel(PDE):
    """Periodic along the first axis."""

    n_dims = 2
    domain = ((0.0, 2.0), (-1.0, 1.0))
    period = (2.0, None)


CHANNEL = check_points((np.linspace(0.5, 2.4, 20), np.linspace(-1.0, 1.0, 21)))


def integral(rule, function):
    return float((function(*rule.points.T) * rule.weights).sum())


def test_gauss_points_integrate_polynomials_exactly():
    class Open(PDE):
        pass

    rule = gauss_collocation(Open(), check_points(np.linspace(0.2, 0.9, 5)), 6)
    assert len(rule.points) == 6
    assert np.isclose(rule.weights.sum(), 1.0, rtol=1e-14)
    for degree in range(12):
        exact = (0.9 ** (degree + 1) - 0.2 ** (degree + 1)) / (0.7 * (degree + 1))
        assert np.isclose(integral(rule, lambda x, k=degree: x**k), exact, rtol=1e-13, atol=0)
    exact = (0.9**13 - 0.2**13) / (0.7 * 13)
    assert not np.isclose(integral(rule, lambda x: x**12), exact, rtol=1e-10, atol=0)


def test_gauss_points_of_a_period_integrate_waves_exactly():
    rule = gauss_collocation(Advection(), check_points(np.linspace(0, 0.9, 10)), 7)
    assert np.isclose(rule.weights.sum(), 1.0, rtol=1e-14)
    for n_waves in range(1, 7):
        for wave in (torch.cos, torch.sin):
            found = integral(rule, lambda x, n=n_waves, f=wave: f(2 * np.pi * n * x + 0.3))
            assert abs(found) < 1e-14


def test_gauss_points_of_mixed_axes():
    rule = gauss_collocation(Channel(), CHANNEL, 40)
    assert len(rule.points) == 6 * 7
    assert rule.points[:, 0].min() == 0.5
    assert rule.points[:, 0].max() < 2.5
    found = integral(rule, lambda x, y: (1 + torch.cos(4 * np.pi * x / 2)) ** 2 * y**12)
    assert np.isclose(found, 1.5 / 13, rtol=1e-13)


@pytest.mark.parametrize(("n", "found"), [(1, 1), (500, 22 * 23), (529, 529), (1000, 31 * 32)])
def test_gauss_points_are_about_as_many_as_asked_for(n, found):
    grid = check_points((np.linspace(0, 1, 3), np.linspace(0, 1, 3)))
    assert len(gauss_collocation(Burgers2D(), grid, n).points) == found


def test_gauss_points_of_a_box_without_width():
    grid = check_points((np.linspace(0, 2, 5), np.array([0.3])))
    rule = gauss_collocation(Channel(), grid, 9)
    assert len(rule.points) == 9
    assert (rule.points[:, 1] == 0.3).all()


@pytest.fixture
def grid():
    return grid_collocation(Advection(), check_points(np.linspace(0, 1, 400, endpoint=False)))


def test_importance_sampling_is_unbiased(grid):
    x = grid.points[:, 0].numpy()
    importance, values = np.exp(-200 * (x - 0.5) ** 2), np.exp(-100 * (x - 0.5) ** 2) + x
    sums = []
    for seed in range(200):
        some = importance_sample(grid, importance, 40, np.random.RandomState(seed))
        chosen = np.round(some.points[:, 0].numpy() * 400).astype(int)
        assert len(chosen) <= 40
        sums.append(float((some.weights.numpy() * values[chosen]).sum()))
    exact = values.mean()
    assert np.isclose(np.mean(sums), exact, rtol=0.02)
    assert np.std(sums) < 0.1 * exact


def test_nothing_of_importance_draws_evenly(grid):
    some = importance_sample(grid, np.zeros(400), 20, np.random.RandomState(0))
    assert np.allclose(np.diff(some.points[:, 0].numpy()), 0.05)


def test_pivoted_qr_determines_the_functions(grid):
    """As many points as functions, or more, and the fit at them is a fit everywhere."""
    x = grid.points[:, 0].numpy()
    functions = np.stack([np.exp(-300 * (x - c) ** 2) for c in (0.2, 0.5, 0.53, 0.8)])
    for n in (4, 7, 30):
        some = pivoted_qr(grid, functions, n)
        chosen = np.round(some.points[:, 0].numpy() * 400).astype(int)
        assert len(np.unique(chosen)) == n
        assert np.linalg.cond(functions[:, chosen]) < 50
