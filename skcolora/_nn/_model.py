"""The network with its hypernetwork: û(x; θ, h(μ, t; ψ))."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._layers import Factor
from skcolora._nn._network import CoLoRANetwork


class CoLoRAModel(nn.Module):
    """What is trained: a `CoLoRANetwork` whose latent state a `Hypernetwork` gives."""

    def __init__(self, network: CoLoRANetwork, hypernetwork: Hypernetwork) -> None:
        super().__init__()
        self.network = network
        self.hypernetwork = hypernetwork

    def forward(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Fields (n_snapshots, n_points, n_fields) at points for given (μ, t).

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
        """Fields, and their weighted Jacobian with respect to every weight.

        ``row_weights`` is (n_fields, n_snapshots, n_points), the order of the rows.
        """
        at = self.network.linearize(x, self.hypernetwork(inputs), row_weights)
        return at.values, at.factors + self.hypernetwork.pullback(inputs, at.latent)
