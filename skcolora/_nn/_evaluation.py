"""Fields of many latent states at many points: the work of a prediction.

The weights of a snapshot are merged once, ``W + A diag(α) B``, and blocks of points that
stay in the processor's cache stream through all layers.  Points run along the last axis,
where the products of such narrow layers are fastest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skcolora._nn._activation import silu
from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._network import CoLoRANetwork
from skcolora._snapshots import Array, SnapshotLayout
from skcolora.utils._torch import as_tensor

# Snapshots whose weights are merged at once.
_MERGED = 128
# Columns of a block, over its snapshots: for a processor's cache, and for a GPU.
_BLOCK_CPU, _BLOCK_CUDA = 2**13, 2**20


@torch.no_grad()
def evaluate_fields(network: CoLoRANetwork, points: Tensor, latent: Tensor, out: Tensor) -> None:
    """Write û(points; φ) for each latent state into ``out``, in bounded memory.

    Parameters
    ----------
    network : CoLoRANetwork
    points : Tensor of shape (n_points, n_dims)
    latent : Tensor of shape (n_snapshots, n_latent)
    out : Tensor of shape (n_snapshots, n_points, n_fields)
        May be on another device than the network.
    """
    block = _BLOCK_CUDA if latent.is_cuda else _BLOCK_CPU
    n_points = max(1, min(block, len(points)))
    # Threads share the work snapshot by snapshot: a product of narrow layers splits badly.
    n_snapshots = max(1, (1 if latent.is_cuda else torch.get_num_threads()) * block // n_points)
    for states, rows in zip(latent.split(_MERGED), out.split(_MERGED), strict=True):
        first, hidden = _merge(network, states)
        shift = states[:, : network.splits[0]]
        for i in range(0, len(points), n_points):
            x = (points[i : i + n_points] - network.x_center) / network.x_scale
            # Where nothing adapts the first layer, one pass serves all snapshots.
            entry = None if first.n_online else silu(first(x, shift[0])).mT
            for j in range(0, len(states), n_snapshots):
                at = slice(j, j + n_snapshots)
                h = silu(first(x, shift[at])).mT if entry is None else entry
                h = h.expand(len(states[at]), -1, -1)
                for k, (weight, bias) in enumerate(hidden):
                    h = torch.bmm(weight[at], silu(h, inplace=True) if k else h).add_(bias)
                fields = h * network.u_scale.unsqueeze(-1) + network.u_center.unsqueeze(-1)
                rows[at, i : i + n_points] = fields.mT


def _merge(network: CoLoRANetwork, states: Tensor) -> tuple[Any, list[tuple[Tensor, Tensor]]]:
    """The first layer; of the others, weights (n_snapshots, n_out, n_in) and biases (n_out, 1)."""
    first, *layers = network.layers
    merged = []
    for layer, alpha in zip(layers, states.split(network.splits, dim=-1)[1:], strict=True):
        weight, bias = layer.merged(alpha)  # type: ignore[operator]
        merged.append((weight.mT.expand(len(states), -1, -1), bias.unsqueeze(-1)))
    return first, merged


@torch.no_grad()
def evaluate_latent(hypernetwork: Hypernetwork, inputs: Tensor) -> Tensor:
    """h(μ, t) along trajectories, each computed by itself.

    So the prediction for one parameter cannot depend, even by rounding, on others.

    Parameters
    ----------
    hypernetwork : Hypernetwork
    inputs : Tensor of shape (n_trajectories, n_times, n_inputs)

    Returns
    -------
    latent : Tensor of shape (n_trajectories, n_times, n_latent)
    """
    scaled = (inputs - hypernetwork.center) / hypernetwork.scale
    layers = list(zip(hypernetwork.biases, hypernetwork.weights, strict=True))
    out = inputs.new_empty(*inputs.shape[:-1], layers[-1][1].shape[1])
    for h, row in zip(scaled, out, strict=True):
        for bias, weight in layers[:-1]:
            h = silu(torch.addmm(bias, h, weight), inplace=True)
        torch.addmm(*(layers[-1][0], h, layers[-1][1]), out=row)
    return out


def decode_rows(network: CoLoRANetwork, latent: Tensor, layout: SnapshotLayout) -> Array:
    """Rows of fields at the layout's points, in the precision of the network.

    Parameters
    ----------
    network : CoLoRANetwork
    latent : Tensor of shape (n_trajectories, n_times, n_latent)
    layout : SnapshotLayout

    Returns
    -------
    rows : ndarray of shape (n_trajectories, n_times, n_points, n_fields)
    """
    points = as_tensor(layout.grid.points).to(network.u_scale)
    out = torch.empty(*latent.shape[:2], len(points), layout.n_fields, dtype=latent.dtype)
    # Each trajectory by itself, so that its prediction does not depend on the others.
    for trajectory, path in zip(out, latent, strict=True):
        evaluate_fields(network, points, path, trajectory)
    return np.asarray(out.numpy())
