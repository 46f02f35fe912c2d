"""Conserved integrals: kept to rounding error by the smallest change of the field."""

import numpy as np
import pytest
import torch

from skcolora._galerkin import _conservation
from skcolora._galerkin._checks import conserved_densities
from skcolora._galerkin._collocation import grid_collocation, grid_quadrature
from skcolora._galerkin._conservation import Conservation
from skcolora._galerkin._field import NetworkAtPoints
from skcolora._galerkin._integration import integrate, integrate_fixed, integrate_implicit
from skcolora._galerkin._projection import Projection
from skcolora._nn._network import CoLoRANetwork
from skcolora._snapshots import Units, check_points
from skcolora.pdes import PDE, Burgers, Dirichlet, Outflow, Wave


def small_network(period):
    network = CoLoRANetwork(
        1,
        1,
        width=8,
        depth=4,
        rank=2,
        adaptation="diagonal",
        adapted_layers=(1, 2, 3),
        periodic=[length is not None for length in period],
        generator=torch.Generator().manual_seed(0),
    )
    return network.double().requires_grad_(False)


def units_of(grid, period):
    return Units.of(np.array([[0.1]]), np.linspace(0, 1, 3), grid.points, period, 1)


@pytest.fixture(scope="module")
def parts():
    network = small_network((1.0,))
    grid = check_points(np.linspace(0, 1, 64, endpoint=False))
    rule = grid_collocation(Burgers(), grid)
    mu = torch.full((3, 1), 0.1, dtype=torch.float64)
    return network, rule, Projection(network, units_of(grid, (1.0,)), Burgers(), mu, rule, 1e-8)


def states(network, n, size=1.0):
    generator = torch.Generator().manual_seed(1)
    return size * torch.randn(n, network.n_latent, generator=generator, dtype=torch.float64)


DENSITIES = {
    "mass": lambda field: field.value[0],
    "energy": lambda field: 0.5 * field.value[0] ** 2,
    "slope": lambda field: field.grad[0, 0] ** 2,
}


@pytest.mark.parametrize("names", [["mass"], ["mass", "energy"], ["slope"]])
def test_integrals_are_restored(parts, names):
    network, rule, projection = parts
    conservation = Conservation({n: DENSITIES[n] for n in names}, rule, projection)
    start = states(network, 3)
    conservation.start(start)
    target = conservation.integrals(start)
    moved = start + states(network, 3, 1e-3).flip(0)
    assert (conservation.integrals(moved) / target - 1).abs().max() > 1e-6
    back = conservation(torch.arange(3), moved)
    assert (conservation.integrals(back) / target - 1).abs().max() < 1e-12
    assert projection.distance(moved, back).max() < 2e-2


def test_the_change_of_the_field_is_nearly_the_least(parts):
    """Of the order of what the gap in mass makes necessary."""
    network, rule, projection = parts
    conservation = Conservation({"mass": DENSITIES["mass"]}, rule, projection)
    start = states(network, 1)
    conservation.start(start)
    moved = start + 1e-4 * states(network, 1).flip(1)
    gap = (conservation.integrals(moved) - conservation.target).abs()
    back = conservation(torch.arange(1), moved)
    change = projection.distance(moved, back) * projection.size(moved)
    # The mean of a change is at most its root mean square.
    assert change >= 0.99 * gap[0]
    assert change < 20 * gap[0]


def test_states_on_the_manifold_stay_where_they_are(parts):
    network, rule, projection = parts
    conservation = Conservation({"mass": DENSITIES["mass"]}, rule, projection)
    start = states(network, 3)
    conservation.start(start)
    assert torch.allclose(conservation(torch.arange(3), start), start, atol=1e-12)


class Drift(PDE):
    """∂ₜu = μ ∂ₓₓu - ∂ₓu + 1 does not keep the mass of a network: the projection has to."""

    domain = ((0.0, 1.0),)
    parameter_names = ("mu",)

    def __init__(self, ends):
        self.boundary = {"free": Outflow(), "fixed": Dirichlet()}.get(ends, (None,))
        self._ends = ends

    period = property(lambda self: (1.0,) if self._ends == "periodic" else (None,))

    def initial(self, points, mu):
        return np.zeros((1, *points.shape[1:]))

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian - field.grad[0] + 1.0


METHODS = {
    "RK45": lambda p, y, t, project: integrate(
        p.rate,
        y,
        t,
        error_norm=lambda at, new, lower: p.distance(new, lower) / 1e-5,
        project=project,
        max_steps=500,
    ),
    "RK4": lambda p, y, t, project: integrate_fixed(
        p.rate, y, t, grid=t[::3], steps_between=5, project=project, max_steps=500
    ),
    "Rosenbrock": lambda p, y, t, project: integrate_implicit(
        p.rate,
        y,
        t,
        error_norm=lambda at, new, lower: p.distance(new, lower) / 1e-4,
        project=project,
        max_steps=500,
    ),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ends", ["free", "fixed", "periodic"])
def test_integrals_are_kept_at_all_times(method, ends):
    pde = Drift(ends)
    network = small_network(pde.period)
    grid = check_points(np.linspace(0, 1, 65))
    mu, collocation = torch.tensor([[0.1]]).double(), grid_collocation(pde, grid)
    units = units_of(grid, pde.period)
    projection = Projection(network, units, pde, mu, collocation, 1e-4)
    rule = grid_quadrature(pde, grid)
    conservation = Conservation({"mass": DENSITIES["mass"]}, rule, projection)
    start = states(network, 1, 0.5)
    conservation.start(start)
    corrected = []

    def project(trajectories, latent):
        corrected.extend(trajectories.tolist())
        return conservation(trajectories, latent)

    times = torch.linspace(0, 0.01, 7, dtype=torch.float64)
    path = METHODS[method](projection, start, times, project)
    assert path.status.tolist() == [0]
    size = values(projection, start, rule).abs() @ rule.weights
    drift = (conservation.integrals(path.states[0]) - conservation.target).abs() / size
    assert drift.max() < 1e-12
    # Without the projection the mass grows by 1 in a unit of time.
    free = METHODS[method](projection, start, times, None)
    drift = (conservation.integrals(free.states[0]) - conservation.target).abs() / size
    assert drift.max() > 1e-4
    assert len(corrected) >= path.n_steps[0]


def values(projection, latent, rule):
    at = NetworkAtPoints(projection.network, projection.units, rule.points)
    return at.field(latent).value[0]


@pytest.mark.parametrize("names", [["mass"], ["mass", "energy", "slope"]])
def test_blocks_of_points_do_not_matter(parts, names, monkeypatch):
    network, rule, projection = parts
    found = []
    for size in (2**14, 10):
        monkeypatch.setattr(_conservation, "_BLOCK", size)
        conservation = Conservation({n: DENSITIES[n] for n in names}, rule, projection)
        start = states(network, 3)
        conservation.start(start)
        moved = start + states(network, 3, 1e-3).flip(0)
        found.append((conservation.target, conservation(torch.arange(3), moved)))
        assert not conservation.failed.any()
    for target, back in found[1:]:
        assert torch.allclose(target, found[0][0], rtol=1e-14, atol=0)
        assert torch.allclose(back, found[0][1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("offset", [300.0, -1e5])
def test_a_constant_in_the_field_costs_only_its_rounding_errors(parts, offset):
    """The gap is relative to the integral of the field with its constant."""
    network, rule, projection = parts
    calls = []

    def density(field):
        calls.append(1)
        return field.value[0] + offset

    conservation = Conservation({"mass": density}, rule, projection)
    start = states(network, 3)
    conservation.start(start)
    calls.clear()
    back = conservation(torch.arange(3), start + states(network, 3, 1e-3).flip(0))
    assert len(calls) <= 8
    gap = conservation.integrals(back) - conservation.target
    assert gap.abs().max() < 1e-13 * abs(offset)
    assert not conservation.failed.any()


def test_an_integral_of_zero(parts):
    """Relative to the field, which is not zero, or to the field that has become so."""
    network, rule, projection = parts
    start = states(network, 3)
    means = values(projection, start, rule) @ rule.weights
    shift = {"mass": lambda field: field.value[0] - means[0]}
    conservation = Conservation(shift, rule, projection)
    conservation.start(start)
    back = conservation(torch.arange(3), start + 1e-3)
    assert (conservation.integrals(back) - conservation.target).abs().max() < 1e-13
    assert not conservation.failed.any()
    rest = values(projection, start[:1], rule)
    still = Conservation({"zero": lambda f: f.value[0] - rest}, rule, projection)
    still.start(start[:1])
    assert (still.target == 0).all()
    back = still(torch.arange(1), start[:1] + 1e-3)
    assert still.integrals(back).abs().max() < 1e-12
    assert not still.failed.any()


def test_states_that_are_not_finite_do_not_disturb_others(parts):
    network, rule, projection = parts
    conservation = Conservation({"mass": DENSITIES["mass"]}, rule, projection)
    start = states(network, 3)
    conservation.start(start)
    moved = start + 1e-3
    moved[1, 0] = torch.nan
    back = conservation(torch.arange(3), moved)
    assert torch.equal(back[1].isnan(), moved[1].isnan())
    alone = conservation(torch.tensor([0, 2]), moved[[0, 2]])
    assert torch.allclose(back[[0, 2]], alone, atol=1e-12)
    assert not conservation.failed.any()


def test_names_and_functions():
    def density(field):
        return field.value[0]

    assert conserved_densities(Wave(), None) == {}
    assert set(conserved_densities(Wave(), "energy")) == {"energy"}
    assert set(conserved_densities(Wave(), ["energy", density])) == {"energy", "density"}
    assert conserved_densities(Wave(), {"mine": density}) == {"mine": density}
    with pytest.raises(ValueError, match="names 'mass', but Wave conserves 'energy'"):
        conserved_densities(Wave(), ["mass"])
