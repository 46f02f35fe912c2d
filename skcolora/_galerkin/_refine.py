"""Refinement: network and hypernetwork learn the equation at parameters without snapshots."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skcolora._galerkin._trained_model import TrainedModel
from skcolora._nn import CoLoRAModel, decode_rows
from skcolora._snapshots import Array, SnapshotLayout, parameter_time_rows
from skcolora._training import (
    EquationPhase,
    SnapshotSampler,
    Stage,
    TrainingResult,
    train_in_stages,
)
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Points are drawn from fields of the network at no more than so many times, points and values,
# but at so many times in any case.
_MOST_TIMES, _MOST_POINTS, _MOST_VALUES, _LEAST_TIMES = 48, 2**16, 2**25, 4
# The weights are judged by so many times as many points as a step has.
_JUDGED = 8
# A violation of the equation by more than this share of the field is worth a warning.
_LARGE_ERROR = 0.1


def refine(
    pde: PDE,
    model: TrainedModel,
    X: Array,
    candidates: Array,
    *,
    max_iter: int,
    max_time: float | None,
    seed: int,
    verbose: int,
) -> tuple[CoLoRAModel, TrainingResult]:
    """A copy of the networks that has learnt the equation, in float64.

    Parameters
    ----------
    pde : PDE
        With an initial field.
    model : TrainedModel
    X, candidates : ndarray of shape (n, n_parameters)
        Parameters of the training, and others.
    max_iter, max_time, verbose
        As in `train_in_stages`.
    seed : int
        Seed of the samples.

    Raises
    ------
    ValueError
        If the right-hand side is not finite for the fields as they are.
    """
    networks = copy.deepcopy(CoLoRAModel(model.network, model.hypernetwork))
    networks.double().requires_grad_(True)
    all_parameters = np.vstack([X, candidates])
    inputs = model.transform(all_parameters)
    generator = torch.Generator().manual_seed(seed)
    fields, trained = _fields(networks, model.layout, inputs, len(X), generator)
    phase = EquationPhase(networks, pde, all_parameters, inputs, fields=fields, trained=trained)
    judged = phase.draw(_JUDGED)
    if not torch.isfinite(phase.residual(judged)).all():
        raise ValueError(
            f"The right-hand side of {type(pde).__name__} is not finite for the fields that the "
            "regressor predicts at the rows of X; give rows nearer to the parameters of the "
            "training."
        )
    result = train_in_stages(
        networks,
        [Stage(lambda: phase, max_iter)],
        lambda: float(phase.residual(judged).norm()),
        max_time=max_time,
        verbose=verbose,
    )
    if result.error > _LARGE_ERROR:
        warnings.warn(
            f"CoLoRAGalerkin: after {len(result.losses)} steps of the refinement the network still "
            f"violates the equation by {result.error:.2g} of the field; allow more `max_iter`, or "
            "refine at parameters nearer to those of the training first.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return networks.requires_grad_(False), result


@torch.no_grad()
def _fields(
    model: CoLoRAModel,
    layout: SnapshotLayout,
    inputs: Array,
    n_trained: int,
    generator: torch.Generator,
) -> tuple[SnapshotSampler, SnapshotSampler]:
    """Samplers of the fields of the model as it is: at all inputs, and at those of the training."""
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
