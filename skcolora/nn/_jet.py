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

    Everything follows in closed form.  With the layer's map ``z ← M σ(z) + b`` values and
    gradients are carried forward, ``∇z ← M (σ'(z) ∇z)``, and s = ∂û/∂σ(z) backward, which
    serves both the Jacobian and the Laplacian::

        Δû = s₁·σ'(z₁) Δz₁ + Σ s·σ''(z) |∇z|²,   over all layers,

    so that second derivatives need no pass of their own.  What several of them need is
    computed once.  Inside, points run along the last axis, where the products of such narrow
    layers are fastest.

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
        """∇z after each layer, (n_states or 1, n_out, n_dims, n_points or 1)."""
        gradients = [self._first.grad.movedim(0, -2)]
        for slope, (matrix, _) in zip(self._slopes[0], self._merged, strict=True):
            inner = slope.unsqueeze(-2) * gradients[-1]
            # One product for all dimensions.
            gradients.append((matrix @ inner.flatten(-2)).unflatten(-1, inner.shape[-2:]))
        return gradients

    @cached_property
    def grad(self) -> Tensor:
        """∇û, (n_dims, n_states, n_points, n_fields)."""
        return self.network.u_scale * self._gradients[-1].permute(2, 0, 3, 1)

    @cached_property
    def _sensitivities(self) -> list[tuple[Tensor, Tensor]]:
        """∂û/∂σ(z) and ∂û/∂z of each layer but the last, (n_fields, ..., width, ...)."""
        # That to the last layer's output is the same at all points.
        sensitivity = torch.diag(self.network.u_scale)[:, None, :, None]
        found = []
        for (matrix, _), slope in zip(
            reversed(self._merged), reversed(self._slopes[0]), strict=True
        ):
            activation = matrix.mT @ sensitivity
            sensitivity = activation * slope
            found.append((activation, sensitivity))
        return found[::-1]

    @cached_property
    def laplacian(self) -> Tensor:
        """Δû, (n_states, n_points, n_fields)."""
        sigmas, (slopes, rests) = self._activations[0], self._slopes
        total = self._sensitivities[0][1] * self._first.laplacian
        for i, (activation, _) in enumerate(self._sensitivities):
            # σ'' = (1 - sigmoid) (2 σ' - σ)
            curvature = torch.sub(slopes[i], sigmas[i], alpha=0.5).mul_(rests[i])
            first, *others = self._gradients[i].unbind(-2)
            squares = first.square()
            for gradient in others:
                squares.addcmul_(gradient, gradient)
            total.addcmul_(activation, curvature.mul_(squares), value=2)
        return total.sum(-2).movedim(0, -1)

    @cached_property
    def jacobian(self) -> Tensor:
        """∂û/∂φ, (n_fields, n_states, n_points, n_latent)."""
        n_states, n_points = len(self.latent), self.x.shape[-2]
        output = torch.diag(self.network.u_scale)[:, None, :, None]
        inputs = [scaled(self.network, self.x).mT, *self._activations[0]]
        outputs = [*(found[1] for found in self._sensitivities), output]
        online = [
            layer.online_pullback(x, alpha, sensitivity)
            for layer, x, alpha, sensitivity in zip(
                self._layers, inputs, self._alphas, outputs, strict=True
            )
        ]
        found = [each.expand(-1, n_states, -1, n_points) for each in online if each is not None]
        return torch.cat(found, -2).mT


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
