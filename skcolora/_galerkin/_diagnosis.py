"""Diagnostics of latent paths."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skcolora._galerkin._integration import Path
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._solution import GalerkinSolution, Status
from skcolora._galerkin._start import Start
from skcolora._galerkin._trained_model import TrainedModel

# Number of training states that define lengths in the latent space.
_METRIC_STATES = 32
# Least right-hand side that residuals are relative to, as a share of the largest one of a path.
# Near a steady state both are small.
_SIZE_FLOOR = 0.1
# Number of times of a path at which the diagnostics are computed; they vary slowly.
_N_TIMES = 17


def diagnose(
    path: Path,
    projection: Projection,
    times: Tensor,
    start: Start,
    model: TrainedModel,
    rates: Tensor | None = None,
    *,
    dtype: torch.dtype,
) -> GalerkinSolution:
    """Compute residual, condition number, effective rank and error indicator at each time.

    Parameters
    ----------
    path : Path
        Latent states of n trajectories at the times.
    projection : Projection
        Projection of the n trajectories.
    times : Tensor of shape (n_times,)
    start : Start
        Initial states of the trajectories.
    model : TrainedModel
    rates : Tensor of shape (n, n_times, n_latent), optional
        Time derivatives of the states.  By default those of the latent equation.
    dtype : torch.dtype
        Precision of the fields of the solution.

    Returns
    -------
    solution : GalerkinSolution
    """
    trajectories, time_indices = _diagnosed_states(path.states)
    states = path.states[trajectories, time_indices]
    at = times[time_indices]
    found = projection.solve(trajectories, at, states)
    if rates is not None:
        moved = trajectories, at, states, rates[trajectories, time_indices]
        rows = projection.residuals(*moved)
        found = found._replace(residual=rows.norm(dim=1), defect=projection.minimized(rows))
    entries = [*found[1:], projection.size(states)]
    residual, size, condition, rank, defect, fields = (
        _interpolate(entry, trajectories, at, path.states, times) for entry in entries
    )
    return GalerkinSolution(
        times=times.numpy(),
        latent=path.states.numpy(),
        residual=_relative(residual, size).numpy(),
        condition=condition.numpy(),
        effective_rank=rank.numpy(),
        error_indicator=_indicator(defect, fields, times, start).numpy(),
        outside=_outside(path.states, model.states, projection).numpy(),
        initial_error=start.misfit.numpy(),
        status=np.array([Status(entry).name.lower() for entry in path.status.tolist()]),
        time_reached=path.reached.numpy(),
        n_steps=path.n_steps.numpy(),
        n_rejected=path.n_rejected.numpy(),
        _sizes=fields.numpy(),
        _network=model.network,
        _units=model.units,
        _layout=model.layout,
        _dtype=dtype,
    )


def _relative(residual: Tensor, size: Tensor) -> Tensor:
    """Residuals relative to the right-hand sides, (n, n_times)."""
    largest = size.nan_to_num(nan=0.0).amax(1, keepdim=True)
    return residual / torch.maximum(size, _SIZE_FLOOR * largest).clamp(min=1e-300)


def _diagnosed_states(paths: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of the trajectories and times of the diagnostics, (n_states,) each.

    The times are evenly spread from the start to the end of each path (n, n_times, n_latent).
    """
    ends = torch.isfinite(paths).all(2).sum(1).tolist()
    picks = [
        torch.linspace(0, end - 1, min(end, _N_TIMES), dtype=torch.float64).round().long()
        for end in ends
    ]
    trajectories = torch.arange(len(ends)).repeat_interleave(torch.tensor([len(p) for p in picks]))
    return trajectories, torch.cat(picks)


def _interpolate(
    values: Tensor, trajectories: Tensor, time_indices: Tensor, paths: Tensor, times: Tensor
) -> Tensor:
    """Values (n_states,) at some times, interpolated linearly to all times, (n, n_times).

    The values at times that a trajectory did not reach are NaN.
    """
    out = np.full(paths.shape[:2], np.nan)
    for i in trajectories.unique().tolist():
        here = (trajectories == i).numpy()
        out[i] = np.interp(times.numpy(), time_indices.numpy()[here], values.numpy()[here])
    return torch.from_numpy(np.where(torch.isfinite(paths).all(2).numpy(), out, np.nan))


def _indicator(defect: Tensor, fields: Tensor, times: Tensor, start: Start) -> Tensor:
    """``(‖û(0) - u₀‖ + ∫ defect dt) / ‖û‖`` by the trapezoidal rule, (n, n_times)."""
    steps = times.diff(prepend=times.new_zeros(1))
    before = torch.cat([defect[:, :1], defect[:, :-1]], dim=1)
    integral = (0.5 * (before + defect) * steps).cumsum(1)
    initial = start.misfit.nan_to_num(nan=0.0) * fields[:, 0]
    return (initial.unsqueeze(1) + integral) / fields.clamp(min=1e-300)


def _outside(states: Tensor, training: Tensor, projection: Projection) -> Tensor:
    """Largest distance of each path from the box of the training states, (n,).

    The distance is relative to the diagonal of the box.  Latent vectors are scaled by the change
    of the field, so that a drift along directions that hardly change the field is not counted.
    """
    sample = training[
        torch.linspace(0, len(training) - 1, min(len(training), _METRIC_STATES)).long()
    ]
    _, scales, axes = torch.linalg.svd(projection.metric(sample))
    inside, paths = (training @ axes.mT) * scales, (states @ axes.mT) * scales
    low, high = inside.amin(0), inside.amax(0)
    excess = torch.maximum(low - paths, paths - high).clamp(min=0.0)
    diagonal = (high - low).norm().clamp(min=1e-300)
    return excess.nan_to_num(nan=0.0).norm(dim=2).amax(1) / diagonal
