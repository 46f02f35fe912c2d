"""Layers: periodicity, translation, low-rank updates."""

import math

import pytest
import torch

from skcolora._nn._layers import CoLoRALayer, LowRankUpdate
from skcolora._nn._periodic import PeriodicLayer


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("adaptation", "n_online"), [("scalar", 1), ("diagonal", 3)])
def test_update_is_a_diag_alpha_b(generator, adaptation, n_online):
    update = LowRankUpdate(4, 5, rank=3, adaptation=adaptation, generator=generator)
    assert update.n_online == n_online
    alpha = torch.randn(2, n_online, generator=generator)
    expected = update.A @ torch.diag_embed(alpha.expand(2, 3)) @ update.B
    assert torch.allclose(update.matrix(alpha), expected)
    assert torch.linalg.matrix_rank(update.matrix(alpha)).tolist() == [3, 3]


def test_layer_without_update_is_affine(generator):
    layer = CoLoRALayer(2, 3, rank=None, adaptation="scalar", generator=generator)
    x = torch.randn(4, 2, generator=generator)
    assert torch.allclose(layer(x, torch.empty(0)), x @ layer.W + layer.b)


@pytest.mark.parametrize("periodic", [(True, True), (False, True)])
def test_periodic_layer_is_periodic_in_angles(generator, periodic):
    options = {"rank": None, "adaptation": "scalar", "generator": generator}
    layer = PeriodicLayer(6, periodic=periodic, **options).double()
    x = torch.randn(9, 2, dtype=torch.float64, generator=generator)
    shift = 6 * math.pi * torch.tensor(periodic, dtype=torch.float64)
    none = torch.empty(0, dtype=torch.float64)
    assert torch.allclose(layer(x + shift, none), layer(x, none), rtol=0, atol=1e-13)


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("periodic", [(True, True), (False, True)])
def test_periodic_layer_is_its_formula(generator, periodic, rank):
    layer = PeriodicLayer(
        6, periodic=periodic, rank=rank, adaptation="diagonal", generator=generator
    ).double()
    x = torch.randn(3, 9, 2, dtype=torch.float64, generator=generator)
    alpha = torch.randn(3, layer.n_online, dtype=torch.float64, generator=generator)
    phase = layer.c.expand(3, -1, -1)
    if rank is not None:
        phase = phase + (layer.update.A @ torch.diag_embed(alpha) @ layer.update.B).mT
    parts, waves = [], iter(phase.unbind(2))
    for d, angle in enumerate(periodic):
        wave = x[..., d, None] + next(waves)[:, None] if angle else x[..., d, None]
        parts.append(layer.a[:, d] * (torch.cos(wave) if angle else wave) + layer.b[:, d])
    expected = torch.stack(parts).mean(0)
    assert torch.allclose(layer(x, alpha), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("periodic", [(True, False), (False, False)])
def test_the_first_update_starts_as_a_translation(generator, periodic):
    options = {"rank": 3, "adaptation": "scalar", "generator": generator}
    if not periodic[0]:
        layer = CoLoRALayer(2, 6, augmented=True, **options).double()
        shift = -(layer.update.A[-1] @ layer.update.B @ torch.linalg.pinv(layer.W))
    else:
        layer = PeriodicLayer(6, periodic=periodic, **options).double()
        shift = torch.zeros(2, dtype=torch.float64)
        shift[0] = -(layer.update.A @ layer.update.B)[0, 0]
    x = torch.randn(9, 2, dtype=torch.float64, generator=generator)
    alpha = torch.tensor([0.4], dtype=torch.float64)
    moved = layer(x - 0.4 * shift, torch.zeros_like(alpha))
    assert torch.allclose(layer(x, alpha), moved, rtol=0, atol=1e-6)
    assert shift.norm() > 1e-3
