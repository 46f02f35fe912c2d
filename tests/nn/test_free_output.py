"""A free output represents the same fields with more online weights."""

import pytest
import torch

from skcolora._nn import CoLoRAModel, free_output


def model(n_fields, adaptation, adapted_layers):
    networks = CoLoRAModel.create(
        1,
        2,
        n_fields,
        width=5,
        depth=3,
        rank=2,
        adaptation=adaptation,
        adapted_layers=adapted_layers,
        periodic=(True, False),
        hyper_width=6,
        hyper_depth=3,
        seed=0,
    ).double()
    return networks.network.requires_grad_(False), networks.hypernetwork.requires_grad_(False)


@pytest.mark.parametrize("n_fields", [1, 3])
@pytest.mark.parametrize("adaptation", ["scalar", "diagonal"])
@pytest.mark.parametrize("adapted_layers", [(0, 1, 2), (0, 1), (2,)])
def test_the_fields_are_the_same(n_fields, adaptation, adapted_layers):
    network, hypernetwork = model(n_fields, adaptation, adapted_layers)
    freed, followed = free_output(network, hypernetwork)
    generator = torch.Generator().manual_seed(0)
    inputs, x = (torch.randn(n, 2, generator=generator, dtype=torch.float64) for n in (4, 7))
    latent = followed(inputs)
    n_kept = sum(network.splits[:-1])
    assert latent.shape == (4, freed.n_latent) == (4, n_kept + 5 * n_fields)
    kept = hypernetwork(inputs)[:, :n_kept]
    assert torch.allclose(latent[:, :n_kept], kept, rtol=1e-14, atol=1e-14)
    old = network(x, hypernetwork(inputs))
    assert torch.allclose(freed(x, latent), old, rtol=1e-12, atol=1e-12)
    # The new weights are the entries of the matrix of the last layer, which adds to the field.
    change = torch.randn(5, n_fields, generator=generator, dtype=torch.float64)
    latent[:, n_kept:] += change.flatten()
    hidden = freed.linearize(x, latent).latent[0, :, :, n_kept::n_fields]
    assert torch.allclose(freed(x, latent), old + hidden @ change, rtol=1e-10, atol=1e-10)


def test_the_given_network_stays():
    network, hypernetwork = model(1, "scalar", (0, 1, 2))
    before = [p.clone() for p in (*network.parameters(), *hypernetwork.parameters())]
    free_output(network, hypernetwork)
    after = [*network.parameters(), *hypernetwork.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert network.n_latent == 3
