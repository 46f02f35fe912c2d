"""Right-hand side of the latent equation: φ̇ = argmin Σ w |∂û/∂φ φ̇ - f(t, û; μ)|²."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skcolora._galerkin._boundary_rows import BoundaryRows
from skcolora._galerkin._collocation import Collocation
from skcolora._galerkin._field import NetworkAtPoints
from skcolora._galerkin._tikhonov import LeastSquares, solve_least_squares
from skcolora._nn import CoLoRANetwork, NetworkJet
from skcolora._snapshots import Array, Units
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Number of points of all trajectories in one evaluation.  It is large enough to hide overheads
# and small enough that the activations of a layer stay in the cache.
_BLOCK = 2**14
# Largest number of points of an initial field that are encoded.
_MAX_POINTS = 2**14


class Projection:
    """The Dirac–Frenkel projection of an equation onto the tangent space of a network.

    Parameters
    ----------
    network : CoLoRANetwork
        Network in float64.
    units : Units
        Units of the network.
    pde : PDE
    mu : Tensor of shape (n, n_parameters)
        Parameters of the trajectories.
    collocation : Collocation
        Collocation points and weights.
    regularization : float
        Tikhonov parameter λ, see `solve_least_squares`.
    """

    def __init__(
        self,
        network: CoLoRANetwork,
        units: Units,
        pde: PDE,
        mu: Tensor,
        collocation: Collocation,
        regularization: float,
    ) -> None:
        self.network, self.units, self.pde, self.mu = network, units, pde, mu
        self.collocation, self.regularization = collocation, regularization
        self._points = collocation.points
        self._at = NetworkAtPoints(network, units, self._points)
        # The rows hold scaled fields, as in training.
        self._roots = collocation.weights.sqrt()
        given = collocation.boundary
        self._boundary = given and BoundaryRows(network, units, pde, mu, given)

    def at(self, collocation: Collocation) -> Projection:
        """The same projection at other collocation points, without regularisation."""
        return Projection(self.network, self.units, self.pde, self.mu, collocation, 0.0)

    def scaled(self, points: Array, fields: Array) -> tuple[Tensor, Tensor]:
        """Scaled points and scaled fields (n, n_points, n_fields), in float64.

        Of very many points some are chosen at random, which bounds the cost.
        """
        if len(points) > _MAX_POINTS:
            chosen = np.random.default_rng(0).choice(len(points), _MAX_POINTS, replace=False)
            points, fields = points[chosen], fields[:, chosen]
        units = self.units
        return as_tensor(units.coordinates(points)), as_tensor(units.fields.apply(fields))

    def system(self, trajectories: Tensor, t: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Matrix and right-hand side of the least-squares problem of states.

        Parameters
        ----------
        trajectories : Tensor of shape (n_states,)
            Index of the trajectory of each state.
        t : Tensor of shape (n_states,)
        latent : Tensor of shape (n_states, n_latent)

        Returns
        -------
        J : Tensor of shape (n_states, n_rows, n_latent)
            √w ∂û/∂φ, with n_rows = n_fields * n_points, and then the rows of the boundary.
        f : Tensor of shape (n_states, n_rows)
            √w f, for scaled fields.
        """
        field: Any = self._at.field(latent)
        mu = self.mu[trajectories].T.unsqueeze(-1)
        rate = self.pde.rate(t.unsqueeze(-1), field, mu)  # type: ignore[arg-type]
        f = self._at.field_slope[:, None, None] * rate
        J, f = self._rows(field.jet), (self._roots * f).transpose(0, 1).flatten(1)
        if self._boundary:
            J_boundary, f_boundary = self._boundary.system(trajectories, t, latent)
            J, f = torch.cat([J, J_boundary], 1), torch.cat([f, f_boundary], 1)
        return J, f

    def jacobian(self, latent: Tensor) -> Tensor:
        """√w ∂û/∂φ of states (n_states, n_latent), (n_states, n_rows, n_latent)."""
        return self._rows(self._at.jet(latent))

    def _rows(self, jet: NetworkJet) -> Tensor:
        rows = self._roots[:, None] * jet.jacobian
        return rows.transpose(0, 1).flatten(1, 2)

    @torch.no_grad()
    def solve(self, trajectories: Tensor, t: Tensor, latent: Tensor) -> LeastSquares:
        """Solve the least-squares problem for φ̇.

        The residual of the result is the weighted L2 norm at the points, in whichever norm the
        residual was minimised.

        Parameters
        ----------
        trajectories : Tensor of shape (n_states,)
            Index of the trajectory of each state.
        t : Tensor of shape (n_states,)
        latent : Tensor of shape (n_states, n_latent)

        Returns
        -------
        result : LeastSquares
        """
        parts = [
            self._solve(trajectories[s], t[s], latent[s]) for s in self._blocks(len(trajectories))
        ]
        return LeastSquares(*(torch.cat(entries) for entries in zip(*parts, strict=True)))

    def _solve(self, trajectories: Tensor, t: Tensor, latent: Tensor) -> LeastSquares:
        J, f = self.system(trajectories, t, latent)
        functionals = self.collocation.functionals
        if functionals is None:
            return solve_least_squares(J, f, self.regularization)
        rows = functionals @ torch.cat([J, f.unsqueeze(2)], dim=2)
        found = solve_least_squares(rows[..., :-1], rows[..., -1], self.regularization)
        gap = (J @ found.solution.unsqueeze(2)).squeeze(2) - f
        return found._replace(residual=gap.norm(dim=1), size=f.norm(dim=1))

    def rate(self, trajectories: Tensor, t: Tensor, latent: Tensor) -> Tensor:
        """Time derivative φ̇ of the states, (n_states, n_latent); see `solve`."""
        return self.solve(trajectories, t, latent).solution

    @torch.no_grad()
    def distance(self, latent: Tensor, other: Tensor) -> Tensor:
        """Distance ``‖û(φ) - û(φ')‖`` of the fields of states, relative to `size`, (n_states,).

        Latent directions that hardly change the field do not contribute, even if the condition
        number of J is large.
        """
        parts = []
        for s in self._blocks(len(latent)):
            values, other_values = self._values(latent[s]), self._values(other[s])
            size = values.flatten(1).norm(dim=1).clamp(min=self.units.least_variation)
            parts.append((values - other_values).flatten(1).norm(dim=1) / size)
        return torch.cat(parts)

    @torch.no_grad()
    def size(self, latent: Tensor) -> Tensor:
        """Norm of the scaled field, its variation about the mean of the snapshots, (n_states,).

        It is at least a tenth of the variation of all training snapshots, as in the training,
        because a field that equals the mean has no relative error.
        """
        parts = [self._values(latent[s]).flatten(1).norm(dim=1) for s in self._blocks(len(latent))]
        return torch.cat(parts).clamp(min=self.units.least_variation)

    @torch.no_grad()
    def leverage(self, trajectories: Tensor, t: Tensor, latent: Tensor) -> Tensor:
        """Leverage scores of the points in the least-squares problem, (n_points,).

        A score is the squared norm of a row of the orthogonal factor of [J f], summed over the
        fields and averaged over the states.  Points sampled in proportion to the scores hardly
        change the solution.
        """
        total = latent.new_zeros(len(self._points))
        for i in range(len(trajectories)):
            J, f = self.system(trajectories[i : i + 1], t[i : i + 1], latent[i : i + 1])
            scores = torch.linalg.qr(torch.cat([J, f.unsqueeze(2)], dim=2)[0]).Q.square().sum(1)
            total += scores.view(-1, len(self._points)).sum(0).nan_to_num()
        return total / len(trajectories)

    @torch.no_grad()
    def functions(self, trajectories: Tensor, t: Tensor, latent: Tensor) -> Tensor:
        """Columns of J and f as functions of the points, (n_functions, n_points).

        The columns of each state are orthonormalised, so that all states have equal weight.
        """
        rows = []
        for i in range(len(trajectories)):
            J, f = self.system(trajectories[i : i + 1], t[i : i + 1], latent[i : i + 1])
            Q = torch.linalg.qr(torch.cat([J, f.unsqueeze(2)], dim=2)[0]).Q
            rows.append(Q.T.reshape(-1, len(self._points)))
        return torch.cat(rows).nan_to_num()

    @torch.no_grad()
    def metric(self, latent: Tensor) -> Tensor:
        """Triangular matrix R, where RᵀR is the mean of JᵀWJ over states (n_states, n_latent).

        ‖R δ‖ is the change of the field for a change δ of the latent state.
        """
        parts = [self.jacobian(latent[s]).flatten(0, 1) for s in self._blocks(len(latent))]
        triangles = [torch.linalg.qr(part, mode="r").R for part in parts]
        triangle: Tensor = torch.linalg.qr(torch.cat(triangles), mode="r").R
        return triangle / len(latent) ** 0.5

    @torch.no_grad()
    def gaps(self, trajectories: Tensor, t: Tensor, latent: Tensor, rates: Tensor) -> Tensor:
        """Residuals ``‖J φ̇ - f‖`` in L2 of given rates (n_states, n_latent), (n_states,)."""
        return self.residuals(trajectories, t, latent, rates).norm(dim=1)

    def minimized(self, rows: Tensor) -> Tensor:
        """Norms of rows (n_states, n_rows), in the norm that is minimised, (n_states,)."""
        functionals = self.collocation.functionals
        return (rows if functionals is None else rows @ functionals.T).norm(dim=1)

    @torch.no_grad()
    def residuals(self, trajectories: Tensor, t: Tensor, latent: Tensor, rates: Tensor) -> Tensor:
        """Rows ``J φ̇ - f`` for given rates (n_states, n_latent), (n_states, n_rows)."""
        parts = []
        for s in self._blocks(len(latent)):
            J, f = self.system(trajectories[s], t[s], latent[s])
            parts.append((J @ rates[s].unsqueeze(2)).squeeze(2) - f)
        return torch.cat(parts)

    def _values(self, latent: Tensor) -> Tensor:
        """√w û of the scaled fields, (n_states, n_points, n_fields)."""
        return self._at.jet(latent).value * self._roots.unsqueeze(1)

    def _blocks(self, n: int) -> Iterator[slice]:
        """Slices of n states, each with at most about _BLOCK points."""
        size = max(1, _BLOCK // len(self._points))
        return (slice(i, i + size) for i in range(0, n, size))
