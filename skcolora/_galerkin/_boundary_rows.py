"""Boundary conditions as rows of the least-squares problem for the latent state."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcolora._galerkin._field import NetworkAtPoints
from skcolora._nn import CoLoRANetwork, NetworkJet
from skcolora._snapshots import Array, Grid, Units
from skcolora.pdes import PDE
from skcolora.pdes._boundary import Side, boundary_sides
from skcolora.utils._stack import caller_stacklevel
from skcolora.utils._torch import as_tensor

# Largest number of points of a side.
_MAX_POINTS = 64
# Weight of all rows of the boundary, where the points of the domain have 1.
_WEIGHT = 1.0
# Half step of differences along the normals, in scaled coordinates.
_STEP = 1e-5
# Rate at which a deviation from a condition decays, in units of the inverse duration.
_DECAY = 10.0


class SidePoints(NamedTuple):
    """Points on a part of the boundary."""

    side: Side
    points: Array
    """(n_points, n_dims)"""
    factor: float = 1.0
    """Factor of the rows, see `weigh_boundary`"""


class Boundary(NamedTuple):
    """Points on all parts of the boundary that have a condition."""

    parts: tuple[SidePoints, ...]
    duration: float
    """Last time of the snapshots"""


def boundary_of(pde: PDE, grid: Grid, duration: float) -> Boundary:
    """Points of the snapshots on the parts of the boundary.

    Parameters
    ----------
    pde : PDE
    grid : Grid
        Points of the snapshots.
    duration : float

    Returns
    -------
    boundary : Boundary

    Raises
    ------
    ValueError
        If no point of the snapshots lies on a surface.

    Warns
    -----
    UserWarning
        If no point lies at an end of the domain that has a condition.
    """
    parts = []
    for side in boundary_sides(pde):
        chosen = np.flatnonzero(side.on(grid.points))
        if not len(chosen):
            _report_missing(pde, side)
            continue
        few = np.linspace(0, len(chosen) - 1, min(len(chosen), _MAX_POINTS)).round().astype(int)
        parts.append(SidePoints(side, grid.points[chosen[few]]))
    return Boundary(tuple(parts), duration)


def _report_missing(pde: PDE, side: Side) -> None:
    name = type(pde).__name__
    if side.surface is not None:
        raise ValueError(
            f"No point of the snapshots lies on a Surface of {name}; its `on` must be true for the "
            "points on the boundary, up to the rounding of their coordinates."
        )
    assert side.axis is not None
    warnings.warn(
        f"No point of the snapshots lies at the end {pde.domain[side.axis][side.end]:g} of "
        f"dimension {side.axis}, where {name} has a boundary condition: it is left out.  Give "
        "snapshots that reach the boundary.",
        UserWarning,
        stacklevel=caller_stacklevel(),
    )


class BoundaryRows:
    """Rows that keep the conditions ``R = a u + b ∂u/∂n - g = 0`` of a moving latent state.

    The rows are ``∂R/∂φ φ̇ = -∂R/∂t - R/τ``: the time derivative of the condition, with a term by
    which deviations decay.  They are divided by ``|a| + |b| / ℓ``, where ℓ is half the largest
    extent of the domain, which gives them the unit of the rate of the field.

    Parameters
    ----------
    network : CoLoRANetwork
        Network in float64.
    units : Units
    pde : PDE
    mu : Tensor of shape (n, n_parameters)
    boundary : Boundary
    """

    def __init__(
        self, network: CoLoRANetwork, units: Units, pde: PDE, mu: Tensor, boundary: Boundary
    ) -> None:
        self._mu, self._duration = mu.numpy(), boundary.duration
        self._length = max(high - low for low, high in pde.domain) / 2
        n_points = sum(len(part.points) for part in boundary.parts)
        root = (_WEIGHT / max(n_points, 1)) ** 0.5
        self._roots = [root * part.factor for part in boundary.parts]
        self._parts = [
            (part.side, NetworkAtPoints(network, units, as_tensor(part.points)))
            for part in boundary.parts
        ]

    def __bool__(self) -> bool:
        return bool(self._parts)

    def system(self, trajectories: Tensor, t: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Matrix (n_states, n_rows, n_latent) and right-hand side (n_states, n_rows) of states.

        The arguments are those of `Projection.system`.
        """
        found = self._systems(trajectories, t, latent)
        J, f = (torch.cat(entries, 1) for entries in zip(*found, strict=True))
        return J, f

    @torch.no_grad()
    def violations(
        self, trajectories: Tensor, t: Tensor, latent: Tensor, rates: Tensor
    ) -> list[float]:
        """Root mean squares over states of the residual of each part, for given rates."""
        gaps = [
            (J @ rates.unsqueeze(2)).squeeze(2) - f
            for J, f in self._systems(trajectories, t, latent)
        ]
        return [float(gap.square().sum(1).mean().sqrt()) for gap in gaps]

    def _systems(
        self, trajectories: Tensor, t: Tensor, latent: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Matrix and right-hand side of each part."""
        mu = self._mu[trajectories.numpy()].T[..., None]
        times = t.numpy()[:, None]
        found = [self._rows(side, at, mu, times, latent) for side, at in self._parts]
        return [(root * J, root * f) for root, (J, f) in zip(self._roots, found, strict=True)]

    def _rows(
        self, side: Side, at: NetworkAtPoints, mu: Array, t: Array, latent: Tensor
    ) -> tuple[Tensor, Tensor]:
        points = at.points.numpy().T
        shape = (len(points), len(latent), points.shape[1])
        everywhere = np.broadcast_to(points[:, None], shape)
        a, b, g = as_tensor(side.terms(t, everywhere, mu))
        rates = as_tensor(side.rates(t, everywhere, mu, self._duration))
        field: Any = at.field(latent)
        J, u = field.jet.jacobian, field.value
        gap, moved = a * u - g, rates[0] * u - rates[2]
        rows = a.unsqueeze(-1) * J
        if bool(b.any()):
            normals = side.normals(points)
            slope = torch.einsum("dp,dfsp->fsp", as_tensor(normals), field.grad)
            gap, moved = gap + b * slope, moved + rates[1] * slope
            rows = rows + b.unsqueeze(-1) * _normal_jacobian(at, latent, normals)
        size = a.abs() + b.abs() / self._length
        constrained = torch.from_numpy(side.constrained)
        target = -(moved + _DECAY / self._duration * gap) * at.field_slope[:, None, None]
        f, J = (target / size)[constrained], (rows / size.unsqueeze(-1))[constrained]
        return J.transpose(0, 1).flatten(1, 2), f.transpose(0, 1).flatten(1)


def _normal_jacobian(at: NetworkAtPoints, latent: Tensor, normals: Array) -> Tensor:
    """∂(∂û/∂n)/∂φ of the scaled field, (n_fields, n_states, n_points, n_latent).

    Central differences of ∂û/∂φ, across points on both sides of the boundary.
    """
    directions = as_tensor(normals).T * as_tensor(at.units.points.slope)
    lengths = directions.norm(dim=1)
    step = _STEP * directions / lengths.unsqueeze(1)
    both = torch.cat([at.scaled_points + step, at.scaled_points - step])
    after, before = NetworkJet(at.network, latent, both).jacobian.chunk(2, dim=2)
    return (after - before) * (lengths / (2 * _STEP)).unsqueeze(1)
