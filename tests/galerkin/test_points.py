"""Collocation points: exact sums, unbiased samples, functions determined by few points."""

import numpy as np
import pytest
import torch

from skcolora._snapshots import check_points
from skcolora.galerkin import importance_sample, pivoted_qr, quadrature
from skcolora.pdes import Advection, Burgers2D, InviscidBurgers


def test_a_periodic_grid_is_spectrally_accurate_with_and_without_its_end():
    for n, endpoint in ((32, False), (33, True)):
        x = np.linspace(0, 1, n, endpoint=endpoint).astype(np.float32)
        rule = quadrature(Advection(), check_points(x))
        assert len(rule.points) == 32
        assert np.ptp(rule.weights.numpy()) == 0
        value = (torch.exp(torch.sin(2 * np.pi * rule.points[:, 0])) * rule.weights).sum()
        assert np.isclose(value, 1.2660658777520084, rtol=1e-7)


def test_a_tensor_grid_and_uneven_axes():
    x = np.linspace(0, 1, 21) ** 1.1
    rule = quadrature(Burgers2D(), check_points((x, np.linspace(0, 1, 17))))
    assert len(rule.points) == 20 * 16
    assert np.isclose(rule.weights.sum(), 1.0)
    value = (torch.cos(2 * np.pi * rule.points).square().prod(1) * rule.weights).sum()
    assert np.isclose(value, 0.25, atol=2e-3)


def test_boundary_values_that_are_prescribed():
    rule = quadrature(InviscidBurgers(), check_points(np.linspace(0, 100, 51)))
    assert rule.fixed.nonzero().ravel().tolist() == [0, 50]
    assert np.isclose(rule.weights[rule.fixed].sum(), 0.5, atol=0.02)


@pytest.fixture
def grid():
    return quadrature(Advection(), check_points(np.linspace(0, 1, 400, endpoint=False)))


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
