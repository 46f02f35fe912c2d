"""Refinement: training on the residual of the equation at parameters without snapshots."""

from __future__ import annotations

import copy
import time
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skcolora._galerkin._trained_model import TrainedModel
from skcolora._nn import CoLoRAModel, evaluate_fields
from skcolora._snapshots import Array, Scale
from skcolora._training import (
    EquationPhase,
    SnapshotSampler,
    Stage,
    TrainingResult,
    train_in_stages,
)
from skcolora.pdes import PDE
from skcolora.utils._deadline import Deadline
from skcolora.utils._stack import caller_stacklevel
from skcolora.utils._torch import as_tensor

# Limits of the samples of the network's fields: maximum numbers of times, points and values, and
# minimum number of times.
_MAX_TIMES, _MAX_POINTS, _MAX_VALUES, _MIN_TIMES = 48, 2**13, 2**22, 4
# Share of a limited time for these samples.
_SAMPLING_SHARE = 0.1
# Number of validation points, relative to the number of points in a step.
_VALIDATION_FACTOR = 8
# Residual, relative to the variation of the field, above which a warning is issued.
_LARGE_ERROR = 0.1


def refine(
    pde: PDE,
    model: TrainedModel,
    X: Array,
    candidates: Array,
    *,
    max_iter: int,
    deadline: Deadline,
    seed: int,
    verbose: int,
) -> tuple[CoLoRAModel, TrainingResult]:
    """Train a copy of the networks on the residual of the equation.

    Parameters
    ----------
    pde : PDE
        The equation.
    model : TrainedModel
    X, candidates : ndarray of shape (n, n_parameters)
        Training parameters, and parameters without snapshots.
    max_iter, deadline, verbose
        See `train_in_stages`.
    seed : int
        Seed of the samples.

    Returns
    -------
    networks : CoLoRAModel
        Trained copy in float64.
    result : TrainingResult

    Raises
    ------
    ValueError
        If the equation has no initial field, or its right-hand side is not finite for the fields
        before the training.
    """
    if not pde.has_initial:
        raise ValueError(
            f"{type(pde).__name__} defines no `initial`, and without initial fields the equation "
            "does not determine its solutions; define `initial` to use `refine`."
        )
    networks = copy.deepcopy(CoLoRAModel(model.network, model.hypernetwork))
    networks.double().requires_grad_(True)
    all_parameters = np.vstack([X, candidates])
    inputs = model.transform(all_parameters)
    generator = torch.Generator().manual_seed(seed)
    fields, trained = _fields(
        networks, model, inputs, len(X), generator, deadline.share(_SAMPLING_SHARE)
    )
    phase = EquationPhase(
        networks, pde, model.units, all_parameters, inputs, fields=fields, trained=trained
    )
    validation = phase.draw(_VALIDATION_FACTOR)
    if not torch.isfinite(phase.residual(validation)).all():
        raise ValueError(
            f"The right-hand side of {type(pde).__name__} is not finite for the fields that the "
            "regressor predicts at the rows of X; give rows nearer to the training parameters."
        )
    result = train_in_stages(
        networks,
        [Stage(lambda: phase, max_iter)],
        lambda: float(phase.residual(validation).norm()),
        deadline=deadline,
        verbose=verbose,
    )
    if result.error > _LARGE_ERROR:
        warnings.warn(
            f"CoLoRAGalerkin: after {len(result.losses)} steps of the refinement the network still "
            f"violates the equation by {result.error:.2g} of its variation; raise `max_iter`, or "
            "refine at parameters nearer to the training parameters first.",
            ConvergenceWarning,
            stacklevel=caller_stacklevel(),
        )
    networks.network.mute(~model.units.fields.varies)
    return networks.requires_grad_(False), result


def _seconds_per_value(networks: CoLoRAModel, points: Tensor, n_fields: int) -> float:
    """Measured seconds of the evaluation of one value of a field."""
    latent = points.new_zeros(1, networks.network.n_latent)
    values = points.new_empty(1, len(points), n_fields)
    started = time.perf_counter()
    evaluate_fields(networks.network, points, latent, values)
    return max(time.perf_counter() - started, 1e-9) / values.numel()


@torch.no_grad()
def _fields(
    networks: CoLoRAModel,
    model: TrainedModel,
    inputs: Array,
    n_trained: int,
    generator: torch.Generator,
    deadline: Deadline | None = None,
) -> tuple[SnapshotSampler, SnapshotSampler]:
    """Samplers of the current scaled fields of the networks.

    Parameters
    ----------
    networks : CoLoRAModel
    model : TrainedModel
        The model that the networks come from.
    inputs : ndarray of shape (n, n_inputs)
        Inputs of the hypernetwork, with the training inputs first.
    n_trained : int
        Number of training inputs.
    generator : Generator
    deadline : Deadline, optional
        Time limit, which reduces the numbers of points and times.

    Returns
    -------
    fields, trained : SnapshotSampler
        Samplers of the fields at all inputs, and at the training inputs.
    """
    layout, units = model.layout, model.units
    points = units.coordinates(layout.grid.points)
    per_point = len(inputs) * layout.n_fields
    n_values = _MAX_VALUES
    if deadline is not None and deadline.limited:
        seconds = _seconds_per_value(networks, as_tensor(points[:_MAX_POINTS]), layout.n_fields)
        n_values = int(min(n_values, max(deadline.remaining, 0.0) / seconds))
    n_points = min(_MAX_POINTS, max(n_values // (per_point * _MIN_TIMES), 1))
    if len(points) > n_points:
        chosen = torch.randperm(len(points), generator=generator)[:n_points]
        points = points[chosen.numpy()]
    n_times = max(n_values // (per_point * len(points)), _MIN_TIMES)
    n_times = min(n_times, _MAX_TIMES)
    times = units.times.coordinate.spaced(0.0, float(layout.times[-1]), n_times)
    tensors = as_tensor(units.inputs(inputs, times))
    coordinates = as_tensor(points)
    values = torch.empty(len(inputs) * n_times, len(points), layout.n_fields, dtype=torch.float32)
    latent = networks.hypernetwork(tensors.flatten(0, 1))
    evaluate_fields(networks.network, coordinates, latent, values)
    # The fields are scaled already, and a constant field stays out.
    scale = Scale(np.zeros(layout.n_fields), units.fields.varies.astype(np.float64))

    def sampler(n: int) -> SnapshotSampler:
        which = torch.arange(n, dtype=torch.float64).repeat_interleave(n_times)
        tags: Tensor = torch.stack([which, tensors[0, :, -1].repeat(n)], 1)
        return SnapshotSampler(
            values[: n * n_times], coordinates, tags, generator=generator, scale=scale
        )

    return sampler(len(inputs)), sampler(n_trained)
