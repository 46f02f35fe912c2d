"""A network on points: values, derivatives in space and in the latent state, when asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from skcolora.nn._layers import Jet
from skcolora.nn._network import CoLoRANetwork


class NetworkJet:
    """û, ∇û, Δû and ∂û/∂φ at points, for a batch of latent states.

    Everything is carried through the layers in closed form.  With the layer's map
    ``z ← M σ(z) + b``::

        ∇z ← M (σ'(z) ∇z),    Δz ← M (σ''(z) |∇z|² + σ'(z) Δz)

    so that the second derivatives need one array, not one for each dimension.  What several
    of them need is computed once.  Inside, points run along the last axis, where the products
    of such narrow layers are fastest.

    Parameters
    ----------
    network : CoLoRANetwork
    latent : Tensor of shape (n_states, n_latent)
    x : Tensor of shape (n_points, n_dims) or (n_states, n_points, n_dims)
    first : Jet, optional
        The first layer at the points, from `first_layer`, where it has no online weights
        and has been computed before.
    """

    def __init__(
        self, network: CoLoRANetwork, latent: Tensor, x: Tensor, first: Jet | None = None
    ) -> None:
        self.network, self.latent, self.x = network, latent, x
        self._alphas = latent.split(network.splits, dim=-1)
        self._layers: list[Any] = list(network.layers)
        self._given = first

    @cached_property
    def _first(self) -> Jet:
        if self._given is not None:
            return self._given
        return first_layer(self.network, self.x, self._alphas[0])

    @cached_property
    def _merged(self) -> list[tuple[Tensor, Tensor]]:
        """M, (n_states, n_out, n_in), and b, (..., n_out, 1), of all layers but the first."""
        n = len(self.latent)
        pairs = zip(self._layers[1:], self._alphas[1:], strict=True)
        merged = [layer.merged(alpha) for layer, alpha in pairs]
        return [(weight.mT.expand(n, -1, -1), bias.unsqueeze(-1)) for weight, bias in merged]

    @cached_property
    def _activations(self) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """σ and sigmoid(z) after each layer but the last, and the last layer's output."""
        z = self._first.value
        gates, sigmas = [], []
        for matrix, bias in self._merged:
            gates.append(torch.sigmoid(z))
            sigmas.append(z * gates[-1])
            z = (matrix @ sigmas[-1]).add_(bias)
        return sigmas, gates, z

    @cached_property
    def value(self) -> Tensor:
        """û, (n_states, n_points, n_fields)."""
        return self.network.u_center + self.network.u_scale * self._activations[2].mT

    @cached_property
    def _slopes(self) -> tuple[list[Tensor], list[Tensor]]:
        """σ' after each layer but the last, and 1 - sigmoid(z)."""
        sigmas, gates, _ = self._activations
        rests = [1 - gate for gate in gates]
        terms = zip(gates, sigmas, rests, strict=True)
        return [torch.addcmul(gate, sigma, rest) for gate, sigma, rest in terms], rests

    @cached_property
    def _gradients(self) -> list[Tensor]:
        """∇z after each layer, (n_dims, ...)."""
        gradients = [self._first.grad]
        for slope, (matrix, _) in zip(self._slopes[0], self._merged, strict=True):
            gradients.append(matrix @ (slope * gradients[-1]))
        return gradients

    @cached_property
    def grad(self) -> Tensor:
        """∇û, (n_dims, n_states, n_points, n_fields)."""
        return self.network.u_scale * self._gradients[-1].mT

    @cached_property
    def laplacian(self) -> Tensor:
        """Δû, (n_states, n_points, n_fields)."""
        sigmas, (slopes, rests) = self._activations[0], self._slopes
        laplacian = self._first.laplacian
        for i, (matrix, _) in enumerate(self._merged):
            # σ'' = (1 - sigmoid) (2 σ' - σ)
            curvature = torch.sub(slopes[i], sigmas[i], alpha=0.5).mul_(rests[i])
            squares = self._gradients[i].square().sum(0)
            laplacian = matrix @ torch.addcmul(slopes[i] * laplacian, curvature, squares, value=2)
        return self.network.u_scale * laplacian.mT

    @cached_property
    def jacobian(self) -> Tensor:
        """∂û/∂φ, (n_fields, n_states, n_points, n_latent), by one pass backwards."""
        sigmas, slopes = self._activations[0], self._slopes[0]
        n_states, n_points = len(self.latent), self.x.shape[-2]
        # Up to the last activation it is the same at all points.
        sensitivity = torch.diag(self.network.u_scale)[:, None, :, None]
        online: list[Tensor] = []
        for i in reversed(range(len(self._layers))):
            inputs = sigmas[i - 1] if i else scaled(self.network, self.x).mT
            found = self._layers[i].online_pullback(inputs, self._alphas[i], sensitivity)
            if found is not None:
                online.insert(0, found.expand(-1, n_states, -1, n_points))
            if i:
                sensitivity = (self._merged[i - 1][0].mT @ sensitivity) * slopes[i - 1]
        return torch.cat(online, -2).mT


def scaled(network: CoLoRANetwork, x: Tensor) -> Tensor:
    """Coordinates as the first layer takes them, (n_states or 1, n_points, n_dims)."""
    return ((x if x.ndim == 3 else x.unsqueeze(0)) - network.x_center) / network.x_scale


def first_layer(network: CoLoRANetwork, x: Tensor, alpha: Tensor) -> Jet:
    """The first layer at the points, with derivatives in the coordinates outside."""
    layer: Any = network.layers[0]
    value, grad, laplacian = (t.contiguous() for t in layer.jet(scaled(network, x), alpha))
    if grad.ndim == 3:
        grad, laplacian = grad.unsqueeze(1), laplacian.unsqueeze(0)
    # Only plain dimensions are scaled, in which the first layer is linear.
    return Jet(value, grad / network.x_scale.view(-1, 1, 1, 1), laplacian)
