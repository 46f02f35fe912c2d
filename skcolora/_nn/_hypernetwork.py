"""The hypernetwork h(μ, t; ψ) → φ."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from skcolora._nn._activation import silu, silu_slope
from skcolora._nn._layers import Factor, lecun_normal


class Hypernetwork(nn.Module):
    """Dense network from (μ, t) to the online weights, its inputs z-scored.

    Parameters
    ----------
    n_inputs : int
        Number of physics parameters plus one, the time.
    n_latent : int
    width, depth : int
        ``depth`` counts the linear layers, so that ``depth - 1`` are hidden.
    generator : torch.Generator
        Source of the initial weights.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self, n_inputs: int, n_latent: int, *, width: int, depth: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.width = width
        sizes = [n_inputs, *[width] * (depth - 1), n_latent]
        self.weights = nn.ParameterList(
            lecun_normal(i, o, generator=generator, fan_in=i) for i, o in itertools.pairwise(sizes)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(o)) for o in sizes[1:])
        self.register_buffer("center", torch.zeros(n_inputs))
        self.register_buffer("scale", torch.ones(n_inputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n_snapshots, n_inputs) to (n_snapshots, n_latent)."""
        h = (inputs - self.center) / self.scale
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = (silu(h) if i else h) @ weight + bias
        return h

    @torch.no_grad()
    def pullback(self, inputs: Tensor, sensitivity: Tensor) -> list[Factor]:
        """Jacobian with respect to ψ of an output with sensitivity to φ.

        Parameters
        ----------
        inputs : Tensor of shape (n_snapshots, n_inputs)
        sensitivity : Tensor of shape (n_fields, n_snapshots, n_points, n_latent)
        """
        h = (inputs - self.center) / self.scale
        seen, outputs = [], []
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            seen.append(silu(h) if i else h)
            h = seen[-1] @ weight + bias
            outputs.append(h)
        factors = []
        for i in reversed(range(len(seen))):
            factors.append(Factor(self.weights[i], seen[i].unsqueeze(-2), sensitivity))
            factors.append(Factor(self.biases[i], None, sensitivity))
            if i:
                slope = silu_slope(outputs[i - 1]).unsqueeze(-2)
                sensitivity = (sensitivity @ self.weights[i].T) * slope
        return factors


@torch.no_grad()
def widened(hypernetwork: Hypernetwork, width: int, *, generator: torch.Generator) -> Hypernetwork:
    """A wider hypernetwork that gives the same: what is added has no effect yet."""
    known = list(hypernetwork.weights)
    n_inputs, n_latent = known[0].shape[0], known[-1].shape[1]
    out = Hypernetwork(n_inputs, n_latent, width=width, depth=len(known), generator=generator)
    out.to(known[0])
    out.center.copy_(hypernetwork.center)
    out.scale.copy_(hypernetwork.scale)
    for new, old in zip(out.weights, known, strict=True):
        n_in, n_out = old.shape
        # Units that were there see nothing of the new ones; these see all.
        new[n_in:, :n_out] = 0
        new[:n_in, :n_out] = old
    for new, old in zip(out.biases, hypernetwork.biases, strict=True):
        new[: len(old)] = old
    return out
