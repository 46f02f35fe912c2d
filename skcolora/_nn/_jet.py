"""Values of a network at points, with derivatives in space and in the latent state."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skcolora._nn._activation import SiLUJet
from skcolora._nn._layers import Jet
from skcolora._nn._network import CoLoRANetwork
from skcolora._nn._series import polarization, silu_series


class _Activations(NamedTuple):
    """Activations of all layers except the last one, and the output of the network."""

    hidden: list[SiLUJet]
    """σ(z) after each layer, (width, n_states or 1, n_points)"""
    lows: list[Tensor | None]
    """Aᵀσ(z), (rank, n_states or 1, n_points); None where the next layer has no online weights"""
    output: Tensor
    """(n_fields, n_states, n_points)"""


class NetworkJet:
    """û, ∇û, Δû and ∂û/∂φ at points, for a batch of latent states.

    Each property is computed in closed form when it is first used.  A layer maps
    ``z ← M σ(z) + b``.  The values and the gradients, ``∇z ← M (σ'(z) ∇z)``, are propagated
    forward; the sensitivities s = ∂û/∂σ(z) are propagated backward.  The sensitivities give both
    the Jacobian and the Laplacian::

        Δû = s₁·σ'(z₁) Δz₁ + Σ s·σ''(z) |∇z|²,   over all layers,

    so that the second derivatives need no separate pass.  Intermediate results are computed
    once and shared.  The first axis of the internal arrays is that of the neurons: a layer is
    then one product with W for all states, and a narrow product with A diag(α) B.

    Parameters
    ----------
    network : CoLoRANetwork
    latent : Tensor of shape (n_states, n_latent)
    x : Tensor of shape (n_points, n_dims) or (n_states, n_points, n_dims)
        Scaled coordinates, see `skcolora._snapshots.Units`.
    first_jet : Jet, optional
        The output of `first_layer` at the points, if it has been computed before.  Only for
        a first layer without online weights.
    slopes : Tensor of shape (n_dims,), optional
        Derivatives of the scaled coordinates in the user's coordinates.  The derivatives in space
        are then in the user's unit of length.  By default they are 1.
    """

    def __init__(
        self,
        network: CoLoRANetwork,
        latent: Tensor,
        x: Tensor,
        first_jet: Jet | None = None,
        slopes: Tensor | None = None,
    ) -> None:
        self.network, self.latent, self.x = network, latent, x
        self._slopes = slopes
        # Online weights of each layer as columns, (n_online, n_states, 1).
        self._columns = latent.T.unsqueeze(-1).split(network.splits)
        self._layers: list[Any] = list(network.layers)
        self._given_first = first_jet

    @cached_property
    def _first(self) -> Jet:
        if self._given_first is not None:
            return self._given_first
        return first_layer(
            self.network, self.x, self.latent[:, : self.network.splits[0]], self._slopes
        )

    @property
    def _first_value(self) -> Tensor:
        """Output of the first layer, without derivatives unless they are known: they cost more."""
        if self._given_first is not None or "_first" in vars(self):
            return self._first.value
        alpha = self.latent[:, : self.network.splits[0]]
        value: Tensor = self._layers[0](_with_states(self.x), alpha)
        return value.movedim(-1, 0).contiguous()

    @cached_property
    def _activations(self) -> _Activations:
        z = self._first_value
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
        return self._activations.output.movedim(0, -1)

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
        return self._gradients[-1].movedim(0, -1).expand(-1, len(self.latent), -1, -1)

    @cached_property
    def _sensitivities(self) -> tuple[list[Tensor], list[Tensor], list[Tensor | None]]:
        """Sensitivities of the fields, in the order of the layers.

        Returns ∂û/∂σ(z) and ∂û/∂z of all layers except the last one, (width, n_fields,
        n_states or 1, n_points or 1), and ∂û/∂α of all layers except the first one, (n_online,
        n_fields, n_states, n_points).
        """
        # The sensitivity to the output of the last layer is the same at all points.
        like = self.latent
        identity = torch.eye(self.network.n_fields, dtype=like.dtype, device=like.device)
        sensitivity = identity[:, :, None, None]
        activations, outputs, online = [], [], []
        for layer, alpha, low, hidden in zip(
            reversed(self._layers[1:]),
            reversed(self._columns[1:]),
            reversed(self._activations.lows),
            reversed(self._activations.hidden),
            strict=True,
        ):
            activation, online_sensitivity = layer.product_pullback(sensitivity, alpha, low)
            sensitivity = activation * hidden.slope.unsqueeze(1)
            activations.append(activation)
            outputs.append(sensitivity)
            online.append(online_sensitivity)
        return activations[::-1], outputs[::-1], online[::-1]

    @cached_property
    def laplacian(self) -> Tensor:
        """Δû, (n_states, n_points, n_fields)."""
        activations, outputs, _ = self._sensitivities
        total = outputs[0] * self._first.laplacian.unsqueeze(1)
        layers = zip(activations, self._activations.hidden, self._gradients[:-1], strict=True)
        for activation, hidden, gradients in layers:
            first_gradient, *other_gradients = gradients.unbind(1)
            squares = first_gradient.square()
            for gradient in other_gradients:
                squares.addcmul_(gradient, gradient)
            curvature = hidden.half_curvature().mul_(squares)
            total.addcmul_(activation, curvature.unsqueeze(1), value=2)
        return total.sum(0).movedim(0, -1).expand(len(self.latent), -1, -1)

    def derivative(self, orders: tuple[int, ...]) -> Tensor:
        """∂^α û with the orders α along the axes, (n_states, n_points, n_fields).

        The Taylor series along a few directions are propagated through the layers, all directions
        at once; see `polarization`.
        """
        factors = polarization(orders)
        like: Any = {"dtype": self.latent.dtype, "device": self.latent.device}
        directions = torch.tensor(list(factors), **like)
        highest = self._series(directions, sum(orders))[-1]
        total = torch.tensor(list(factors.values()), **like) @ highest.movedim(1, -2)
        if self._slopes is not None:
            total = total * math.prod(
                slope**k for slope, k in zip(self._slopes, orders, strict=True)
            )
        return total.movedim(0, -1).expand(len(self.latent), -1, -1)

    def _series(self, directions: Tensor, order: int) -> list[Tensor]:
        """Taylor series of û along directions in the scaled coordinates.

        The value has shape (n_fields, 1, n_states, n_points), the coefficients of higher order
        (n_fields, n_directions, n_states, n_points).
        """
        alpha = self.latent[:, : self.network.splits[0]]
        z = self._layers[0].series(_with_states(self.x), alpha, directions, order)
        sizes = [1] + [len(directions)] * order
        for layer, alpha in zip(self._layers[1:], self._columns[1:], strict=True):
            z = list(layer.product(torch.cat(silu_series(z), 1), alpha)[0].split(sizes, 1))
            z[0] = z[0] + layer.b[:, None, None, None]
        return z

    @cached_property
    def jacobian(self) -> Tensor:
        """∂û/∂φ, (n_fields, n_states, n_points, n_latent)."""
        _, outputs, online = self._sensitivities
        inputs = _with_states(self.x)
        alpha = self.latent[:, : self.network.splits[0]]
        first_online = self._layers[0].online_pullback(inputs, alpha, outputs[0])
        shape = (self.network.n_fields, len(self.latent), self.x.shape[-2])
        columns = [part.expand(-1, *shape) for part in (first_online, *online) if part is not None]
        return torch.cat(columns).movedim(0, -1)


def first_layer(
    network: CoLoRANetwork, x: Tensor, alpha: Tensor, slopes: Tensor | None = None
) -> Jet:
    """Output of the first layer at scaled points, with derivatives as in `NetworkJet`."""
    layer: Any = network.layers[0]
    slopes = x.new_ones(x.shape[-1]) if slopes is None else slopes
    return Jet(*(t.contiguous() for t in layer.jet(_with_states(x), alpha, slopes)))


def _with_states(x: Tensor) -> Tensor:
    """Coordinates with an axis of states, (n_states or 1, n_points, n_dims)."""
    return x if x.ndim == 3 else x.unsqueeze(0)
