"""Checks of user-defined equations, points and returned arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skcolora._snapshots import Array, Grid, check_mask
from skcolora.pdes._boundary import boundary_sides
from skcolora.pdes._field import GridField
from skcolora.pdes._trial import TRIAL_POINTS, TrialField, used_derivatives

if TYPE_CHECKING:
    from skcolora.pdes._pde import PDE


# Most parameters at which an equation is tried.
_TRIAL_PARAMETERS = 32


def check_definition(pde: PDE) -> None:
    """Check that the attributes of an equation fit together.

    Raises
    ------
    ValueError
        If ``domain``, ``period``, ``n_dims``, ``boundary`` or ``surfaces`` do not fit together.
    """
    name = type(pde).__name__
    if len(pde.domain) != pde.n_dims or len(pde.period) != pde.n_dims:
        raise ValueError(
            f"{name} has n_dims = {pde.n_dims}; `domain` and `period` must have {pde.n_dims} "
            f"entries each, but are {pde.domain} and {pde.period}."
        )
    for (low, high), length in zip(pde.domain, pde.period, strict=True):
        if not low < high or (length is not None and not np.isclose(length, high - low)):
            raise ValueError(
                f"{name} has domain ({low}, {high}) with period {length}; the domain must be "
                "an interval (low, high), and the period must be None or high - low."
            )
    boundary_sides(pde)


def check_grid(pde: PDE, grid: Grid) -> None:
    """Check that points lie in the domain of an equation.

    Raises
    ------
    ValueError
        If the number of dimensions differs, or a point lies outside the domain along a
        non-periodic axis.
    """
    if grid.n_dims != pde.n_dims:
        raise ValueError(
            f"`points` have {grid.n_dims} dimension(s), but {type(pde).__name__} has {pde.n_dims}."
        )
    for d, ((low, high), length) in enumerate(zip(pde.domain, pde.period, strict=True)):
        least, most = grid.ranges[d]
        if length is None and (least < low or most > high):
            raise ValueError(
                f"`points` range over [{least:g}, {most:g}] in dimension {d}, outside the domain "
                f"[{low:g}, {high:g}] of {type(pde).__name__}."
            )


def stack_fields(values: Any, shape: tuple[int, ...], xp: Any, pde: PDE, name: str) -> Any:
    """Convert the result of a user's method to one array of a given shape.

    Parameters
    ----------
    values : array, or tuple of arrays
        Result of the method: (n_fields, ...), or one array (...) for each field.
    shape : tuple of int
        Expected shape (n_fields, ...).
    xp : module
        Module of the arrays, numpy or torch.
    pde : PDE
    name : str
        Name of the method, for messages.

    Returns
    -------
    array : array of the given shape

    Raises
    ------
    ValueError
        If the result has another shape, is complex, or has masked entries.
    """
    for part in values if isinstance(values, (tuple, list)) else (values,):
        check_result(part, pde, name)
    if isinstance(values, (tuple, list)):
        shapes = [tuple(getattr(value, "shape", ())) for value in values]
        if len(set(shapes)) != 1:
            raise ValueError(
                f"{type(pde).__name__}.{name} returned fields of shapes {shapes}; expected "
                f"{shape[0]} of shape {tuple(shape[1:])}."
            )
        values = xp.stack(tuple(values))
    found = tuple(getattr(values, "shape", ()))
    if found == tuple(shape[1:]) and shape[0] == 1:
        return values[None]
    if found != tuple(shape):
        raise ValueError(
            f"{type(pde).__name__}.{name} returned shape {found}; expected {tuple(shape)}, that "
            "is (n_fields, ...)."
        )
    return values


def check_result(values: Any, pde: PDE, name: str) -> None:
    """Check that a user's method returned real numbers; the shape is not checked.

    Parameters
    ----------
    values : array or number
        Result of the method, or one of its fields.
    pde : PDE
    name : str
        Name of the method, for messages.

    Raises
    ------
    ValueError
        If the result is complex, masked, or holds no numbers.
    """
    dtype = getattr(values, "dtype", type(values))
    kind = getattr(dtype, "kind", "")
    if kind == "c" or getattr(dtype, "is_complex", False) or dtype is complex:
        raise ValueError(
            f"{type(pde).__name__}.{name} returned complex values ({dtype}); expected real "
            "numbers.  Return `.real` where the imaginary part is rounding, or write the real and "
            "the imaginary part as two fields."
        )
    if kind in tuple("mMSUV"):
        raise ValueError(
            f"{type(pde).__name__}.{name} returned dtype {dtype}; expected real numbers."
        )
    check_mask(values, f"{type(pde).__name__}.{name}")


def check_well_posed(pde: PDE, mu: Array, times: Array) -> None:
    """Check that an equation with second or higher derivatives has conditions at all ends.

    At an end without condition, where ``boundary`` is `Outflow` and the axis has no period, such an
    equation has no unique solution, and its discretisation grows without bound.  The right-hand
    side is tried on the initial field, at the first and last time, with other values of these
    derivatives at the ends.  Where their coefficients vanish at the ends, or the derivative of a
    field acts on other fields alone, no condition is needed.

    Parameters
    ----------
    pde : PDE
    mu : ndarray of shape (n, n_parameters)
        Parameters of the trajectories.
    times : ndarray of shape (n_times,)
        Times of the solution.

    Raises
    ------
    ValueError
        If such a derivative acts at an end without condition, or one of order 3 or 4 along an axis
        at whose ends a field has one condition alone.
    """
    bounded = [d for d, length in enumerate(pde.period) if length is None]
    if not bounded:
        return
    name, sides = type(pde).__name__, boundary_sides(pde)
    if any(side.axis is not None for side in sides):
        for orders in used_derivatives(pde, mu[0]):
            if any(orders[d] > 2 for d in bounded):
                given = ", ".join(map(str, orders))
                raise ValueError(
                    f"{name} has the derivative({given}) along an axis without a period, at whose "
                    "ends it has one condition.  Third and fourth derivatives need more.  Give a "
                    "`period`: a field that is mirrored at the ends has a period of twice the "
                    "length."
                )
    free = {(d, end): np.ones(pde.n_fields, dtype=bool) for d in bounded for end in (0, -1)}
    for side in sides:
        if side.axis is not None:
            free[side.axis, side.end] &= ~side.constrained
    if not any(mask.any() for mask in free.values()):
        return
    some = np.linspace(0, len(mu) - 1, min(len(mu), _TRIAL_PARAMETERS)).astype(int)
    for row in mu[some]:
        for t in (0.0, float(times[-1])):
            if _diffuses_at(pde, free, t, row):
                where = ", ".join(str(d) for d in bounded if any(free[d, e].any() for e in (0, -1)))
                raise ValueError(
                    f"{name} has second or higher derivatives at the free ends of dimension(s) "
                    f"{where}, at {pde.describe(row)}: `boundary` is `Outflow()` there and "
                    "`period` None.  It needs a condition at each end; without one the solution is "
                    "not unique and grows without bound.  Set `boundary` to `Neumann(0.0)`, which "
                    "lets nothing diffuse through the end, to `Dirichlet(value)`, which gives the "
                    "values (those of `initial` by default), or to `Robin`; or give a `period`.  "
                    "Without these derivatives at the ends no condition is needed."
                )


def _diffuses_at(pde: PDE, free: dict[tuple[int, int], Array], t: float, mu: Array) -> bool:
    """Whether a second or higher derivative of a field acts on this field, at its free ends.

    ``free`` holds a mask (n_fields,) for each end (dimension, 0 or -1).

    False where the right-hand side cannot be evaluated, which the solver reports.
    """
    mesh = pde.mesh(TRIAL_POINTS)
    ends = np.zeros((pde.n_fields, *mesh.shape), dtype=bool)
    for (d, end), fields in free.items():
        np.moveaxis(ends, d + 1, 1)[fields, end] = True
    try:
        with np.errstate(all="ignore"):
            value = (
                pde.initial_value(mesh.points, mu)
                if pde.has_initial
                else np.ones((pde.n_fields, *mesh.shape))
            )
            field = GridField(mesh, value)
            parts: dict[Any, Array] = {
                "value": value,
                "grad": field.grad,
                "laplacian": field.laplacian,
            }
            parts |= {orders: field.derivative(*orders) for orders in used_derivatives(pde, mu)}
            high = [
                name
                for name in parts
                if name == "laplacian"
                or (isinstance(name, tuple) and sum(name) > 1 and any(name[d] for d, _ in free))
            ]

            def rate(changed: dict[Any, Array]) -> Array:
                given = {name: part.copy() for name, part in {**parts, **changed}.items()}
                trial = TrialField(mesh.points.copy(), np.ones_like(value), np, given)
                return np.array(pde.rate(t, trial, mu), dtype=np.float64)

            def acts(name: Any) -> Any:
                """Matrix (n_fields, n_fields): whether this part of field j acts on field i."""
                found = np.zeros((pde.n_fields, pde.n_fields), dtype=bool)
                step = 1 + np.abs(parts[name]).max()
                for j in range(pde.n_fields):
                    for sign in (-1, 1):
                        new = parts[name].copy()
                        # Distinct steps along the axes of a gradient do not cancel.
                        steps = step * (1 + np.arange(new.shape[0] if name == "grad" else 1))
                        selected = new[:, j] if name == "grad" else new[j : j + 1]
                        selected[:, ends[j]] += sign * steps[:, None]
                        changed = rate({name: new})
                        both = np.isfinite(changed) & np.isfinite(plain) & ends[j]
                        found[:, j] |= ((changed != plain) & both).reshape(len(found), -1).any(1)
                return found

            plain = rate({})
            diffusion = np.logical_or.reduce([acts(name) for name in high])
            if not diffusion.any():
                return False
            others = [acts(name) for name in parts if name not in high]
            linked = np.logical_or.reduce([diffusion, *others, np.eye(pde.n_fields, dtype=bool)])
    except Exception:
        return False
    for _ in range(pde.n_fields):
        linked = linked @ linked
    return bool((diffusion & linked.T).any())
