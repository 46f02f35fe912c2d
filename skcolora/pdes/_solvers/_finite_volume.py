"""Finite volumes for scalar conservation laws, whose solutions can have shocks."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from scipy.integrate import solve_ivp

from skcolora._snapshots import Array, Grid
from skcolora.pdes._quadrature import gauss_rule
from skcolora.pdes._solvers._errors import TrajectoryError

# Maximum CFL number: distance that the fastest wave travels in a step, relative to a cell.
_CFL = 0.4
# Number of ghost cells at each end.
_GHOSTS = 3


@runtime_checkable
class ConservationLaw(Protocol):
    """An equation ``∂ₜu + ∂ₓ g(u; μ) = s(t, x; μ)`` in one dimension, with one field."""

    def flux(self, u: Any, mu: Any) -> Any:
        """Flux g of values of any shape."""

    def speed(self, u: Any, mu: Any) -> Any:
        """Wave speed g′ of values of any shape."""

    def source(self, t: float, x: Any, mu: Any) -> Any:
        """Source s at coordinates of any shape."""

    def inflow(self, t: float, mu: Any) -> float:
        """Boundary value at the lower end of a non-periodic domain."""


def solve_finite_volume(
    pde: Any, mu: Array, times: Array, grid: Grid, n_points: int | tuple[int, ...] | None
) -> Array:
    """Solve a conservation law by WENO reconstruction [1]_ and the local Lax–Friedrichs flux.

    The reconstruction has order 5.  The time integration is the method "RK23" of
    `scipy.integrate.solve_ivp`, of order 3, with a CFL number below 0.4.  For smooth solutions
    the cell averages converge with order 3, and the returned values at points with order 2.  A
    shock is spread over about two cells, and the order in L1 is 1.  A non-periodic upper end is
    an outflow boundary.

    Parameters
    ----------
    pde : PDE and ConservationLaw
    mu : ndarray of shape (n_parameters,)
    times : ndarray of shape (n_times,)
    grid : Grid
        Points of the solution.  The values are interpolated linearly between cell averages.
    n_points : int, tuple or None
        Number of cells; None takes ``pde.resolution``.

    Returns
    -------
    values : ndarray of shape (n_times, 1, n_points)

    Raises
    ------
    TrajectoryError
        If the solution becomes NaN or infinite.

    References
    ----------
    .. [1] G.-S. Jiang and C.-W. Shu, "Efficient implementation of weighted ENO schemes",
       J. Comput. Phys. 126 (1996), 202-228.
    """
    chosen = pde.resolution if n_points is None else n_points
    n = chosen[0] if isinstance(chosen, tuple) else chosen
    (low, high), periodic = pde.domain[0], pde.period[0] is not None
    h = (high - low) / n
    x = low + h * (np.arange(n) + 0.5)

    def rate(t: float, u: Array) -> Array:
        padded = _with_ghosts(u, None if periodic else pde.inflow(t, mu))
        left, right = _weno(padded)
        wave = np.maximum(np.abs(pde.speed(left, mu)), np.abs(pde.speed(right, mu)))
        flux = 0.5 * (pde.flux(left, mu) + pde.flux(right, mu) - wave * (right - left))
        return np.asarray(pde.source(t, x, mu) - np.diff(flux) / h)

    u = _initial_averages(pde, mu, x, h)
    out = np.empty((len(times), 1, *grid.shape))
    x_out, t = grid.points[:, 0], 0.0
    for i, end in enumerate(times):
        while t < end:
            fastest = float(np.abs(pde.speed(_with_ghosts(u, _inflow(pde, t, mu)), mu)).max())
            # The source may increase the speed, so that it is updated after some steps.
            step = _CFL * h / max(fastest, 1e-12 * h)
            stop = min(end, t + 20 * step)
            with np.errstate(all="ignore"):
                solution = solve_ivp(
                    rate,
                    (t, stop),
                    u,
                    method="RK23",
                    t_eval=[stop],
                    max_step=step,
                    rtol=1e-3,
                    atol=1e-6,
                )
            if not solution.success or not np.isfinite(solution.y).all():
                raise TrajectoryError(
                    t,
                    "the finite volumes did not stay finite.  Check `flux`, `speed` and "
                    "`source`, or try another `n_points`",
                )
            u, t = solution.y[:, -1], stop
        out[i, 0] = _at_points(u, x, x_out, _inflow(pde, t, mu), h)
    return out


def _initial_averages(pde: Any, mu: Array, x: Array, h: float) -> Array:
    """Averages of the initial value over the cells, by Gauss–Legendre quadrature of order 6."""
    nodes, weights = gauss_rule(-h / 2, h / 2, None, 3)
    points = (x[:, None] + nodes)[None]
    values = np.broadcast_to(pde.initial_value(points, mu)[0], points.shape[1:])
    return np.asarray(values @ weights)


def _inflow(pde: Any, t: float, mu: Array) -> float | None:
    """Boundary value at the lower end, None for a periodic domain."""
    return None if pde.period[0] is not None else pde.inflow(t, mu)


def _with_ghosts(u: Array, inflow: float | None) -> Array:
    """Cell averages (n,) with ghost cells, (n + 6,); periodic if there is no inflow."""
    if inflow is None:
        return np.concatenate([u[-_GHOSTS:], u, u[:_GHOSTS]])
    return np.concatenate([np.full(_GHOSTS, inflow), u, np.full(_GHOSTS, u[-1])])


def _weno(u: Array) -> tuple[Array, Array]:
    """Values on the left and right of the n + 1 faces, from n + 6 cell averages."""
    n = len(u)
    left = _weno_side(*(u[k : n - 5 + k] for k in range(5)))
    right = _weno_side(*(u[5 - k : n - k] for k in range(5)))
    return left, right


def _weno_side(a: Array, b: Array, c: Array, d: Array, e: Array) -> Array:
    """Value at the face between the cells c and d, reconstructed from the side of c."""
    candidates = (
        (2 * a - 7 * b + 11 * c) / 6,
        (-b + 5 * c + 2 * d) / 6,
        (2 * c + 5 * d - e) / 6,
    )
    roughness = (
        13 / 12 * (a - 2 * b + c) ** 2 + (a - 4 * b + 3 * c) ** 2 / 4,
        13 / 12 * (b - 2 * c + d) ** 2 + (b - d) ** 2 / 4,
        13 / 12 * (c - 2 * d + e) ** 2 + (3 * c - 4 * d + e) ** 2 / 4,
    )
    pairs = zip((0.1, 0.6, 0.3), roughness, strict=True)
    weights = [ideal / (1e-6 + rough) ** 2 for ideal, rough in pairs]
    total = weights[0] + weights[1] + weights[2]
    mixed = sum(w * value for w, value in zip(weights, candidates, strict=True))
    return np.asarray(mixed / total)


def _at_points(u: Array, x: Array, x_out: Array, inflow: float | None, h: float) -> Array:
    """Linear interpolation of the cell averages to x_out, without new extrema."""
    if inflow is None:
        return np.asarray(np.interp(x_out, x, u, period=h * len(x)))
    return np.asarray(np.interp(x_out, np.append(x[0] - h / 2, x), np.append(inflow, u)))
