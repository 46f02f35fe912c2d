"""Runge–Kutta integration of a batch of trajectories, each with steps of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.integrate import RK45, Radau
from torch import Tensor

from skcolora._galerkin._solution import Status

# Dormand & Prince's pair of orders 5 and 4 with Shampine's interpolant, and the classical
# method of order 4.
_A = [torch.tensor(row[:i].copy()) for i, row in enumerate(RK45.A)] + [torch.tensor(RK45.B)]
_C, _E, _P = torch.tensor(RK45.C), torch.tensor(RK45.E), torch.tensor(RK45.P)
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 5.0


Rate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(which trajectories, their times, their states) to their rates"""
ErrorNorm = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(which trajectories, their states, others) to a distance, at most 1 where a step is good"""
Correction = Callable[[Tensor, Tensor], Tensor]
"""(which trajectories, their states) to the states that go on"""


@dataclass(frozen=True, eq=False)
class Path:
    """States at the times asked for, NaN where a trajectory did not get there."""

    states: Tensor
    """(n, n_times, n_latent)"""
    status: Tensor
    """`Status`, (n,)"""
    reached: Tensor
    """The last time of each trajectory, (n,)"""
    n_steps: Tensor
    """Accepted steps, (n,)"""
    n_rejected: Tensor


def integrate(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    error_norm: ErrorNorm,
    project: Correction | None = None,
    max_steps: int,
) -> Path:
    """Dormand–Prince 5(4) with dense output, from time 0.

    All trajectories are advanced together, but each has its own time, step and end, so that
    none depends on the others.

    Parameters
    ----------
    rate : callable
    start : Tensor of shape (n, n_latent)
        States at time 0.
    times : Tensor of shape (n_times,)
        Strictly increasing, from 0 on.
    error_norm : callable
        Distance of the solutions of the two orders, in units of the tolerance.
    project : callable, optional
        Applied after each step, and to the states at ``times``.
    max_steps : int
        Steps, accepted or not, that a trajectory may take.
    """
    keeper = _Keeper(start, times, project)
    t, y = start.new_zeros(len(start)), start.clone()
    slope = rate(torch.arange(len(start)), t, y).clone()
    keeper.fail(~torch.isfinite(slope).all(1), Status.NOT_FINITE)
    end = keeper.end
    h = start.new_full((len(start),), 0.01) * end
    attempts = torch.zeros(len(start), dtype=torch.long)
    while keeper.active.any():
        at = keeper.active.nonzero().squeeze(1)
        step = torch.minimum(h[at], end - t[at])
        new, stages = _stages(rate, at, t[at], y[at], slope[at], step)
        lower = new - step[:, None] * torch.einsum("s,snk->nk", _E, stages)
        distance = error_norm(at, new, lower)
        finite = torch.isfinite(distance) & torch.isfinite(stages).all(0).all(1)
        good = finite & (distance <= 1)
        factor = _SAFETY * distance.clamp(min=1e-10) ** -0.2
        factor = torch.where(finite, factor.clamp(_SHRINK, _GROW), _SHRINK)
        attempts[at] += 1
        keeper.n_rejected[at] += (~good).long()
        h[at] = step * torch.where(good, factor, factor.clamp(max=1.0))
        done = at[good]
        if len(done):
            keeper.interpolate(done, t[done], y[done], step[good], stages[:, good])
            t[done], y[done], slope[done] = t[done] + step[good], new[good], stages[-1, good]
            if project is not None:
                y[done] = project(done, y[done])
                slope[done] = rate(done, t[done], y[done])
            keeper.advance(done, t[done])
        keeper.fail(_mask(at[~finite & (h[at] < 1e-6 * end)], len(start)), Status.NOT_FINITE)
        keeper.fail(h < 1e-12 * end, Status.STEP_TOO_SMALL)
        keeper.fail(attempts >= max_steps, Status.MAX_STEPS)
    return keeper.path()


def integrate_fixed(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    steps_between: int,
    project: Correction | None = None,
) -> Path:
    """The classical Runge–Kutta method of order 4, with equal steps between the times."""
    keeper = _Keeper(start, times, project)
    y, before = start.clone(), 0.0
    for end in times[times > 0].tolist():
        h = (end - before) / steps_between
        for i in range(steps_between):
            at = keeper.active.nonzero().squeeze(1)
            t = start.new_full((len(at),), before + i * h)
            k1 = rate(at, t, y[at])
            k2 = rate(at, t + h / 2, y[at] + h / 2 * k1)
            k3 = rate(at, t + h / 2, y[at] + h / 2 * k2)
            k4 = rate(at, t + h, y[at] + h * k3)
            y[at] = y[at] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            if project is not None:
                y[at] = project(at, y[at])
            keeper.n_steps[at] += 1
            keeper.fail(~torch.isfinite(y).all(1), Status.NOT_FINITE)
        before = end
        keeper.store(end, y)
    return keeper.path()


def integrate_implicit(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    rtol: float,
    project: Correction | None = None,
    max_steps: int,
) -> Path:
    """Radau IIA of order 5 from scipy, for stiff equations; one trajectory at a time.

    States are projected at ``times`` alone.
    """
    keeper = _Keeper(start, times, project)
    for i in range(len(start)):
        at = torch.tensor([i])

        def one(t: float, y: Any, at: Tensor = at) -> Any:
            state = torch.from_numpy(np.array(y))[None]
            return rate(at, state.new_full((1,), t), state)[0].numpy()

        try:
            size = float(start[i].abs().max().clamp(min=1e-8))
            solver = Radau(
                one, 0.0, start[i].numpy(), float(keeper.end), rtol=rtol, atol=rtol * size
            )
            while solver.status == "running" and keeper.active[i]:
                solver.step()
                if solver.status == "failed":
                    keeper.fail(_mask(at, len(start)), Status.STEP_TOO_SMALL)
                    break
                output = solver.dense_output()
                keeper.evaluate(i, float(solver.t_old), float(solver.t), output)
                keeper.advance(at, torch.tensor([float(solver.t)], dtype=start.dtype))
                if keeper.n_steps[i] >= max_steps:
                    keeper.fail(_mask(at, len(start)), Status.MAX_STEPS)
        except (ValueError, np.linalg.LinAlgError):  # scipy's answer to NaN
            keeper.fail(_mask(at, len(start)), Status.NOT_FINITE)
    return keeper.path()


def _mask(indices: Tensor, n: int) -> Tensor:
    mask = torch.zeros(n, dtype=torch.bool)
    mask[indices] = True
    return mask


def _stages(
    rate: Rate, at: Tensor, t: Tensor, y: Tensor, slope: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """The state of order 5 after a step, and the rates of all seven stages."""
    rates = [slope]
    state = y
    for i in range(1, 7):
        state = y + h[:, None] * torch.einsum("s,snk->nk", _A[i], torch.stack(rates))
        c = float(_C[i]) if i < 6 else 1.0
        rates.append(rate(at, t + c * h, state))
    return state, torch.stack(rates)


class _Keeper:
    """What is known of every trajectory: states at the times, progress, how it ended."""

    def __init__(self, start: Tensor, times: Tensor, project: Correction | None) -> None:
        n = len(start)
        self.times, self._project = times, project
        self.end = times[-1]
        self.states = start.new_full((n, len(times), start.shape[1]), torch.nan)
        self.status = torch.full((n,), Status.SUCCESS.value)
        self.reached = start.new_zeros(n)
        self.n_steps, self.n_rejected = (torch.zeros(n, dtype=torch.long) for _ in range(2))
        self.active = torch.isfinite(start).all(1)
        self.status[~self.active] = Status.NOT_FINITE.value
        self.states[:, times <= 0] = start.unsqueeze(1)
        if self.end <= 0:
            self.active[:] = False

    def fail(self, mask: Tensor, status: Status) -> None:
        """End trajectories that have not ended yet."""
        self.status[mask & self.active] = status.value
        self.active &= ~mask

    def advance(self, at: Tensor, t: Tensor) -> None:
        self.reached[at] = t
        self.n_steps[at] += 1
        self.active[at[t >= self.end * (1 - 1e-14)]] = False

    def store(self, time: float, y: Tensor) -> None:
        at = self.active.nonzero().squeeze(1)
        self.states[at, int((self.times == time).nonzero())] = y[at]
        self.reached[at] = time

    def interpolate(self, at: Tensor, t: Tensor, y: Tensor, h: Tensor, stages: Tensor) -> None:
        """Dense output at the times inside the steps just taken."""
        new = torch.where(h >= self.end - t, self.end, t + h)
        inside = (self.times > t[:, None]) & (self.times <= new[:, None])
        if not inside.any():
            return
        which, when = inside.nonzero(as_tuple=True)
        share = ((self.times[when] - t[which]) / h[which]).unsqueeze(1)
        powers = share ** torch.arange(1, _P.shape[1] + 1)
        weights = powers @ _P.T  # (n_found, n_stages)
        found = y[which] + h[which, None] * torch.einsum("fs,sfk->fk", weights, stages[:, which])
        if self._project is not None:
            found = self._project(at[which], found)
        self.states[at[which], when] = found

    def evaluate(self, i: int, t_old: float, t: float, output: Any) -> None:
        inside = (self.times > t_old) & (self.times <= t)
        if inside.any():
            found = torch.from_numpy(output(self.times[inside].numpy()).T.copy())
            if self._project is not None:
                found = self._project(torch.full((len(found),), i), found)
            self.states[i, inside] = found

    def path(self) -> Path:
        return Path(self.states, self.status, self.reached, self.n_steps, self.n_rejected)
