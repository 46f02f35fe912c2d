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
    ``z ← σ(z) M + b``::

        ∇z ← (σ'(z) ∇z) M,    Δz ← (σ''(z) |∇z|² + σ'(z) Δz) M

    so that the second derivatives need one array, not one for each dimension.  What several
    of them need is computed once.

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
        """Weights and biases of all layers but the first, at these online weights."""
        pairs = zip(self._layers[1:], self._alphas[1:], strict=True)
        return [layer.merged(alpha) for layer, alpha in pairs]

    @cached_property
    def _activations(self) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
        """σ, z and sigmoid(z) after each layer but the last, and the last layer's output."""
        z = self._first.value
        outputs, gates, sigmas = [], [], []
        for weight, bias in self._merged:
            gate = torch.sigmoid(z)
            outputs.append(z)
            gates.append(gate)
            sigmas.append(z * gate)
            z = sigmas[-1] @ weight + bias
        return sigmas, outputs, gates, z

    @cached_property
    def value(self) -> Tensor:
        """û, (n_states, n_points, n_fields)."""
        out = self.network.u_center + self.network.u_scale * self._activations[3]
        return out.expand(len(self.latent), -1, -1)

    @cached_property
    def _slopes(self) -> list[Tensor]:
        """σ' after each layer but the last."""
        sigmas, _, gates, _ = self._activations
        return [gate + sigma * (1 - gate) for sigma, gate in zip(sigmas, gates, strict=True)]

    @cached_property
    def _gradients(self) -> list[Tensor]:
        """∇z after each layer, (n_dims, ...)."""
        gradients = [self._first.grad]
        for slope, (weight, _) in zip(self._slopes, self._merged, strict=True):
            gradients.append((slope * gradients[-1]) @ weight)
        return gradients

    @cached_property
    def grad(self) -> Tensor:
        """∇û, (n_dims, n_states, n_points, n_fields)."""
        shape = (-1, len(self.latent), -1, -1)
        return (self.network.u_scale * self._gradients[-1]).expand(shape)

    @cached_property
    def laplacian(self) -> Tensor:
        """Δû, (n_states, n_points, n_fields)."""
        _, outputs, gates, _ = self._activations
        laplacian = self._first.laplacian
        for i, (weight, _) in enumerate(self._merged):
            z, gate = outputs[i], gates[i]
            curvature = gate * (1 - gate) * (2 + z * (1 - 2 * gate))
            squares = self._gradients[i].square().sum(0)
            laplacian = (curvature * squares + self._slopes[i] * laplacian) @ weight
        return (self.network.u_scale * laplacian).expand(len(self.latent), -1, -1)

    @cached_property
    def jacobian(self) -> Tensor:
        """∂û/∂φ, (n_fields, n_states, n_points, n_latent), by one pass backwards."""
        sigmas, _, _, z = self._activations
        n_states, n_points = len(self.latent), self.x.shape[-2]
        sensitivity = torch.diag(self.network.u_scale)[:, None, None, :]
        sensitivity = sensitivity.expand(-1, n_states, n_points, z.shape[-1])
        online: list[Tensor] = []
        for i in reversed(range(len(self._layers))):
            inputs = sigmas[i - 1] if i else scaled(self.network, self.x)
            found = self._layers[i].online_pullback(inputs, self._alphas[i], sensitivity)
            if found is not None:
                online.insert(0, found)
            if i:
                weight = self._merged[i - 1][0]
                sensitivity = (sensitivity @ weight.mT) * self._slopes[i - 1]
        return torch.cat(online, -1)


def scaled(network: CoLoRANetwork, x: Tensor) -> Tensor:
    """Coordinates as the first layer takes them."""
    return (x - network.x_center) / network.x_scale


def first_layer(network: CoLoRANetwork, x: Tensor, alpha: Tensor) -> Jet:
    """The first layer at the points, with derivatives in the coordinates outside."""
    layer: Any = network.layers[0]
    # Always with an axis of states, so that the axis of dimensions is never taken for it.
    value, grad, laplacian = layer.jet(scaled(network, x if x.ndim == 3 else x.unsqueeze(0)), alpha)
    if grad.ndim == 3:
        grad, laplacian = grad.unsqueeze(1), laplacian.unsqueeze(0)
    # Only plain dimensions are scaled, in which the first layer is linear.
    return Jet(value, grad / network.x_scale.view(-1, 1, 1, 1), laplacian)
