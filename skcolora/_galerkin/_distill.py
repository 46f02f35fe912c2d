"""Distillation: a hypernetwork learns latent paths that solve the equation."""

from __future__ import annotations

import copy
import warnings
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skcolora._galerkin._latent_equation import LatentEquation
from skcolora._galerkin._latent_paths import LatentPaths, join, solve_paths, thin
from skcolora._galerkin._projection import Projection
from skcolora._nn import Hypernetwork, widen
from skcolora._snapshots import Array, Units
from skcolora._training import fit_latent
from skcolora.utils._torch import as_tensor

# Number of entries of the paths in the fit, for each weight of the hypernetwork.  The paths are
# smooth, so that more entries cost time without a better fit.
_ENTRIES_PER_WEIGHT = 8
# Half step of the difference quotient in the scaled time.
_DIFFERENCE = 1e-4
# Misfit of the paths, relative to the field, above which a warning is issued.
_LARGE_MISFIT = 0.01


class Distilled(NamedTuple):
    """A hypernetwork that was fitted to latent paths."""

    hypernetwork: Hypernetwork
    """Fitted hypernetwork in float64"""
    inputs: Array
    """Inputs of the hypernetwork for each path, (n, n_inputs)"""
    errors: list[float]
    """Root mean square misfit, relative to the field, before the fit and after each step"""


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
        Training parameters, at which the equation is always solved.
    candidates : ndarray of shape (n_candidates, n_parameters)
        Parameters at which the equation may be solved.
    n_solves : int
        Number of candidates at which the equation is solved.  They are chosen greedily: each
        time the candidate with the largest residual of the current hypernetwork.
    hyper_width : int
        Width of the new hypernetwork.
    max_iter : int
        Maximum number of iterations of the fit.
    seed : int
        Seed of the additional weights.

    Returns
    -------
    distilled : Distilled

    Raises
    ------
    RuntimeError
        If no trajectory could be integrated to the end.
    """
    known = copy.deepcopy(equation.model.hypernetwork).double()

    def fit(paths: LatentPaths) -> Distilled:
        generator = torch.Generator().manual_seed(seed)
        hypernetwork = widen(known, hyper_width, generator=generator).requires_grad_(False)
        return _fit(hypernetwork, equation.model.units, paths, max_iter)

    if n_solves >= len(candidates):
        out = fit(solve_paths(equation, np.vstack([X, candidates])))
    else:
        paths = solve_paths(equation, X)
        out = fit(paths)
        for _ in range(n_solves):
            worst = _worst_candidate(equation, out.hypernetwork, candidates)
            paths = join(paths, solve_paths(equation, candidates[[worst]], paths))
            candidates = np.delete(candidates, worst, axis=0)
            out = fit(paths)
    if out.errors[-1] > _LARGE_MISFIT:
        warnings.warn(
            "CoLoRAGalerkin: the distilled hypernetwork misses the paths of the equation by "
            f"{out.errors[-1]:.2g} of the field (root mean square); raise `max_iter` or "
            "`hyper_width`, or distil at parameters nearer to the training parameters.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return out


def _fit(hypernetwork: Hypernetwork, units: Units, paths: LatentPaths, max_iter: int) -> Distilled:
    n_weights = sum(p.numel() for p in hypernetwork.parameters())
    paths = thin(paths, _ENTRIES_PER_WEIGHT * n_weights)
    rows = as_tensor(units.inputs(paths.inputs, paths.times)).flatten(0, 1)
    targets, metric = paths.latent.flatten(0, 1), paths.metric.flatten(0, 1)
    errors = fit_latent(hypernetwork, rows, targets, metric, max_iter=max_iter)
    return Distilled(hypernetwork, paths.inputs, errors)


def _worst_candidate(equation: LatentEquation, hypernetwork: Hypernetwork, X: Array) -> int:
    """Index of the row of X at which the hypernetwork has the largest residual."""
    inputs, projection = equation.model.transform(X), equation.projection(X)
    times, units = as_tensor(equation.model.layout.times), equation.model.units
    rows = as_tensor(units.inputs(inputs, equation.model.layout.times))
    violations = [
        _violation(hypernetwork, projection, i, times, row, float(units.times.slope[0]))
        for i, row in enumerate(rows)
    ]
    return int(np.argmax(violations))


@torch.no_grad()
def _violation(
    hypernetwork: Hypernetwork,
    projection: Projection,
    trajectory: int,
    times: Tensor,
    inputs: Tensor,
    time_slope: float,
) -> float:
    """Relative residual ``‖∂ₜû - f‖ / ‖f‖`` of û(h(μ, t)) over all times.

    The equation need not be solved.  The time derivative of h, whose scaled inputs have shape
    (n_times, n_inputs), is a central difference.
    """
    h = torch.zeros_like(inputs)
    h[:, -1] = _DIFFERENCE
    slope = time_slope * (hypernetwork(inputs + h) - hypernetwork(inputs - h)) / (2 * _DIFFERENCE)
    trajectories = torch.full((len(times),), trajectory)
    return projection.violation(trajectories, times, hypernetwork(inputs), slope)
