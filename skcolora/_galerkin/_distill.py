"""Distillation: a hypernetwork learns latent paths that solve the equation."""

from __future__ import annotations

import copy
import time
import warnings
from functools import partial
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
from skcolora.utils._deadline import Deadline
from skcolora.utils._stack import caller_stacklevel
from skcolora.utils._torch import as_tensor

# Number of entries of the paths in the fit, for each weight of the hypernetwork.  The paths are
# smooth, so that more entries cost time without a better fit.
_ENTRIES_PER_WEIGHT = 8
# Share of a limited time in which the equation is solved; the rest is for the fit.
_SOLVING_SHARE = 0.6
# Half step of the difference quotient in the scaled time.
_DIFFERENCE = 1e-4
# Misfit of the paths, relative to the variation of the field, above which a warning is issued.
_LARGE_MISFIT = 0.01


class Distilled(NamedTuple):
    """A hypernetwork that was fitted to latent paths."""

    hypernetwork: Hypernetwork
    """Fitted hypernetwork in float64"""
    inputs: Array
    """Inputs of the hypernetwork for each path, (n, n_inputs)"""
    errors: list[float]
    """Root mean square misfit, relative to the variation, before the fit and after each step"""


def distill(
    equation: LatentEquation,
    X: Array,
    candidates: Array,
    *,
    n_solves: int,
    hyper_width: int,
    max_iter: int,
    seed: int,
    deadline: Deadline | None = None,
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
    deadline : Deadline, optional
        Time limit.  A share of the time is for solving, the rest for the fit.

    Returns
    -------
    distilled : Distilled

    Raises
    ------
    RuntimeError
        If no trajectory could be integrated to the end, for other reasons than time.
    """
    deadline = deadline or Deadline()
    solving = deadline.share(_SOLVING_SHARE)
    known = copy.deepcopy(equation.model.hypernetwork).double()

    def fit(paths: LatentPaths, end: Deadline) -> Distilled:
        generator = torch.Generator().manual_seed(seed)
        hypernetwork = widen(known, hyper_width, generator=generator).requires_grad_(False)
        return _fit(hypernetwork, equation.model.units, paths, max_iter, end)

    solve = partial(solve_paths, equation, deadline=solving)
    if n_solves >= len(candidates):
        n_solves = len(candidates)
        paths, n_solved = solve(np.vstack([X, candidates]), n_training=len(X))
    else:
        paths, n_solved = solve(X, n_training=len(X))
        seconds = 0.0
        for n_left in range(n_solves, 0, -1):
            if n_solved < len(X) + n_solves - n_left or solving.remaining < seconds:
                break
            started = time.perf_counter()
            hypernetwork = fit(paths, solving.share(0.5 / n_left)).hypernetwork
            worst = _worst_candidate(equation, hypernetwork, candidates, solving)
            found, n_found = solve(candidates[[worst]], paths)
            paths, n_solved = join(paths, found), n_solved + n_found
            candidates = np.delete(candidates, worst, axis=0)
            seconds = time.perf_counter() - started
    out = fit(paths, deadline)
    if n_solved < len(X) + n_solves:
        warnings.warn(
            f"CoLoRAGalerkin: the equation was solved at {n_solved} of {len(X) + n_solves} "
            "parameters within `max_time`, first at the training parameters; the other candidates "
            "are left out, and at other training parameters the path of the regressor is used.  "
            "Raise `max_time`, or solve at fewer candidates.",
            ConvergenceWarning,
            stacklevel=caller_stacklevel(),
        )
    if out.errors[-1] > _LARGE_MISFIT:
        warnings.warn(
            "CoLoRAGalerkin: the distilled hypernetwork misses the paths of the equation by "
            f"{out.errors[-1]:.2g} of the variation (root mean square); raise `max_iter` or "
            "`hyper_width`, or distil at parameters nearer to the training parameters.",
            ConvergenceWarning,
            stacklevel=caller_stacklevel(),
        )
    return out


def _fit(
    hypernetwork: Hypernetwork, units: Units, paths: LatentPaths, max_iter: int, deadline: Deadline
) -> Distilled:
    n_weights = sum(p.numel() for p in hypernetwork.parameters())
    paths = thin(paths, _ENTRIES_PER_WEIGHT * n_weights)
    rows = as_tensor(units.inputs(paths.inputs, paths.times)).flatten(0, 1)
    targets, metric = paths.latent.flatten(0, 1), paths.metric.flatten(0, 1)
    errors = fit_latent(hypernetwork, rows, targets, metric, max_iter=max_iter, deadline=deadline)
    return Distilled(hypernetwork, paths.inputs, errors)


def _worst_candidate(
    equation: LatentEquation, hypernetwork: Hypernetwork, X: Array, deadline: Deadline
) -> int:
    """Index of the row of X at which the hypernetwork has the largest residual.

    After the time limit no further row is looked at.
    """
    inputs, projection = equation.model.transform(X), equation.projection(X)
    units, times = equation.model.units, equation.model.layout.times
    rows, slopes = as_tensor(units.inputs(inputs, times)), as_tensor(units.times.slope(times))
    violations = [
        _violation(hypernetwork, projection, i, as_tensor(times), row, slopes)
        for i, row in enumerate(rows)
        if i == 0 or not deadline.passed
    ]
    return int(np.argmax(violations))


@torch.no_grad()
def _violation(
    hypernetwork: Hypernetwork,
    projection: Projection,
    trajectory: int,
    times: Tensor,
    inputs: Tensor,
    time_slopes: Tensor,
) -> float:
    """Relative residual ``‖∂ₜû - f‖ / ‖f‖`` of û(h(μ, t)) over all times.

    The equation need not be solved.  The time derivative of h, whose scaled inputs have shape
    (n_times, n_inputs), is a central difference in the scaled time, times the derivatives of the
    scaled time, (n_times,).
    """
    h = torch.zeros_like(inputs)
    h[:, -1] = _DIFFERENCE
    difference = hypernetwork(inputs + h) - hypernetwork(inputs - h)
    rates = time_slopes.unsqueeze(1) * difference / (2 * _DIFFERENCE)
    trajectories = torch.full((len(times),), trajectory)
    return projection.violation(trajectories, times, hypernetwork(inputs), rates)
