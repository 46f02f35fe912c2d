"""The Vlasov equation with a fixed potential, exact by characteristics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from sklearn.utils import check_scalar

from skcolora.datasets._base import Array, SnapshotData, draw_parameters


def make_vlasov(
    parameters: ArrayLike | int = 7,
    *,
    n_points: int = 101,
    times: ArrayLike | None = None,
    rtol: float = 1e-10,
    random_state: Any = None,
) -> SnapshotData:
    """Exact snapshots of particles in a fixed potential, in phase space.

    ``∂ₜu + v ∂ₓu + φ'(x) ∂ᵥu = 0`` on [-1, 1]², periodic, with
    ``φ = 0.2 + 0.2 cos(πx⁴) + 0.1 sin(πx)`` and
    ``u(0) = exp(-100 [(x - μ + 0.2)² + v²])`` [1]_.  The solution is constant along the
    characteristics ``ẋ = v, v̇ = φ'(x)``, which are followed back in time to ``rtol``.

    Parameters
    ----------
    parameters : array-like of shape (n,) or (n, 1), or int, default=7
        Values of μ, or how many to draw from [0.2, 0.4].
    n_points : int, default=101
        Points along each axis, both ends included.
    times : array-like of shape (n_times,) or None, default=None
        Increasing from 0 or later.  None: 63 times from 0 to 4.96.
    rtol : float, default=1e-10
        Tolerance of the characteristics.
    random_state : int, RandomState instance or None, default=None
        Used where ``parameters`` is a number.

    Returns
    -------
    data : SnapshotData
        With ``y`` of shape (n, n_times, n_points, n_points).

    Raises
    ------
    ValueError
        If a parameter, a time or a resolution is out of range.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646, Appendix.

    Examples
    --------
    >>> from skcolora.datasets import make_vlasov
    >>> make_vlasov([0.2, 0.3], n_points=21, times=[0.0, 1.0])
    SnapshotData(X: (2, 1), y: (2, 2, 21, 21) float64)
    """
    check_scalar(n_points, "n_points", int, min_val=2)
    check_scalar(rtol, "rtol", (int, float), min_val=3e-14, max_val=1e-2)
    mu = draw_parameters(parameters, 0.2, 0.4, random_state)
    t = 0.08 * np.arange(63) if times is None else np.asarray(times, dtype=np.float64)
    if t.ndim != 1 or not t.size or t[0] < 0 or (np.diff(t) <= 0).any():
        raise ValueError(f"`times` must be 1-D, increasing and not negative; got {times!r}.")
    axis = np.linspace(-1.0, 1.0, n_points)
    x, v = _origins(axis, t, rtol)
    y = np.exp(-100.0 * ((x - mu[:, :, None, None] + 0.2) ** 2 + v**2))
    return SnapshotData(X=mu, y=y, times=t, points=(axis, axis), period=(2.0, 2.0))


def _origins(axis: Array, times: Array, rtol: float) -> tuple[Array, Array]:
    """Where the particles at the grid points were at time 0, (n_times, n, n) each."""
    start = np.stack(np.meshgrid(axis, axis, indexing="ij"))

    def backwards(_: float, state: Array) -> Array:
        x, v = state.reshape(2, -1)
        return -np.concatenate([v, _force(_wrap(x))])

    if times[-1] == 0:
        x, v = start[:, None]
        return x, v
    solution = solve_ivp(
        backwards,
        (0.0, times[-1]),
        start.ravel(),
        method="DOP853",
        t_eval=times,
        rtol=rtol,
        atol=rtol,
    )
    x, v = _wrap(np.moveaxis(solution.y.reshape(*start.shape, -1), -1, 1))
    return x, v


def _wrap(z: Array) -> Array:
    return z - 2.0 * np.floor(0.5 * (z + 1.0))


def _force(x: Array) -> Array:
    """φ'(x)."""
    square = x * x
    return np.pi * (0.1 * np.cos(np.pi * x) - 0.8 * x * square * np.sin(np.pi * square * square))
