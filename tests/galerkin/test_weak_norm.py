"""The norm of negative order: exact for waves, and learnt from few points."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._galerkin import _weak_norm
from skcolora._galerkin._checks import check_norm
from skcolora._galerkin._collocation import grid_collocation
from skcolora._galerkin._point_choice import importance_sample
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._weak_norm import _LENGTH, functionals, smoothing
from skcolora._nn._network import CoLoRANetwork
from skcolora._snapshots import Units, check_points
from skcolora.datasets import make_burgers
from skcolora.pdes import PDE, Burgers, Burgers2D
from skcolora.pdes._quadrature import axis_rule


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
    square = 1 / (1 + (_LENGTH * np.pi) ** 2)
    smooth = smoothing(Open(), grid)
    found = smooth.adjoint(smooth(wave))
    assert np.allclose(found, square * wave, atol=1e-3 * abs(wave).max())
    ratio = np.linalg.norm(smooth(wave)) / np.linalg.norm(wave)
    assert ratio == pytest.approx(square**0.5, rel=1e-4)


class Box(PDE):
    def __init__(self, *kinds):
        self.domain = ((0.0, 2.0),) * len(kinds)
        self._kinds = kinds

    period = property(lambda self: tuple(2.0 if kind == "p" else None for kind in self._kinds))


def inverse(pde, grid):
    """(I - ℓ²Δ)⁻¹ by dense matrices, with finite elements along each axis."""
    matrix = np.zeros((1, 1))
    for axis, length in zip(grid.axes or (grid.points[:, 0],), pde.period, strict=True):
        nodes, weights = axis_rule(axis, length)
        n, roots = len(nodes), np.sqrt(weights / weights.sum())
        extent = length or max(np.ptp(nodes), 1e-300)
        edges = [(i, i + 1, nodes[i + 1] - nodes[i]) for i in range(n - 1)]
        if length and n > 1:
            edges.append((n - 1, 0, nodes[0] + length - nodes[-1]))
        stiffness = np.zeros((n, n))
        for i, j, gap in edges:
            difference = np.zeros(n)
            difference[i], difference[j] = 1, -1
            stiffness += np.outer(difference, difference) * extent / gap
        along = stiffness / np.outer(roots, roots)
        matrix = np.kron(matrix, np.eye(n)) + np.kron(np.eye(len(matrix)), along)
    return np.linalg.inv(np.eye(len(matrix)) + _LENGTH**2 * matrix)


def uniform(n, end=False):
    return np.linspace(0, 2, n, endpoint=end)


def uneven(n):
    return np.sort(np.random.default_rng(n).random(n)) * 1.9


AXES = {
    "period": ("p", uniform(24)),
    "prime period": ("p", uniform(31)),
    "repeated end": ("p", uniform(25, end=True)),
    "uneven period": ("p", uneven(20)),
    "long uneven period": ("p", uneven(21)),
    "open": ("o", uniform(30, end=True)),
    "short open": ("o", uniform(5, end=True)),
    "uneven open": ("o", uneven(17)),
    **{f"period {n}": ("p", uniform(n)) for n in (1, 2, 3)},
    **{f"open {n}": ("o", uniform(n, end=True)) for n in (1, 2, 3)},
    **{f"uneven period {n}": ("p", np.array([0.0, 0.3, 0.5])[:n]) for n in (2, 3)},
}
PLANES = [
    ("period", "prime period"),
    ("period", "open"),
    ("uneven period", "period 2"),
    ("uneven open", "repeated end"),
    ("open", "open 1"),
    ("period 1", "uneven open"),
    ("open 2", "period 3", "uneven open"),
]


@pytest.mark.parametrize("names", [*((name,) for name in AXES), *PLANES])
def test_the_operator_is_that_of_dense_matrices(names):
    kinds, axes = zip(*(AXES[name] for name in names), strict=True)
    pde, grid = Box(*kinds), check_points(axes if len(axes) > 1 else axes[0])
    smooth, expected = smoothing(pde, grid), inverse(pde, grid)
    ones = np.eye(len(expected))
    L, adjoint = smooth(ones).T, smooth.adjoint(ones).T  # columns are images of unit vectors
    assert np.allclose(adjoint, L.T, rtol=0, atol=1e-12)
    assert np.allclose(L.T @ L, expected, rtol=0, atol=1e-12)
    # Rows of several fields.
    pair = np.random.default_rng(0).random((3, 2 * len(ones)))
    assert np.allclose(smooth(pair).reshape(6, -1), pair.reshape(6, -1) @ L.T, atol=1e-12)


@pytest.mark.parametrize("name", AXES)
def test_constants_stay(name):
    kind, axis = AXES[name]
    grid = check_points(axis)
    smooth = smoothing(Box(kind), grid)
    ones = weighted(Box(kind), grid, np.ones((1, smooth.shape[0])))
    assert np.allclose(smooth.adjoint(smooth(ones)), ones)


def test_coordinates_of_single_precision_are_a_uniform_period():
    exact, rounded = (
        smoothing(Box("p"), check_points(uniform(300).astype(kind).astype(float)))(
            np.random.default_rng(0).random((2, 300))
        )
        for kind in (np.float64, np.float32)
    )
    assert np.allclose(exact, rounded, rtol=1e-12)


@pytest.mark.parametrize(("kinds", "n"), [("pp", 100), ("po", 100), ("o", 4000), ("p", 4000)])
def test_the_memory_of_smoothing_is_that_of_the_result(kinds, n):
    axes = tuple(uniform(n) for _ in kinds)
    grid = check_points(axes if len(axes) > 1 else axes[0])
    smooth = smoothing(Box(*kinds), grid)
    functions = np.random.default_rng(0).random((2**24 // n ** len(kinds), n ** len(kinds)))
    tracemalloc.start()
    smooth(functions)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * functions.nbytes


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
    M = functionals(full, chosen, at, smooth)
    f_full, f_chosen = full.system(*at)[1], chosen.system(*at)[1]
    size = torch.from_numpy(smooth(f_full.numpy())).norm(dim=1)
    found = (f_chosen @ M.T).norm(dim=1)
    assert torch.allclose(found, size, rtol=1e-8 if n_points is None else 0.05)


@pytest.mark.parametrize("n_points", [40, None])
def test_blocks_of_points_do_not_matter(training, n_points, monkeypatch):
    equation, _, rule, at = training
    pde = equation[2]
    smooth = smoothing(pde, check_points(np.linspace(0, 1, 128, endpoint=False)))
    full = chosen = Projection(*equation, rule, 0.0)
    if n_points is not None:
        points = importance_sample(rule, np.ones(128), n_points, np.random.RandomState(0))
        chosen = Projection(*equation, points, 0.0)
    whole = functionals(full, chosen, at, smooth)
    monkeypatch.setattr(_weak_norm, "_BLOCK", 50)
    monkeypatch.setattr(_weak_norm, "_BLOCK_VALUES", 300)
    parts = functionals(full, chosen, at, smooth)
    assert torch.allclose(parts.T @ parts, whole.T @ whole, rtol=0, atol=1e-9 * whole.norm() ** 2)


@pytest.mark.parametrize("n_points", [40, None])
@pytest.mark.parametrize("n_directions", [5, 200])
def test_functionals_are_those_of_the_singular_vectors(
    training, n_points, n_directions, monkeypatch
):
    """The leading singular vectors of all smoothed functions at once."""
    equation, grid, rule, at = training
    pde = equation[2]
    monkeypatch.setattr(_weak_norm, "_MAX_DIRECTIONS", n_directions)
    full = chosen = Projection(*equation, rule, 0.0)
    if n_points is not None:
        points = importance_sample(rule, np.ones(128), n_points, np.random.RandomState(0))
        chosen = Projection(*equation, points, 0.0)
    M = functionals(full, chosen, at, smoothing(pde, grid)).numpy()
    functions, values = [], []
    for i in range(len(at[0])):
        columns = []
        for projection in (full, chosen):
            J, f = projection.system(*(entry[i : i + 1] for entry in at))
            columns.append(torch.cat([J, f.unsqueeze(2)], dim=2)[0].numpy())
        sizes = np.linalg.norm(columns[0], axis=0)
        U, sigma, Vh = np.linalg.svd(columns[0] / sizes, full_matrices=False)
        assert sigma[-1] > 1e-7 * sigma[0]
        functions.append(U.T)
        values.append((columns[1] / sizes @ (Vh.T / sigma)).T)
    K = np.kron(np.eye(2), sqrtm(inverse(pde, grid)).real)
    smoothed, values = np.concatenate(functions) @ K, np.concatenate(values)
    _, sigma, directions = np.linalg.svd(smoothed, full_matrices=False)
    directions = directions[sigma > 1e-8 * sigma[0]][:n_directions]
    if n_points is None:
        expected = directions @ K
    else:
        U, sigma, Vh = np.linalg.svd(values, full_matrices=False)
        filtered = sigma / (sigma**2 + (1e-2 * sigma[0]) ** 2)
        expected = (smoothed @ directions.T).T @ (U * filtered) @ Vh
    # Only norms matter.
    gap = M.T @ M - expected.T @ expected
    assert np.linalg.norm(gap, 2) < 1e-8 * np.linalg.norm(expected, 2) ** 2


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
