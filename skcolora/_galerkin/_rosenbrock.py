"""Linearly implicit integration of a batch of trajectories with individual time steps."""

from __future__ import annotations

import torch
from torch import Tensor

from skcolora._galerkin._recorder import ErrorNorm, PathRecorder, Rate
from skcolora._galerkin._solution import Status

# ROS34PW2, a W-method of order 3 with an embedded one of order 2: Rosenbrock's stages, with any
# matrix in place of the Jacobian.  It is L-stable with the Jacobian.
_GAMMA = 0.4358665215084590
_ALPHA = torch.tensor(
    [
        [0.0, 0.0, 0.0, 0.0],
        [0.8717330430169180, 0.0, 0.0, 0.0],
        [0.8445706001536942, -0.1129906423648418, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
    ],
    dtype=torch.float64,
)
_GAMMAS = torch.tensor(
    [
        [_GAMMA, 0.0, 0.0, 0.0],
        [-0.8717330430169180, _GAMMA, 0.0, 0.0],
        [-0.9033805701304408, 0.05418067238809533, _GAMMA, 0.0],
        [0.2421238070609535, -1.2232505839045147, 0.5452602553351021, _GAMMA],
    ],
    dtype=torch.float64,
)
# The method is stiffly accurate.
_B = _ALPHA[-1] + _GAMMAS[-1]
_E = _B - torch.tensor(
    [0.3781090314581937, -0.09604229221242318, 0.5, 0.2179332607542295], dtype=torch.float64
)
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 4.0
# Steps of the differences in the states, and in time as a share of its range.
_DIFFERENCE = 1e-6


def implicit_steps(
    recorder: PathRecorder,
    rate: Rate,
    start: Tensor,
    h: Tensor,
    *,
    error_norm: ErrorNorm,
    max_steps: int,
) -> None:
    """Advance all active trajectories from time 0 to the end by the W-method ROS34PW2 [1]_.

    The matrix A of a step is the Jacobian of the rate, by differences: all directions of all
    trajectories are evaluated at once.  Its errors do not change the order of the method.

    Parameters
    ----------
    recorder : PathRecorder
        Record of the trajectories.
    rate : callable
        Time derivative of the states.
    start : Tensor of shape (n, n_latent)
        States at time 0.
    h : Tensor of shape (n,)
        First steps.
    error_norm : callable
        Distance of the solutions of orders 3 and 2, in units of the tolerance.
    max_steps : int
        Maximum number of accepted and rejected steps of a trajectory.

    References
    ----------
    .. [1] J. Rang and L. Angermann, "New Rosenbrock W-methods of order 3 for partial differential
       algebraic equations of index 1", BIT 45 (2005), 761-787.
    """
    t, y, h, end = start.new_zeros(len(start)), start.clone(), h.clone(), recorder.end
    before_t, before_y = t.clone(), y.clone()
    attempts = torch.zeros(len(start), dtype=torch.long)
    matrices = y.new_zeros(*y.shape, y.shape[1])
    drifts, slopes = torch.zeros_like(y), torch.zeros_like(y)
    is_new = torch.ones(len(y), dtype=torch.bool)
    while recorder.active.any():
        recorder.end_in_time()
        at = recorder.active.nonzero().squeeze(1)
        if not len(at):
            break
        # After a rejected step the Jacobian is still that of the state.
        moved = at[is_new[at]]
        if len(moved):
            found = _linearize(rate, moved, t[moved], y[moved], float(end))
            slopes[moved], matrices[moved], drifts[moved] = found
            is_new[moved] = False
        step = torch.minimum(h[at], end - t[at])
        stages = _stages(rate, at, t[at], y[at], step, (slopes[at], matrices[at], drifts[at]))
        new = y[at] + step[:, None] * torch.einsum("s,snk->nk", _B, stages)
        lower = new - step[:, None] * torch.einsum("s,snk->nk", _E, stages)
        distance = error_norm(at, new, lower)
        finite = torch.isfinite(distance) & torch.isfinite(new).all(1)
        good = finite & (distance <= 1)
        factor = _SAFETY * distance.clamp(min=1e-10) ** (-1 / 3)
        factor = torch.where(finite, factor.clamp(_SHRINK, _GROW), _SHRINK)
        attempts[at] += 1
        recorder.n_rejected[at] += (~good).long()
        h[at] = step * torch.where(good, factor, factor.clamp(max=1.0))
        done = at[good]
        if len(done):
            corrected = recorder.project(done, new[good])
            new_t = t[done] + step[good]
            recorder.interpolate_nodes(
                done,
                (before_t[done], t[done], new_t),
                (before_y[done], y[done], corrected),
                slopes[done],
            )
            before_t[done], before_y[done] = t[done], y[done]
            t[done], y[done], is_new[done] = new_t, corrected, True
            recorder.advance(done, new_t)
        recorder.fail(at[~finite & (h[at] < 1e-6 * end)], Status.NOT_FINITE)
        recorder.fail(h < 1e-12 * end, Status.STEP_TOO_SMALL)
        recorder.fail(attempts >= max_steps, Status.MAX_STEPS)


def _linearize(
    rate: Rate, at: Tensor, t: Tensor, y: Tensor, end: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Rates (m, n_latent), and their derivatives in the states and in time.

    The derivatives, (m, n_latent, n_latent) and (m, n_latent), are one-sided differences, and 0
    where they are not finite.
    """
    m, n = y.shape
    size = _DIFFERENCE * y.abs().amax(1).clamp(min=1.0)
    shift = _DIFFERENCE * end
    states = y[:, None].expand(-1, n + 2, -1).clone()
    states[:, 1 : n + 1] += size[:, None, None] * torch.eye(n, dtype=y.dtype)
    times = t[:, None].expand(-1, n + 2).clone()
    times[:, -1] += shift
    rates = rate(at.repeat_interleave(n + 2), times.flatten(), states.flatten(0, 1))
    rates = rates.view(m, n + 2, n)
    change = rates[:, 1:] - rates[:, :1]
    matrix = (change[:, :-1] / size[:, None, None]).mT
    zero = {"nan": 0.0, "posinf": 0.0, "neginf": 0.0}
    return rates[:, 0], matrix.nan_to_num(**zero), (change[:, -1] / shift).nan_to_num(**zero)


def _stages(
    rate: Rate,
    at: Tensor,
    t: Tensor,
    y: Tensor,
    h: Tensor,
    linearized: tuple[Tensor, Tensor, Tensor],
) -> Tensor:
    """Stages k of a step, (4, m, n_latent).

    ``(I - h γ A) kᵢ = f(t + αᵢ h, y + h Σ αᵢⱼ kⱼ) + h A Σ γᵢⱼ kⱼ + h γᵢ ∂f/∂t``, where the sums are
    over j < i.
    """
    slope, A, drift = linearized
    h = h[:, None]
    identity = torch.eye(y.shape[1], dtype=y.dtype)
    factors = torch.linalg.lu_factor_ex(identity - _GAMMA * h[:, :, None] * A)
    stages: list[Tensor] = []
    for i in range(len(_ALPHA)):
        right = slope
        if stages:
            known = torch.stack(stages)
            state = y + h * torch.einsum("s,snk->nk", _ALPHA[i, :i], known)
            right = rate(at, t + float(_ALPHA[i].sum()) * h[:, 0], state)
            inner = torch.einsum("s,snk->nk", _GAMMAS[i, :i], known)
            right = right + h * (A @ inner.unsqueeze(2)).squeeze(2)
        right = right + float(_GAMMAS[i].sum()) * h * drift
        stages.append(
            torch.linalg.lu_solve(factors.LU, factors.pivots, right.unsqueeze(2)).squeeze(2)
        )
    return torch.stack(stages)
