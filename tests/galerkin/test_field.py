"""The field of a network: exact derivatives, and the equations on it as on a grid."""

import numpy as np
import pytest
import torch
from torch.func import hessian, jacrev, vmap

from skcolora._galerkin._field import NetworkField
from skcolora._nn._jet import first_layer
from skcolora._nn._network import CoLoRANetwork
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
        period=period,
        generator=torch.Generator().manual_seed(0),
    ).double()
    network.requires_grad_(False)
    network.u_scale[:] = torch.tensor([2.0, 3.0])[:n_fields]
    plain = torch.tensor([length is None for length in period])
    network.x_center[plain], network.x_scale[plain] = 0.3, 2.5
    return network


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
    field = NetworkField(network, latent, x)

    def at(point, state):
        """As ``x sigmoid(x)``, since silu has no forward derivative of second order."""
        return network(point[None], state)[0]

    over_points = {"in_dims": (0, None)}

    def everywhere(f):
        return vmap(vmap(f, **over_points), in_dims=(None, 0))(x, latent)

    close = {"rtol": 1e-11, "atol": 1e-11}
    assert torch.allclose(field.value, network(x, latent).movedim(-1, 0), **close)
    grad = everywhere(jacrev(at))  # (states, points, fields, dims)
    assert torch.allclose(field.grad, grad.permute(3, 2, 0, 1), **close)
    second = everywhere(hessian(at)).diagonal(dim1=-2, dim2=-1).sum(-1)
    assert torch.allclose(field.laplacian, second.movedim(-1, 0), **close)
    jacobian = everywhere(jacrev(at, argnums=1))
    assert torch.allclose(field.jacobian, jacobian.movedim(2, 0), **close)
    assert field.points.shape == (len(period), 3, 5)


@pytest.mark.parametrize("period", [(1.0, 2.0), (None, 2.0)])
def test_points_of_each_state_and_a_first_layer_computed_before(period):
    network = make_network(period)
    latent, x = states_and_points(network, 2)
    together = NetworkField(network, latent, x)
    for other in (
        NetworkField(network, latent, x.expand(3, -1, -1)),
        NetworkField(network, latent, x, first_layer(network, x, latent[:, :0])),
    ):
        for name in ("points", "value", "grad", "laplacian", "jacobian"):
            assert torch.allclose(getattr(other, name), getattr(together, name), atol=1e-13)


def test_derivatives_agree_with_finite_differences():
    network = make_network((1.0, None))
    latent, x = states_and_points(network, 2)
    field, h = NetworkField(network, latent, x), 1e-4
    for d in range(2):
        step = h * torch.eye(2, dtype=torch.float64)[d]
        difference = (network(x + step, latent) - network(x - step, latent)) / (2 * h)
        assert torch.allclose(field.grad[d], difference.movedim(-1, 0), atol=1e-5)


def test_only_what_is_asked_for_is_computed():
    network = make_network((1.0, 2.0))
    field = NetworkField(network, *states_and_points(network, 2))
    assert field.value.shape == (2, 3, 5)
    assert "_gradients" not in vars(field._jet)
    assert "_slopes" not in vars(field._jet)


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
    if pde.period[0] is None:
        network.x_center[:], network.x_scale[:] = 50.0, 50.0
    x = torch.from_numpy(mesh.points.reshape(pde.n_dims, -1).T.copy())
    latent = 0.3 * states_and_points(network, pde.n_dims)[0][:2]
    mu = torch.tensor([MU[equation]] * 2, dtype=torch.float64)
    rate = pde.rate(torch.zeros(2, 1), NetworkField(network, latent, x), mu.T.unsqueeze(-1))
    assert isinstance(rate, torch.Tensor)
    assert rate.shape == (pde.n_fields, 2, len(x))
    for i in range(2):
        values = network(x, latent[i]).T.reshape(pde.n_fields, *mesh.shape)
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
    values = network(x, latent)[0].T.reshape(pde.n_fields, *mesh.shape).numpy()
    for density in pde.conserved.values():
        ours = density(NetworkField(network, latent, x))
        on_grid = density(GridField(mesh, values))
        assert np.isclose(ours.mean(), on_grid.mean(), rtol=1e-6)
