"""The field of a network, the argument of the right-hand side of an equation."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from skcolora._nn import CoLoRANetwork, Jet, NetworkJet, first_layer
from skcolora._snapshots import Units
from skcolora.pdes._field import check_orders
from skcolora.utils._torch import as_tensor


class NetworkAtPoints:
    """A network at given points, in the units of the user and in scaled numbers.

    Parameters
    ----------
    network : CoLoRANetwork
        Network in float64.
    units : Units
        Units of the network.
    points : Tensor of shape (n_points, n_dims)
        Points in the user's units.
    """

    def __init__(self, network: CoLoRANetwork, units: Units, points: Tensor) -> None:
        self.network, self.units, self.points = network, units, points
        self.field_center, self.field_scale, self.field_slope = (
            as_tensor(entry)
            for entry in (units.fields.center, units.fields.scale, units.fields.slope)
        )
        self._slopes = as_tensor(units.points.slope)

    @cached_property
    def scaled_points(self) -> Tensor:
        """Scaled points."""
        return as_tensor(self.units.coordinates(self.points.numpy()))

    @cached_property
    def _first_jet(self) -> Jet | None:
        """The first layer, which is computed once if it has no online weights."""
        if self.network.splits[0]:
            return None
        return first_layer(
            self.network, self.scaled_points, self.points.new_zeros(1, 0), self._slopes
        )

    def jet(self, latent: Tensor) -> NetworkJet:
        """Scaled fields of states (n_states, n_latent), with derivatives in the user's points."""
        return NetworkJet(self.network, latent, self.scaled_points, self._first_jet, self._slopes)

    def field(self, latent: Tensor) -> NetworkField:
        """Field of states (n_states, n_latent) in the user's units."""
        return NetworkField(self, latent)


class NetworkField:
    """The field û(·; φ) and its derivatives at points, as `PDE.rhs` expects them.

    The tensors have the components first, as in `skcolora.pdes.GridField`, then one axis for
    the states and one for the points.  They are in the user's units, and are computed on first
    access.

    Parameters
    ----------
    at : NetworkAtPoints
    latent : Tensor of shape (n_states, n_latent)
    """

    xp: Any = torch

    def __init__(self, at: NetworkAtPoints, latent: Tensor) -> None:
        self._at, self.jet = at, at.jet(latent)
        self._shape = (at.points.shape[1], len(latent), len(at.points))

    @property
    def points(self) -> Tensor:
        """Coordinates, (n_dims, n_states, n_points)."""
        return self._at.points.T.unsqueeze(1).expand(self._shape)

    @property
    def value(self) -> Tensor:
        """Values, (n_fields, n_states, n_points)."""
        return (self._at.field_center + self._at.field_scale * self.jet.value).movedim(-1, 0)

    @property
    def grad(self) -> Tensor:
        """First derivatives, (n_dims, n_fields, n_states, n_points)."""
        return (self._at.field_scale * self.jet.grad).movedim(-1, 1)

    @property
    def laplacian(self) -> Tensor:
        """Sums of the second derivatives, (n_fields, n_states, n_points)."""
        return (self._at.field_scale * self.jet.laplacian).movedim(-1, 0)

    def derivative(self, *orders: int) -> Tensor:
        """Derivative of the given order along each axis, (n_fields, n_states, n_points)."""
        derivative = self.jet.derivative(check_orders(orders, self._shape[0]))
        return (self._at.field_scale * derivative).movedim(-1, 0)
