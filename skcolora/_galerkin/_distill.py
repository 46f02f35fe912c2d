"""Distillation: a hypernetwork learns the latent paths that the equation found."""

from __future__ import annotations

import copy
import warnings
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skcolora._galerkin._latent_equation import LatentEquation
from skcolora._galerkin._latent_paths import LatentPaths, joined, solve_paths, thinned
from skcolora._galerkin._projection import Projection
from skcolora._nn import Hypernetwork, widen
from skcolora._snapshots import Array, parameter_time_rows
from skcolora._training import fit_latent
from skcolora.utils._torch import as_tensor

# The fit sees at least so many entries of the paths for each weight of the hypernetwork.  The
# paths are smooth: more entries cost time and change nothing.
_ENTRIES_PER_WEIGHT = 8
# The paths may be missed by this share of the field without a warning.
_LARGE_MISS = 0.01


class Distilled(NamedTuple):
    """A hypernetwork that has learnt latent paths."""

    hypernetwork: Hypernetwork
    """In float64"""
    inputs: Array
    """Inputs of the paths, (n, n_inputs)"""
    errors: list[float]
    """Root mean square of the misfit, relative to the field, at the start and after each step"""


def distill(
    equation: LatentEquation,
    X: Array,
    candidates: Array,
    *,
    n_solves: int,
    hyper_width: int,
    max_iter: int,
    seed: int,
) -> Distilled:
    """Solve the equation and fit a wider hypernetwork to its latent paths.

    Parameters
    ----------
    equation : LatentEquation
    X : ndarray of shape (n, n_parameters)
        Parameters of the training, at which the equation is always solved.
    candidates : ndarray of shape (n_candidates, n_parameters)
        Other parameters.
    n_solves : int
        Number of candidates at which the equation is solved.  They are chosen one after the
        other: each time the candidate at which the hypernetwork learnt so far violates the
        equation most.
    hyper_width : int
        Width of the new hypernetwork.
    max_iter : int
        Iterations of its fit.
    seed : int
        Seed of its additional weights.

    Raises
    ------
    RuntimeError
        If no trajectory could be integrated to the end.
    """
    known = copy.deepcopy(equation.model.hypernetwork).double()

    def fitted(paths: LatentPaths) -> Distilled:
        generator = torch.Generator().manual_seed(seed)
        hypernetwork = widen(known, hyper_width, generator=generator).requires_grad_(False)
        return _fit(hypernetwork, paths, max_iter)

    if n_solves >= len(candidates):
        out = fitted(solve_paths(equation, np.vstack([X, candidates])))
    else:
        paths = solve_paths(equation, X)
        out = fitted(paths)
        for _ in range(n_solves):
            worst = _worst(equation, out.hypernetwork, candidates)
            paths = joined(paths, solve_paths(equation, candidates[[worst]], paths))
            candidates = np.delete(candidates, worst, axis=0)
            out = fitted(paths)
    if out.errors[-1] > _LARGE_MISS:
        warnings.warn(
            "CoLoRAGalerkin: the distilled hypernetwork misses the paths of the equation by "
            f"{out.errors[-1]:.2g} of the field (root mean square); allow more `max_iter`, raise "
            "`hyper_width`, or distil at parameters nearer to those of the training.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return out


def _fit(hypernetwork: Hypernetwork, paths: LatentPaths, max_iter: int) -> Distilled:
    n_weights = sum(p.numel() for p in hypernetwork.parameters())
    paths = thinned(paths, _ENTRIES_PER_WEIGHT * n_weights)
    rows = as_tensor(parameter_time_rows(paths.inputs, paths.times))
    targets, metric = paths.latent.flatten(0, 1), paths.metric.flatten(0, 1)
    errors = fit_latent(hypernetwork, rows, targets, metric, max_iter=max_iter)
    return Distilled(hypernetwork, paths.inputs, errors)


def _worst(equation: LatentEquation, hypernetwork: Hypernetwork, X: Array) -> int:
    """The parameter at which the path of the hypernetwork violates the equation most."""
    inputs, projection = equation.model.transform(X), equation.projection(X)
    times = equation.model.layout.times
    violations = [
        _violation(hypernetwork, projection, i, row, times) for i, row in enumerate(inputs)
    ]
    return int(np.argmax(violations))


@torch.no_grad()
def _violation(
    hypernetwork: Hypernetwork, projection: Projection, which: int, inputs: Array, times: Array
) -> float:
    """``‖∂ₜû - f‖ / ‖f‖`` of û(h(μ, t)) over all times, which needs no solution."""
    h = 1e-4 * (times[-1] - times[0])
    rows = parameter_time_rows(inputs[None], times)
    before, after = rows.copy(), rows.copy()
    before[:, -1] -= h
    after[:, -1] += h
    slope = (hypernetwork(as_tensor(after)) - hypernetwork(as_tensor(before))) / (2 * h)
    states, at = hypernetwork(as_tensor(rows)), torch.full((len(times),), which)
    J, f = projection.system(at, as_tensor(times), states)
    gap = (J @ slope.unsqueeze(2)).squeeze(2) - f
    return float(gap.norm() / f.norm().clamp(min=1e-300))
