"""The model û(x; θ, h(μ, t; ψ)): a network with its hypernetwork."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._layers import Factor
from skcolora._nn._network import CoLoRANetwork


class CoLoRAModel(nn.Module):
    """Trainable model: a `CoLoRANetwork` with the latent states of a `Hypernetwork`."""

    def __init__(self, network: CoLoRANetwork, hypernetwork: Hypernetwork) -> None:
        super().__init__()
        self.network = network
        self.hypernetwork = hypernetwork

    @classmethod
    def create(
        cls,
        n_parameters: int,
        n_dims: int,
        n_fields: int,
        *,
        hyper_width: int,
        hyper_depth: int,
        seed: int,
        **architecture: Any,
    ) -> CoLoRAModel:
        """A model with random weights; ``architecture`` holds arguments of `CoLoRANetwork`."""
        generator = torch.Generator().manual_seed(seed)
        network = CoLoRANetwork(n_dims, n_fields, generator=generator, **architecture)
        n_inputs, n_latent = n_parameters + 1, network.n_latent
        sizes: dict[str, Any] = {"width": hyper_width, "depth": hyper_depth}
        return cls(network, Hypernetwork(n_inputs, n_latent, generator=generator, **sizes))

    def forward(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Fields (n_snapshots, n_points, n_fields) at points, for parameters and times (μ, t).

        Parameters
        ----------
        x : Tensor of shape (n_snapshots, n_points, n_dims)
        inputs : Tensor of shape (n_snapshots, n_parameters + 1)
        """
        out: Tensor = self.network(x, self.hypernetwork(inputs))
        return out

    @torch.no_grad()
    def linearize(
        self, x: Tensor, inputs: Tensor, row_weights: Tensor
    ) -> tuple[Tensor, list[Factor]]:
        """Fields, and their weighted Jacobian with respect to all weights.

        ``row_weights``, (n_fields, n_snapshots, n_points), multiply the rows of the Jacobian,
        which have this order.
        """
        linearization = self.network.linearize(x, self.hypernetwork(inputs), row_weights)
        factors = self.hypernetwork.pullback(inputs, linearization.latent)
        return linearization.values, linearization.factors + factors
