"""Record of integrated trajectories: states at the requested times, progress and status."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from scipy.integrate import RK45
from torch import Tensor

from skcolora._galerkin._solution import Status
from skcolora.utils._deadline import Deadline

# Coefficients of Shampine's interpolant of the Dormand–Prince method.
_P = torch.from_numpy(RK45.P)
# Relative distance of two times that are the same up to rounding.
SAME_TIME = 1e-12
# Relative distance from the end at which an integration is complete.
_AT_END = 1e-14

Correction = Callable[[Tensor, Tensor], Tensor]
"""(indices of trajectories, states) to the corrected states"""
Rate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(indices of trajectories, times, states) to the time derivatives of the states"""
ErrorNorm = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(indices of trajectories, states, other states) to an error, at most 1 in accepted steps"""


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

    def subset(self, chosen: Tensor) -> Path:
        """The trajectories that a mask of shape (n,) selects."""
        return Path(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


class PathRecorder:
    """Record of all trajectories: states at the times, progress and status."""

    def __init__(
        self,
        start: Tensor,
        times: Tensor,
        project: Correction | None,
        deadline: Deadline | None = None,
    ) -> None:
        n = len(start)
        self._deadline = Deadline() if deadline is None else deadline
        self._longest, self._last_time = 0.0, time.perf_counter()
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

    def end_in_time(self) -> None:
        """End all trajectories if no time is left for a step like the longest one.

        This is called before each step.
        """
        now = time.perf_counter()
        self._longest, self._last_time = max(self._longest, now - self._last_time), now
        if self._deadline.passed or self._deadline.remaining < self._longest:
            self.fail(self.active.clone(), Status.MAX_TIME)

    def fail(self, trajectories: Tensor, status: Status) -> None:
        """End active trajectories, given by a mask (n,) or by indices, with a status."""
        failed = torch.zeros_like(self.active)
        failed[trajectories] = True
        self.status[failed & self.active] = status.value
        self.active &= ~failed

    def advance(self, trajectories: Tensor, t: Tensor) -> None:
        """Record an accepted step to the times t, and end trajectories that are complete."""
        self.reached[trajectories] = t.clamp(max=self.end)
        self.n_steps[trajectories] += 1
        self.active[trajectories[t >= self.end * (1 - _AT_END)]] = False

    def times_within(self, t: float, new: float) -> Tensor:
        """Indices of the times between t and new, both excluded."""
        inside = (self.times > t * (1 + SAME_TIME)) & (self.times < new * (1 - SAME_TIME))
        return inside.nonzero().squeeze(1)

    def store(self, trajectories: Tensor, t: float, y: Tensor) -> None:
        """Store states y (n_active, n_latent) if t is one of the times."""
        here = (self.times - t).abs() <= SAME_TIME * t
        self.states[trajectories[:, None], here.nonzero().T] = y[:, None]

    def interpolate_cubic(
        self,
        trajectories: Tensor,
        span: tuple[float, float],
        states: tuple[Tensor, Tensor],
        slopes: tuple[Tensor, Tensor],
    ) -> None:
        """Store the cubic Hermite interpolant at the times within a step of all trajectories.

        ``states`` and ``slopes`` are those at both ends of the step, (n_active, n_latent).
        """
        indices = self.times_within(*span)
        h = span[1] - span[0]
        s = ((self.times[indices] - span[0]) / h)[:, None]
        (y, new), (slope, new_slope) = states, slopes
        # The interpolant is y + s (new - y) + s (1 - s) [(1 - s) (hf - Δ) - s (hf₁ - Δ)].
        step = new[:, None] - y[:, None]
        bend = (1 - s) * (h * slope[:, None] - step) - s * (h * new_slope[:, None] - step)
        found = y[:, None] + s * step + s * (1 - s) * bend
        if self._project is not None:
            rows = trajectories.repeat_interleave(len(indices))
            found = self._project(rows, found.flatten(0, 1)).view_as(found)
        self.states[trajectories[:, None], indices] = found

    def interpolate(
        self, trajectories: Tensor, t: Tensor, y: Tensor, h: Tensor, stages: Tensor
    ) -> None:
        """Store the dense output at the times within the last steps."""
        new = torch.where(t + h >= self.end * (1 - _AT_END), self.end, t + h)
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

    def interpolate_nodes(
        self,
        trajectories: Tensor,
        nodes: tuple[Tensor, Tensor, Tensor],
        states: tuple[Tensor, Tensor, Tensor],
        slope: Tensor,
    ) -> None:
        """Store the quadratic interpolant of three nodes at the times within the last steps.

        The times of the nodes have shape (n,), the states (n, n_latent).  Where there is no first
        node, because it equals the second one, the ``slope`` there replaces it.
        """
        before_t, t, new_t = nodes
        last = torch.where(new_t >= self.end * (1 - _AT_END), self.end, new_t)
        inside = (self.times > t[:, None]) & (self.times <= last[:, None])
        if not inside.any():
            return
        rows, time_indices = inside.nonzero(as_tuple=True)
        before_y, y, new_y = (state[rows] for state in states)
        h, back = (new_t - t)[rows, None], (t - before_t)[rows, None]
        s = (self.times[time_indices] - t[rows]).unsqueeze(1)
        chord = (new_y - y) / h
        first = torch.where(back > 0, (y - before_y) / back.clamp(min=1e-300), slope[rows])
        bend = (chord - first) / (h + back)
        found = self.project(trajectories[rows], y + s * (chord + bend * (s - h)))
        self.states[trajectories[rows], time_indices] = torch.where(s >= h, new_y, found)

    def project(self, trajectories: Tensor, states: Tensor) -> Tensor:
        """The corrected states."""
        return states if self._project is None else self._project(trajectories, states)

    def path(self) -> Path:
        """The recorded path."""
        return Path(self.states, self.status, self.reached, self.n_steps, self.n_rejected)
