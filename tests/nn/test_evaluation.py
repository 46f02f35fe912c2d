"""Streamed evaluation against the plain forward pass."""

import pytest
import torch

from skcolora._nn import _evaluation
from skcolora._nn._evaluation import evaluate_fields, evaluate_latent
from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._network import CoLoRANetwork


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("block", [3, 7, 50, 10**6])
@pytest.mark.parametrize("adapted_layers", [(1, 3), (0, 2)])
@pytest.mark.parametrize("adaptation", ["scalar", "diagonal"])
@pytest.mark.parametrize("periodic", [(True, False), (False, False)])
def test_blocks_give_the_fields_of_the_forward_pass(
    monkeypatch, block, adapted_layers, adaptation, periodic
):
    network = CoLoRANetwork(
        2,
        2,
        width=5,
        depth=4,
        rank=2,
        adaptation=adaptation,
        adapted_layers=adapted_layers,
        periodic=periodic,
        generator=torch.Generator().manual_seed(0),
    ).double()
    points, latent = random(11, 2), random(9, network.n_latent)
    monkeypatch.setattr(_evaluation, "_BLOCK_CPU", block)
    monkeypatch.setattr(_evaluation, "_MERGED", 4)
    out = torch.full((9, 11, 2), torch.nan, dtype=torch.float64)
    evaluate_fields(network, points, latent, out)
    scaled = network(points, latent).detach()
    torch.testing.assert_close(out, scaled, rtol=0, atol=1e-13)
    center, scale = random(2), torch.tensor([3.0, 0.1]).double()
    evaluate_fields(network, points, latent, out, (center[:, None], scale[:, None]))
    torch.testing.assert_close(out, center + scale * scaled, rtol=0, atol=1e-13)


@pytest.mark.parametrize("depth", [1, 3])
def test_latent_states_are_those_of_the_forward_pass(depth):
    generator = torch.Generator().manual_seed(0)
    hypernetwork = Hypernetwork(3, 4, width=6, depth=depth, generator=generator).double()
    inputs = random(5, 7, 3)
    expected = hypernetwork(inputs.flatten(0, 1)).detach().reshape(5, 7, 4)
    latent = evaluate_latent(hypernetwork, inputs)
    torch.testing.assert_close(latent, expected, rtol=0, atol=1e-14)
    assert torch.equal(evaluate_latent(hypernetwork, inputs[2:3]), latent[2:3])
