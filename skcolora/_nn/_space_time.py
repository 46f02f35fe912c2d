"""û(x; θ, h(μ, t)) with its derivatives in time and space, and what they owe to every weight."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vmap
from torch.func import grad as gradient

from skcolora._nn._activation import SiLUJet
from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._layers import Factor
from skcolora._nn._model import CoLoRAModel


class SpaceTimeJet(NamedTuple):
    """A model and its derivatives, (n, ...) for points of their own time and parameter."""

    value: Tensor
    """(n, n_fields)"""
    rate: Tensor
    """∂ₜû, (n, n_fields)"""
    grad: Tensor
    """(n, n_dims, n_fields)"""
    laplacian: Tensor
    """(n, n_fields)"""


class SpaceTimeModel(nn.Module):
    """A `CoLoRAModel` whose derivatives can in turn be differentiated in the weights.

    The derivatives are carried through the layers as rows of one array: the value, ∂ₜ, ∂ₓ of
    each dimension, and Δ.  With z such an array, a layer is ``z ← z M + b``, where b
    is the value's alone and the rate gains the motion of M; an activation is::

        (z, ∂z, Δz) → (σ(z), σ'(z) ∂z, σ'(z) Δz + σ''(z) |∇z|²)
    """

    def __init__(self, model: CoLoRAModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, x: Tensor) -> SpaceTimeJet:
        """At parameters and times (n, n_parameters + 1) and points (n, n_dims)."""
        network = self.model.network
        latent, motion = _with_rate(self.model.hypernetwork, inputs)
        alphas, motions = latent.split(network.splits, -1), motion.split(network.splits, -1)
        z = self._first(x, alphas[0], motions[0])
        layers: list[Any] = list(network.layers[1:])
        for layer, alpha, change in zip(layers, alphas[1:], motions[1:], strict=True):
            s = _activated(z)
            z = s @ layer.W
            if layer.update is not None:
                low = s @ layer.update.A
                low_rate = low[:, 1:2] * alpha[:, None] + low[:, :1] * change[:, None]
                rows = [low[:, :1] * alpha[:, None], low_rate, low[:, 2:] * alpha[:, None]]
                z = z + torch.cat(rows, 1) @ layer.update.B
            z = torch.cat([z[:, :1] + layer.b, z[:, 1:]], 1)
        z = network.u_scale * z
        return SpaceTimeJet(z[:, 0] + network.u_center, z[:, 1], z[:, 2:-1], z[:, -1])

    def _first(self, x: Tensor, alpha: Tensor, change: Tensor) -> Tensor:
        """The first layer, (n, 3 + n_dims, width)."""
        network = self.model.network
        layer: Any = network.layers[0]
        scaled = ((x - network.x_center) / network.x_scale).unsqueeze(1)
        value, grad, laplacian = layer.jet(scaled, alpha)
        if layer.update is None:
            rate = torch.zeros_like(value)
        else:
            rate = jvp(lambda a: layer(scaled, a), (alpha,), (change,))[1].movedim(-1, 0)
        # Neurons first, then states, and one point: (width, n, 1).
        shape = value.shape
        rows = [value, rate, *(grad / network.x_scale[:, None, None]).unbind(1), laplacian]
        return torch.stack([row.expand(shape)[..., 0].T for row in rows], 1)


def _activated(z: Tensor) -> Tensor:
    """σ(z) with its derivatives, of (n, 3 + n_dims, width)."""
    silu = SiLUJet(z[:, :1])
    curvature = 2 * silu.half_curvature()
    squares = z[:, 2:-1].square().sum(1, keepdim=True)
    laplacian = silu.slope * z[:, -1:] + curvature * squares
    return torch.cat([silu.value, silu.slope * z[:, 1:-1], laplacian], 1)


def _with_rate(hypernetwork: Hypernetwork, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The latent state and its derivative in time, the last of the inputs."""
    h = (inputs - hypernetwork.center) / hypernetwork.scale
    rate = torch.cat([torch.zeros_like(h[:, :-1]), torch.ones_like(h[:, -1:])], 1)
    rate = rate / hypernetwork.scale
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
    """Rows ``∂(s · jet)/∂w`` for every weight w of the model.

    Parameters
    ----------
    model : SpaceTimeModel
    inputs : Tensor of shape (n, n_parameters + 1)
    x : Tensor of shape (n, n_dims)
    sensitivity : SpaceTimeJet
        s, to value, rate, gradient and Laplacian of each point.
    """
    parameters: dict[str, Any] = dict(model.named_parameters())

    def row(weights: dict[str, Tensor], inputs: Tensor, x: Tensor, s: list[Tensor]) -> Tensor:
        jet = functional_call(model, weights, (inputs.unsqueeze(0), x.unsqueeze(0)))
        return torch.stack([(a.squeeze(0) * b).sum() for a, b in zip(jet, s, strict=True)]).sum()

    rows = vmap(gradient(row), (None, 0, 0, 0))(parameters, inputs, x, list(sensitivity))
    return [Factor(p, rows[name].flatten(1), None) for name, p in parameters.items()]
