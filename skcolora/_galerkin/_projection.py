"""The equation in the latent state: φ̇ = argmin Σ w |∂û/∂φ φ̇ - f(t, û; μ)|²."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from skcolora._galerkin._collocation import Collocation
from skcolora._galerkin._field import NetworkField
from skcolora._galerkin._tikhonov import LeastSquares, solve_least_squares
from skcolora._nn import CoLoRANetwork, NetworkJet, first_layer
from skcolora.pdes import PDE

# Points of all trajectories evaluated together: so many that overheads do not count, so
# few that a layer's activations stay in the cache.
_BLOCK = 2**14


class Projection:
    """The Dirac–Frenkel projection of an equation onto the tangent space of a network.

    Parameters
    ----------
    network : CoLoRANetwork
        In float64.
    pde : PDE
    mu : Tensor of shape (n, n_parameters)
        Parameters of the trajectories.
    collocation : Collocation
        Points and weights of the sum.
    regularization : float
        See `solve_least_squares`.
    """

    def __init__(
        self,
        network: CoLoRANetwork,
        pde: PDE,
        mu: Tensor,
        collocation: Collocation,
        regularization: float,
    ) -> None:
        self.network, self.pde, self.mu = network, pde, mu
        self.collocation, self.regularization = collocation, regularization
        self._x = collocation.points
        # Rows of each field in units of its size, as in training.
        self._roots = collocation.weights.sqrt() / network.u_scale[:, None]
        adapted = bool(network.splits[0])
        self._first = None if adapted else first_layer(network, self._x, mu[:, :0])

    def field(self, latent: Tensor) -> NetworkField:
        """û at the collocation points."""
        return NetworkField(self.network, latent, self._x, self._first)

    def system(self, at: Tensor, t: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """√w J, (n, n_rows, n_latent), and √w f, (n, n_rows), of a block of trajectories."""
        field = self.field(latent)
        mu = self.mu[at].T.unsqueeze(-1)
        f = self.pde.rate(t.unsqueeze(-1), field, mu)  # type: ignore[arg-type]
        if self.collocation.fixed is not None:
            f = torch.where(self.collocation.fixed, 0.0, f)
        return self._rows(field), (self._roots[:, None] * f).transpose(0, 1).flatten(1)

    def jacobian(self, latent: Tensor) -> Tensor:
        """√w J, (n, n_rows, n_latent)."""
        return self._rows(self.field(latent))

    def _rows(self, field: NetworkField) -> Tensor:
        rows = self._roots[:, None, :, None] * field.jacobian
        return rows.transpose(0, 1).flatten(1, 2)

    @torch.no_grad()
    def solve(self, at: Tensor, t: Tensor, latent: Tensor) -> LeastSquares:
        """φ̇ and its quality; the residual is that at the points, in whatever norm it is least.

        Parameters
        ----------
        at : Tensor of shape (n_states,)
            Trajectories that the states belong to.
        t : Tensor of shape (n_states,)
        latent : Tensor of shape (n_states, n_latent)
        """
        parts = [self._solve(at[s], t[s], latent[s]) for s in self._blocks(len(at))]
        return LeastSquares(*(torch.cat(entries) for entries in zip(*parts, strict=True)))

    def _solve(self, at: Tensor, t: Tensor, latent: Tensor) -> LeastSquares:
        J, f = self.system(at, t, latent)
        functionals = self.collocation.functionals
        if functionals is None:
            return solve_least_squares(J, f, self.regularization)
        rows = functionals @ torch.cat([J, f.unsqueeze(2)], dim=2)
        found = solve_least_squares(rows[..., :-1], rows[..., -1], self.regularization)
        gap = (J @ found.solution.unsqueeze(2)).squeeze(2) - f
        return found._replace(residual=gap.norm(dim=1), size=f.norm(dim=1))

    def rate(self, at: Tensor, t: Tensor, latent: Tensor) -> Tensor:
        """φ̇ alone."""
        return self.solve(at, t, latent).solution

    @torch.no_grad()
    def distance(self, latent: Tensor, other: Tensor) -> Tensor:
        """``‖û(φ) - û(φ')‖ / ‖û(φ)‖``, (n,): what a difference of states means for the field.

        Directions in the latent space that the field hardly depends on do not count, however
        large J's condition number.
        """
        parts = []
        for s in self._blocks(len(latent)):
            first, second = self._values(latent[s]), self._values(other[s])
            size = first.flatten(1).norm(dim=1)
            parts.append((first - second).flatten(1).norm(dim=1) / size.clamp(min=1e-300))
        return torch.cat(parts)

    @torch.no_grad()
    def size(self, latent: Tensor) -> Tensor:
        """‖û(φ)‖, (n,), in the norm of the residual."""
        parts = [self._values(latent[s]) for s in self._blocks(len(latent))]
        return torch.cat([values.flatten(1).norm(dim=1) for values in parts])

    @torch.no_grad()
    def leverage(self, at: Tensor, t: Tensor, latent: Tensor) -> Tensor:
        """How much each point matters for the least-squares problem, (n_points,).

        The leverage scores of [J f], the squared rows of its orthogonal factor, summed over
        the fields and averaged over the states; points drawn in proportion to them leave
        the problem's solution almost as it is.
        """
        total = latent.new_zeros(len(self._x))
        for i in range(len(at)):
            J, f = self.system(at[i : i + 1], t[i : i + 1], latent[i : i + 1])
            scores = torch.linalg.qr(torch.cat([J, f.unsqueeze(2)], dim=2)[0]).Q.square().sum(1)
            total += scores.view(-1, len(self._x)).sum(0).nan_to_num()
        return total / len(at)

    @torch.no_grad()
    def functions(self, at: Tensor, t: Tensor, latent: Tensor) -> Tensor:
        """Columns of J and f at states, as functions of the points, (n_functions, n_points).

        Those of a state are made orthonormal first, so that all count the same.
        """
        rows = []
        for i in range(len(at)):
            J, f = self.system(at[i : i + 1], t[i : i + 1], latent[i : i + 1])
            Q = torch.linalg.qr(torch.cat([J, f.unsqueeze(2)], dim=2)[0]).Q
            rows.append(Q.T.reshape(-1, len(self._x)))
        return torch.cat(rows).nan_to_num()

    @torch.no_grad()
    def metric(self, latent: Tensor) -> Tensor:
        """R with RᵀR the mean of JᵀWJ over the states: lengths of latent vectors as the field
        feels them."""
        parts = [self.jacobian(latent[s]).flatten(0, 1) for s in self._blocks(len(latent))]
        triangles = [torch.linalg.qr(part, mode="r").R for part in parts]
        triangle: Tensor = torch.linalg.qr(torch.cat(triangles), mode="r").R
        return triangle / len(latent) ** 0.5

    def _values(self, latent: Tensor) -> Tensor:
        values = NetworkJet(self.network, latent, self._x, self._first).value
        return values * self._roots.T

    def _blocks(self, n: int) -> Iterator[slice]:
        size = max(1, _BLOCK // len(self._x))
        return (slice(i, i + size) for i in range(0, n, size))
