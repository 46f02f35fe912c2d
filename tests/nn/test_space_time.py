"""Derivatives in time and space of a model, and their Jacobian in the weights."""

import pytest
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._jet import NetworkJet
from skcolora._nn._model import CoLoRAModel
from skcolora._nn._network import CoLoRANetwork
from skcolora._nn._space_time import SpaceTimeJet, SpaceTimeModel, jet_jacobian

CASES = [
    ((1.0, 2.0), "diagonal", (1, 2, 3), 2),
    ((1.0, 2.0), "scalar", (0, 2), 1),
    ((None, 2.0), "diagonal", (0, 1, 2, 3), 2),
    ((None,), "diagonal", (0,), 1),
    ((None, None), "scalar", (3,), 1),
    ((1.5,), "scalar", (1, 2, 3), 2),
]


def make_model(period, adaptation, adapted_layers, n_fields):
    generator = torch.Generator().manual_seed(0)
    network = CoLoRANetwork(
        len(period),
        n_fields,
        width=6,
        depth=4,
        rank=2,
        adaptation=adaptation,
        adapted_layers=adapted_layers,
        periodic=[length is not None for length in period],
        generator=generator,
    )
    hypernetwork = Hypernetwork(3, network.n_latent, width=5, depth=3, generator=generator)
    return CoLoRAModel(network, hypernetwork).double()


def scales(case):
    """Derivatives of the scaled coordinates and of the scaled time."""
    return {"slopes": torch.tensor([0.4, 3.0]).double()[: len(case[0])], "time_slope": 0.5}


def some(case, n=7):
    options = {"generator": torch.Generator().manual_seed(1), "dtype": torch.float64}
    return torch.randn(n, 3, **options), torch.rand(n, len(case[0]), **options)


@pytest.mark.parametrize("case", CASES)
def test_derivatives(case):
    model = make_model(*case)
    inputs, x = some(case)
    jet = SpaceTimeModel(model, **scales(case))(inputs, x)
    close = {"rtol": 1e-11, "atol": 1e-11}
    assert torch.allclose(jet.value, model(x.unsqueeze(1), inputs).squeeze(1), **close)
    slopes = scales(case)["slopes"]
    latent = model.hypernetwork(inputs)
    known = NetworkJet(model.network, latent, x.unsqueeze(1), slopes=slopes)
    assert torch.allclose(jet.grad, known.grad[:, :, 0].transpose(0, 1), **close)
    assert torch.allclose(jet.laplacian, known.laplacian[:, 0], **close)
    h = 0.5 * torch.tensor([0.0, 0.0, 1e-5], dtype=torch.float64)
    orders = [(3,), (4,)] if len(case[0]) == 1 else [(2, 1), (1, 3)]
    higher = SpaceTimeModel(model, **scales(case), orders=orders)(inputs, x).higher
    for i, each in enumerate(orders):
        assert torch.allclose(higher[:, i], known.derivative(each)[:, 0], rtol=1e-9, atol=1e-9)
    after, before = (model(x.unsqueeze(1), inputs + s * h).squeeze(1) for s in (1, -1))
    assert torch.allclose(jet.rate, (after - before) / 2e-5, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_jacobian_in_all_weights(case):
    model = make_model(*case)
    inputs, x = some(case)
    jets = SpaceTimeModel(model, **scales(case), orders=[(3, 0)[: len(case[0])]])
    generator = torch.Generator().manual_seed(2)

    def normal(like):
        return torch.randn(like.shape, generator=generator, dtype=torch.float64)

    sensitivity = SpaceTimeJet(*(normal(part) for part in jets(inputs, x)))

    @torch.no_grad()
    def rows(weights):
        vector_to_parameters(weights, model.parameters())
        terms = zip(jets(inputs, x), sensitivity, strict=True)
        return sum((part * s).flatten(1).sum(1) for part, s in terms)

    factors = jet_jacobian(jets, inputs, x, sensitivity)
    assert {f.parameter for f in factors} == set(model.parameters())
    weights = parameters_to_vector(model.parameters()).detach()
    direction = normal(weights)
    difference = (rows(weights + 1e-5 * direction) - rows(weights - 1e-5 * direction)) / 2e-5
    rows(weights)
    parts = dict(
        zip(
            model.parameters(),
            direction.split([p.numel() for p in model.parameters()]),
            strict=True,
        )
    )
    slope = sum(f.left @ parts[f.parameter] for f in factors)
    assert torch.allclose(slope, difference, rtol=1e-6, atol=1e-6)
