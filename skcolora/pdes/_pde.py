"""PDE: base class of evolution equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from skcolora._snapshots import Array, check_real
from skcolora.pdes._checks import stack_fields
from skcolora.pdes._conditions import Outflow, Surface
from skcolora.pdes._field import Field, GridField
from skcolora.pdes._mesh import Mesh
from skcolora.pdes._solvers import solve_many


class PDE:
    """Base class of parametrised evolution equations ``∂ₜu = f(t, x, u; μ)``.

    A subclass sets the attributes below and defines `rhs` and `initial`.  The full-order
    solver, `PODGalerkin` and `CoLoRAGalerkin` use these two methods.

    Arrays have their components first, and ``...`` stands for the axes of the points, in any shape:
    ``points`` is (n_dims, ...), ``field.value`` and ``field.laplacian`` (n_fields, ...), and
    ``field.grad`` (n_dims, n_fields, ...).  ``field.derivative``, with one order for each dimension
    as in ``derivative(3)`` or ``derivative(1, 1)``, is any derivative up to order 4.  ``mu[i]`` is
    the i-th parameter, a number or an array that broadcasts.

    Attributes
    ----------
    n_dims, n_fields : int
        Numbers of space dimensions and of fields, by default 1.
    parameter_names, field_names : tuple of str
        Names of the parameters and fields.  ``len(parameter_names)`` is the number of
        parameters.
    domain : tuple of (low, high)
        One interval for each dimension.
    period : tuple of float or None
        ``high - low`` for a periodic dimension, None for a non-periodic dimension.
    boundary : condition or tuple
        What holds at the ends of non-periodic axes: `Dirichlet` (values), `Neumann` (derivatives
        along the normal), `Robin` (both), or `Outflow` (the equation itself, for what leaves; the
        default).  One condition for all ends; or a tuple with an entry for each dimension: None
        for a periodic one, else a condition for both ends or a pair (low, high).  A mapping from
        names of fields to conditions stands for conditions of some fields.  The words "fixed" and
        "free" are short for ``Dirichlet()``, the values of `initial`, and ``Outflow()``.
    surfaces : tuple of Surface
        Parts of the boundary inside the domain, such as obstacles.  `CoLoRAGalerkin` knows them;
        the full-order solver and `PODGalerkin`, which work on the whole box, do not.
    resolution : int
        Initial number of points of the full-order solver along each axis; see `solve`.
    conserved : mapping of str to callable
        Densities of conserved quantities, as functions of a field.  Their integrals over the
        domain are constant in time.
    norm : {"L2", "H-1"}
        Norm in which `CoLoRAGalerkin` minimises the residual.  "H-1" suits conservation laws
        with steep fronts, because it measures an error by the displacement of the front.

    Examples
    --------
    >>> import numpy as np
    >>> from skcolora.pdes import PDE
    >>> class Heat(PDE):
    ...     parameter_names = ("conductivity",)
    ...     period = (1.0,)
    ...     def initial(self, points, mu):
    ...         return np.sin(2 * np.pi * points[0])
    ...     def rhs(self, t, field, mu):
    ...         return mu[0] * field.laplacian
    >>> u = Heat().solve([0.1, 0.2], times=[0.0, 0.5], points=np.array([[0.25], [0.75]]))
    >>> bool(np.isclose(u[0, 1, 0], np.exp(-0.1 * 0.5 * (2 * np.pi) ** 2)))
    True
    """

    n_dims: ClassVar[int] = 1
    n_fields: ClassVar[int] = 1
    parameter_names: ClassVar[tuple[str, ...]] = ("mu",)
    field_names: ClassVar[tuple[str, ...]] = ("u",)
    domain: ClassVar[tuple[tuple[float, float], ...]] = ((0.0, 1.0),)
    period: ClassVar[tuple[float | None, ...]] = (None,)
    boundary: ClassVar[Any] = Outflow()
    surfaces: ClassVar[tuple[Surface, ...]] = ()
    resolution: ClassVar[int] = 128
    conserved: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    norm: ClassVar[str] = "L2"

    def rhs(self, t: float, field: Field, mu: Any) -> Any:
        """The right-hand side f.

        Write it with arithmetic and the functions of ``field.xp``, the module of the arrays
        (numpy or torch).  It is then valid for fields on a grid and for fields of a network.

        Parameters
        ----------
        t : float or array
            Time; an array broadcasts like ``mu[i]`` if there are several trajectories.
        field : Field
            The solution: ``value``, ``grad``, ``laplacian``, ``derivative``, ``points``, ``xp``.
        mu : sequence
            Parameters.

        Returns
        -------
        rate : array of shape (n_fields, ...), or tuple of n_fields arrays
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `rhs`.")

    def initial(self, points: Any, mu: Any) -> Any:
        """The solution at time 0.

        Parameters
        ----------
        points : ndarray of shape (n_dims, ...)
            Coordinates.
        mu : sequence
            Parameters.

        Returns
        -------
        value : ndarray of shape (n_fields, ...), or tuple of n_fields arrays
            An equation with one field may return shape (...).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `initial`.")

    def exact(self, t: Any, points: Any, mu: Any) -> Any:
        """The exact solution, if the equation has one.

        Parameters
        ----------
        t : number or ndarray
            Time; broadcasts with ``points[d]`` and ``mu[i]``.
        points : sequence of n_dims ndarray
            Coordinates.
        mu : sequence of numbers or ndarray
            Parameters.

        Returns
        -------
        value : ndarray of the broadcast shape, or tuple of n_fields such arrays
        """
        raise NotImplementedError(f"{type(self).__name__} has no exact solution.")

    @property
    def has_initial(self) -> bool:
        """True if the equation defines `initial`."""
        return type(self).initial is not PDE.initial

    @property
    def has_exact(self) -> bool:
        """True if the equation defines `exact`."""
        return type(self).exact is not PDE.exact

    def describe(self, mu: Any) -> str:
        """Names and values of the parameters of one trajectory, for messages.

        Parameters
        ----------
        mu : sequence of numbers
            Parameters.

        Returns
        -------
        description : str
            Description such as "viscosity = 0.01".
        """
        pairs = zip(self.parameter_names, mu, strict=True)
        return ", ".join(f"{name} = {value:g}" for name, value in pairs)

    def rate(self, t: float, field: Field, mu: Any) -> Any:
        """Evaluate `rhs` as one array, and check its shape.

        Parameters
        ----------
        t : float
            Time.
        field : Field
            The solution.
        mu : sequence
            Parameters.

        Returns
        -------
        rate : array of shape (n_fields, ...)

        Raises
        ------
        ValueError
            If `rhs` returns another shape, or complex values.
        """
        return stack_fields(self.rhs(t, field, mu), field.value.shape, field.xp, self, "rhs")

    def initial_value(self, points: Any, mu: Any) -> Array:
        """Evaluate `initial` as one array, and check its shape.

        Parameters
        ----------
        points : ndarray of shape (n_dims, ...)
            Coordinates.
        mu : sequence
            Parameters.

        Returns
        -------
        value : ndarray of shape (n_fields, ...)

        Raises
        ------
        ValueError
            If `initial` returns another shape, or complex or masked values.
        """
        shape = (self.n_fields, *points.shape[1:])
        value = stack_fields(self.initial(points, mu), shape, np, self, "initial")
        return np.asarray(value, dtype=np.float64)

    def mesh(self, n_points: int | tuple[int, ...] | None = None) -> Mesh:
        """The uniform grid of the domain.

        Parameters
        ----------
        n_points : int or tuple of int, default=None
            Number of points along each axis.  None: `resolution`.

        Returns
        -------
        mesh : Mesh
        """
        n = self.resolution if n_points is None else n_points
        shape = tuple(n) if isinstance(n, tuple) else (n,) * self.n_dims
        return Mesh(self.domain, self.period, shape)

    def integrals(self, y: ArrayLike, mesh: Mesh) -> dict[str, Array]:
        """Integrals of the `conserved` densities of snapshots on a mesh.

        Parameters
        ----------
        y : array-like of shape (n, n_times, n_0, ...[, n_fields])
            Snapshots from `solve` with ``points=mesh.axes``.
        mesh : Mesh
            Grid of the snapshots.

        Returns
        -------
        integrals : dict of str to ndarray of shape (n, n_times)
        """
        rows = np.asarray(check_real(y, "y"))
        rows = rows[..., None] if self.n_fields == 1 else rows
        fields = [[GridField(mesh, np.moveaxis(u, -1, 0)) for u in row] for row in rows]
        return {
            name: np.array([[float(mesh.integral(density(f))) for f in row] for row in fields])
            for name, density in self.conserved.items()
        }

    def solve(
        self,
        mu: ArrayLike,
        times: ArrayLike,
        points: Any = None,
        *,
        n_points: int | tuple[int, ...] | None = None,
        method: str = "auto",
        rtol: float = 1e-9,
        atol: float = 1e-9,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> Array:
        """Solve the equation for every parameter.

        The method of lines uses derivatives on a grid and `scipy.integrate.solve_ivp` in time.
        The derivatives are spectral along periodic axes and of order 4 along the others.
        Periodic axes are filtered by the 2/3 rule against aliasing, and the solver monitors the
        highest third of the kept waves.  If they exceed ``atol + rtol`` times the size of the
        scaled field by a factor of 100, the number of points is doubled, up to four times (twice in
        several dimensions).  If ``n_points`` is given, the trajectory fails instead.
        Non-periodic axes are not monitored.  Compare two values of ``n_points`` there.

        Parameters
        ----------
        mu : array-like of shape (n, n_parameters), or (n,) for one parameter
            Parameters, with one row for each trajectory.
        times : array-like of shape (n_times,)
            Strictly increasing times, not negative.  The initial field holds at time 0.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Points of the solution; a tuple of axes defines a tensor grid.  None: the axes
            of `mesh`.
        n_points : int or tuple of int, default=None
            Number of grid points of the solver along each axis.  None: `resolution`, with
            refinement.
        method : str, default="auto"
            "exact", "finite_volume" (for conservation laws in one dimension), or a method
            of `~scipy.integrate.solve_ivp` such as "DOP853" or "BDF".  "auto" takes the
            exact solution if there is one, finite volumes if the equation has a ``flux``, and
            otherwise "DOP853".
        rtol, atol : float, default=1e-9
            Tolerances of a time step, for the distance of each field from the middle of its
            initial values, in units of half their range.  The time step of finite volumes
            depends on the CFL number instead.
        n_jobs : int or None, default=None
            Number of trajectories that are solved in parallel, as in joblib.
        verbose : int, default=0
            A value above 0 shows a progress bar.

        Returns
        -------
        y : ndarray of shape (n, n_times, n_points) or ``(n, n_times, *grid)``
            Snapshots.  Equations with several fields add a last axis of length n_fields.

        Raises
        ------
        ValueError
            If an argument has the wrong shape or range, or does not fit the equation, or if the
            equation has second or higher derivatives at free ends.
        SolverError
            If trajectories failed: the grid is too coarse, the time step is unstable, or `rhs`
            failed.  The attribute ``solutions`` of the error holds the other trajectories.
        """
        return solve_many(
            self,
            mu,
            times,
            points,
            n_points=n_points,
            method=method,
            rtol=rtol,
            atol=atol,
            n_jobs=n_jobs,
            verbose=verbose,
        )

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in sorted(vars(self).items()))
        return f"{type(self).__name__}({values})"
