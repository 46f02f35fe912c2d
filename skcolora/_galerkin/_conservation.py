"""Conserved quantities: projection of the latent state onto I(φ) = I(φ₀) after each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from skcolora._galerkin._collocation import Collocation
from skcolora._galerkin._field import NetworkAtPoints
from skcolora._galerkin._projection import Projection

_MAX_ITER = 20
# Relative gap of the integrals at which the iteration ends.
_TOL = 1e-14
# Relative gap of the integrals up to which a quantity counts as conserved.
_KEPT_TOL = 1e-12
# Regularisation λ relative to the largest column of J.  It limits long steps along directions
# that hardly change the field, where the integrals are no longer linear.
_RIDGE = 1e-2
# Number of points of all trajectories in one evaluation.  It bounds the memory.
_BLOCK = 2**14


class Conservation:
    """Projection of latent states onto the nearest states with the initial integrals [1]_.

    Newton's method for I(φ) = I₀ with steps ``-M⁻¹Gᵀ (G M⁻¹ Gᵀ)⁻¹ (I(φ) - I₀)``, where
    G = ∂I/∂φ.  M = JᵀWJ + λI measures the distance of two states by the change of the field.

    Parameters
    ----------
    densities : mapping of str to callable
        Functions of a field, as in `PDE.conserved`.
    quadrature : Collocation
        Points and weights of the integrals.
    projection : Projection
        Projection that defines M.

    Attributes
    ----------
    target : Tensor of shape (n, n_conserved)
        Initial integrals of the trajectories.
    failed : Tensor of bool of shape (n,)
        Trajectories whose integrals could not be restored.

    References
    ----------
    .. [1] P. Schwerdtner, P. Schulze, J. Berman and B. Peherstorfer, "Nonlinear embeddings
       for conserving Hamiltonians and other quantities with Neural Galerkin schemes",
       SIAM J. Sci. Comput. 46 (2024), arXiv:2310.07485.
    """

    def __init__(
        self,
        densities: Mapping[str, Callable[[Any], Any]],
        quadrature: Collocation,
        projection: Projection,
    ) -> None:
        self._densities = densities
        self._points, self._weights = quadrature.points, quadrature.weights
        self._at = NetworkAtPoints(projection.network, projection.units, self._points)
        self._projection = projection
        self.target = torch.empty(0)
        self._scale = torch.empty(0)
        self.failed = torch.zeros(len(projection.mu), dtype=torch.bool)

    @property
    def _per_block(self) -> int:
        return max(1, _BLOCK // len(self._points))

    def start(self, latent: Tensor) -> None:
        """Store the integrals of the initial states (n, n_latent) as targets."""
        parts = []
        with torch.no_grad():
            for states in latent.split(self._per_block):
                values = self._density_values(states)
                sizes = (values.abs() @ self._weights).clamp(min=1e-300)
                parts.append((values @ self._weights, sizes))
        self.target, self._scale = (torch.cat(entries) for entries in zip(*parts, strict=True))

    def integrals(self, latent: Tensor) -> Tensor:
        """Integrals of states (n, n_latent) as means over the domain, (n, n_conserved)."""
        with torch.no_grad():
            parts = latent.split(self._per_block)
            return torch.cat([self._density_values(states) @ self._weights for states in parts])

    def __call__(self, trajectories: Tensor, latent: Tensor) -> Tensor:
        """Projected states.

        Parameters
        ----------
        trajectories : Tensor of shape (n_states,)
            Index of the trajectory of each state.
        latent : Tensor of shape (n_states, n_latent)

        Returns
        -------
        projected : Tensor of shape (n_states, n_latent)
        """
        chunks = zip(
            trajectories.split(self._per_block), latent.split(self._per_block), strict=True
        )
        return torch.cat([self._correct(indices, states) for indices, states in chunks])

    def _correct(self, trajectories: Tensor, latent: Tensor) -> Tensor:
        """Newton's method with reused derivatives and step control.

        The derivatives are recomputed if a step reduces the gap by less than a factor of ten.
        Steps that increase the gap are rejected and repeated with a quarter of the length.
        """
        integrals, G = self._gradient(latent)
        directions = self._directions(latent, G)
        gap = integrals - self.target[trajectories]
        size = (gap.abs() / self._scale[trajectories]).amax(1)
        length = torch.ones_like(size)
        for _ in range(_MAX_ITER):
            off = size > _TOL
            if not off.any():
                break
            step = length.unsqueeze(1) * (directions @ gap.unsqueeze(2)).squeeze(2)
            trial = torch.where(off.unsqueeze(1), latent - step, latent)
            trial_gap = self.integrals(trial) - self.target[trajectories]
            trial_size = (trial_gap.abs() / self._scale[trajectories]).amax(1)
            better = trial_size < size
            slow = off & ~(trial_size < 0.1 * size)
            latent = torch.where(better.unsqueeze(1), trial, latent)
            gap = torch.where(better.unsqueeze(1), trial_gap, gap)
            size = torch.where(better, trial_size, size)
            length = torch.where(better, (2 * length).clamp(max=1.0), length / 4)
            if (slow & (size > _TOL)).any():
                directions = self._directions(latent, self._gradient(latent)[1])
        self.failed[trajectories[~(size <= _KEPT_TOL) & torch.isfinite(size)]] = True
        return latent

    def _directions(self, latent: Tensor, G: Tensor) -> Tensor:
        """M⁻¹Gᵀ (G M⁻¹ Gᵀ)⁻¹ by triangular solves with M = RᵀR, (n, n_latent, n_conserved)."""
        R = self._metric(latent)
        half = torch.linalg.solve_triangular(R.mT, G.mT, upper=False)
        return torch.linalg.solve_triangular(R, half, upper=True) @ torch.linalg.pinv(
            half.mT @ half, hermitian=True
        )

    def _density_values(self, latent: Tensor) -> Tensor:
        """Densities at the quadrature points, (n, n_conserved, n_points)."""
        field = self._at.field(latent)
        return torch.stack([density(field) for density in self._densities.values()], dim=1)

    def _gradient(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Integrals I, (n, n_conserved), and G = ∂I/∂φ, (n, n_conserved, n_latent)."""
        with torch.enable_grad():
            state = latent.detach().requires_grad_(True)
            integrals = self._density_values(state) @ self._weights
            rows = [
                torch.autograd.grad(column.sum(), state, retain_graph=True)[0]
                for column in integrals.unbind(1)
            ]
        return integrals.detach(), torch.stack(rows, dim=1)

    def _metric(self, latent: Tensor) -> Tensor:
        """Triangular factor R of M = JᵀWJ + λI, (n, n_latent, n_latent)."""
        with torch.no_grad():
            J = self._projection.jacobian(latent)
            size = J.square().sum(1).amax(1).sqrt() * _RIDGE
            ridge = size[:, None, None] * torch.eye(J.shape[2], dtype=J.dtype)
            return torch.linalg.qr(torch.cat([J, ridge], dim=1), mode="r").R
