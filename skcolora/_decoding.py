"""Decoding: the fields of latent states, as rows of snapshots."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skcolora._snapshots import Array, SnapshotLayout
from skcolora.nn import CoLoRANetwork, evaluate_fields
from skcolora.utils._torch import as_tensor


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
