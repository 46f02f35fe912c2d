"""The network: weight counts, exact Jacobians, exact translation."""

import pytest
import torch
from torch.func import functional_call, jacrev

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._model import CoLoRAModel
from skcolora._nn._network import CoLoRANetwork


def make_model(
    n_parameters=2, n_dims=2, n_fields=2, periodic=(True, True), hyper=(5, 3), **changes
):
    generator = torch.Generator().manual_seed(0)
    options = {"width": 6, "depth": 4, "rank": 3, "adaptation": "scalar", **changes}
    options.setdefault("adapted_layers", tuple(range(1, options["depth"])))
    network = CoLoRANetwork(n_dims, n_fields, periodic=periodic, generator=generator, **options)
    hypernetwork = Hypernetwork(
        n_parameters + 1, network.n_latent, width=hyper[0], depth=hyper[1], generator=generator
    )
    return CoLoRAModel(network, hypernetwork).double()


@pytest.mark.parametrize(
    ("n_fields", "n_parameters", "rank", "adaptation", "n_weights", "n_latent"),
    [(1, 1, 3, "scalar", 5451, 7), (2, 4, 7, "diagonal", 7505, 49)],
    ids=["Vlasov and Burgers", "wave"],
)
def test_weight_counts_of_the_paper(n_fields, n_parameters, rank, adaptation, n_weights, n_latent):
    model = make_model(
        n_parameters,
        2,
        n_fields,
        (True, True),
        (15, 3),
        width=25,
        depth=8,
        rank=rank,
        adaptation=adaptation,
    )
    # The products of time and parameters are further inputs of the hypernetwork.
    products = n_parameters * model.hypernetwork.width
    assert sum(p.numel() for p in model.parameters()) == n_weights + products
    assert model.network.n_latent == n_latent


@pytest.mark.parametrize("periodic", [(True, True), (False, False), (False, True)])
@pytest.mark.parametrize("adaptation", ["scalar", "diagonal"])
@pytest.mark.parametrize("adapted_layers", [(1, 2, 3), (0, 2), (0,)])
def test_jacobian_in_closed_form_agrees_with_automatic_differentiation(
    periodic, adaptation, adapted_layers
):
    model = make_model(periodic=periodic, adaptation=adaptation, adapted_layers=adapted_layers)
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(4, 5, 2, generator=generator, dtype=torch.float64)
    inputs = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def fields(weights):
        return functional_call(model, weights, (x, inputs)).permute(2, 0, 1)

    expected = jacrev(fields)(weights)
    row_weights = torch.rand(2, 4, 5, generator=generator, dtype=torch.float64)
    values, factors = model.linearize(x, inputs, row_weights)
    assert torch.allclose(values.permute(2, 0, 1), fields(weights), rtol=0, atol=1e-13)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(factor.parameter)] for factor in factors} == set(names.values())
    for parameter, left, right in factors:
        if left is None or right is None:
            rows = right if left is None else left
        else:
            rows = (left.unsqueeze(-1) * right.unsqueeze(-2)).flatten(-2)
        reference = expected[names[id(parameter)]].flatten(3) * row_weights.unsqueeze(-1)
        assert torch.allclose(rows.expand_as(reference), reference, rtol=0, atol=1e-13)


def test_latent_jacobian_agrees_with_automatic_differentiation():
    network = make_model(adapted_layers=(0, 2), adaptation="diagonal").network
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(5, 2, generator=generator, dtype=torch.float64)
    latent = torch.randn(1, network.n_latent, generator=generator, dtype=torch.float64)
    expected = jacrev(lambda phi: network(x, phi))(latent)[0, :, :, 0]
    given = network.linearize(x, latent).latent[:, 0]
    assert torch.allclose(given, expected.transpose(0, 1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("periodic", [True, False])
def test_a_translation_is_represented_exactly(periodic):
    """With the first layer adapted, û(x; φ(t)) = û(x - s t; φ(0)) for weights set by hand."""
    network = make_model(
        n_dims=1, n_fields=1, periodic=(periodic,), rank=1, adapted_layers=(0,)
    ).network.requires_grad_(False)
    first, speed = network.layers[0], 0.7
    if not periodic:
        # x W + α [0, 1]ᵀ (-s W) = (x - α s) W: the update acts on the input augmented by 1.
        first.update.A.copy_(torch.tensor([[0.0], [1.0]]))
        first.update.B.copy_(-speed * first.W)
    else:
        first.update.A.fill_(1.0)
        first.update.B.fill_(-speed)
    x = torch.linspace(-1, 1, 101, dtype=torch.float64)[:, None]
    start = torch.zeros(1, 1, dtype=torch.float64)
    assert network(x, start).std() > 1e-3
    for t in torch.linspace(0, 2, 21, dtype=torch.float64):
        moved, expected = network(x, t.view(1, 1)), network(x - speed * t, start)
        assert (moved - expected).abs().max() < 1e-12
