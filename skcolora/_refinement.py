"""Refinement: network and hypernetwork learn the equation at parameters without snapshots."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skcolora._colora import CoLoRARegressor
from skcolora._decoding import decode_rows
from skcolora._equation_phase import EquationPhase
from skcolora._snapshots import Array, SnapshotLayout, parameter_time_rows
from skcolora._unwrap import innermost, transformed
from skcolora.nn import CoLoRAModel
from skcolora.pdes import PDE
from skcolora.training import SnapshotSampler, Stage, train_in_stages
from skcolora.utils._torch import as_tensor

# Times, points and values of the network's fields from which points are drawn at most, and as
# many times in any case.
_MOST_TIMES, _MOST_POINTS, _MOST_VALUES, _LEAST_TIMES = 48, 2**16, 2**25, 4
# Times as many points as a step has, by which the weights are judged.
_JUDGED = 8
# Of the field: a violation of the equation that is worth a warning.
_LARGE_ERROR = 0.1


def refined(
    pde: PDE,
    regressor: Any,
    X: Array,
    candidates: Array,
    *,
    max_iter: int,
    max_time: float | None,
    seed: int,
) -> CoLoRARegressor:
    """A copy of the regressor whose network and hypernetwork have learnt the equation.

    Parameters
    ----------
    pde : PDE
        With an initial field.
    regressor : CoLoRARegressor, or what holds it
        Fitted.
    X, candidates : ndarray of shape (n, n_parameters)
        Parameters that it was trained on, and others.
    max_iter, max_time, seed
        Of the training.

    Raises
    ------
    ValueError
        If the right-hand side is not finite for the fields as they are.
    """
    out = copy.deepcopy(innermost(regressor))
    model = CoLoRAModel(out.network_, out.hypernetwork_).cpu().double().requires_grad_(True)
    every = np.vstack([X, candidates])
    inputs = transformed(regressor, every)
    generator = torch.Generator().manual_seed(seed)
    fields, trained = _fields(model, out._layout, inputs, len(X), generator)
    phase = EquationPhase(model, pde, every, inputs, fields=fields, trained=trained)
    judged = phase.draw(_JUDGED)
    if not torch.isfinite(phase.residual(judged)).all():
        raise ValueError(
            f"The right-hand side of {type(pde).__name__} is not finite for the fields that the "
            "regressor predicts at the rows of X; take rows nearer to those trained on."
        )
    result = train_in_stages(
        model,
        [Stage(lambda: phase, max_iter)],
        lambda: float(phase.residual(judged).norm()),
        max_time=max_time,
        verbose=int(out.verbose),
    )
    if result.error > _LARGE_ERROR:
        warnings.warn(
            f"CoLoRAGalerkin: after {len(result.losses)} steps of the refinement the network still "
            f"violates the equation by {result.error:.2g} of the field; allow more `max_iter`, or "
            "refine at parameters nearer to those trained on first.",
            ConvergenceWarning,
            stacklevel=3,
        )
    known = innermost(regressor).network_.u_scale
    model.to(device=known.device, dtype=known.dtype).requires_grad_(False)
    out.network_, out.hypernetwork_, out._X = model.network, model.hypernetwork, inputs
    # The weights are no longer those that a further `fit` could start from.
    out._fitted_signature = ()
    return out


@torch.no_grad()
def _fields(
    model: CoLoRAModel,
    layout: SnapshotLayout,
    inputs: Array,
    n_trained: int,
    generator: torch.Generator,
) -> tuple[SnapshotSampler, SnapshotSampler]:
    """Fields of the model as it is, at all parameters and at those trained on."""
    points = layout.grid.points
    per_point = len(inputs) * layout.n_fields
    n_points = min(_MOST_POINTS, max(_MOST_VALUES // (per_point * _LEAST_TIMES), 1))
    if len(points) > n_points:
        chosen = torch.randperm(len(points), generator=generator)[:n_points]
        points = points[chosen.numpy()]
    n_times = max(_MOST_VALUES // (per_point * len(points)), _LEAST_TIMES)
    n_times = min(n_times, _MOST_TIMES)
    times = np.linspace(0.0, layout.times[-1], n_times)
    latent = model.hypernetwork(as_tensor(parameter_time_rows(inputs, times)))
    latent = latent.view(len(inputs), n_times, -1)
    rows = decode_rows(model.network, latent, layout.at(times, points))
    values = torch.from_numpy(rows.astype(np.float32))
    where = as_tensor(points)

    def sampler(n: int) -> SnapshotSampler:
        which = torch.arange(n, dtype=torch.float64).repeat_interleave(n_times)
        tags: Tensor = torch.stack([which, as_tensor(times).repeat(n)], 1)
        return SnapshotSampler(values[:n].flatten(0, 1), where, tags, generator=generator)

    return sampler(len(inputs)), sampler(n_trained)
