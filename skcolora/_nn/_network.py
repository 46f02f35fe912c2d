"""The coordinate network û(x; θ, φ) whose online weights φ are the latent state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skcolora._nn._activation import silu, silu_slope
from skcolora._nn._layers import CoLoRALayer, Factor, Pullback
from skcolora._nn._periodic import PeriodicLayer
from skcolora.utils._torch import as_tensor


class Linearization(NamedTuple):
    """Fields of a batch and their Jacobian, whose rows run over (field, snapshot, point)."""

    values: Tensor
    """(n_snapshots, n_points, n_fields)"""
    latent: Tensor
    """∂û/∂φ, (n_fields, n_snapshots, n_points, n_latent)"""
    factors: list[Factor]
    """∂û/∂θ, as outer products of (n_fields, n_snapshots, n_points, ...) arrays"""


class CoLoRANetwork(nn.Module):
    """Coordinate network with continuously adapted low-rank weights.

    The first layer is periodic or affine, and ``depth - 1`` CoLoRA layers follow, with SiLU
    activations between the layers; the last layer is linear [1]_.

    Parameters
    ----------
    n_dims, n_fields : int
    width, depth, rank : int
        Units of a hidden layer, number of layers, and rank of the updates.
    adaptation : {"scalar", "diagonal"}
        One online weight for each layer, or one for each of the ``rank`` directions.
    adapted_layers : sequence of int
        Layers with online weights; the first layer has number 0.
    periodic : sequence of bool
        Whether each dimension is periodic.
    generator : torch.Generator
        Source of the initial weights.

    Attributes
    ----------
    n_latent : int
        Number of online weights.
    n_free : int
        How many of them are entries of the last layer's matrix, see `free_output`.

    Notes
    -----
    Inputs and outputs are scaled numbers, see `skcolora._snapshots.Units`: coordinates in
    [-1, 1], or angles along periodic dimensions, and fields of mean 0 and standard deviation 1.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA: Continuous low-rank adaptation for
       reduced implicit neural modeling of parameterized partial differential
       equations", ICML 2024, arXiv:2402.14646.
    """

    def __init__(
        self,
        n_dims: int,
        n_fields: int,
        *,
        width: int,
        depth: int,
        rank: int,
        adaptation: str,
        adapted_layers: Sequence[int],
        periodic: Sequence[bool],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        ranks = [rank if i in adapted_layers else None for i in range(depth)]
        common: Any = {"adaptation": adaptation, "generator": generator}
        first: PeriodicLayer | CoLoRALayer
        if any(periodic):
            first = PeriodicLayer(width, periodic=periodic, rank=ranks[0], **common)
        else:
            first = CoLoRALayer(n_dims, width, rank=ranks[0], augmented=True, **common)
        widths = [width] * (depth - 1) + [n_fields]
        layers = [
            first,
            *(
                CoLoRALayer(widths[i - 1], widths[i], rank=ranks[i], **common)
                for i in range(1, depth)
            ),
        ]
        self.layers = nn.ModuleList(layers)
        self.splits = [layer.n_online for layer in layers]
        self.n_latent = sum(self.splits)
        self.n_free = 0
        self.n_fields = n_fields

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Fields (..., n_points, n_fields) at points x (..., n_points, n_dims).

        The latent states have shape (..., n_latent).
        """
        alphas = latent.split(self.splits, dim=-1)
        h = x
        for i, (layer, alpha) in enumerate(zip(self.layers, alphas, strict=True)):
            h = layer(silu(h) if i else h, alpha)
        return h

    @torch.no_grad()
    def mute(self, fields: NDArray[np.bool_]) -> None:
        """Set the output of some fields, those that are constant, to zero."""
        last: Any = self.layers[-1]
        muted = as_tensor(fields, device=last.b.device)
        for weight in (last.W, last.b, *([] if last.update is None else [last.update.B])):
            weight.masked_fill_(muted, 0.0)

    @torch.no_grad()
    def linearize(
        self, x: Tensor, latent: Tensor, row_weights: Tensor | None = None
    ) -> Linearization:
        """Fields and their Jacobians with respect to the online and the offline weights.

        Parameters
        ----------
        x : Tensor of shape (n_snapshots, n_points, n_dims) or (n_points, n_dims)
        latent : Tensor of shape (n_snapshots, n_latent)
        row_weights : Tensor of shape (n_fields, n_snapshots, n_points), optional
            Factors that multiply the rows of the Jacobians, but not the values.
        """
        alphas = latent.split(self.splits, dim=-1)
        h = x.expand(latent.shape[0], -1, -1)
        inputs, outputs = [], []
        for i, (layer, alpha) in enumerate(zip(self.layers, alphas, strict=True)):
            inputs.append(silu(h) if i else h)
            h = layer(inputs[-1], alpha)
            outputs.append(h)
        identity = torch.eye(self.n_fields, dtype=h.dtype, device=h.device)
        sensitivity = identity[:, None, None, :].expand(-1, *h.shape)
        if row_weights is not None:
            sensitivity = sensitivity * row_weights.unsqueeze(-1)
        online: list[Tensor] = []
        factors: list[Factor] = []
        for i in reversed(range(len(self.layers))):
            adapted: Any = self.layers[i]
            back: Pullback = adapted.pullback(inputs[i], alphas[i], sensitivity)
            factors += back.factors
            if back.online is not None:
                online.insert(0, back.online)
            if i:
                sensitivity = back.input * silu_slope(outputs[i - 1])
        return Linearization(h, torch.cat(online, -1), factors)
