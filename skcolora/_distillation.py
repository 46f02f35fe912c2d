"""Distillation: a hypernetwork learns the latent paths that the equation found."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcolora._colora import CoLoRARegressor
from skcolora._snapshots import Array, parameter_time_rows
from skcolora.galerkin import Projection
from skcolora.nn import Hypernetwork
from skcolora.training._latent_fit import fit_latent
from skcolora.utils._torch import as_tensor

# Of the largest singular value of ∂û/∂φ: how much directions that hardly change the field
# count, so that the hypernetwork stays near the paths in them too.
_FLOOR = 1e-3


class LatentPaths(NamedTuple):
    """Paths of some trajectories."""

    inputs: Array
    """Parameters as the regressor takes them, (n, n_parameters)"""
    times: Array
    latent: Tensor
    """(n, n_times, n_latent)"""
    metric: Tensor
    """(n, n_times, n_latent, n_latent): ‖R δ‖ is the relative change of the field"""


def joined(first: LatentPaths, second: LatentPaths) -> LatentPaths:
    """The paths of both, at the same times."""
    return LatentPaths(
        np.vstack([first.inputs, second.inputs]),
        first.times,
        torch.cat([first.latent, second.latent]),
        torch.cat([first.metric, second.metric]),
    )


@torch.no_grad()
def path_metric(projection: Projection, latent: Tensor) -> Tensor:
    """R of each state of a path, (n_times, n_latent, n_latent)."""
    J = projection.jacobian(latent) / projection.size(latent)[:, None, None]
    R = torch.linalg.qr(J, mode="r").R
    floor = _FLOOR * torch.linalg.matrix_norm(R, 2)
    ridge = floor[:, None, None] * torch.eye(R.shape[2], dtype=R.dtype)
    triangle: Tensor = torch.linalg.qr(torch.cat([R, ridge], dim=1), mode="r").R
    return triangle


def distilled(
    regressor: CoLoRARegressor,
    paths: LatentPaths,
    *,
    hyper_width: int,
    max_iter: int,
    seed: int,
) -> tuple[CoLoRARegressor, list[float]]:
    """A copy of the regressor whose hypernetwork has learnt the paths, and its errors."""
    out = copy.deepcopy(regressor)
    dtype = out.network_.u_scale.dtype
    rows = as_tensor(parameter_time_rows(paths.inputs, paths.times))
    hypernetwork = Hypernetwork(
        rows.shape[1],
        out.n_latent_,
        width=hyper_width,
        depth=out.hyper_depth,
        generator=torch.Generator().manual_seed(seed),
    ).double()
    hypernetwork.requires_grad_(False)
    hypernetwork.center.copy_(rows.mean(0))
    spread = rows.std(0, correction=0)
    hypernetwork.scale.copy_(torch.where(spread > 0, spread, 1.0))
    targets, metric = paths.latent.flatten(0, 1), paths.metric.flatten(0, 1)
    hypernetwork.biases[-1].copy_(targets.mean(0))
    errors = fit_latent(hypernetwork, rows, targets, metric, max_iter=max_iter)
    weights = sum(p.numel() for p in out.hypernetwork_.parameters())
    out.n_weights_ += sum(p.numel() for p in hypernetwork.parameters()) - weights
    out.hypernetwork_ = hypernetwork.to(dtype)
    out.hyper_width, out._X = hyper_width, paths.inputs
    # The weights are no longer those that a further `fit` could start from.
    out._fitted_signature = ()
    return out, errors


@torch.no_grad()
def data_driven_residual(
    hypernetwork: Hypernetwork, projection: Projection, which: int, inputs: Array, times: Array
) -> float:
    """``‖∂ₜû - f‖ / ‖f‖`` of û(h(μ, t)), over all times: how far the hypernetwork's path is
    from a solution of the equation, without solving it."""
    hypernetwork = copy.deepcopy(hypernetwork).double().cpu()
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
