"""Conserved quantities: the latent state is put back onto I(φ) = I(φ₀) after each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from skcolora._galerkin._collocation import Collocation
from skcolora._galerkin._field import NetworkField
from skcolora._galerkin._projection import Projection
from skcolora._nn import CoLoRANetwork, first_layer

_MAX_ITER = 20
_TOL = 1e-14
# Relative gap up to which a quantity counts as kept.
_KEPT = 1e-12
# Relative to the largest column of J: directions in which the field hardly changes would
# be followed so far that the integrals are no longer linear along them.
_RIDGE = 1e-2
# Points of all trajectories evaluated together; bounds the memory of the derivatives.
_BLOCK = 2**14


class Conservation:
    """The nearest state, in the field, that has the conserved integrals of the first [1]_.

    Newton's method for I(φ) = I₀ with steps ``-M⁻¹Gᵀ (G M⁻¹ Gᵀ)⁻¹ (I(φ) - I₀)``, where
    G = ∂I/∂φ, and M = JᵀWJ + λI measures the change of the field.

    Parameters
    ----------
    network : CoLoRANetwork
        In float64.
    densities : mapping of str to callable
        Functions of a field, as in `PDE.conserved`.
    quadrature : Collocation
        The points on which the integrals are those sums that are conserved.
    projection : Projection
        Gives M.

    References
    ----------
    .. [1] P. Schwerdtner, P. Schulze, J. Berman and B. Peherstorfer, "Nonlinear embeddings
       for conserving Hamiltonians and other quantities with Neural Galerkin schemes",
       SIAM J. Sci. Comput. 46 (2024), arXiv:2310.07485.
    """

    def __init__(
        self,
        network: CoLoRANetwork,
        densities: Mapping[str, Callable[[Any], Any]],
        quadrature: Collocation,
        projection: Projection,
    ) -> None:
        self._network, self._densities = network, densities
        self._points, self._weights = quadrature.points, quadrature.weights
        self._projection = projection
        adapted = bool(network.splits[0])
        # Without online weights it is the same for all states.
        self._first = (
            None if adapted else first_layer(network, self._points, self._points.new_zeros(1, 0))
        )
        self.target = torch.empty(0)
        self._scale = torch.empty(0)
        self.failed = torch.zeros(len(projection.mu), dtype=torch.bool)

    @property
    def _per_block(self) -> int:
        return max(1, _BLOCK // len(self._points))

    def start(self, latent: Tensor) -> None:
        """Take the integrals of these states, one for each trajectory, as those to keep."""
        parts = []
        with torch.no_grad():
            for states in latent.split(self._per_block):
                values = self._density_values(states)
                sizes = (values.abs() @ self._weights).clamp(min=1e-300)
                parts.append((values @ self._weights, sizes))
        self.target, self._scale = (torch.cat(entries) for entries in zip(*parts, strict=True))

    def integrals(self, latent: Tensor) -> Tensor:
        """(n, n_conserved), as means over the domain."""
        with torch.no_grad():
            parts = latent.split(self._per_block)
            return torch.cat([self._density_values(states) @ self._weights for states in parts])

    def __call__(self, at: Tensor, latent: Tensor) -> Tensor:
        """States with the integrals of their trajectories ``at``."""
        chunks = zip(at.split(self._per_block), latent.split(self._per_block), strict=True)
        return torch.cat([self._corrected(a, states) for a, states in chunks])

    def _corrected(self, at: Tensor, latent: Tensor) -> Tensor:
        """Derivatives are kept as long as they bring the integrals nearer tenfold; steps that
        lead away are taken back and halved."""
        integrals, G = self._gradient(latent)
        directions = self._directions(latent, G)
        gap = integrals - self.target[at]
        size = (gap.abs() / self._scale[at]).amax(1)
        length = torch.ones_like(size)
        for _ in range(_MAX_ITER):
            off = size > _TOL
            if not off.any():
                break
            step = length.unsqueeze(1) * (directions @ gap.unsqueeze(2)).squeeze(2)
            trial = torch.where(off.unsqueeze(1), latent - step, latent)
            trial_gap = self.integrals(trial) - self.target[at]
            trial_size = (trial_gap.abs() / self._scale[at]).amax(1)
            better = trial_size < size
            slow = off & ~(trial_size < 0.1 * size)
            latent = torch.where(better.unsqueeze(1), trial, latent)
            gap = torch.where(better.unsqueeze(1), trial_gap, gap)
            size = torch.where(better, trial_size, size)
            length = torch.where(better, (2 * length).clamp(max=1.0), length / 4)
            if (slow & (size > _TOL)).any():
                directions = self._directions(latent, self._gradient(latent)[1])
        self.failed[at[~(size <= _KEPT) & torch.isfinite(size)]] = True
        return latent

    def _directions(self, latent: Tensor, G: Tensor) -> Tensor:
        """M⁻¹Gᵀ (G M⁻¹ Gᵀ)⁻¹ by triangular solves, M = RᵀR."""
        R = self._metric(latent)
        half = torch.linalg.solve_triangular(R.mT, G.mT, upper=False)
        return torch.linalg.solve_triangular(R, half, upper=True) @ torch.linalg.pinv(
            half.mT @ half, hermitian=True
        )

    def _density_values(self, latent: Tensor) -> Tensor:
        """(n, n_conserved, n_points)"""
        field = NetworkField(self._network, latent, self._points, self._first)
        return torch.stack([density(field) for density in self._densities.values()], dim=1)

    def _gradient(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """I, (n, n_conserved), and ∂I/∂φ, (n, n_conserved, n_latent)."""
        with torch.enable_grad():
            state = latent.detach().requires_grad_(True)
            integrals = self._density_values(state) @ self._weights
            rows = [
                torch.autograd.grad(column.sum(), state, retain_graph=True)[0]
                for column in integrals.unbind(1)
            ]
        return integrals.detach(), torch.stack(rows, dim=1)

    def _metric(self, latent: Tensor) -> Tensor:
        """The triangle R of M = JᵀWJ + λI, λ relative to its largest entry."""
        with torch.no_grad():
            J = self._projection.jacobian(latent)
            size = J.square().sum(1).amax(1).sqrt() * _RIDGE
            ridge = size[:, None, None] * torch.eye(J.shape[2], dtype=J.dtype)
            return torch.linalg.qr(torch.cat([J, ridge], dim=1), mode="r").R
