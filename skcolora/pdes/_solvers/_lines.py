"""The method of lines for one trajectory, on a grid with adaptive refinement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.integrate import solve_ivp

from skcolora._snapshots import Array, Grid, is_constant
from skcolora.pdes._field import GridField
from skcolora.pdes._grid_conditions import GridConditions
from skcolora.pdes._interpolant import MeshInterpolant
from skcolora.pdes._mesh import Mesh
from skcolora.pdes._solvers._errors import TrajectoryError

if TYPE_CHECKING:
    from skcolora.pdes._pde import PDE

# Limits of the highest waves, in units of the tolerance.  The grid is refined if the highest third
# of the kept waves exceeds the first limit.  It is coarsened if all waves that the coarser grid
# would monitor or lose are below the second limit.
_TOO_COARSE, _TOO_FINE = 100.0, 5.0
_FEWEST_POINTS = 32
# Size of a field that is constant at first, in units of its rate times the last time.
_SHARE_OF_CHANGE = 0.01


def solve_lines(
    pde: PDE,
    mu: Array,
    times: Array,
    grid: Grid,
    n_points: int | tuple[int, ...] | None,
    method: str,
    rtol: float,
    atol: float,
) -> Array:
    """Solve the equation for one parameter mu (n_parameters,); see `PDE.solve`.

    Returns
    -------
    values : ndarray of shape (n_times, n_fields, *grid.shape)

    Raises
    ------
    TrajectoryError
        If the grid is too coarse, the time step is too small, or the right-hand side is not
        finite.
    """
    run = _Run(pde, mu, n_points, rtol, atol, float(times[-1]))
    out = np.empty((len(times), pde.n_fields, *grid.shape))
    done, t, state = 0, 0.0, run.start()
    if times[0] == 0.0:
        out[0] = MeshInterpolant(run.mesh, grid)(run.conditions.complete(0.0, state))
        done = 1
    while done < len(times):
        run.check_rate(t, state)
        with np.errstate(all="ignore"):
            solution = solve_ivp(
                run.scaled_rate,
                (t, times[-1]),
                run.to_scaled(state),
                method=method,
                t_eval=times[done:],
                events=run.events(),
                rtol=rtol,
                atol=atol,
            )
        evaluate = MeshInterpolant(run.mesh, grid)
        for time, values in zip(solution.t, solution.y.T, strict=True) if len(solution.t) else ():
            out[done] = evaluate(run.conditions.complete(time, run.from_scaled(values)))
            done += 1
        if solution.status < 0 or not np.isfinite(out[:done]).all():
            raise run.failure()
        if solution.status == 1:
            finer = len(solution.t_events[0]) > 0
            event = 0 if finer else 1
            t = float(solution.t_events[event][-1])
            state = run.change_mesh(t, run.from_scaled(solution.y_events[event][-1]), finer)
    return out


class _Run:
    """The semi-discrete equation of one trajectory, with its mesh, last time and last state.

    The time integration sees scaled values, ``(u - center) / scale`` of each field, so that its
    tolerances do not depend on the units of the fields.
    """

    def __init__(
        self,
        pde: PDE,
        mu: Array,
        n_points: int | tuple[int, ...] | None,
        rtol: float,
        atol: float,
        last_time: float,
    ) -> None:
        self.pde, self.mu, self.rtol, self.atol = pde, mu, rtol, atol
        self.last_time = last_time
        self.center, self.scale = np.zeros(pde.n_fields), np.ones(pde.n_fields)
        self.mesh = pde.mesh(n_points)
        # Meshes with other numbers of points have no ends.
        self.conditions = GridConditions(pde, self.mesh, mu)
        self.constrained = self.conditions.mask(pde.n_fields)
        self.adapts = n_points is None and all(length is not None for length in pde.period)
        self.most_points = max(self.mesh.shape) * (16 if pde.n_dims == 1 else 4)
        self.time = 0.0
        self.state: Array = np.empty(0)

    def start(self) -> Array:
        """Initial values on a mesh that resolves them, (n_fields, n_0, ...)."""
        while True:
            state = self.pde.initial_value(self.mesh.points, self.mu)
            if not np.isfinite(state).all():
                raise TrajectoryError(0.0, "`initial` returned NaN or infinity")
            self._set_scale(state)
            if self._tail(state, 2 / 3) <= _TOO_COARSE:
                break
            self.mesh = self._refine_mesh(0.0)
        while self._may_coarsen() and self._tail(state, 1 / 3) < _TOO_FINE:
            self.mesh = self._scale_mesh(0.5)
            state = self.pde.initial_value(self.mesh.points, self.mu)
        return self.mesh.filtered(state)

    def _set_scale(self, state: Array) -> None:
        """Set center and scale of each field from its initial values (n_fields, n_0, ...)."""
        values = state.reshape(len(state), -1)
        low, high = values.min(axis=1), values.max(axis=1)
        constant = is_constant(low, high)
        self.center = np.where(constant, low, low / 2 + high / 2)
        self.scale = high / 2 - low / 2
        if constant.any():
            try:
                with np.errstate(all="ignore"):
                    rates = np.abs(self.rate(0.0, state.ravel())).reshape(values.shape).max(axis=1)
            except TrajectoryError:  # which the integration reports
                rates = np.zeros(len(state))
            change = _SHARE_OF_CHANGE * self.last_time * rates
            usable = np.isfinite(change) & (change > 0)
            self.scale[constant] = np.where(usable, change, 1.0)[constant]

    def to_scaled(self, state: Array) -> Array:
        """Flattened scaled values."""
        values = state.reshape(len(self.scale), -1)
        return ((values - self.center[:, None]) / self.scale[:, None]).ravel()

    def from_scaled(self, flat: Array) -> Array:
        """Values on the mesh, (n_fields, n_0, ...)."""
        values = self.center[:, None] + self.scale[:, None] * flat.reshape(len(self.scale), -1)
        return values.reshape(-1, *self.mesh.shape)

    def scaled_rate(self, t: float, flat: Array) -> Array:
        """Time derivative of the flattened scaled values."""
        rate = self.rate(t, self.from_scaled(flat).ravel()).reshape(len(self.scale), -1)
        return (rate / self.scale[:, None]).ravel()

    def _may_coarsen(self) -> bool:
        """True if the mesh is adaptive and large enough for coarsening."""
        return self.adapts and min(self.mesh.shape) >= 2 * _FEWEST_POINTS

    def change_mesh(self, t: float, state: Array, finer: bool) -> Array:
        """Interpolate the values to a mesh with twice or half as many points along each axis."""
        old = self.mesh
        self.mesh = self._refine_mesh(t) if finer else self._scale_mesh(0.5)
        axes = self.mesh.axes
        interpolated = MeshInterpolant(old, Grid(np.empty((0, len(axes))), self.mesh.shape, axes))(
            state
        )
        return self.mesh.filtered(interpolated)

    def _scale_mesh(self, factor: float) -> Mesh:
        """A mesh with another number of points along each axis."""
        shape = tuple(round(factor * n) for n in self.mesh.shape)
        return Mesh(self.mesh.domain, self.mesh.period, shape)

    def _refine_mesh(self, t: float) -> Mesh:
        """A mesh with twice as many points, or a TrajectoryError if the mesh is too large."""
        if not self.adapts or max(self.mesh.shape) >= self.most_points:
            n = " × ".join(map(str, self.mesh.shape))
            raise TrajectoryError(
                t,
                f"a grid of {n} points is too coarse for rtol = {self.rtol:g}, atol = "
                f"{self.atol:g}: the highest third of its waves exceeds the tolerance by a factor "
                f"of {_TOO_COARSE:g}.  Raise `n_points` or the tolerances",
            )
        return self._scale_mesh(2.0)

    def _tail(self, state: Array, share: float) -> float:
        """Size of the waves above the share, in units of the tolerance, maximum over the fields."""
        scaled = self.to_scaled(state).reshape(state.shape)
        sizes = np.sqrt((scaled**2).reshape(len(state), -1).mean(axis=1))
        return float((self.mesh.tails(scaled, share) / (self.atol + self.rtol * sizes)).max())

    def rate(self, t: float, flat: Array) -> Array:
        """Time derivative of the flattened values on the mesh."""
        state = flat.reshape(self.pde.n_fields, *self.mesh.shape)
        try:
            if self.conditions:
                state = self.conditions.complete(t, state)
            rate = self.pde.rate(t, GridField(self.mesh, state), self.mu)
        except Exception as error:
            raise TrajectoryError(t, f"{type(error).__name__}: {error}") from error
        rate = self.mesh.filtered(rate)
        return np.where(self.constrained, 0.0, rate).ravel() if self.conditions else rate.ravel()

    def check_rate(self, t: float, state: Array) -> None:
        """Raise a TrajectoryError if the right-hand side is not finite."""
        self.time, self.state = t, state.ravel()
        with np.errstate(all="ignore"):
            rate = self.rate(t, self.state)
        if not np.isfinite(rate).all():
            raise TrajectoryError(t, "`rhs` returned NaN or infinity")

    def events(self) -> list[Any]:
        """Events of `solve_ivp`: the mesh is too coarse, or finer than needed."""

        def too_coarse(t: float, flat: Array) -> float:
            if not np.isfinite(flat).all():
                return -1.0
            state = self.from_scaled(flat)
            if t >= self.time:
                self.time, self.state = t, state.ravel()
            return self._tail(state, 2 / 3) - _TOO_COARSE

        def too_fine(_: float, flat: Array) -> float:
            if not np.isfinite(flat).all():
                return 1.0
            return self._tail(self.from_scaled(flat), 1 / 3) - _TOO_FINE

        events: list[Any] = [too_coarse]
        if self._may_coarsen():
            events.append(too_fine)
        for event, direction in zip(events, (1.0, -1.0), strict=False):
            event.terminal, event.direction = True, direction
        return events

    def failure(self) -> TrajectoryError:
        """Error for a time step that failed."""
        with np.errstate(all="ignore"):
            rate = self.rate(self.time, self.state)
        if not np.isfinite(rate).all():
            return TrajectoryError(self.time, "`rhs` returned NaN or infinity")
        size = float(np.abs(self.state).max())
        return TrajectoryError(
            self.time,
            f"the time step became too small; the largest absolute value is {size:.3g}.  The "
            "solution blows up, `rhs` is not finite at a later time, or the discretisation is "
            "unstable.  Check the equation and its boundary, try another `n_points`, or a "
            "`method` for stiff equations such as 'BDF'",
        )
