"""A network whose last layer is online as a whole."""

from __future__ import annotations

import copy
from typing import Any

import torch

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._layers import CoLoRALayer
from skcolora._nn._network import CoLoRANetwork


@torch.no_grad()
def free_output(
    network: CoLoRANetwork, hypernetwork: Hypernetwork
) -> tuple[CoLoRANetwork, Hypernetwork]:
    """A network with all weights of its last layer among the online weights, and its hypernetwork.

    The fields of both networks are the same, but the new one can represent more: the other online
    weights move the neurons of the last hidden layer, which are a basis whose coefficients are now
    free.  The online weights of the last layer are replaced by the changes of its matrix.

    Parameters
    ----------
    network : CoLoRANetwork
    hypernetwork : Hypernetwork

    Returns
    -------
    network : CoLoRANetwork
        Its online weights are those of the other layers, and one for each entry of the matrix
        (width, n_fields), row by row.
    hypernetwork : Hypernetwork
    """
    network = copy.deepcopy(network)
    last: Any = network.layers[-1]
    width, n_fields = last.W.shape
    n_free, n_kept = width * n_fields, network.n_latent - last.n_online
    # A diagonal update of as many directions as the matrix has entries.
    layer: Any = CoLoRALayer(
        width, n_fields, rank=n_free, adaptation="diagonal", generator=torch.Generator()
    ).to(last.W)
    layer.W.copy_(last.W)
    layer.b.copy_(last.b)
    identity = torch.eye(n_free).view(n_free, width, n_fields).to(last.W)
    layer.update.A.copy_(identity.sum(2).T)
    layer.update.B.copy_(identity.sum(1))
    change = last.W.new_zeros(network.n_latent, n_kept + n_free)
    change[:n_kept, :n_kept].fill_diagonal_(1.0)
    for i, direction in enumerate(torch.eye(last.n_online).to(last.W)):
        change[n_kept + i, n_kept:] = last.update.matrix(direction).flatten()
    network.layers[-1] = layer.requires_grad_(last.W.requires_grad)
    network.splits = [*network.splits[:-1], n_free]
    network.n_latent, network.n_free = n_kept + n_free, n_free
    return network, _followed_by(hypernetwork, change)


def _followed_by(hypernetwork: Hypernetwork, matrix: torch.Tensor) -> Hypernetwork:
    """The hypernetwork, whose outputs are multiplied by a matrix (n_latent, n_new)."""
    weights = list(hypernetwork.weights)
    out: Any = Hypernetwork(
        hypernetwork.n_inputs,
        matrix.shape[1],
        width=hypernetwork.width,
        depth=len(weights),
        generator=torch.Generator(),
    ).to(weights[0])
    for new, old in ((out.weights, weights), (out.biases, list(hypernetwork.biases))):
        for target, source in zip(new[:-1], old[:-1], strict=True):
            target.copy_(source)
        new[-1].copy_(old[-1] @ matrix.to(old[-1]))
    return out.requires_grad_(False)
