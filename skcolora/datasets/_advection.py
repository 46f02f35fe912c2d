"""Advection of a bump, the plainest problem that no linear space can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar

from skcolora.datasets._base import SnapshotData, draw_parameters


def make_advection(
    parameters: ArrayLike | int = 7,
    *,
    n_points: int = 256,
    n_times: int = 51,
    width: float = 0.03,
    random_state: Any = None,
) -> SnapshotData:
    """Exact snapshots of a bump carried round a periodic domain.

    ``∂ₜu + c ∂ₓu = 0`` on [0, 1) for t in [0, 1], with the speed c as parameter and the
    periodic bump ``u(0, x) = exp(-(sin(π(x - 1/4)) / (π width))² / 2)``.

    Parameters
    ----------
    parameters : array-like of shape (n,) or (n, 1), or int, default=7
        Speeds, or how many to draw from [0.5, 1.5].
    n_points, n_times : int
        Resolution.
    width : float, default=0.03
        Standard deviation of the bump, as a share of the domain.
    random_state : int, RandomState instance or None, default=None
        Used where ``parameters`` is a number.

    Returns
    -------
    data : SnapshotData
        With ``y`` of shape (n, n_times, n_points).

    Raises
    ------
    ValueError
        If a parameter or a resolution is out of range.

    Examples
    --------
    >>> from skcolora.datasets import make_advection
    >>> make_advection([0.5, 1.0])
    SnapshotData(X: (2, 1), y: (2, 51, 256) float64)
    """
    check_scalar(n_points, "n_points", int, min_val=2)
    check_scalar(n_times, "n_times", int, min_val=1)
    check_scalar(width, "width", (int, float), min_val=0, include_boundaries="neither")
    X = draw_parameters(parameters, 0.5, 1.5, random_state)
    x = np.arange(n_points) / n_points
    times = np.linspace(0.0, 1.0, n_times)
    travelled = X[:, :1, None] * times[:, None]
    waves = np.sin(np.pi * (x - 0.25 - travelled))
    y = np.exp(-0.5 * (waves / (np.pi * width)) ** 2)
    return SnapshotData(X=X, y=y, times=times, points=x[:, None], period=1.0)
