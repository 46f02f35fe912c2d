"""Weights of boundary conditions, by how well the training states obey them."""

from __future__ import annotations

import numpy as np
import torch

from skcolora._galerkin._boundary_rows import BoundaryRows
from skcolora._galerkin._collocation import Collocation
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._trained_model import TrainedModel
from skcolora._snapshots import Array
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Number of times of the training states.
_N_TIMES = 9


def weigh_boundary(
    collocation: Collocation, model: TrainedModel, pde: PDE, X: Array
) -> Collocation:
    """Collocation points whose boundary counts as much as it is known (weighted least squares).

    The network may not resolve what a condition says, for example in a thin layer.  The training
    states, which are known to be right, then violate it more than the equation.  Its rows are
    multiplied by the ratio of the two violations, where it is less than 1.

    Parameters
    ----------
    collocation : Collocation
    model : TrainedModel
    pde : PDE
    X : ndarray of shape (n, n_parameters)
        Training parameters.
    """
    boundary = collocation.boundary
    if boundary is None or not boundary.parts:
        return collocation
    times = model.layout.times
    times = times[np.unique(np.linspace(0, len(times) - 1, _N_TIMES).round().astype(int))]
    latent, rates = (each.flatten(0, 1) for each in model.moving(model.transform(X), times))
    trajectories = torch.arange(len(X)).repeat_interleave(len(times))
    states = trajectories, as_tensor(times).repeat(len(X)), latent, rates
    common = model.network, model.units, pde, as_tensor(X)
    inside = Projection(*common, collocation._replace(boundary=None), 0.0)
    violation = float(inside.gaps(*states).square().mean().sqrt())
    sizes = BoundaryRows(*common, boundary).violations(*states)
    factors = [min(1.0, violation / size) if size > 0 else 1.0 for size in sizes]
    parts = zip(boundary.parts, factors, strict=True)
    weighed = boundary._replace(parts=tuple(part._replace(factor=f) for part, f in parts))
    return collocation._replace(boundary=weighed)
