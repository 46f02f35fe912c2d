"""The norm of negative order: exact for waves, and learnt from few points."""

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._galerkin._checks import check_norm
from skcolora._galerkin._collocation import grid_collocation
from skcolora._galerkin._point_choice import importance_sample
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._weak_norm import _LENGTH, functionals, smoothing
from skcolora._nn._network import CoLoRANetwork
from skcolora._snapshots import Units, check_points
from skcolora.datasets import make_burgers
from skcolora.pdes import PDE, Burgers, Burgers2D


class Open(PDE):
    domain = ((0.0, 3.0),)


def weighted(pde, grid, functions):
    return functions * grid_collocation(pde, grid).weights.sqrt().numpy()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_waves_along_a_period(k):
    grid = check_points(np.linspace(0, 1, 401))  # both ends
    x = grid_collocation(Burgers(), grid).points[:, 0].numpy()
    wave = weighted(Burgers(), grid, np.cos(2 * np.pi * k * x)[None])
    factor = (1 + (_LENGTH * 2 * np.pi * k) ** 2) ** -0.5
    assert np.allclose(smoothing(Burgers(), grid)(wave), factor * wave, rtol=2e-3, atol=1e-5)


def test_waves_in_two_dimensions():
    axes = np.linspace(0, 1, 96, endpoint=False), np.linspace(0, 1, 128, endpoint=False)
    grid = check_points(axes)
    x, y = grid_collocation(Burgers2D(), grid).points.T.numpy()
    wave = weighted(Burgers2D(), grid, np.sin(2 * np.pi * (x + 2 * y))[None])
    factor = (1 + (_LENGTH * 2 * np.pi) ** 2 * 5) ** -0.5
    assert np.allclose(smoothing(Burgers2D(), grid)(wave), factor * wave, rtol=5e-3, atol=1e-5)


def test_cosines_between_open_ends():
    """On points of any distance; lengths are those of the axis."""
    nodes = np.sort(np.random.default_rng(0).random(1000)) * 3
    nodes[[0, -1]] = 0, 3
    grid = check_points(nodes)
    wave = weighted(Open(), grid, np.cos(np.pi * nodes / 3)[None])
    factor = (1 + (_LENGTH * np.pi) ** 2) ** -0.5
    assert np.allclose(smoothing(Open(), grid)(wave), factor * wave, atol=1e-3 * abs(wave).max())


def test_symmetric_and_constants_stay():
    grid = check_points(np.sort(np.random.default_rng(0).random(30)))
    smooth = smoothing(Open(), grid)
    K = smooth(np.eye(30))
    assert np.allclose(K, K.T)
    assert np.linalg.eigvalsh(K).min() > 0
    ones = weighted(Open(), grid, np.ones((1, 30)))
    assert np.allclose(smooth(ones), ones)


@pytest.fixture(scope="module")
def training():
    network = CoLoRANetwork(
        1,
        2,
        width=8,
        depth=4,
        rank=1,
        adaptation="scalar",
        adapted_layers=(1, 2, 3),
        periodic=(True,),
        generator=torch.Generator().manual_seed(0),
    )
    network.double().requires_grad_(False)

    class Pair(Burgers):
        n_fields = 2

        def rhs(self, t, field, mu):
            return mu[0] * field.laplacian - field.value * field.grad[0]

    grid = check_points(np.linspace(0, 1, 128, endpoint=False))
    rule = grid_collocation(Pair(), grid)
    mu = torch.full((12, 1), 0.1, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    states = 0.3 * torch.randn(12, network.n_latent, generator=generator, dtype=torch.float64)
    at = (torch.arange(12), torch.zeros(12, dtype=torch.float64), states)
    units = Units.of(mu.numpy(), np.linspace(0, 1, 3), grid.points, (1.0,), 2)
    return (network, units, Pair(), mu), grid, rule, at


@pytest.mark.parametrize("n_points", [40, None])
def test_smoothed_functions_from_their_values_at_points(training, n_points):
    equation, grid, rule, at = training
    smooth = smoothing(equation[2], grid)
    full = Projection(*equation, rule, 0.0)
    chosen = full
    if n_points is not None:
        importance = full.leverage(*at).numpy()
        points = importance_sample(rule, importance, n_points, np.random.RandomState(0))
        chosen = Projection(*equation, points, 0.0)
    M = functionals(full, chosen, at, smooth, np.random.RandomState(0))
    f_full, f_chosen = full.system(*at)[1], chosen.system(*at)[1]
    size = torch.from_numpy(smooth(f_full.numpy())).norm(dim=1)
    found = (f_chosen @ M.T).norm(dim=1)
    assert torch.allclose(found, size, rtol=1e-8 if n_points is None else 0.05)


def test_the_norm_by_its_name():
    line, scattered = check_points(np.linspace(0, 1, 9)), check_points(np.ones((9, 2)))
    assert check_norm(Burgers(), line, "auto") == "H-1"
    assert check_norm(Burgers(), line, "L2") == "L2"
    assert check_norm(Open(), line, "auto") == "L2"
    assert check_norm(Burgers2D(), scattered, "auto") == "L2"
    with pytest.raises(ValueError, match="on a tensor grid"):
        check_norm(Burgers2D(), scattered, "H-1")
    wrong = Open()
    wrong.norm = "H1"
    with pytest.raises(ValueError, match=r"Open\.norm must be"):
        check_norm(wrong, line, "auto")


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin")
def test_each_norm_is_least_in_its_own_model():
    """The motion of the latent state minimises the smoothed residual for "H-1"."""
    data = make_burgers([0.01, 0.02, 0.04], n_points=128, times=np.linspace(0, 1, 11))
    network = CoLoRARegressor(**data.grid, width=12, depth=4, max_iter=60, random_state=0)
    frozen = FrozenEstimator(network.fit(data.X, data.y))
    smooth = smoothing(data.pde, check_points(data.points))
    trajectories = torch.arange(3)
    t = torch.full((3,), 0.5, dtype=torch.float64)
    residuals, moves = {}, {}
    for norm in ("auto", "H-1", "L2"):
        options = {"collocation": "grid", "regularization": 0.0, "random_state": 0}
        model = CoLoRAGalerkin(data.pde, regressor=frozen, norm=norm, **options)
        equation = model.fit(data.X, data.y)._equation
        projection, states = equation.projection(data.X), equation.model.states[5::11]
        moves[norm] = projection.rate(trajectories, t, states)
        J, f = projection.system(trajectories, t, states)
        gap = ((J @ moves[norm].unsqueeze(2)).squeeze(2) - f).numpy()
        residuals[norm] = [np.linalg.norm(values, axis=1) for values in (gap, smooth(gap))]
    assert torch.equal(moves["auto"], moves["H-1"])
    assert (residuals["L2"][0] < residuals["H-1"][0]).all()
    assert (residuals["H-1"][1] < residuals["L2"][1]).all()
