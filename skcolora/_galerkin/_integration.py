"""Runge–Kutta integration of a batch of trajectories with individual time steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.integrate import RK45, Radau
from torch import Tensor

from skcolora._galerkin._solution import Status

# Coefficients of the Dormand–Prince pair of orders 5 and 4 and of Shampine's interpolant.
_A = [torch.tensor(row[:i].copy()) for i, row in enumerate(RK45.A)] + [torch.tensor(RK45.B)]
_C, _E, _P = torch.tensor(RK45.C), torch.tensor(RK45.E), torch.tensor(RK45.P)
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 5.0


Rate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(indices of trajectories, times, states) to the time derivatives of the states"""
ErrorNorm = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(indices of trajectories, states, other states) to an error, at most 1 in accepted steps"""
Correction = Callable[[Tensor, Tensor], Tensor]
"""(indices of trajectories, states) to the corrected states"""


@dataclass(frozen=True, eq=False)
class Path:
    """States of n trajectories at the requested times, NaN at times that were not reached."""

    states: Tensor
    """(n, n_times, n_latent)"""
    status: Tensor
    """Values of `Status`, (n,)"""
    reached: Tensor
    """Time at which each integration ended, (n,)"""
    n_steps: Tensor
    """Numbers of accepted steps, (n,)"""
    n_rejected: Tensor
    """Numbers of rejected steps, (n,)"""


def integrate(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    error_norm: ErrorNorm,
    project: Correction | None = None,
    max_steps: int,
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

    Returns
    -------
    path : Path
    """
    recorder = _PathRecorder(start, times, project)
    t, y = start.new_zeros(len(start)), start.clone()
    slope = rate(torch.arange(len(start)), t, y).clone()
    recorder.fail(~torch.isfinite(slope).all(1), Status.NOT_FINITE)
    end = recorder.end
    h = start.new_full((len(start),), 0.01) * end
    attempts = torch.zeros(len(start), dtype=torch.long)
    while recorder.active.any():
        trajectories = recorder.active.nonzero().squeeze(1)
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
        recorder.fail(
            _mask(trajectories[~finite & (h[trajectories] < 1e-6 * end)], len(start)),
            Status.NOT_FINITE,
        )
        recorder.fail(h < 1e-12 * end, Status.STEP_TOO_SMALL)
        recorder.fail(attempts >= max_steps, Status.MAX_STEPS)
    return recorder.path()


def integrate_fixed(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    steps_between: int,
    project: Correction | None = None,
) -> Path:
    """Integrate by the classical Runge–Kutta method of order 4.

    ``steps_between`` equal steps are taken between consecutive times.  See `integrate` for the
    other arguments.
    """
    recorder = _PathRecorder(start, times, project)
    y, before = start.clone(), 0.0
    for end in times[times > 0].tolist():
        h = (end - before) / steps_between
        for i in range(steps_between):
            trajectories = recorder.active.nonzero().squeeze(1)
            t = start.new_full((len(trajectories),), before + i * h)
            k1 = rate(trajectories, t, y[trajectories])
            k2 = rate(trajectories, t + h / 2, y[trajectories] + h / 2 * k1)
            k3 = rate(trajectories, t + h / 2, y[trajectories] + h / 2 * k2)
            k4 = rate(trajectories, t + h, y[trajectories] + h * k3)
            y[trajectories] = y[trajectories] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            if project is not None:
                y[trajectories] = project(trajectories, y[trajectories])
            recorder.n_steps[trajectories] += 1
            recorder.fail(~torch.isfinite(y).all(1), Status.NOT_FINITE)
        before = end
        recorder.store(end, y)
    return recorder.path()


def integrate_implicit(
    rate: Rate,
    start: Tensor,
    times: Tensor,
    *,
    rtol: float,
    project: Correction | None = None,
    max_steps: int,
) -> Path:
    """Integrate stiff equations by scipy's Radau IIA method of order 5.

    The trajectories are integrated one after the other.  ``project`` is applied only to the
    states at ``times``.  See `integrate` for the other arguments.
    """
    recorder = _PathRecorder(start, times, project)
    for i in range(len(start)):
        trajectories = torch.tensor([i])

        def single_rate(t: float, y: Any, trajectories: Tensor = trajectories) -> Any:
            state = torch.from_numpy(np.array(y))[None]
            return rate(trajectories, state.new_full((1,), t), state)[0].numpy()

        try:
            size = float(start[i].abs().max().clamp(min=1e-8))
            solver = Radau(
                single_rate, 0.0, start[i].numpy(), float(recorder.end), rtol=rtol, atol=rtol * size
            )
            while solver.status == "running" and recorder.active[i]:
                solver.step()
                if solver.status == "failed":
                    recorder.fail(_mask(trajectories, len(start)), Status.STEP_TOO_SMALL)
                    break
                output = solver.dense_output()
                recorder.evaluate(i, float(solver.t_old), float(solver.t), output)
                recorder.advance(trajectories, torch.tensor([float(solver.t)], dtype=start.dtype))
                if recorder.n_steps[i] >= max_steps:
                    recorder.fail(_mask(trajectories, len(start)), Status.MAX_STEPS)
        except (ValueError, np.linalg.LinAlgError):  # scipy raises these for NaN
            recorder.fail(_mask(trajectories, len(start)), Status.NOT_FINITE)
    return recorder.path()


def _mask(indices: Tensor, n: int) -> Tensor:
    """Boolean mask (n,) of indices."""
    mask = torch.zeros(n, dtype=torch.bool)
    mask[indices] = True
    return mask


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


class _PathRecorder:
    """Record of all trajectories: states at the times, progress and status."""

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
        """End the active trajectories in the mask (n,) with a status."""
        self.status[mask & self.active] = status.value
        self.active &= ~mask

    def advance(self, trajectories: Tensor, t: Tensor) -> None:
        """Record an accepted step to the times t, and end trajectories that are complete."""
        self.reached[trajectories] = t
        self.n_steps[trajectories] += 1
        self.active[trajectories[t >= self.end * (1 - 1e-14)]] = False

    def store(self, time: float, y: Tensor) -> None:
        """Store the states y (n, n_latent) of the active trajectories at one of the times."""
        trajectories = self.active.nonzero().squeeze(1)
        self.states[trajectories, int((self.times == time).nonzero())] = y[trajectories]
        self.reached[trajectories] = time

    def interpolate(
        self, trajectories: Tensor, t: Tensor, y: Tensor, h: Tensor, stages: Tensor
    ) -> None:
        """Store the dense output at the times within the last steps."""
        new = torch.where(h >= self.end - t, self.end, t + h)
        inside = (self.times > t[:, None]) & (self.times <= new[:, None])
        if not inside.any():
            return
        rows, time_indices = inside.nonzero(as_tuple=True)
        share = ((self.times[time_indices] - t[rows]) / h[rows]).unsqueeze(1)
        powers = share ** torch.arange(1, _P.shape[1] + 1)
        weights = powers @ _P.T  # (n_found, n_stages)
        found = y[rows] + h[rows, None] * torch.einsum("fs,sfk->fk", weights, stages[:, rows])
        if self._project is not None:
            found = self._project(trajectories[rows], found)
        self.states[trajectories[rows], time_indices] = found

    def evaluate(self, i: int, t_old: float, t: float, output: Any) -> None:
        """Store the dense output of trajectory i at the times in (t_old, t]."""
        inside = (self.times > t_old) & (self.times <= t)
        if inside.any():
            found = torch.from_numpy(output(self.times[inside].numpy()).T.copy())
            if self._project is not None:
                found = self._project(torch.full((len(found),), i), found)
            self.states[i, inside] = found

    def path(self) -> Path:
        """The recorded path."""
        return Path(self.states, self.status, self.reached, self.n_steps, self.n_rejected)
