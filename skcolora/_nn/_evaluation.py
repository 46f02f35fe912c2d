"""Evaluation of the network for prediction: many latent states at many points.

The weights ``W + A diag(α) B`` are merged once for each snapshot.  The points are then passed
through all layers in blocks that fit into the processor's cache.  The last axis of the arrays
is that of the points, because the products of such narrow layers are fastest in this order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skcolora._nn._activation import silu
from skcolora._nn._hypernetwork import Hypernetwork, features
from skcolora._nn._network import CoLoRANetwork
from skcolora._snapshots import Array, SnapshotLayout, Units
from skcolora.utils._torch import as_tensor

# Number of snapshots whose weights are merged at once.
_MERGED = 128
# Number of columns (snapshots × points) of a block on the CPU, to fit into the cache, and on
# another device.
_BLOCK_CPU, _BLOCK_CARD = 2**13, 2**20


@torch.no_grad()
def evaluate_fields(
    network: CoLoRANetwork,
    points: Tensor,
    latent: Tensor,
    out: Tensor,
    fields: tuple[Tensor, Tensor] | None = None,
) -> None:
    """Write the fields û(points; φ) of all latent states into ``out``, in bounded memory.

    Parameters
    ----------
    network : CoLoRANetwork
    points : Tensor of shape (n_points, n_dims)
        Scaled points.
    latent : Tensor of shape (n_snapshots, n_latent)
    out : Tensor of shape (n_snapshots, n_points, n_fields)
        Array for the fields.  It may be on another device than the network.
    fields : tuple of Tensor of shape (n_fields, 1), optional
        Center and scale of the fields in ``out``.  None: scaled fields.
    """
    on_cpu = latent.device.type == "cpu"
    block = _BLOCK_CPU if on_cpu else _BLOCK_CARD
    n_points = max(1, min(block, len(points)))
    # Each thread computes whole snapshots, because a product of narrow layers splits badly.
    n_snapshots = max(1, (torch.get_num_threads() if on_cpu else 1) * block // n_points)
    first: Any = network.layers[0]
    for states, rows in zip(latent.split(_MERGED), out.split(_MERGED), strict=True):
        layers = _merge(network, states)
        for i in range(0, len(points), n_points):
            inputs = first.features(points[i : i + n_points]).T.contiguous()
            shared = 0 if first.n_online else 1
            if shared:
                # A first layer without online weights is the same for all snapshots.
                weight, bias = layers[0]
                inputs = silu(weight[0] @ inputs + bias[0])
            for j in range(0, len(states), n_snapshots):
                batch = slice(j, j + n_snapshots)
                h = inputs.expand(len(states[batch]), -1, -1)
                for k, (weight, bias) in enumerate(layers[shared:]):
                    h = torch.bmm(weight[batch], silu(h, inplace=True) if k else h)
                    h = h.add_(bias[batch])
                if fields is not None:
                    h = torch.addcmul(fields[0], h, fields[1])
                rows[batch, i : i + n_points] = h.mT


def _merge(network: CoLoRANetwork, states: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Weights (n_snapshots, n_out, n_in) and biases (n_snapshots, n_out, 1) of all layers."""
    merged = []
    alphas = states.split(network.splits, dim=-1)
    for layer, alpha in zip(network.layers, alphas, strict=True):
        weight, bias = layer.merged(alpha)  # type: ignore[operator]
        bias = bias if bias.ndim == 3 else bias.unsqueeze(0)
        merged.append((weight.mT.expand(len(states), -1, -1), bias.mT.expand(len(states), -1, -1)))
    return merged


@torch.no_grad()
def evaluate_latent(hypernetwork: Hypernetwork, inputs: Tensor) -> Tensor:
    """Latent states h(μ, t) along trajectories.

    Each trajectory is computed separately.  Otherwise rounding would make its prediction
    depend on the other trajectories.

    Parameters
    ----------
    hypernetwork : Hypernetwork
    inputs : Tensor of shape (n_trajectories, n_times, n_inputs)
        Scaled inputs.

    Returns
    -------
    latent : Tensor of shape (n_trajectories, n_times, n_latent)
    """
    layers = list(zip(hypernetwork.biases, hypernetwork.weights, strict=True))
    out = inputs.new_empty(*inputs.shape[:-1], layers[-1][1].shape[1])
    for h, row in zip(features(inputs), out, strict=True):
        for bias, weight in layers[:-1]:
            h = silu(torch.addmm(bias, h, weight), inplace=True)
        torch.addmm(*(layers[-1][0], h, layers[-1][1]), out=row)
    return out


def decode_rows(
    network: CoLoRANetwork, units: Units, latent: Tensor, layout: SnapshotLayout
) -> Array:
    """Decode latent states to fields at the points of the layout.

    The fields have the user's units and the precision of the network.

    Parameters
    ----------
    network : CoLoRANetwork
    units : Units
    latent : Tensor of shape (n_trajectories, n_times, n_latent)
    layout : SnapshotLayout

    Returns
    -------
    rows : ndarray of shape (n_trajectories, n_times, n_points, n_fields)
    """
    points = as_tensor(units.coordinates(layout.grid.points)).to(latent)
    center, scale = (
        as_tensor(entry).to(latent).unsqueeze(-1)
        for entry in (units.fields.center, units.fields.scale)
    )
    out = torch.empty(
        *latent.shape[:2], len(points), layout.n_fields, dtype=latent.dtype, device="cpu"
    )
    # Each trajectory is computed separately, as in `evaluate_latent`.
    for trajectory, path in zip(out, latent, strict=True):
        evaluate_fields(network, points, path, trajectory, (center, scale))
    return np.asarray(out.numpy())
