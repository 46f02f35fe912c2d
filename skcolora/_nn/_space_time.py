"""The model û(x; θ, h(μ, t)) with its derivatives in time, space and all weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vmap

from skcolora._nn._activation import SiLUJet
from skcolora._nn._hypernetwork import Hypernetwork, feature_rates, features
from skcolora._nn._layers import Factor
from skcolora._nn._model import CoLoRAModel
from skcolora._nn._series import polarization, silu_series

# Number of entries of the Jacobian that are computed at once, which bounds the memory.
_CHUNK = 2**21


class SpaceTimeJet(NamedTuple):
    """Values and derivatives of a model at n points, each with its own time and parameter."""

    value: Tensor
    """û, (n, n_fields)"""
    rate: Tensor
    """∂ₜû, (n, n_fields)"""
    grad: Tensor
    """∇û, (n, n_dims, n_fields)"""
    laplacian: Tensor
    """Δû, (n, n_fields)"""
    higher: Tensor
    """The other derivatives in space that the model was asked for, (n, n_derivatives, n_fields)"""


class SpaceTimeModel(nn.Module):
    """Derivatives of a `CoLoRAModel` that can be differentiated with respect to the weights.

    One array z holds the value and its derivatives as rows: the value, ∂ₜ, ∂ₓ of each dimension,
    and Δ.  A layer maps ``z ← z M + b``; b is added only to the value, and the time derivative
    of M only to ∂ₜ.  An activation maps::

        (z, ∂z, Δz) → (σ(z), σ'(z) ∂z, σ'(z) Δz + σ''(z) |∇z|²)

    Parameters
    ----------
    model : CoLoRAModel
    slopes : Tensor of shape (n_dims,), optional
        Derivatives of the scaled coordinates in the user's coordinates, by default 1.
    time_slope : float, default=1.0
        Derivative of the scaled time in the time or the coordinate that ∂ₜ refers to.
    orders : sequence of tuple of int, default=()
        Other derivatives in space, by their orders along the axes.
    """

    slopes: Tensor

    def __init__(
        self,
        model: CoLoRAModel,
        *,
        slopes: Tensor | None = None,
        time_slope: float = 1.0,
        orders: Sequence[tuple[int, ...]] = (),
    ) -> None:
        super().__init__()
        self.model, self.time_slope, self.orders = model, time_slope, tuple(orders)
        first: Any = model.network.layers[0]
        self.slopes = first.b.new_ones(1) if slopes is None else slopes

    def forward(self, inputs: Tensor, x: Tensor) -> SpaceTimeJet:
        """Jet at points x (n, n_dims), for parameters and times, inputs (n, n_parameters + 1)."""
        network = self.model.network
        latent, latent_rate = _latent_and_rate(self.model.hypernetwork, inputs, self.time_slope)
        alphas = latent.split(network.splits, -1)
        alpha_rates = latent_rate.split(network.splits, -1)
        z = self._first(x, alphas[0], alpha_rates[0])
        layers: list[Any] = list(network.layers[1:])
        for layer, alpha, alpha_rate in zip(layers, alphas[1:], alpha_rates[1:], strict=True):
            s = _activate(z)
            z = s @ layer.W
            if layer.update is not None:
                low = s @ layer.update.A
                low_rate = low[:, 1:2] * alpha[:, None] + low[:, :1] * alpha_rate[:, None]
                rows = [low[:, :1] * alpha[:, None], low_rate, low[:, 2:] * alpha[:, None]]
                z = z + torch.cat(rows, 1) @ layer.update.B
            z = torch.cat([z[:, :1] + layer.b, z[:, 1:]], 1)
        found = [self._derivative(x, alphas, orders) for orders in self.orders]
        higher = torch.stack(found, 1) if found else z[:, :0]
        return SpaceTimeJet(z[:, 0], z[:, 1], z[:, 2:-1], z[:, -1], higher)

    def _derivative(self, x: Tensor, alphas: Sequence[Tensor], orders: tuple[int, ...]) -> Tensor:
        """∂^α û with the orders α along the axes, (n, n_fields), as in `NetworkJet.derivative`."""
        layers: list[Any] = list(self.model.network.layers)
        factors, order = polarization(orders), sum(orders)
        like: Any = {"dtype": x.dtype, "device": x.device}
        directions = torch.tensor(list(factors), **like)
        weights = torch.tensor(list(factors.values()), **like)
        sizes = [1] + [len(directions)] * order
        first = layers[0].series(x.unsqueeze(1), alphas[0], directions, order)
        # From (width, n_directions, n, 1) to (n, n_directions, width).
        z = [
            c.expand(-1, n, len(x), -1)[..., 0].permute(2, 1, 0)
            for c, n in zip(first, sizes, strict=True)
        ]
        for layer, alpha in zip(layers[1:], alphas[1:], strict=True):
            s = torch.cat(silu_series(z), 1)
            out = s @ layer.W
            if layer.update is not None:
                out = out + (s @ layer.update.A * alpha[:, None]) @ layer.update.B
            z = list(out.split(sizes, 1))
            z[0] = z[0] + layer.b
        slopes = self.slopes.expand(x.shape[-1])
        scale = math.prod(slope**k for slope, k in zip(slopes, orders, strict=True))
        return scale * (weights @ z[-1])

    def _first(self, x: Tensor, alpha: Tensor, alpha_rate: Tensor) -> Tensor:
        """Output of the first layer with its derivatives, (n, 3 + n_dims, width)."""
        network = self.model.network
        layer: Any = network.layers[0]
        points = x.unsqueeze(1)
        value, grad, laplacian = layer.jet(points, alpha, self.slopes.expand(x.shape[-1]))
        if layer.update is None:
            rate = torch.zeros_like(value)
        else:
            rate = jvp(lambda a: layer(points, a), (alpha,), (alpha_rate,))[1].movedim(-1, 0)
        # Each array has shape (width, n, 1): neurons, states, and one point.
        shape = value.shape
        rows = [value, rate, *grad.unbind(1), laplacian]
        return torch.stack([row.expand(shape)[..., 0].T for row in rows], 1)


def _activate(z: Tensor) -> Tensor:
    """Apply σ to an array of values and derivatives, (n, 3 + n_dims, width)."""
    silu = SiLUJet(z[:, :1])
    curvature = 2 * silu.half_curvature()
    squares = z[:, 2:-1].square().sum(1, keepdim=True)
    laplacian = silu.slope * z[:, -1:] + curvature * squares
    return torch.cat([silu.value, silu.slope * z[:, 1:-1], laplacian], 1)


def _latent_and_rate(
    hypernetwork: Hypernetwork, inputs: Tensor, time_slope: float
) -> tuple[Tensor, Tensor]:
    """Latent state and its derivative in time; the last input is the scaled time."""
    h, rate = features(inputs), time_slope * feature_rates(inputs)
    for i, (weight, bias) in enumerate(zip(hypernetwork.weights, hypernetwork.biases, strict=True)):
        if i:
            silu = SiLUJet(h)
            h, rate = silu.value, silu.slope * rate
        h, rate = h @ weight + bias, rate @ weight
    return h, rate


@torch.no_grad()
def jet_jacobian(
    model: SpaceTimeModel, inputs: Tensor, x: Tensor, sensitivity: SpaceTimeJet
) -> list[Factor]:
    """Jacobian of ``s · jet`` with respect to all weights, one row for each point.

    Parameters
    ----------
    model : SpaceTimeModel
    inputs : Tensor of shape (n, n_parameters + 1)
    x : Tensor of shape (n, n_dims)
    sensitivity : SpaceTimeJet
        Factors s on the value, rate, gradient and Laplacian of each point.
    """
    names, parameters = zip(*model.named_parameters(), strict=True)

    def row(weights: list[Tensor], inputs: Tensor, x: Tensor, s: list[Tensor]) -> Tensor:
        named = dict(zip(names, weights, strict=True))
        jet = functional_call(model, named, (inputs.unsqueeze(0), x.unsqueeze(0)))
        return torch.stack([(a.squeeze(0) * b).sum() for a, b in zip(jet, s, strict=True)]).sum()

    rows = [p.new_empty(len(x), p.numel()) for p in parameters]
    chunk = max(1, _CHUNK // sum(p.numel() for p in parameters))
    for i in range(0, len(x), chunk):
        part = slice(i, i + chunk)
        # Each point has its own copy of the weights, so that one gradient of the sum holds the
        # gradients of all points.  `torch.func.grad` would import the compiler of torch first,
        # which takes seconds.
        copies = [p.detach().expand(len(x[part]), *p.shape).requires_grad_() for p in parameters]
        with torch.enable_grad():
            sums = vmap(row)(copies, inputs[part], x[part], [s[part] for s in sensitivity])
            found = torch.autograd.grad(sums.sum(), copies, materialize_grads=True)
        for entries, gradient in zip(rows, found, strict=True):
            entries[part] = gradient.flatten(1)
    return [Factor(p, r, None) for p, r in zip(parameters, rows, strict=True)]
