"""Galerkin projection of an equation onto POD modes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from skcolora._galerkin._hyperreduction import SampledField, SampledModes
from skcolora._snapshots import VARIATION_FLOOR, Array, Grid, inverse_scale
from skcolora.pdes import PDE, GridField, Mesh
from skcolora.pdes._grid_conditions import GridConditions
from skcolora.pdes._interpolant import MeshInterpolant

# Growth of the coefficients, relative to the snapshots, that counts as an instability.
_UNSTABLE = 2.0


@dataclass(frozen=True, eq=False)
class PODEquation:
    """``ȧᵢ = ⟨vᵢ, f(t, ū + s Σ aⱼ vⱼ; μ) / s⟩`` for the coefficients a of POD modes v.

    ū is the mean snapshot and s the scale of each field.  f is evaluated in the user's units, and
    projected in scaled ones.  As in the full-order solver, the values at the ends of the mesh
    follow from the other values and the boundary conditions, and f there from their rates.
    """

    pde: PDE
    mean: Array
    """Mean snapshot, (n_fields, n_0, ...)"""
    scale: Array
    """Scales, (n_fields,); 0 for a field that remains at its mean"""
    modes: Array
    """Orthonormal POD modes, (n_modes, n_fields, n_0, ...)"""
    sampled: SampledModes | None
    """Modes at the sample points.  None: f is evaluated at all points."""
    max_norm: float
    """Largest norm of the coefficients over all snapshots"""
    max_variation: float
    """Largest norm of the scaled snapshots about the mean of each field"""
    duration: float
    """Last time of the snapshots"""

    def __getstate__(self) -> dict[str, Any]:
        # Without the mesh, which holds arrays on the whole grid.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh of the modes."""
        return self.pde.mesh(self.mean.shape[1:])

    @property
    def slope(self) -> Array:
        """``1 / scale``, and 0 where the scale is 0, (n_fields,)."""
        return inverse_scale(self.scale)

    @property
    def flat_modes(self) -> Array:
        """Modes as rows, (n_modes, n_fields * n_points)."""
        return self.modes.reshape(len(self.modes), -1)

    def at(self, grid: Grid) -> tuple[Array, Array]:
        """Mean (n_fields, n_points) and modes (n_modes, n_fields, n_points), interpolated to the
        points of a grid."""
        interpolant = MeshInterpolant(self.mesh, grid)
        values: Array = interpolant(
            np.concatenate([self.mean[None], self.modes]).reshape(-1, *self.mesh.shape)
        )
        values = values.reshape(1 + len(self.modes), self.pde.n_fields, -1)
        return values[0], values[1:]

    def conditions(self, mu: Array) -> GridConditions:
        """Boundary conditions on the mesh at parameters (n_parameters,)."""
        return GridConditions(self.pde, self.mesh, mu)

    def full_rate(self, t: float, values: Array, conditions: GridConditions) -> Array:
        """Scaled right-hand side ``f / s`` on the whole mesh, (n_fields, n_points), for a field
        in the user's units, of any shape."""
        values = values.reshape(self.pde.n_fields, *self.mesh.shape)
        if conditions:
            values = conditions.complete(t, values)
        rate = np.asarray(self.pde.rate(t, GridField(self.mesh, values), conditions.mu))
        if conditions:
            rate = conditions.complete_rates(t, values, rate, self.duration)
        return rate.reshape(self.pde.n_fields, -1) * self.slope[:, None]

    def rate(self, t: float, a: Array, conditions: GridConditions) -> Array:
        """Time derivative of the coefficients, (n_modes,)."""
        if self.sampled is None:
            rate = self.full_rate(t, self.fields(a), conditions)
            return np.asarray(self.flat_modes @ rate.ravel())
        field = SampledField(self.sampled, a)
        return np.asarray(self.sampled.weights @ self.pde.rate(t, field, conditions.mu).ravel())

    def fields(self, a: Array) -> Array:
        """Fields of coefficients (..., n_modes) on the mesh, (..., n_fields, n_0, ...)."""
        shape = (*a.shape[:-1], *self.mean.shape)
        scaled = (a @ self.flat_modes).reshape(shape)
        return self.mean + self.scale.reshape(-1, *[1] * len(self.mesh.shape)) * scaled

    def completed_fields(self, times: Array, path: Array, mu: Array) -> Array:
        """Fields of coefficients (n_times, n_modes) that satisfy the boundary conditions."""
        fields, conditions = self.fields(path), self.conditions(mu)
        if conditions:
            pairs = zip(times, fields, strict=True)
            fields = np.stack([conditions.complete(t, field) for t, field in pairs])
        return fields

    def project(self, field: Array, mean: Array, modes: Array) -> tuple[Array, float]:
        """Coefficients of a field that fit it best, and the share of its variation that is missed.

        Parameters
        ----------
        field : ndarray of shape (n_fields, n_points)
        mean, modes : ndarray
            Mean and modes at the points of the field.

        Returns
        -------
        coefficients : ndarray of shape (n_modes,)
        missed : float
        """
        mean, flat = mean.reshape(field.shape), modes.reshape(len(modes), -1)
        scaled = ((field - mean) * self.slope[:, None]).ravel()
        if field.size == self.mean.size and modes is self.modes:
            start: Array = flat @ scaled
        else:
            start = np.linalg.lstsq(flat.T, scaled, rcond=1e-10)[0]
        variation = (field - field.mean(axis=1, keepdims=True)) * self.slope[:, None]
        # Sums of squares grow with the number of points.
        least = self.max_variation * np.sqrt(field.size / self.mean.size)
        size = max(float(np.linalg.norm(variation)), VARIATION_FLOOR * least)
        missed = float(np.linalg.norm(scaled - start @ flat)) / size if size else 0.0
        constant = self.scale == 0
        largest = np.maximum(np.abs(field), np.abs(mean))[constant]
        if largest.any():
            lost = np.linalg.norm((field - mean)[constant]) / np.linalg.norm(largest)
            missed = max(missed, float(lost))
        return start, missed

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
        # Constant snapshots have no variation and no rate; 1 stands for any positive number.
        scale = max(self.max_norm, float(np.linalg.norm(start))) or 1.0
        limit = _UNSTABLE * max(scale, self.max_variation)

        conditions = self.conditions(mu)

        def unstable(_: float, a: Array) -> float:
            return float(np.linalg.norm(a)) - limit

        unstable.terminal = True  # type: ignore[attr-defined]
        path = np.full((len(times), len(start)), np.nan)
        later = times[times > 0]
        n_done = len(times) - len(later)
        path[:n_done] = start
        if not later.size:
            return path, None
        # In shares of the last time, because the first step of solve_ivp depends on the unit.
        last = float(later[-1])
        with np.errstate(all="ignore"):
            solution = solve_ivp(
                lambda share, a: last * self.rate(last * share, a, conditions),
                (0.0, 1.0),
                start,
                method=method,
                t_eval=later / last,
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
            return path, f"at t = {last * event[0]:.4g}"
        return path, f"after t = {times[n_done - 1]:.4g}"
