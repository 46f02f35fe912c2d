"""Conserved integrals: kept to rounding error by the smallest change of the field."""

import numpy as np
import pytest
import torch

from skcolora._galerkin._checks import conserved_densities
from skcolora._galerkin._collocation import grid_collocation
from skcolora._galerkin._conservation import Conservation
from skcolora._galerkin._projection import Projection
from skcolora._nn._network import CoLoRANetwork
from skcolora._snapshots import Units, check_points
from skcolora.pdes import Burgers, Wave


@pytest.fixture(scope="module")
def parts():
    network = CoLoRANetwork(
        1,
        1,
        width=8,
        depth=4,
        rank=2,
        adaptation="diagonal",
        adapted_layers=(1, 2, 3),
        periodic=(True,),
        generator=torch.Generator().manual_seed(0),
    )
    network.double().requires_grad_(False)
    grid = check_points(np.linspace(0, 1, 64, endpoint=False))
    rule = grid_collocation(Burgers(), grid)
    mu = torch.full((3, 1), 0.1, dtype=torch.float64)
    units = Units.of(mu.numpy(), np.linspace(0, 1, 3), grid.points, (1.0,), 1)
    return network, rule, Projection(network, units, Burgers(), mu, rule, 1e-8)


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


def test_names_and_functions():
    def density(field):
        return field.value[0]

    assert conserved_densities(Wave(), None) == {}
    assert set(conserved_densities(Wave(), "energy")) == {"energy"}
    assert set(conserved_densities(Wave(), ["energy", density])) == {"energy", "density"}
    assert conserved_densities(Wave(), {"mine": density}) == {"mine": density}
    with pytest.raises(ValueError, match="names 'mass', but Wave conserves 'energy'"):
        conserved_densities(Wave(), ["mass"])
