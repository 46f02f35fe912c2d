"""Decoding: the fields of latent states, in blocks of bounded memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skcolora._snapshots import Array, SnapshotLayout
from skcolora.nn import CoLoRANetwork
from skcolora.utils._torch import as_tensor

# Points evaluated at once, over all snapshots of a block.
_BLOCK = 2**17


@torch.no_grad()
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
    n, n_times = latent.shape[:2]
    shape = (n, n_times, len(points), layout.n_fields)
    out = np.empty(shape, dtype=latent.new_empty(0).cpu().numpy().dtype)
    per_block = min(len(points), _BLOCK)
    times_per_block = max(1, _BLOCK // per_block)
    for trajectory, path in zip(out, latent, strict=True):
        for i in range(0, n_times, times_per_block):
            at = slice(i, i + times_per_block)
            for j in range(0, len(points), per_block):
                where = slice(j, j + per_block)
                trajectory[at, where] = network(points[where], path[at]).cpu().numpy()
    return out
