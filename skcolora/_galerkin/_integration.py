"""Runge–Kutta integration of a batch of trajectories with individual time steps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch
from scipy.integrate import RK45
from torch import Tensor

from skcolora._galerkin._recorder import (
    SAME_TIME,
    Correction,
    ErrorNorm,
    Path,
    PathRecorder,
    Rate,
)
from skcolora._galerkin._rosenbrock import implicit_steps
from skcolora._galerkin._solution import Status
from skcolora.utils._deadline import Deadline

__all__ = ["Path", "integrate", "integrate_fixed", "integrate_implicit"]

# Coefficients of the Dormand–Prince pair of orders 5 and 4.
_A = [torch.from_numpy(a) for a in (*(row[:i] for i, row in enumerate(RK45.A)), RK45.B)]
_C, _E = torch.from_numpy(RK45.C), torch.from_numpy(RK45.E)
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 5.0
# First step as a share of the time range.
_FIRST_STEP = 0.01


def integrate(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    error_norm: ErrorNorm,
    project: Correction | None = None,
    max_steps: int,
    deadline: Deadline | None = None,
) -> Path:
    """Integrate from time 0 by the Dormand–Prince method 5(4) with dense output.

    All trajectories are advanced in one batch.  Each trajectory has its own time and step, so
    that it does not depend on the others.

    Parameters
    ----------
    rate : callable
        Time derivative of the states.
    start : Tensor of shape (n, n_latent)
        States at time 0.
    times : Tensor of shape (n_times,)
        Strictly increasing times, not negative.
    error_norm : callable
        Distance of the solutions of orders 5 and 4, in units of the tolerance.
    project : callable, optional
        Correction of the states after each step and at ``times``.
    max_steps : int
        Maximum number of accepted and rejected steps of a trajectory.
    deadline : Deadline, optional
        Time limit.  Trajectories that do not reach the end within it have the status MAX_TIME.

    Returns
    -------
    path : Path
    """
    recorder = PathRecorder(start, times, project, deadline)
    t, y = start.new_zeros(len(start)), start.clone()
    slope = rate(torch.arange(len(start)), t, y).clone()
    recorder.fail(~torch.isfinite(slope).all(1), Status.NOT_FINITE)
    end = recorder.end
    h = start.new_full((len(start),), _FIRST_STEP) * end
    attempts = torch.zeros(len(start), dtype=torch.long)
    while recorder.active.any():
        recorder.end_in_time()
        trajectories = recorder.active.nonzero().squeeze(1)
        if not len(trajectories):
            break
        step = torch.minimum(h[trajectories], end - t[trajectories])
        new, stages = _stages(
            rate, trajectories, t[trajectories], y[trajectories], slope[trajectories], step
        )
        lower = new - step[:, None] * torch.einsum("s,snk->nk", _E, stages)
        distance = error_norm(trajectories, new, lower)
        finite = torch.isfinite(distance) & torch.isfinite(stages).all(0).all(1)
        good = finite & (distance <= 1)
        factor = _SAFETY * distance.clamp(min=1e-10) ** -0.2
        factor = torch.where(finite, factor.clamp(_SHRINK, _GROW), _SHRINK)
        attempts[trajectories] += 1
        recorder.n_rejected[trajectories] += (~good).long()
        h[trajectories] = step * torch.where(good, factor, factor.clamp(max=1.0))
        done = trajectories[good]
        if len(done):
            recorder.interpolate(done, t[done], y[done], step[good], stages[:, good])
            t[done], y[done], slope[done] = t[done] + step[good], new[good], stages[-1, good]
            if project is not None:
                y[done] = project(done, y[done])
                slope[done] = rate(done, t[done], y[done])
            recorder.advance(done, t[done])
        recorder.fail(trajectories[~finite & (h[trajectories] < 1e-6 * end)], Status.NOT_FINITE)
        recorder.fail(h < 1e-12 * end, Status.STEP_TOO_SMALL)
        recorder.fail(attempts >= max_steps, Status.MAX_STEPS)
    return recorder.path()


def integrate_fixed(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    grid: Tensor,
    steps_between: int,
    project: Correction | None = None,
    max_steps: int,
    deadline: Deadline | None = None,
) -> Path:
    """Integrate by the classical Runge–Kutta method of order 4.

    The steps do not depend on ``times``: ``steps_between`` equal steps are taken between
    consecutive times of ``grid``.  Beyond its end the last distance of the grid is repeated.
    States at ``times`` within a step are those of the cubic Hermite interpolant, which has order 4,
    too.  The last step may end after the last of the ``times``.  See `integrate` for the other
    arguments.

    Parameters
    ----------
    grid : Tensor of shape (n_grid,)
        Strictly increasing times, at least one of them positive.
    """
    recorder = PathRecorder(start, times, project, deadline)
    y, slope = start.clone(), torch.empty_like(start)
    slope_is_known = False
    for t, new_t, h in _fixed_steps(grid, steps_between, float(recorder.end)):
        recorder.end_in_time()
        at = recorder.active.nonzero().squeeze(1)
        if not len(at):
            break
        now = start.new_full((len(at),), t)
        if not slope_is_known:
            slope[at] = rate(at, now, y[at])
        old, k1 = y[at], slope[at]
        k2 = rate(at, now + h / 2, old + h / 2 * k1)
        k3 = rate(at, now + h / 2, old + h / 2 * k2)
        k4 = rate(at, now + h, old + h * k3)
        new = old + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        finite = torch.isfinite(new).all(1)
        recorder.fail(at[~finite], Status.NOT_FINITE)
        at, old, k1, new = at[finite], old[finite], k1[finite], new[finite]
        if project is not None and len(at):
            new = project(at, new)
        y[at] = new
        recorder.store(at, new_t, new)
        slope_is_known = len(recorder.times_within(t, new_t)) > 0
        if slope_is_known and len(at):
            slope[at] = rate(at, torch.full_like(now[finite], new_t), new)
            recorder.interpolate_cubic(at, (t, new_t), (old, new), (k1, slope[at]))
            recorder.fail(at[~torch.isfinite(slope[at]).all(1)], Status.NOT_FINITE)
        recorder.advance(at, torch.full_like(now[finite], new_t))
        recorder.fail(recorder.n_steps >= max_steps, Status.MAX_STEPS)
    return recorder.path()


def _fixed_steps(grid: Tensor, n: int, end: float) -> Iterator[tuple[float, float, float]]:
    """Start, end and length of the steps from 0 to ``end`` or beyond, n in each cell of a grid."""
    if end <= 0:
        return
    nodes = [0.0, *grid[grid > 0].tolist()]
    if len(nodes) == 1:
        raise ValueError(
            'method="RK4" takes its steps between the times of the snapshots, but no snapshot is '
            'later than time 0; give method="RK45".'
        )
    for i in count():
        beyond = i + 2 - len(nodes)
        if beyond > 0:
            before, after = (nodes[-1] + k * (nodes[-1] - nodes[-2]) for k in (beyond - 1, beyond))
        else:
            before, after = nodes[i], nodes[i + 1]
        h = (after - before) / n
        for j in range(n):
            t = before + j * h
            if t >= end * (1 - SAME_TIME):
                return
            yield t, after if j == n - 1 else before + (j + 1) * h, h


def integrate_implicit(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    error_norm: ErrorNorm,
    project: Correction | None = None,
    max_steps: int,
    deadline: Deadline | None = None,
) -> Path:
    """Integrate stiff equations by a linearly implicit method of order 3, see `implicit_steps`.

    See `integrate` for the arguments.
    """
    recorder = PathRecorder(start, times, project, deadline)
    h = start.new_full((len(start),), _FIRST_STEP) * recorder.end
    implicit_steps(recorder, rate, start, h, error_norm=error_norm, max_steps=max_steps)
    return recorder.path()


def _stages(
    rate: Rate, trajectories: Tensor, t: Tensor, y: Tensor, slope: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """State of order 5 after a step, (n, n_latent), and rates of all stages, (7, n, n_latent)."""
    rates = [slope]
    state = y
    for i in range(1, 7):
        state = y + h[:, None] * torch.einsum("s,snk->nk", _A[i], torch.stack(rates))
        c = float(_C[i]) if i < 6 else 1.0
        rates.append(rate(trajectories, t + c * h, state))
    return state, torch.stack(rates)
