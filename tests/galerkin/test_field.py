"""The field of a network: exact derivatives, and the equations on it as on a grid."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import hessian, jacrev, jvp, vmap

from skcolora._galerkin._field import NetworkAtPoints
from skcolora._nn._jet import NetworkJet
from skcolora._nn._network import CoLoRANetwork
from skcolora._snapshots import Scale, Units
from skcolora._snapshots._time_coordinate import TimeCoordinate
from skcolora._snapshots._units import TimeScale
from skcolora.pdes import (
    Advection,
    Burgers,
    Burgers2D,
    GridField,
    InviscidBurgers,
    RotatingDetonation,
    Vlasov,
    Wave,
)


def make_network(period, n_fields=2, adaptation="diagonal", adapted_layers=(1, 2), width=6):
    network = CoLoRANetwork(
        len(period),
        n_fields,
        width=width,
        depth=4,
        rank=2,
        adaptation=adaptation,
        adapted_layers=adapted_layers,
        periodic=[length is not None for length in period],
        generator=torch.Generator().manual_seed(0),
    ).double()
    return network.requires_grad_(False)


def make_units(period, n_fields=2, center=0.3, half_width=2.5):
    lengths = [half_width if length is None else length / (2 * np.pi) for length in period]
    points = Scale(np.full(len(period), center), np.array(lengths))
    unit = Scale(np.zeros(1), np.ones(1))
    fields = Scale(np.array([0.7, -4.0])[:n_fields], np.array([2.0, 3.0])[:n_fields])
    time = TimeScale(TimeCoordinate(), unit)
    return Units(unit, time, points, tuple(length is not None for length in period), fields)


def values_at(at, latent, x):
    """Fields in the user's units by the plain forward pass, which can be differentiated."""
    center, slope = (torch.from_numpy(a) for a in (at.units.points.center, at.units.points.slope))
    return at.field_center + at.field_scale * at.network((x - center) * slope, latent)


def states_and_points(network, n_dims):
    generator = torch.Generator().manual_seed(1)
    options = {"generator": generator, "dtype": torch.float64}
    return torch.randn(3, network.n_latent, **options), torch.rand(5, n_dims, **options)


@pytest.mark.parametrize("period", [(1.0, 2.0), (None, None), (None, 2.0), (1.5,), (None,)])
@pytest.mark.parametrize("adaptation", ["scalar", "diagonal"])
@pytest.mark.parametrize("adapted_layers", [(1, 2, 3), (0, 2), (0,), (3,)])
@pytest.mark.parametrize("n_fields", [1, 2])
def test_derivatives_agree_with_automatic_differentiation(
    period, adaptation, adapted_layers, n_fields
):
    network = make_network(period, n_fields, adaptation, adapted_layers)
    latent, x = states_and_points(network, len(period))
    sampled = NetworkAtPoints(network, make_units(period, n_fields), x)
    field = sampled.field(latent)

    def at(point, state):
        return values_at(sampled, state, point[None])[0]

    over_points = {"in_dims": (0, None)}

    def everywhere(f):
        return vmap(vmap(f, **over_points), in_dims=(None, 0))(x, latent)

    close = {"rtol": 1e-11, "atol": 1e-11}
    assert torch.allclose(field.value, values_at(sampled, latent, x).movedim(-1, 0), **close)
    grad = everywhere(jacrev(at))  # (states, points, fields, dims)
    assert torch.allclose(field.grad, grad.permute(3, 2, 0, 1), **close)
    second = everywhere(hessian(at)).diagonal(dim1=-2, dim2=-1).sum(-1)
    assert torch.allclose(field.laplacian, second.movedim(-1, 0), **close)
    jacobian = everywhere(jacrev(at, argnums=1)) / sampled.field_scale[:, None]
    assert torch.allclose(field.jet.jacobian, jacobian.movedim(2, 0), **close)
    assert field.points.shape == (len(period), 3, 5)


ORDERS = [(3,), (4,), (0, 1), (2, 0), (1, 1), (1, 3), (2, 2), (1, 0, 2), (1, 2, 1)]


@pytest.mark.parametrize("orders", ORDERS)
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("adapted_layers", [(0, 2), (1, 3)])
def test_derivatives_of_any_order_agree_with_automatic_differentiation(
    orders, periodic, adapted_layers
):
    period = (None,) * (len(orders) - 1) + (2.0 if periodic else None,)
    network = make_network(period, 2, "diagonal", adapted_layers)
    latent, x = states_and_points(network, len(period))
    sampled = NetworkAtPoints(network, make_units(period), x)

    def f(point, state):
        return values_at(sampled, state, point[None])[0]

    for d, order in enumerate(orders):
        for _ in range(order):
            f = _along(f, d)
    expected = vmap(vmap(f, in_dims=(0, None)), in_dims=(None, 0))(x, latent)
    found = sampled.field(latent).derivative(*orders)
    assert torch.allclose(found, expected.movedim(-1, 0), rtol=1e-9, atol=1e-9)


def _along(f, d):
    """The derivative of f along one axis of the point."""

    def derivative(point, state):
        direction = torch.zeros_like(point)
        direction[d] = 1.0
        return jvp(lambda p: f(p, state), (point,), (direction,))[1]

    return derivative


def test_orders_of_a_network_field_are_checked():
    network = make_network((1.0,))
    latent, x = states_and_points(network, 1)
    field = NetworkAtPoints(network, make_units((1.0,)), x).field(latent)
    with pytest.raises(ValueError, match="one order for each of the 1 dimension"):
        field.derivative(1, 1)


@pytest.mark.parametrize("period", [(1.0, 2.0), (None, 2.0)])
def test_points_of_each_state_and_a_first_layer_computed_before(period):
    network, units = make_network(period), make_units(period)
    latent, x = states_and_points(network, 2)
    scaled = torch.from_numpy(units.coordinates(x.numpy()))
    slopes = torch.from_numpy(units.points.slope)
    together = NetworkAtPoints(network, units, x).jet(latent)
    for points in (scaled, scaled.expand(3, -1, -1)):
        other = NetworkJet(network, latent, points, slopes=slopes)
        for name in ("value", "grad", "laplacian", "jacobian"):
            assert torch.allclose(getattr(other, name), getattr(together, name), atol=1e-13)


def test_a_constant_field_and_a_constant_axis_take_no_part():
    network, units = make_network((None, None)), make_units((None, None))
    points = Scale(units.points.center, np.array([2.5, 0.0]))
    units = replace(units, points=points, fields=Scale(np.array([0.7, 5.0]), np.array([2.0, 0.0])))
    network.mute(~units.fields.varies)
    latent, x = states_and_points(network, 2)
    field = NetworkAtPoints(network, units, x).field(latent)
    assert (field.value[1] == 5.0).all()
    assert (field.grad[1] == 0).all()
    assert (field.grad[:, 1] == 0).all()
    assert (field.laplacian[1] == 0).all()
    assert (field.jet.jacobian[1] == 0).all()
    moved = NetworkAtPoints(network, units, x + torch.tensor([0.0, 7.0])).field(latent)
    assert torch.equal(moved.value, field.value)


def test_derivatives_agree_with_finite_differences():
    network = make_network((1.0, None))
    latent, x = states_and_points(network, 2)
    at = NetworkAtPoints(network, make_units((1.0, None)), x)
    field, h = at.field(latent), 1e-4
    for d in range(2):
        step = h * torch.eye(2, dtype=torch.float64)[d]
        difference = (values_at(at, latent, x + step) - values_at(at, latent, x - step)) / (2 * h)
        assert torch.allclose(field.grad[d], difference.movedim(-1, 0), atol=1e-5)


def test_only_what_is_asked_for_is_computed():
    network = make_network((1.0, 2.0))
    latent, x = states_and_points(network, 2)
    field = NetworkAtPoints(network, make_units((1.0, 2.0)), x).field(latent)
    assert field.value.shape == (2, 3, 5)
    assert "_gradients" not in vars(field.jet)
    assert "_sensitivities" not in vars(field.jet)


MU = {
    Advection: [0.7],
    Burgers: [0.02],
    Burgers2D: [0.01],
    InviscidBurgers: [4.5, 0.02],
    RotatingDetonation: [2.5],
    Vlasov: [0.3],
    Wave: [1.0, 0.1, 0.2, 0.15],
}


@pytest.mark.parametrize("equation", MU, ids=lambda cls: cls.__name__)
def test_equations_agree_on_a_network_and_on_a_grid(equation):
    """The same smooth function, given by a network and by its values on a fine grid."""
    pde = equation()
    network = make_network(pde.period, pde.n_fields, "scalar")
    mesh = pde.mesh(400 if pde.period[0] is None else 96)
    units = make_units(pde.period, pde.n_fields, center=50.0, half_width=50.0)
    x = torch.from_numpy(mesh.points.reshape(pde.n_dims, -1).T.copy())
    latent = 0.3 * states_and_points(network, pde.n_dims)[0][:2]
    mu = torch.tensor([MU[equation]] * 2, dtype=torch.float64)
    at = NetworkAtPoints(network, units, x)
    rate = pde.rate(torch.zeros(2, 1), at.field(latent), mu.T.unsqueeze(-1))
    assert isinstance(rate, torch.Tensor)
    assert rate.shape == (pde.n_fields, 2, len(x))
    for i in range(2):
        values = values_at(at, latent[i], x).T.reshape(pde.n_fields, *mesh.shape)
        on_grid = pde.rate(0.0, GridField(mesh, values.numpy()), MU[equation])
        size = abs(on_grid).max()
        assert np.allclose(rate[:, i].numpy(), on_grid.reshape(pde.n_fields, -1), atol=1e-5 * size)


@pytest.mark.parametrize("equation", [Burgers, Burgers2D, Vlasov, Wave, Advection])
def test_conserved_densities_of_a_network(equation):
    pde = equation()
    network = make_network(pde.period, pde.n_fields, "scalar")
    mesh = pde.mesh(48)
    x = torch.from_numpy(mesh.points.reshape(pde.n_dims, -1).T.copy())
    latent = 0.3 * states_and_points(network, pde.n_dims)[0][:1]
    at = NetworkAtPoints(network, make_units(pde.period, pde.n_fields), x)
    values = values_at(at, latent, x)[0].T.reshape(pde.n_fields, *mesh.shape).numpy()
    for density in pde.conserved.values():
        ours = density(at.field(latent))
        on_grid = density(GridField(mesh, values))
        assert np.isclose(ours.mean(), on_grid.mean(), rtol=1e-6)
