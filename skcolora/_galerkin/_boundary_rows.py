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
        self._mu, self._parts = mu.numpy(), boundary.parts
        if not self._parts:
            return
        self._length = max(high - low for low, high in pde.domain) / 2
        self._duration = boundary.duration
        sides, sizes = [part.side for part in self._parts], [len(p.points) for p in self._parts]
        # The network is evaluated once for all parts.
        points = np.vstack([part.points for part in self._parts])
        self._at = NetworkAtPoints(network, units, as_tensor(points))
        constrained = np.repeat([side.constrained for side in sides], sizes, axis=0).T
        self._constrained = torch.from_numpy(constrained)
        self._owner = torch.arange(len(sides)).repeat_interleave(torch.tensor(sizes))
        self._owner = self._owner.expand(len(constrained), -1)[self._constrained]
        root = (_WEIGHT / len(points)) ** 0.5
        self._roots = as_tensor(root * np.array([part.factor for part in self._parts]))[self._owner]
        # Numbers that depend on neither time nor state.
        self._fixed = [
            None if part.side.varies else part.side.terms(0.0, *self._where(part, self._mu))
            for part in self._parts
        ]
        normals = [part.side.normals(part.points.T) for part in self._parts]
        self._normals = as_tensor(np.hstack(normals))
        sloping = [(side.constrained & ~side.fixes_values).any() for side in sides]
        self._sloping = torch.from_numpy(np.repeat(sloping, sizes))

    def __bool__(self) -> bool:
        return bool(self._parts)

    def system(self, trajectories: Tensor, t: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Matrix (n_states, n_rows, n_latent) and right-hand side (n_states, n_rows) of states.

        The arguments are those of `Projection.system`.
        """
        terms, rates = self._terms(trajectories, t)
        field: Any = self._at.field(latent)
        u, rows = field.value, terms[0].unsqueeze(-1) * field.jet.jacobian
        gap, moved = terms[0] * u - terms[2], rates[0] * u - rates[2]
        if bool(self._sloping.any()):
            slope = torch.einsum("dp,dfsp->fsp", self._normals, field.grad)
            gap, moved = gap + terms[1] * slope, moved + rates[1] * slope
            b = terms[1][..., self._sloping].unsqueeze(-1)
            rows[..., self._sloping, :] += b * self._normal_jacobian(latent)
        size = terms[0].abs() + terms[1].abs() / self._length
        target = -(moved + _DECAY / self._duration * gap) * self._at.field_slope[:, None, None]
        f = self._roots * self._of_conditions(target / size)
        J = self._roots.unsqueeze(1) * self._of_conditions(rows / size.unsqueeze(-1))
        return J, f

    @torch.no_grad()
    def violations(
        self, trajectories: Tensor, t: Tensor, latent: Tensor, rates: Tensor
    ) -> list[float]:
        """Root mean squares over states of the residual of each part, for given rates."""
        J, f = self.system(trajectories, t, latent)
        squares = ((J @ rates.unsqueeze(2)).squeeze(2) - f).square().mean(0)
        return [float(squares[self._owner == i].sum().sqrt()) for i in range(len(self._parts))]

    @staticmethod
    def _where(part: SidePoints, mu: Array) -> tuple[Array, Array]:
        """Points (n_dims, n, n_points) and parameters (n_parameters, n, 1) of trajectories."""
        shape = (part.points.shape[1], len(mu), len(part.points))
        return np.broadcast_to(part.points.T[:, None], shape), mu.T[..., None]

    def _terms(self, trajectories: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """a, b and g, and their derivatives in time, (3, n_fields, n_states, n_points) each."""
        which, times = trajectories.numpy(), t.numpy()[:, None]
        terms, rates = [], []
        for part, fixed in zip(self._parts, self._fixed, strict=True):
            if fixed is not None:
                terms.append(fixed[:, :, which])
                rates.append(np.zeros_like(terms[-1]))
            else:
                where = self._where(part, self._mu[which])
                terms.append(part.side.terms(times, *where))
                rates.append(part.side.rates(times, *where, self._duration))
        return as_tensor(np.concatenate(terms, -1)), as_tensor(np.concatenate(rates, -1))

    def _of_conditions(self, values: Tensor) -> Tensor:
        """Those of values (n_fields, n_states, n_points, ...) that have a condition, as rows."""
        return values.movedim(1, 0)[:, self._constrained]

    def _normal_jacobian(self, latent: Tensor) -> Tensor:
        """∂(∂û/∂n)/∂φ of the scaled field, (n_fields, n_states, n_sloping, n_latent).

        Central differences of ∂û/∂φ, across points on both sides of the boundary.
        """
        at = self._at
        directions = self._normals.T[self._sloping] * as_tensor(at.units.points.slope)
        lengths = directions.norm(dim=1)
        step = _STEP * directions / lengths.unsqueeze(1)
        points = at.scaled_points[self._sloping]
        both = torch.cat([points + step, points - step])
        after, before = NetworkJet(at.network, latent, both).jacobian.chunk(2, dim=2)
        return (after - before) * (lengths / (2 * _STEP)).unsqueeze(1)
