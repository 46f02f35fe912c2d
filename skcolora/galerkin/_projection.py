"""The equation in the latent state: φ̇ = argmin Σ w |∂û/∂φ φ̇ - f(t, û; μ)|²."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from skcolora.galerkin._field import NetworkField
from skcolora.galerkin._least_squares import LeastSquares, solve_least_squares
from skcolora.galerkin._points import Collocation
from skcolora.nn import CoLoRANetwork, NetworkJet, first_layer
from skcolora.pdes import PDE

# Points of all trajectories evaluated together: so many that overheads do not count, so
# few that a layer's activations stay in the cache.
_BLOCK = 2**13


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
        """φ̇ and its quality.

        Parameters
        ----------
        at : Tensor of shape (n_states,)
            Trajectories that the states belong to.
        t : Tensor of shape (n_states,)
        latent : Tensor of shape (n_states, n_latent)
        """
        parts = [
            solve_least_squares(*self.system(at[s], t[s], latent[s]), self.regularization)
            for s in self._blocks(len(at))
        ]
        return LeastSquares(*(torch.cat(entries) for entries in zip(*parts, strict=True)))

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

    def _values(self, latent: Tensor) -> Tensor:
        values = NetworkJet(self.network, latent, self._x, self._first).value
        return values * self._roots.T

    def _blocks(self, n: int) -> Iterator[slice]:
        size = max(1, _BLOCK // len(self._x))
        return (slice(i, i + size) for i in range(0, n, size))
