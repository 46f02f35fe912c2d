"""Levenberg–Marquardt: nonlinear least squares without random samples, for a batch of problems."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

_T = TypeVar("_T", bound="LeastSquaresProblem")


class LeastSquaresProblem(Protocol):
    """Problems ``min ‖r(x)‖²``, one for each row of x, that do not depend on each other."""

    def residual(self, x: Tensor) -> Tensor:
        """r, (n, n_rows), at x, (n, n_unknowns)."""

    def triangle(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """R, (n, n_unknowns, n_unknowns), and Qᵀr, (n, n_unknowns, 1), of ``∂r/∂x = Q R``."""

    def subset(self: _T, chosen: Tensor) -> _T:
        """Those of the problems that a mask of shape (n,) names."""


class LeastSquaresSolution(NamedTuple):
    """What `levenberg_marquardt` found."""

    x: Tensor
    """(n, n_unknowns)"""
    history: list[Tensor]
    """‖r‖² at the start and after each step, (n,)"""


def levenberg_marquardt(
    problem: LeastSquaresProblem,
    start: Tensor,
    *,
    max_iter: int,
    tol: float,
    damping: float = 1e-3,
    most_damping: float = 1.0,
    least_scale: float = 0.0,
) -> LeastSquaresSolution:
    """Steps of ``min ‖J δ + r‖² + λ ‖D δ‖²``, with a damping λ for each problem [1]_.

    J is reduced to its R factor first, so that its condition number is never squared;
    D holds the norms of its columns.  λ follows the ratio of the gain to the expected gain, and
    falls to a tenth at most.  Each problem ends by itself, so that none depends on the others.

    Parameters
    ----------
    problem : LeastSquaresProblem
    start : Tensor of shape (n, n_unknowns)
        In float64.
    max_iter : int
        Steps, rejected ones included.
    tol : float
        Relative decrease of ‖r‖² that is not worth a step.
    damping : float
        λ of the first step.
    most_damping : float
        λ beyond which a step that gains nothing ends the problem.
    least_scale : float
        Smallest entry of D, relative to its largest.

    References
    ----------
    .. [1] H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05,
       Technical University of Denmark (1999).
    """
    x = start.clone()
    dampings = x.new_full((len(x),), damping)
    growth = torch.full_like(dampings, 2.0)
    error = problem.residual(x).square().sum(1)
    history = [error.clone()]
    active = torch.arange(len(x), device=x.device)
    linear: tuple[Tensor, Tensor] | None = None
    for _ in range(max_iter):
        if linear is None:
            linear = problem.triangle(x[active])
        R, rotated = linear
        delta = _damped_step(R, rotated, dampings[active], least_scale)
        trial = x[active] - delta
        gain = error[active] - problem.residual(trial).square().sum(1)
        left = rotated - R @ delta.unsqueeze(2)
        expected = rotated.square().sum((1, 2)) - left.square().sum((1, 2))
        better = gain > 0
        x[active[better]] = trial[better]
        worth = expected > tol * error[active]
        worth &= (gain > tol * error[active]) | (dampings[active] <= most_damping)
        error[active[better]] -= gain[better]
        cubed = (2 * gain / expected.clamp(min=1e-300) - 1).pow(3)
        factor = torch.where(better, (1 - cubed).clamp(min=0.1), growth[active])
        growth[active] = torch.where(better, 2.0, 2 * growth[active])
        dampings[active] = (factor * dampings[active]).clamp_(1e-16, 1e8)
        history.append(error.clone())
        if not worth.any():
            break
        if better.any() or not worth.all():
            linear = None
        if not worth.all():
            active, problem = active[worth], problem.subset(worth)
    return LeastSquaresSolution(x, history)


def _damped_step(R: Tensor, rotated: Tensor, damping: Tensor, least_scale: float) -> Tensor:
    """``argmin ‖R δ - Qᵀr‖² + λ ‖D δ‖²``, (n, n_unknowns), by QR."""
    scale = R.norm(dim=1)
    scale = torch.maximum(scale, least_scale * scale.amax(1, keepdim=True))
    D = torch.diag_embed(scale).clamp_(min=1e-300)
    stacked = torch.cat([R, damping[:, None, None].sqrt() * D], dim=1)
    target = torch.cat([rotated, torch.zeros_like(D[:, :, :1])], dim=1)
    Q, triangle = torch.linalg.qr(stacked)
    floor = triangle.diagonal(dim1=1, dim2=2).abs().amax(1) * 1e-15
    safe = triangle + torch.diag_embed(floor.unsqueeze(1).expand(-1, R.shape[2]))
    return torch.linalg.solve_triangular(safe, Q.mT @ target, upper=True).squeeze(2)
