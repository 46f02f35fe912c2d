"""Distillation: networks learn the fields along paths that solve the equation."""

from __future__ import annotations

import copy
import warnings
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skcolora._galerkin._latent_equation import LatentEquation
from skcolora._galerkin._solved_paths import SolvedPaths, solve_paths
from skcolora._galerkin._trained_model import TrainedModel
from skcolora._nn import CoLoRAModel, CoLoRANetwork, evaluate_fields
from skcolora._snapshots import Array, Scale, rows_among, spread_evenly
from skcolora._training import SnapshotSampler, TrainingResult, train
from skcolora.utils._deadline import Deadline
from skcolora.utils._stack import caller_stacklevel
from skcolora.utils._torch import as_tensor

# Limits of the samples of the fields: maximum numbers of times, points and values, and minimum
# number of times.
_MAX_TIMES, _MAX_POINTS, _MAX_VALUES, _MIN_TIMES = 64, 2**13, 2**23, 4
# Share of a limited time in which the equation is solved; the rest is for the training.
_SOLVING_SHARE = 0.4
# Part of the second training phase that is run: the one whose steps become smaller.
_PART = (0.5, 1.0)
# Error of the training, relative to the variation of the field, above which a warning is issued.
_LARGE_ERROR = 0.01


class Distilled(NamedTuple):
    """Networks that have learnt the fields of the equation."""

    networks: CoLoRAModel
    """In float64"""
    inputs: Array
    """Inputs of the hypernetwork for each trajectory that was learnt, (n, n_inputs)"""
    result: TrainingResult


def distill(
    equation: LatentEquation,
    model: TrainedModel,
    X: Array,
    candidates: Array,
    *,
    max_iter: int,
    deadline: Deadline,
    seed: int,
    verbose: int,
) -> Distilled:
    """Solve the equation, and train copies of the networks on the fields along its paths.

    Parameters
    ----------
    equation : LatentEquation
    model : TrainedModel
        The model of the regressor.
    X, candidates : ndarray of shape (n, n_parameters)
        Training parameters, and parameters at which the equation is solved.  At training parameters
        where it is not, the fields of the regressor are learnt again.
    max_iter, deadline, verbose
        See `train`.  A share of the time is for solving, the rest for the training.
    seed : int
        Seed of the random points.

    Returns
    -------
    distilled : Distilled

    Raises
    ------
    RuntimeError
        If no trajectory could be integrated to the end, for other reasons than time.
    """
    paths = solve_paths(equation, candidates, deadline.share(_SOLVING_SHARE))
    if paths.n_solved < len(candidates):
        warnings.warn(
            f"CoLoRAGalerkin: the equation was solved at {paths.n_solved} of {len(candidates)} "
            "parameters within `max_time`; the others are left out.  Raise `max_time`, or give "
            "fewer parameters.",
            ConvergenceWarning,
            stacklevel=caller_stacklevel(),
        )
    networks = copy.deepcopy(CoLoRAModel(model.network, model.hypernetwork))
    networks.double().requires_grad_(True)
    solved = candidates[paths.rows]
    inputs = model.transform(np.vstack([X[~rows_among(X, solved)], solved]))
    result = TrainingResult()
    if len(paths.rows):
        sampler = _sampler(equation.model.network, model, inputs, paths, seed)
        result = train(
            networks,
            sampler,
            max_iter=max_iter,
            deadline=deadline,
            refine_only=True,
            part=_PART,
            verbose=verbose,
        )
    if result.losses and result.error > _LARGE_ERROR:
        warnings.warn(
            "CoLoRAGalerkin: the distilled networks miss the fields along the paths of the "
            f"equation by {result.error:.2g} of the variation (root mean square); raise `max_iter` "
            "or `max_time`, or distil at parameters nearer to the training parameters.",
            ConvergenceWarning,
            stacklevel=caller_stacklevel(),
        )
    return Distilled(networks.requires_grad_(False), inputs, result)


@torch.no_grad()
def _sampler(
    network: CoLoRANetwork, model: TrainedModel, inputs: Array, paths: SolvedPaths, seed: int
) -> SnapshotSampler:
    """Sampler of scaled fields: those of the regressor, and those along the paths.

    Parameters
    ----------
    network : CoLoRANetwork
        Network of the paths.
    model : TrainedModel
        The model of the regressor.
    inputs : ndarray of shape (n, n_inputs)
        Inputs of the hypernetwork; those of the paths are the last ones.
    paths : SolvedPaths
    seed : int
    """
    layout, units, generator = model.layout, model.units, torch.Generator().manual_seed(seed)
    points = units.coordinates(layout.grid.points)
    per_point = len(inputs) * layout.n_fields
    n_points = min(_MAX_POINTS, max(_MAX_VALUES // (per_point * _MIN_TIMES), 1))
    if len(points) > n_points:
        points = points[torch.randperm(len(points), generator=generator)[:n_points].numpy()]
    n_times = int(np.clip(_MAX_VALUES // (per_point * len(points)), _MIN_TIMES, _MAX_TIMES))
    chosen = spread_evenly(layout.n_times, n_times)
    times, coordinates = layout.times[chosen], as_tensor(points)
    known = model.latent(inputs[: len(inputs) - len(paths.rows)], times).flatten(0, 1)
    learnt = paths.latent[:, chosen].flatten(0, 1)
    values = torch.empty(
        len(known) + len(learnt), len(points), layout.n_fields, dtype=torch.float32
    )
    evaluate_fields(model.network, coordinates, known, values[: len(known)])
    evaluate_fields(network, coordinates, learnt, values[len(known) :])
    # The fields are scaled already, and a constant field stays out.
    scale = Scale(np.zeros(layout.n_fields), units.fields.varies.astype(np.float64))
    rows = as_tensor(units.inputs(inputs, times)).flatten(0, 1)
    return SnapshotSampler(values, coordinates, rows, generator=generator, scale=scale)
