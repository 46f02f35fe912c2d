"""SiLU and its derivatives, against automatic differentiation."""

import torch

from skcolora._nn._activation import SiLUJet, silu, silu_slope

Z = torch.linspace(-30, 30, 601, dtype=torch.float64)


def derivatives():
    z = Z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(silu(z).sum(), z, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), z)
    return slope.detach(), curvature


def test_all_derivatives():
    slope, curvature = derivatives()
    jet = SiLUJet(Z)
    torch.testing.assert_close(jet.value, silu(Z), rtol=0, atol=1e-14)
    torch.testing.assert_close(jet.slope, slope, rtol=0, atol=1e-14)
    torch.testing.assert_close(silu_slope(Z), slope, rtol=0, atol=1e-14)
    torch.testing.assert_close(2 * jet.half_curvature(), curvature, rtol=0, atol=1e-14)


def test_the_curvature_is_an_array_of_its_own():
    jet = SiLUJet(Z)
    jet.half_curvature().zero_()
    torch.testing.assert_close(2 * jet.half_curvature(), derivatives()[1], rtol=0, atol=1e-14)
