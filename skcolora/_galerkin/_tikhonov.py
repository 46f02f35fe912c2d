"""The least-squares problem of one time, min ‖J φ̇ - f‖, for a batch of trajectories."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class LeastSquares(NamedTuple):
    """Solutions of a batch of regularised least-squares problems."""

    solution: Tensor
    """φ̇, (n, n_latent)"""
    residual: Tensor
    """‖J φ̇ - f‖, (n,)"""
    size: Tensor
    """‖f‖, (n,)"""
    condition: Tensor
    """σ₁ / σₙ of J, (n,)"""
    effective_rank: Tensor
    """Number of directions that the filter leaves, Σ σᵢ² / (σᵢ² + λ² σ₁²), (n,)"""

    @property
    def relative_residual(self) -> Tensor:
        """‖J φ̇ - f‖ / ‖f‖, (n,)"""
        return self.residual / self.size.clamp(min=1e-300)


def solve_least_squares(J: Tensor, f: Tensor, regularization: float) -> LeastSquares:
    """``min ‖J φ̇ - f‖² + λ² σ₁² ‖φ̇‖²``, σ₁ the largest singular value of J.

    QR of [J f], and an SVD of the small triangle: the condition number of J is never
    squared.  The filter ``σ / (σ² + λ² σ₁²)`` is smooth in J; a cut in the rank would make
    the right-hand side of the latent equation jump.

    Parameters
    ----------
    J : Tensor of shape (n, n_rows, n_latent)
    f : Tensor of shape (n, n_rows)
    regularization : float
        λ.

    Returns
    -------
    result : LeastSquares
        NaN where J or f is not finite.
    """
    n_latent = J.shape[2]
    triangle = torch.linalg.qr(torch.cat([J, f.unsqueeze(2)], dim=2), mode="r").R
    # What is not finite in a column is not in the triangle's either.
    finite = torch.isfinite(triangle).flatten(1).all(dim=1)
    if not finite.all():
        triangle = torch.where(finite[:, None, None], triangle, 0.0)
    R, target = triangle[:, :n_latent, :n_latent], triangle[:, :n_latent, n_latent]
    # What no φ̇ can reach; there is none of it where rows are as few as columns.
    outside = triangle[:, n_latent:, n_latent].square().sum(1)
    U, sigma, Vh = torch.linalg.svd(R, full_matrices=False)
    tiny = torch.finfo(sigma.dtype).tiny
    ridge = (regularization * sigma[:, :1]).square()
    kept = sigma.square() / (sigma.square() + ridge).clamp(min=tiny)
    coefficients = (U.mT @ target.unsqueeze(2)).squeeze(2)
    solution = (Vh.mT @ (kept / sigma.clamp(min=tiny) * coefficients).unsqueeze(2)).squeeze(2)
    missed = (outside + ((1 - kept) * coefficients).square().sum(1)).sqrt()
    nan = torch.where(finite, 0.0, torch.nan)
    return LeastSquares(
        solution=solution + nan.unsqueeze(1),
        residual=missed + nan,
        size=triangle[:, :, n_latent].norm(dim=1) + nan,
        condition=sigma[:, 0] / sigma[:, -1].clamp(min=tiny) + nan,
        effective_rank=kept.sum(1) + nan,
    )
