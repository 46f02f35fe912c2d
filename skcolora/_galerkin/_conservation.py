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
# Relative gap from which on a step that gains little ends the iteration: rounding errors of the
# integrals and of the state may be larger than _TOL.
_ROUNDING = 1e-13
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
        network, units = projection.network, projection.units
        self._blocks = [
            NetworkAtPoints(network, units, points) for points in self._points.split(_BLOCK)
        ]
        self._projection = projection
        self.target = torch.empty(0)
        self._scale = torch.empty(0)
        self.failed = torch.zeros(len(projection.mu), dtype=torch.bool)

    @property
    def _per_block(self) -> int:
        return max(1, _BLOCK // len(self._points))

    def start(self, latent: Tensor) -> None:
        """Store the integrals of the initial states (n, n_latent) as targets."""
        self.target, self._scale = self._integrals(latent)

    def integrals(self, latent: Tensor) -> Tensor:
        """Integrals of states (n, n_latent) as means over the domain, (n, n_conserved)."""
        return self._integrals(latent)[0]

    @torch.no_grad()
    def _integrals(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Integrals of the densities and of their absolute values, (n, n_conserved) each."""
        states = latent.split(self._per_block)
        sums, sizes = zip(*(self._sums(part)[:2] for part in states), strict=True)
        return torch.cat(sums), torch.cat(sizes)

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
        integrals, sizes, G = self._gradient(latent)
        gap, size = self._gap(trajectories, integrals, sizes)
        off = size > _TOL
        if not off.any():
            return latent
        directions = self._directions(latent, G)
        length = torch.ones_like(size)
        for _ in range(_MAX_ITER):
            step = length.unsqueeze(1) * (directions @ gap.unsqueeze(2)).squeeze(2)
            trial = torch.where(off.unsqueeze(1), latent - step, latent)
            trial_gap, trial_size = self._gap(trajectories, *self._integrals(trial))
            better = off & (trial_size < size)
            slow = off & ~(trial_size < 0.1 * size)
            latent = torch.where(better.unsqueeze(1), trial, latent)
            gap = torch.where(better.unsqueeze(1), trial_gap, gap)
            size = torch.where(better, trial_size, size)
            length = torch.where(better, (2 * length).clamp(max=1.0), length / 4)
            off = (size > _TOL) & ~(slow & (size <= _ROUNDING))
            if not off.any():
                break
            if (slow & off).any():
                directions = self._directions(latent, self._gradient(latent)[2])
        self.failed[trajectories[~(size <= _KEPT_TOL) & torch.isfinite(size)]] = True
        return latent

    def _gap(self, trajectories: Tensor, integrals: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        """Gaps of the integrals, (n, n_conserved), and the largest relative gap, (n,).

        A gap is relative to the integral of the absolute values, of the initial or of the present
        state, because its rounding error is.
        """
        gap = integrals - self.target[trajectories]
        scale = torch.maximum(self._scale[trajectories], sizes).clamp(min=1e-300)
        return gap, (gap.abs() / scale).amax(1)

    def _directions(self, latent: Tensor, G: Tensor) -> Tensor:
        """M⁻¹Gᵀ (G M⁻¹ Gᵀ)⁻¹ by triangular solves with M = RᵀR, (n, n_latent, n_conserved)."""
        R = self._metric(latent)
        half = torch.linalg.solve_triangular(R.mT, G.mT, upper=False)
        # States that are not finite stay as they are.
        square = (half.mT @ half).nan_to_num(posinf=0.0, neginf=0.0)
        inverse = torch.linalg.pinv(square, hermitian=True)
        return torch.linalg.solve_triangular(R, half, upper=True) @ inverse

    def _gradient(self, latent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Integrals, integrals of absolute values, and G = ∂I/∂φ, (n, n_conserved, n_latent)."""
        with torch.enable_grad():
            sums, sizes, G = self._sums(latent.detach().requires_grad_(True))
        assert G is not None
        return sums, sizes, G

    def _sums(self, latent: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Integrals, integrals of absolute values, and, for states with gradient, G.

        Integrals are sums over the points.  They are added up in blocks of points, which bound the
        memory.
        """
        totals: list[Any] = [0.0, 0.0, None]
        for at, weights in zip(self._blocks, self._weights.split(_BLOCK), strict=True):
            field = at.field(latent)
            values = torch.stack([density(field) for density in self._densities.values()], dim=1)
            sums = values @ weights
            totals[0] = totals[0] + sums.detach()
            totals[1] = totals[1] + values.detach().abs() @ weights
            if latent.requires_grad:
                rows = [
                    torch.autograd.grad(column.sum(), latent, retain_graph=True)[0]
                    for column in sums.unbind(1)
                ]
                G = torch.stack(rows, dim=1)
                totals[2] = G if totals[2] is None else totals[2] + G
        return totals[0], totals[1], totals[2]

    def _metric(self, latent: Tensor) -> Tensor:
        """Triangular factor R of M = JᵀWJ + λI, (n, n_latent, n_latent)."""
        with torch.no_grad():
            J = self._projection.jacobian(latent)
            size = J.square().sum(1).amax(1).sqrt() * _RIDGE
            ridge = size[:, None, None] * torch.eye(J.shape[2], dtype=J.dtype)
            return torch.linalg.qr(torch.cat([J, ridge], dim=1), mode="r").R
