"""From latent paths to what is said about them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skcolora._galerkin._integration import Path
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._solution import GalerkinSolution, Status
from skcolora._galerkin._start import Start
from skcolora._galerkin._trained_model import TrainedModel

# Training states that say how the field feels lengths in the latent space.
_FEW = 32
# Times of a path at which the equation is looked at again; between them it varies little.
_TIMES = 17


def diagnose(
    path: Path, projection: Projection, times: Tensor, start: Start, model: TrainedModel
) -> GalerkinSolution:
    """Residual, condition and rank at every time, and the indicator of the error.

    Parameters
    ----------
    path : Path
    projection : Projection
    times : Tensor of shape (n_times,)
    start : Start
    model : TrainedModel
    """
    at, when = _looked_at(path.states)
    states = path.states[at, when]
    found = projection.solve(at, times[when], states)
    entries = [*found[1:], projection.size(states)]
    residual, size, condition, rank, fields = (
        _between(entry, at, times[when], path.states, times) for entry in entries
    )
    return GalerkinSolution(
        times=times.numpy(),
        latent=path.states.numpy(),
        residual=(residual / size.clamp(min=1e-300)).numpy(),
        condition=condition.numpy(),
        effective_rank=rank.numpy(),
        error_indicator=_indicator(residual, fields, times, start).numpy(),
        outside=_outside(path.states, model.states, projection).numpy(),
        initial_error=start.misfit.numpy(),
        status=np.array([Status(entry).name.lower() for entry in path.status.tolist()]),
        time_reached=path.reached.numpy(),
        n_steps=path.n_steps.numpy(),
        n_rejected=path.n_rejected.numpy(),
        _model=model,
    )


def _looked_at(paths: Tensor) -> tuple[Tensor, Tensor]:
    """Trajectories and times, evenly spread from the start to where each path ends."""
    ends = torch.isfinite(paths).all(2).sum(1).tolist()
    picks = [
        torch.linspace(0, end - 1, min(end, _TIMES), dtype=torch.float64).round().long()
        for end in ends
    ]
    at = torch.arange(len(ends)).repeat_interleave(torch.tensor([len(p) for p in picks]))
    return at, torch.cat(picks)


def _between(values: Tensor, at: Tensor, when: Tensor, paths: Tensor, times: Tensor) -> Tensor:
    """Values at the times looked at, linearly continued to all times that were reached."""
    out = np.full(paths.shape[:2], np.nan)
    for i in at.unique().tolist():
        here = (at == i).numpy()
        out[i] = np.interp(times.numpy(), when.numpy()[here], values.numpy()[here])
    return torch.from_numpy(np.where(torch.isfinite(paths).all(2).numpy(), out, np.nan))


def _indicator(residual: Tensor, fields: Tensor, times: Tensor, start: Start) -> Tensor:
    """``(‖û(0) - u₀‖ + ∫ residual dt) / ‖û‖``, by the trapezoidal rule."""
    steps = times.diff(prepend=times.new_zeros(1))
    before = torch.cat([residual[:, :1], residual[:, :-1]], dim=1)
    defect = (0.5 * (before + residual) * steps).cumsum(1)
    first = start.misfit.nan_to_num(nan=0.0) * fields[:, 0]
    return (first.unsqueeze(1) + defect) / fields.clamp(min=1e-300)


def _outside(states: Tensor, training: Tensor, projection: Projection) -> Tensor:
    """Distance from the box of the training states, relative to its diagonal.

    In the coordinates in which the field feels lengths: what a drift along directions
    that hardly change the field comes to is next to nothing.
    """
    few = training[torch.linspace(0, len(training) - 1, min(len(training), _FEW)).long()]
    _, scales, axes = torch.linalg.svd(projection.metric(few))
    inside, paths = (training @ axes.mT) * scales, (states @ axes.mT) * scales
    low, high = inside.amin(0), inside.amax(0)
    excess = torch.maximum(low - paths, paths - high).clamp(min=0.0)
    diagonal = (high - low).norm().clamp(min=1e-300)
    return excess.nan_to_num(nan=0.0).norm(dim=2).amax(1) / diagonal
