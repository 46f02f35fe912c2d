"""The hypernetwork h(μ, t; ψ) → φ."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from skcolora._nn._activation import silu, silu_slope
from skcolora._nn._layers import Factor, lecun_normal


def features(inputs: Tensor) -> Tensor:
    """Inputs of the first layer, (..., 2 n_parameters + 1): μ, μ t and t.

    The products let a parameter set the speed of a process: a neuron sees ``(1 + w · μ) t``.
    A network of μ and t alone has to learn each product from the few training parameters.

    Parameters
    ----------
    inputs : Tensor of shape (..., n_parameters + 1)
        Scaled parameters and time.
    """
    parameters, time = inputs[..., :-1], inputs[..., -1:]
    return torch.cat([parameters, parameters * time, time], -1)


def feature_rates(inputs: Tensor) -> Tensor:
    """Derivatives of the `features` in the scaled time."""
    parameters, one = inputs[..., :-1], torch.ones_like(inputs[..., -1:])
    return torch.cat([torch.zeros_like(parameters), parameters, one], -1)


class Hypernetwork(nn.Module):
    """Dense network that maps `features` of scaled inputs (μ, t) to the online weights.

    Parameters
    ----------
    n_inputs : int
        Number of physics parameters plus one for the time.
    n_latent : int
        Number of online weights.
    width, depth : int
        Units of a hidden layer, and number of linear layers: ``depth - 1`` layers are hidden.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(
        self, n_inputs: int, n_latent: int, *, width: int, depth: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.n_inputs, self.width = n_inputs, width
        sizes = [2 * n_inputs - 1, *[width] * (depth - 1), n_latent]
        self.weights = nn.ParameterList(
            lecun_normal(i, o, generator=generator, fan_in=i) for i, o in itertools.pairwise(sizes)
        )
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(o, dtype=torch.float32, device="cpu")) for o in sizes[1:]
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (n_snapshots, n_inputs) to latent states (n_snapshots, n_latent)."""
        h = features(inputs)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = (silu(h) if i else h) @ weight + bias
        return h

    @torch.no_grad()
    def pullback(self, inputs: Tensor, sensitivity: Tensor) -> list[Factor]:
        """Jacobian of the fields with respect to the weights ψ, by the chain rule.

        Parameters
        ----------
        inputs : Tensor of shape (n_snapshots, n_inputs)
        sensitivity : Tensor of shape (n_fields, n_snapshots, n_points, n_latent)
            Derivatives of the fields with respect to φ.
        """
        h = features(inputs)
        layer_inputs, layer_outputs = [], []
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            layer_inputs.append(silu(h) if i else h)
            h = layer_inputs[-1] @ weight + bias
            layer_outputs.append(h)
        factors = []
        for i in reversed(range(len(layer_inputs))):
            factors.append(Factor(self.weights[i], layer_inputs[i].unsqueeze(-2), sensitivity))
            factors.append(Factor(self.biases[i], None, sensitivity))
            if i:
                slope = silu_slope(layer_outputs[i - 1]).unsqueeze(-2)
                sensitivity = (sensitivity @ self.weights[i].T) * slope
        return factors
