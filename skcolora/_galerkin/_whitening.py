"""The whitened norm of the residual: its parts count as much as the network can be right there."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.covariance import oas

from skcolora._galerkin._collocation import Collocation
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._trained_model import TrainedModel
from skcolora._snapshots import Array, spread_evenly
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Largest numbers of trajectories and of training states, and least number of times of each.
_MAX_TRAJECTORIES, _MAX_STATES, _MIN_TIMES = 64, 400, 5
# Largest number of rows of the least-squares problem: the norm is a dense matrix.
_MAX_ROWS = 1024


def can_whiten(pde: PDE, collocation: Collocation) -> bool:
    """Return whether the least-squares problem is small enough for a dense matrix."""
    return pde.n_fields * len(collocation.points) <= _MAX_ROWS


def check_few_points(pde: PDE, n_points: int) -> None:
    """Raise a ValueError if there are too many collocation points for a dense matrix."""
    if pde.n_fields * n_points > _MAX_ROWS:
        raise ValueError(
            f'norm="whitened" holds for at most {_MAX_ROWS} values of the fields, but there are '
            f"{n_points} collocation points with {pde.n_fields} values each; lower "
            '`n_collocation`, or give norm="L2".'
        )


@torch.no_grad()
def whiten(collocation: Collocation, model: TrainedModel, pde: PDE, X: Array) -> Collocation:
    """Collocation points with the whitened norm (generalised least squares [1]_).

    A network that fits the snapshots does not fit their derivatives equally well, so that even
    right states violate the equation: ``r = J φ̇ - f`` is not zero for the states and rates that
    the hypernetwork has learnt.  Least squares take r for an error of φ̇ and move the state wrongly.
    With the covariance Σ of r over the training states, ``‖r‖² = rᵀ Σ⁻¹ r`` gives the best linear
    unbiased estimate of φ̇.  Σ is shrunk towards a multiple of the identity [2]_.

    Parameters
    ----------
    collocation : Collocation
        Points in the norm L2.
    model : TrainedModel
    pde : PDE
    X : ndarray of shape (n, n_parameters)
        Training parameters.

    Raises
    ------
    ValueError
        If there are too many points for a dense matrix.

    References
    ----------
    .. [1] A. C. Aitken, "On least squares and linear combination of observations", Proc. R. Soc.
       Edinburgh 55 (1936), 42-48.
    .. [2] Y. Chen, A. Wiesel, Y. C. Eldar and A. O. Hero, "Shrinkage algorithms for MMSE
       covariance estimation", IEEE Trans. Signal Process. 58 (2010), 5016-5029.
    """
    check_few_points(pde, len(collocation.points))
    collocation = collocation._replace(functionals=None)
    X = X[spread_evenly(len(X), _MAX_TRAJECTORIES)]
    times = model.layout.times
    times = times[spread_evenly(len(times), max(_MAX_STATES // len(X), _MIN_TIMES))]
    latent, rates = (each.flatten(0, 1) for each in model.moving(model.transform(X), times))
    trajectories = torch.arange(len(X)).repeat_interleave(len(times))
    projection = Projection(model.network, model.units, pde, as_tensor(X), collocation, 0.0)
    t = as_tensor(times).repeat(len(X))
    residuals = projection.residuals(trajectories, t, latent, rates).numpy()
    residuals = residuals[np.isfinite(residuals).all(axis=1)]
    if not residuals.any():
        return collocation
    covariance, _ = oas(residuals, assume_centered=True)
    variances, directions = np.linalg.eigh(covariance)
    variances = np.maximum(variances, np.finfo(float).eps * variances[-1])
    # The residuals keep their mean square.
    roots = np.sqrt(variances.mean() / variances)
    return collocation._replace(functionals=as_tensor((directions * roots).T))
