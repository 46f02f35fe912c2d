"""Galerkin projection of an equation onto POD modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from skcolora._galerkin._hyperreduction import SampledField, SampledModes
from skcolora._snapshots import Array, Grid
from skcolora.pdes import PDE, GridField, Mesh
from skcolora.pdes._interpolant import MeshInterpolant

# Growth of the coefficients, relative to the snapshots, that counts as an instability.
_UNSTABLE = 2.0


@dataclass(frozen=True, eq=False)
class PODEquation:
    """``ȧᵢ = ⟨vᵢ, f(t, Σ aⱼ vⱼ; μ)⟩`` for POD coefficients a and orthonormal POD modes v."""

    pde: PDE
    mesh: Mesh
    modes: Array
    """POD modes, (n_modes, n_fields, n_0, ...)"""
    sampled: SampledModes | None
    """Modes at the sample points.  None: f is evaluated at all points."""
    max_norm: float
    """Largest norm of the coefficients over all snapshots"""

    @property
    def flat_modes(self) -> Array:
        """Modes as rows, (n_modes, n_fields * n_points)."""
        return self.modes.reshape(len(self.modes), -1)

    def modes_at(self, grid: Grid) -> Array:
        """Modes interpolated to the points of a grid, (n_modes, n_fields, n_points)."""
        interpolant = MeshInterpolant(self.mesh, grid)
        values = interpolant(self.modes.reshape(-1, *self.mesh.shape))
        return values.reshape(len(self.modes), self.pde.n_fields, -1)

    def full_rate(self, t: float, values: Array, mu: Array) -> Array:
        """Right-hand side f on the whole mesh, (n_fields, n_0, ...), for a field in any shape."""
        field = GridField(self.mesh, values.reshape(self.pde.n_fields, *self.mesh.shape))
        return np.asarray(self.pde.rate(t, field, mu))

    def rate(self, t: float, a: Array, mu: Array) -> Array:
        """Time derivative of the coefficients, (n_modes,)."""
        if self.sampled is None:
            modes = self.flat_modes
            return np.asarray(modes @ self.full_rate(t, a @ modes, mu).ravel())
        field = SampledField(self.sampled, a)
        return np.asarray(self.sampled.weights @ self.pde.rate(t, field, mu).ravel())

    def integrate(
        self, mu: Array, start: Array, times: Array, *, method: str, rtol: float
    ) -> tuple[Array, str | None]:
        """Integrate the coefficients from time 0.

        Parameters
        ----------
        mu : ndarray of shape (n_parameters,)
        start : ndarray of shape (n_modes,)
            Coefficients at time 0.
        times : ndarray of shape (n_times,)
        method, rtol
            See `scipy.integrate.solve_ivp`.

        Returns
        -------
        path : ndarray of shape (n_times, n_modes)
            Coefficients at the times, NaN after an instability.
        ended : str or None
            Time of the instability for messages, such as "at t = 0.5"; None if there was none.
        """
        scale = max(self.max_norm, float(np.linalg.norm(start)))

        def unstable(_: float, a: Array) -> float:
            return float(np.linalg.norm(a)) - _UNSTABLE * scale

        unstable.terminal = True  # type: ignore[attr-defined]
        path = np.full((len(times), len(start)), np.nan)
        later = times[times > 0]
        n_done = len(times) - len(later)
        path[:n_done] = start
        if not later.size:
            return path, None
        with np.errstate(all="ignore"):
            solution = solve_ivp(
                lambda t, a: self.rate(t, a, mu),
                (0.0, later[-1]),
                start,
                method=method,
                t_eval=later,
                events=unstable,
                rtol=rtol,
                atol=rtol * scale,
            )
        if len(solution.t):
            path[n_done : n_done + len(solution.t)] = solution.y.T
            n_done += len(solution.t)
        if solution.status == 0:
            return path, None
        event = solution.t_events[0]
        if len(event):
            return path, f"at t = {event[0]:.4g}"
        return path, f"after t = {times[n_done - 1]:.4g}"
