"""A network on points: values, derivatives in space and in the latent state, when asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skcolora._nn._activation import SiLUJet
from skcolora._nn._layers import Jet
from skcolora._nn._network import CoLoRANetwork


class _Activations(NamedTuple):
    """Of each layer but the last, and of the network."""

    hidden: list[SiLUJet]
    """σ(z), (width, n_states or 1, n_points)"""
    lows: list[Tensor | None]
    """Aᵀσ(z), (rank, n_states or 1, n_points), None where the next layer is not adapted"""
    output: Tensor
    """(n_fields, n_states, n_points)"""


class NetworkJet:
    """û, ∇û, Δû and ∂û/∂φ at points, for a batch of latent states.

    Everything follows in closed form.  With the layer's map ``z ← M σ(z) + b`` values and
    gradients are carried forward, ``∇z ← M (σ'(z) ∇z)``, and s = ∂û/∂σ(z) backward, which
    serves both the Jacobian and the Laplacian::

        Δû = s₁·σ'(z₁) Δz₁ + Σ s·σ''(z) |∇z|²,   over all layers,

    so that second derivatives need no pass of their own.  What several of them need is
    computed once.  Inside, the neurons run along the first axis, so that a layer is one
    product for all states, W, which they share, and a narrow one, A diag(α) B.

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
        # As columns, (n_online, n_states, 1).
        self._columns = latent.T.unsqueeze(-1).split(network.splits)
        self._layers: list[Any] = list(network.layers)
        self._given = first

    @cached_property
    def _first(self) -> Jet:
        if self._given is not None:
            return self._given
        return first_layer(self.network, self.x, self.latent[:, : self.network.splits[0]])

    @cached_property
    def _activations(self) -> _Activations:
        z = self._first.value
        hidden, lows = [], []
        for layer, alpha in zip(self._layers[1:], self._columns[1:], strict=True):
            hidden.append(SiLUJet(z))
            z, low = layer.product(hidden[-1].value, alpha)
            z += layer.b[:, None, None]
            lows.append(low)
        return _Activations(hidden, lows, z.expand(-1, len(self.latent), -1))

    @cached_property
    def value(self) -> Tensor:
        """û, (n_states, n_points, n_fields)."""
        output = self._activations.output.movedim(0, -1)
        return self.network.u_center + self.network.u_scale * output

    @cached_property
    def _gradients(self) -> list[Tensor]:
        """∇z after each layer, (n_out, n_dims, n_states or 1, n_points or 1)."""
        gradients = [self._first.grad]
        for hidden, layer, alpha in zip(
            self._activations.hidden, self._layers[1:], self._columns[1:], strict=True
        ):
            gradients.append(layer.product(hidden.slope.unsqueeze(1) * gradients[-1], alpha)[0])
        return gradients

    @cached_property
    def grad(self) -> Tensor:
        """∇û, (n_dims, n_states, n_points, n_fields)."""
        grad = self._gradients[-1].movedim(0, -1)
        return self.network.u_scale * grad.expand(-1, len(self.latent), -1, -1)

    @cached_property
    def _sensitivities(self) -> tuple[list[Tensor], list[Tensor], list[Tensor | None]]:
        """∂û/∂σ(z) and ∂û/∂z of each layer but the last, (width, n_fields, n_states or 1, ...),
        and ∂û/∂α of each layer but the first, (n_online, n_fields, n_states, n_points)."""
        # That to the last layer's output is the same at all points.
        sensitivity = torch.diag(self.network.u_scale)[:, :, None, None]
        activations, outputs, online = [], [], []
        for layer, alpha, low, hidden in zip(
            reversed(self._layers[1:]),
            reversed(self._columns[1:]),
            reversed(self._activations.lows),
            reversed(self._activations.hidden),
            strict=True,
        ):
            activation, to_online = layer.product_pullback(sensitivity, alpha, low)
            sensitivity = activation * hidden.slope.unsqueeze(1)
            activations.append(activation)
            outputs.append(sensitivity)
            online.append(to_online)
        return activations[::-1], outputs[::-1], online[::-1]

    @cached_property
    def laplacian(self) -> Tensor:
        """Δû, (n_states, n_points, n_fields)."""
        activations, outputs, _ = self._sensitivities
        total = outputs[0] * self._first.laplacian.unsqueeze(1)
        layers = zip(activations, self._activations.hidden, self._gradients[:-1], strict=True)
        for activation, hidden, gradients in layers:
            first, *others = gradients.unbind(1)
            squares = first.square()
            for gradient in others:
                squares.addcmul_(gradient, gradient)
            curved = hidden.half_curvature().mul_(squares)
            total.addcmul_(activation, curved.unsqueeze(1), value=2)
        return total.sum(0).movedim(0, -1).expand(len(self.latent), -1, -1)

    @cached_property
    def jacobian(self) -> Tensor:
        """∂û/∂φ, (n_fields, n_states, n_points, n_latent)."""
        _, outputs, online = self._sensitivities
        inputs = scaled(self.network, self.x)
        alpha = self.latent[:, : self.network.splits[0]]
        first = self._layers[0].online_pullback(inputs, alpha, outputs[0])
        shape = (self.network.n_fields, len(self.latent), self.x.shape[-2])
        found = [each.expand(-1, *shape) for each in (first, *online) if each is not None]
        return torch.cat(found).movedim(0, -1)


def scaled(network: CoLoRANetwork, x: Tensor) -> Tensor:
    """Coordinates as the first layer takes them, (n_states or 1, n_points, n_dims)."""
    return ((x if x.ndim == 3 else x.unsqueeze(0)) - network.x_center) / network.x_scale


def first_layer(network: CoLoRANetwork, x: Tensor, alpha: Tensor) -> Jet:
    """The first layer at the points, with derivatives in the coordinates outside."""
    layer: Any = network.layers[0]
    value, grad, laplacian = layer.jet(scaled(network, x), alpha)
    # Only plain dimensions are scaled, in which the first layer is linear.
    grad = grad / network.x_scale[:, None, None]
    return Jet(*(t.contiguous() for t in (value, grad, laplacian)))
