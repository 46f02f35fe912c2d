"""The model û(x; θ, h(μ, t; ψ)): a network with its hypernetwork."""

from __future__ import annotations

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
