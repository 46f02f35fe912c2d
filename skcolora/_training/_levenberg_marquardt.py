"""Levenberg–Marquardt method for a batch of nonlinear least-squares problems."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from skcolora.utils._deadline import Deadline

_T = TypeVar("_T", bound="LeastSquaresProblem")


class LeastSquaresProblem(Protocol):
    """Independent problems ``min ‖r(x)‖²``, one for each row of x."""

    def residual(self, x: Tensor) -> Tensor:
        """Residual r, (n, n_rows), at x, (n, n_unknowns)."""

    def triangle(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """R, (n, n_unknowns, n_unknowns), and Qᵀr, (n, n_unknowns, 1), where ``∂r/∂x = Q R``."""

    def subset(self: _T, chosen: Tensor) -> _T:
        """The problems that a mask of shape (n,) selects."""


class LeastSquaresSolution(NamedTuple):
    """Result of `levenberg_marquardt`."""

    x: Tensor
    """Solutions, (n, n_unknowns)"""
    history: list[Tensor]
    """‖r‖² of each problem at the start and after each step, arrays of shape (n,)"""


def levenberg_marquardt(
    problem: LeastSquaresProblem,
    start: Tensor,
    *,
    max_iter: int,
    tol: float,
    damping: float = 1e-3,
    max_damping: float = 1.0,
    min_scale: float = 0.0,
    deadline: Deadline | None = None,
) -> LeastSquaresSolution:
    """Take steps ``δ = argmin ‖J δ + r‖² + λ ‖D δ‖²``, with a damping λ for each problem [1]_.

    J is reduced to its R factor first, so that its condition number is never squared.  D holds the
    norms of the columns of J.  λ is adapted by the ratio of the actual to the expected decrease of
    ‖r‖²; one step reduces λ at most by a factor of ten.  Each problem ends independently.

    Parameters
    ----------
    problem : LeastSquaresProblem
    start : Tensor of shape (n, n_unknowns)
        Initial guesses in float64.
    max_iter : int
        Maximal number of steps, including rejected steps.
    tol : float
        Expected relative decrease of ‖r‖² below which a problem ends.
    damping : float
        Initial value of λ.
    max_damping : float
        Value of λ above which a step without a decrease ends the problem.
    min_scale : float
        Smallest entry of D, relative to its largest.
    deadline : Deadline, optional
        Time limit.  No step is begun that would exceed it if it takes as long as the longest one.

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
    factors: tuple[Tensor, Tensor] | None = None
    longest, last_time = 0.0, time.perf_counter()
    for _ in range(max_iter):
        if deadline is not None and deadline.limited:
            now = time.perf_counter()
            longest, last_time = max(longest, now - last_time), now
            if deadline.passed or deadline.remaining < longest:
                break
        if factors is None:
            factors = problem.triangle(x[active])
        R, rotated_residual = factors
        delta = _damped_step(R, rotated_residual, dampings[active], min_scale)
        trial = x[active] - delta
        gain = error[active] - problem.residual(trial).square().sum(1)
        remaining_residual = rotated_residual - R @ delta.unsqueeze(2)
        expected = rotated_residual.square().sum((1, 2)) - remaining_residual.square().sum((1, 2))
        improved = gain > 0
        x[active[improved]] = trial[improved]
        unfinished = expected > tol * error[active]
        unfinished &= (gain > tol * error[active]) | (dampings[active] <= max_damping)
        error[active[improved]] -= gain[improved]
        cubed = (2 * gain / expected.clamp(min=1e-300) - 1).pow(3)
        factor = torch.where(improved, (1 - cubed).clamp(min=0.1), growth[active])
        growth[active] = torch.where(improved, 2.0, 2 * growth[active])
        dampings[active] = (factor * dampings[active]).clamp_(1e-16, 1e8)
        history.append(error.clone())
        if not unfinished.any():
            break
        if improved.any() or not unfinished.all():
            factors = None
        if not unfinished.all():
            active, problem = active[unfinished], problem.subset(unfinished)
    return LeastSquaresSolution(x, history)


def _damped_step(R: Tensor, rotated_residual: Tensor, damping: Tensor, min_scale: float) -> Tensor:
    """``argmin ‖R δ - Qᵀr‖² + λ ‖D δ‖²``, (n, n_unknowns), by QR."""
    scale = R.norm(dim=1)
    scale = torch.maximum(scale, min_scale * scale.amax(1, keepdim=True))
    D = torch.diag_embed(scale).clamp_(min=1e-300)
    stacked = torch.cat([R, damping[:, None, None].sqrt() * D], dim=1)
    target = torch.cat([rotated_residual, torch.zeros_like(D[:, :, :1])], dim=1)
    Q, triangle = torch.linalg.qr(stacked)
    floor = triangle.diagonal(dim1=1, dim2=2).abs().amax(1) * 1e-15
    safe = triangle + torch.diag_embed(floor.unsqueeze(1).expand(-1, R.shape[2]))
    return torch.linalg.solve_triangular(safe, Q.mT @ target, upper=True).squeeze(2)
