"""Distillation: a hypernetwork learns the latent paths that the equation found."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skcolora._colora import CoLoRARegressor
from skcolora._latent_equation import LatentEquation
from skcolora._latent_paths import LatentPaths, joined, solve_paths, thinned
from skcolora._snapshots import Array, parameter_time_rows
from skcolora._unwrap import innermost, transformed
from skcolora.galerkin import Projection
from skcolora.nn import Hypernetwork, widened
from skcolora.training._latent_fit import fit_latent
from skcolora.utils._torch import as_tensor

# Entries of the paths for each weight of the hypernetwork that are fitted at least: the paths
# are smooth, and more of them cost time alone.
_ENTRIES_PER_WEIGHT = 8
# Of the field: by how much the paths may be missed without a warning.
_LARGE_MISS = 0.01


def distilled(
    equation: LatentEquation,
    X: Array,
    candidates: Array,
    *,
    n_solves: int,
    hyper_width: int,
    max_iter: int,
    seed: int,
) -> CoLoRARegressor:
    """A copy of the regressor whose hypernetwork has learnt paths of the equation.

    Parameters
    ----------
    equation : LatentEquation
    X : ndarray of shape (n, n_parameters)
        Those of the training, which are solved in any case.
    candidates : ndarray of shape (n_candidates, n_parameters)
        Others.
    n_solves : int
        How many of the candidates are solved: one after the other, that at which the
        hypernetwork learnt so far violates the equation most.
    hyper_width, max_iter, seed : int
        Of the hypernetwork and its fit.

    Raises
    ------
    RuntimeError
        If no trajectory could be integrated to the end.
    """
    inner = innermost(equation.regressor)

    def learnt(paths: LatentPaths) -> tuple[CoLoRARegressor, float]:
        return _learnt(inner, paths, hyper_width=hyper_width, max_iter=max_iter, seed=seed)

    if n_solves >= len(candidates):
        out, miss = learnt(solve_paths(equation, np.vstack([X, candidates])))
    else:
        paths = solve_paths(equation, X)
        out, miss = learnt(paths)
        for _ in range(n_solves):
            worst = _worst(equation, out, candidates)
            paths = joined(paths, solve_paths(equation, candidates[[worst]], paths))
            candidates = np.delete(candidates, worst, axis=0)
            out, miss = learnt(paths)
    if miss > _LARGE_MISS:
        warnings.warn(
            "CoLoRAGalerkin: the distilled hypernetwork misses the paths of the equation by "
            f"{miss:.2g} of the field (root mean square); allow more `max_iter`, raise "
            "`hyper_width`, or distil at parameters nearer to those trained on.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return out


def _learnt(
    regressor: CoLoRARegressor, paths: LatentPaths, *, hyper_width: int, max_iter: int, seed: int
) -> tuple[CoLoRARegressor, float]:
    """A copy of the regressor whose hypernetwork has learnt the paths, and by how much of the
    field it misses them."""
    out = copy.deepcopy(regressor)
    dtype = out.network_.u_scale.dtype
    generator = torch.Generator().manual_seed(seed)
    known = copy.deepcopy(out.hypernetwork_).double().cpu()
    hypernetwork = widened(known, hyper_width, generator=generator).requires_grad_(False)
    n_weights = sum(p.numel() for p in hypernetwork.parameters())
    paths = thinned(paths, _ENTRIES_PER_WEIGHT * n_weights)
    rows = parameter_time_rows(paths.inputs, paths.times)
    targets, metric = paths.latent.flatten(0, 1), paths.metric.flatten(0, 1)
    misses = fit_latent(hypernetwork, as_tensor(rows), targets, metric, max_iter=max_iter)
    out.n_weights_ += n_weights - sum(p.numel() for p in out.hypernetwork_.parameters())
    out.hypernetwork_ = hypernetwork.to(dtype)
    out.hyper_width, out._X = hyper_width, paths.inputs
    # The weights are no longer those that a further `fit` could start from.
    out._fitted_signature = ()
    return out, misses[-1]


def _worst(equation: LatentEquation, regressor: CoLoRARegressor, X: Array) -> int:
    """The parameter at which the regressor violates the equation most."""
    inputs, projection = transformed(equation.regressor, X), equation.projection(X)
    hypernetwork = copy.deepcopy(regressor.hypernetwork_).double().cpu()
    times = regressor._layout.times
    residuals = [
        _violation(hypernetwork, projection, i, row, times) for i, row in enumerate(inputs)
    ]
    return int(np.argmax(residuals))


@torch.no_grad()
def _violation(
    hypernetwork: Hypernetwork, projection: Projection, which: int, inputs: Array, times: Array
) -> float:
    """``‖∂ₜû - f‖ / ‖f‖`` of û(h(μ, t)), over all times: how far the hypernetwork's path is
    from a solution of the equation, without solving it."""
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
