"""The boundary of an equation: its parts, and the numbers of their conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skcolora._snapshots import Array
from skcolora.pdes._conditions import Condition, Dirichlet, Outflow, Surface

if TYPE_CHECKING:
    from skcolora.pdes._pde import PDE

# Distance from the boundary, relative to the domain, within which a point is on the boundary.
# Coordinates are often kept in single precision.
_ON_BOUNDARY = 1e-6
# Short words for two conditions.
_WORDS: dict[str, Condition] = {"fixed": Dirichlet(), "free": Outflow()}
# Distance of the times of a difference in time, relative to the duration.
_TIME_STEP = 1e-3
# Coefficients of the derivatives of the Lagrange polynomials on the nodes 0, ..., 4.
_NODES = np.arange(5.0)
_SLOPES = np.polynomial.polynomial.polyder(np.linalg.inv(np.vander(_NODES, increasing=True)))


@dataclass(frozen=True)
class Side:
    """A part of the boundary and the conditions of all fields on it."""

    pde: PDE
    conditions: tuple[Condition, ...]
    """One for each field"""
    shared: bool
    """Whether all fields have the same condition, whose functions return all of them"""
    axis: int | None = None
    """The axis whose end this is; None for a surface"""
    end: int = 0
    """0 for the low end, -1 for the high end"""
    surface: Surface | None = None

    @property
    def constrained(self) -> NDArray[np.bool_]:
        """Mask of the fields that have a condition, (n_fields,)."""
        return np.array([condition.terms is not None for condition in self.conditions])

    @property
    def fixes_values(self) -> NDArray[np.bool_]:
        """Mask of the fields whose values are given, (n_fields,)."""
        terms = [condition.terms for condition in self.conditions]
        return np.array([each is not None and _is_zero(each[1]) for each in terms])

    @property
    def varies(self) -> bool:
        """Whether a given number depends on time, position or parameters."""
        terms = [each for condition in self.conditions for each in condition.terms or ()]
        return any(callable(each) for each in terms)

    def on(self, points: Array) -> NDArray[np.bool_]:
        """Mask (n,) of the points (n, n_dims) that lie on this part."""
        if self.axis is not None:
            ends = self.pde.domain[self.axis]
            distance = np.abs(points[:, self.axis] - ends[self.end])
            return np.asarray(distance <= _ON_BOUNDARY * (ends[1] - ends[0]))
        assert self.surface is not None
        if callable(self.surface.on):
            mask = np.asarray(self.surface.on(points.T))
            if mask.shape != (len(points),) or mask.dtype != bool:
                raise ValueError(
                    f"`on` of a Surface of {type(self.pde).__name__} returned shape {mask.shape} "
                    f"of dtype {mask.dtype} for points of shape {points.T.shape}; expected a mask "
                    f"of shape {(len(points),)}."
                )
            return mask
        extent = max(high - low for low, high in self.pde.domain)
        nodes = cKDTree(np.asarray(self.surface.on, dtype=np.float64).reshape(-1, self.pde.n_dims))
        return np.asarray(nodes.query(points)[0] <= _ON_BOUNDARY * extent)

    def normals(self, points: Array) -> Array:
        """Outward unit normals (n_dims, n) at points (n_dims, n) on this part."""
        if self.axis is not None:
            found = np.zeros(points.shape)
            found[self.axis] = 1.0 if self.end else -1.0
            return found
        if self.surface is None or self.surface.normal is None:
            return np.zeros(points.shape)
        found = np.asarray(self.surface.normal(points), dtype=np.float64)
        if found.shape != points.shape:
            raise ValueError(
                f"`normal` of a Surface of {type(self.pde).__name__} returned shape {found.shape}; "
                f"expected {points.shape}, that is (n_dims, n)."
            )
        return np.asarray(found / np.linalg.norm(found, axis=0))

    def terms(self, t: Any, points: Any, mu: Any) -> Array:
        """a, b and g of all fields, (3, n_fields, ...); 0 where a field has no condition.

        Parameters
        ----------
        t : number or ndarray
        points : ndarray of shape (n_dims, ...)
        mu : sequence of number or ndarray
            t and the parameters broadcast with ``points[d]``.
        """
        shape = np.broadcast_shapes(points.shape[1:], np.shape(t), *map(np.shape, mu))
        n = len(self.conditions)
        out = np.zeros((3, n, *shape))
        for i, condition in enumerate(self.conditions):
            for k, given in enumerate(condition.terms or ()):
                if given is None:
                    values: Any = self.pde.initial_value(points, mu)[i]
                elif not callable(given):
                    values = given
                else:
                    values = given(t, points, mu)
                    if self.shared and n > 1:
                        values = _component(values, i, n, len(shape))
                try:
                    out[k, i] = values
                except (TypeError, ValueError) as error:
                    raise ValueError(
                        f"A function of {condition!r} of {type(self.pde).__name__} returned shape "
                        f"{np.shape(values)}; expected a number or shape {shape}."
                    ) from error
        return out

    def rates(self, t: Any, points: Any, mu: Any, duration: float) -> Array:
        """Derivatives in time of a, b and g, by differences of order 4, as in `terms`.

        They use times from 0 on, up to 0.4 percent of the duration away from t.
        """
        h = _TIME_STEP * duration
        t = np.asarray(t, dtype=np.float64)
        first = np.maximum(t - 2 * h, 0.0)
        share = (t - first) / h
        total: Any = 0.0
        for node, slope in zip(_NODES, _SLOPES.T, strict=True):
            factor = np.polynomial.polynomial.polyval(share, slope) / h
            total = total + factor * self.terms(first + node * h, points, mu)
        return np.asarray(total)


def boundary_sides(pde: PDE) -> list[Side]:
    """The parts of the boundary of an equation on which at least one field has a condition.

    Raises
    ------
    ValueError
        If ``boundary`` or ``surfaces`` of the equation are malformed.
    """
    entries = pde.boundary
    if not isinstance(entries, tuple):
        entries = tuple(None if length is not None else entries for length in pde.period)
    name = type(pde).__name__
    if len(entries) != pde.n_dims:
        raise ValueError(
            f"{name}.boundary has {len(entries)} entries; expected one for each of the "
            f"{pde.n_dims} dimension(s): None for a periodic one, else a condition, or a pair of "
            "conditions at the low and the high end."
        )
    sides = []
    for axis, (entry, length) in enumerate(zip(entries, pde.period, strict=True)):
        if length is not None:
            if entry is not None:
                raise ValueError(
                    f"{name}.boundary has a condition in dimension {axis}, which has the period "
                    f"{length:g}; give None there, or None as the `period`."
                )
            continue
        pair = entry if isinstance(entry, tuple) else (entry, entry)
        if len(pair) != 2:
            raise ValueError(
                f"{name}.boundary has {len(pair)} conditions in dimension {axis}; expected a pair, "
                "at the low and the high end."
            )
        for end, each in zip((0, -1), pair, strict=True):
            sides.append(Side(pde, *_conditions(pde, each), axis=axis, end=end))
    for surface in pde.surfaces:
        if not isinstance(surface, Surface):
            raise ValueError(f"{name}.surfaces must hold `Surface` objects; got {surface!r}.")
        side = Side(pde, *_conditions(pde, surface.condition), surface=surface)
        if surface.normal is None and (side.constrained & ~side.fixes_values).any():
            raise ValueError(
                f"A Surface of {name} has a condition on the derivative along the normal; give its "
                "`normal`, a function of the points."
            )
        sides.append(side)
    return [side for side in sides if side.constrained.any()]


def fixed_values(sides: list[Side], points: Array) -> NDArray[np.bool_]:
    """Mask (n_fields, n) of the values that the conditions give, at points (n, n_dims)."""
    found = np.zeros((sides[0].pde.n_fields if sides else 1, len(points)), dtype=bool)
    for side in sides:
        found |= side.fixes_values[:, None] & side.on(points)
    return found


def _conditions(pde: PDE, given: Any) -> tuple[tuple[Condition, ...], bool]:
    """The conditions of all fields, and whether they are one and the same."""
    name, mapping = type(pde).__name__, isinstance(given, Mapping)
    if mapping:
        unknown = set(given) - set(pde.field_names)
        if unknown:
            raise ValueError(
                f"{name}.boundary names the field(s) {sorted(map(str, unknown))}, but the fields "
                f"are {list(pde.field_names)}."
            )
        each = tuple(given.get(field, Outflow()) for field in pde.field_names)
    else:
        each = (given,) * pde.n_fields
    each = tuple(_WORDS.get(one, one) if isinstance(one, str) else one for one in each)
    for condition in each:
        if not isinstance(condition, Condition):
            raise ValueError(
                f"{name}.boundary holds {condition!r}; expected `Dirichlet`, `Neumann`, `Robin` or "
                "`Outflow` of skcolora.pdes, the words 'fixed' or 'free', or a mapping from names "
                "of fields to these."
            )
    return each, not mapping


def _is_zero(given: Any) -> bool:
    return not callable(given) and given == 0


def _component(values: Any, i: int, n: int, ndim: int) -> Any:
    """Values of one field from those of all fields, or the number that holds for all."""
    if isinstance(values, (tuple, list)):
        return values[i]
    return values[i] if np.ndim(values) == ndim + 1 and len(values) == n else values
