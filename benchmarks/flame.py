"""The flame of ``where_to_run.py``: a front in two parameters, and its solver.

``∂ₜu = D ∂ₓₓu + β u (1 - u)`` on [0, 2] for t in [0, 2], without flux through the ends, from
``u₀ = 1 / (1 + exp((x - 0.15) / 0.02))``.  The parameters are (β, D), in [4, 16] × [0.004, 0.012].

Ahead of the front, u = 0 is unstable: errors grow like exp(βt), by up to 8e13.  The front is pulled
by a tail that must therefore be right relative to its own size.  The solver moves
``w = log(u / (1 - u))``, which is nearly linear in x there:
``∂ₜw = D (∂ₓₓw + (1 - 2u) (∂ₓw)²) + β``.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit

LENGTH, LAST = 2.0, 2.0
LOW, HIGH = np.array([4.0, 0.004]), np.array([16.0, 0.012])
TIMES = np.linspace(0.0, LAST, 81)
CELLS = 800


def centres(n: int) -> np.ndarray:
    """Centres (n,) of equal cells."""
    return (np.arange(n) + 0.5) * LENGTH / n


def solve(
    X: np.ndarray, points: np.ndarray, times: np.ndarray = TIMES, *, n_cells: int = CELLS
) -> np.ndarray:
    """Snapshots (n, n_times, n_points), of second order in the size of the cells.

    Parameters
    ----------
    X : ndarray of shape (n, 2)
        Rates β and diffusivities D.
    points : ndarray of shape (n_points,)
    times : ndarray of shape (n_times,)
    n_cells : int
    """
    x = centres(n_cells)
    h = LENGTH / n_cells

    def rate(t: float, w: np.ndarray, growth: float, diffusivity: float) -> np.ndarray:
        slopes = np.concatenate([[0.0], np.diff(w) / h, [0.0]])
        square = (0.5 * (slopes[1:] + slopes[:-1])) ** 2
        return diffusivity * (np.diff(slopes) / h + (1 - 2 * expit(w)) * square) + growth

    y = np.empty((len(X), len(times), len(points)))
    for i, mu in enumerate(X):
        solution = solve_ivp(
            rate,
            (0.0, times[-1]),
            (0.15 - x) / 0.02,
            method="LSODA",
            t_eval=times,
            args=tuple(mu),
            rtol=1e-6,
            atol=1e-6,
            lband=1,
            uband=1,
        )
        if not solution.success:
            y[i] = np.nan
            continue
        y[i] = [expit(np.interp(points, x, w)) for w in solution.y.T]
    return y
