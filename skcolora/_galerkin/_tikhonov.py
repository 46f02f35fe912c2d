"""The least-squares problem min ‖J φ̇ - f‖ with Tikhonov regularisation, in batches."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class LeastSquares(NamedTuple):
    """Solutions of a batch of regularised least-squares problems."""

    solution: Tensor
    """Time derivatives φ̇, (n, n_latent)"""
    residual: Tensor
    """Residuals ‖J φ̇ - f‖, (n,)"""
    size: Tensor
    """Norms ‖f‖, (n,)"""
    condition: Tensor
    """Condition numbers σ₁ / σₙ of J, (n,)"""
    effective_rank: Tensor
    """Numbers of directions that the filter keeps, Σ σᵢ² / (σᵢ² + λ² σ₁²), (n,)"""
    defect: Tensor
    """Residuals in the norm that was minimised, (n,)"""

    @property
    def relative_residual(self) -> Tensor:
        """Relative residuals ‖J φ̇ - f‖ / ‖f‖, (n,)"""
        return self.residual / self.size.clamp(min=1e-300)


def solve_least_squares(J: Tensor, f: Tensor, regularization: float) -> LeastSquares:
    """Solve ``min ‖J φ̇ - f‖² + λ² σ₁² ‖φ̇‖²``, where σ₁ is the largest singular value of J.

    The solution uses a QR decomposition of [J f] and an SVD of its triangular factor, which does
    not square the condition number of J.  The filter ``σ / (σ² + λ² σ₁²)`` is smooth in J.  A
    truncation of the rank would make the right-hand side of the latent equation discontinuous.

    Parameters
    ----------
    J : Tensor of shape (n, n_rows, n_latent)
    f : Tensor of shape (n, n_rows)
    regularization : float
        Tikhonov parameter λ.

    Returns
    -------
    result : LeastSquares
        The entries are NaN where J or f is not finite.
    """
    n_latent = J.shape[2]
    triangle = torch.linalg.qr(torch.cat([J, f.unsqueeze(2)], dim=2), mode="r").R
    # Non-finite entries of J or f give non-finite entries of the triangular factor.
    finite = torch.isfinite(triangle).flatten(1).all(dim=1)
    if not finite.all():
        triangle = torch.where(finite[:, None, None], triangle, 0.0)
    R, target = triangle[:, :n_latent, :n_latent], triangle[:, :n_latent, n_latent]
    # Part of f outside the range of J; it is empty if J has no more rows than columns.
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
        defect=missed + nan,
    )
