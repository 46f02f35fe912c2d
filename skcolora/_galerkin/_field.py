"""The field of a network, the argument of the right-hand side of an equation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skcolora._nn import CoLoRANetwork, Jet, NetworkJet


class NetworkField:
    """The field û(·; φ) and its derivatives at points, as `PDE.rhs` expects them.

    The tensors have the components first, as in `skcolora.pdes.GridField`, then one axis for
    the states and one for the points.  They are computed on first access.

    Parameters
    ----------
    network : CoLoRANetwork
    latent : Tensor of shape (n_states, n_latent)
    x : Tensor of shape (n_points, n_dims)
    first_jet : Jet, optional
        Output of the first layer, see `NetworkJet`.
    """

    xp: Any = torch

    def __init__(
        self, network: CoLoRANetwork, latent: Tensor, x: Tensor, first_jet: Jet | None = None
    ) -> None:
        self._jet = NetworkJet(network, latent, x, first_jet)
        self._shape = (x.shape[-1], len(latent), x.shape[-2])

    @property
    def points(self) -> Tensor:
        """Coordinates, (n_dims, n_states, n_points)."""
        x = self._jet.x
        coordinates = x.movedim(-1, 0)
        return (coordinates.unsqueeze(1) if x.ndim == 2 else coordinates).expand(self._shape)

    @property
    def value(self) -> Tensor:
        """Values, (n_fields, n_states, n_points)."""
        return self._jet.value.movedim(-1, 0)

    @property
    def grad(self) -> Tensor:
        """First derivatives, (n_dims, n_fields, n_states, n_points)."""
        return self._jet.grad.movedim(-1, 1)

    @property
    def laplacian(self) -> Tensor:
        """Sums of the second derivatives, (n_fields, n_states, n_points)."""
        return self._jet.laplacian.movedim(-1, 0)

    @property
    def jacobian(self) -> Tensor:
        """∂û/∂φ, (n_fields, n_states, n_points, n_latent)."""
        return self._jet.jacobian
