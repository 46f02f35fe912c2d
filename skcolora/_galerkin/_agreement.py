"""Checks that snapshots, a network and an equation belong together, before any training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skcolora._snapshots import Array, Grid, SnapshotLayout
from skcolora.pdes import PDE
from skcolora.pdes._checks import check_well_posed

# Rounding of the ends of a domain, relative to its length; axes are often kept in float32.
_ROUNDING = 1e-5
# Share of the domain that the points must cover.  Points that cover less are probably in another
# unit than the domain.
_LEAST_COVER = 0.02


def check_agreement(pde: PDE, X: Array, layout: SnapshotLayout) -> None:
    """Check that the snapshots can be solutions of the equation.

    Raises
    ------
    ValueError
        If the number of parameters, fields or dimensions differs, the snapshots are steady
        fields, a time is negative, the points do not fit the domain of the equation, or the
        equation lacks a boundary condition.
    """
    name = type(pde).__name__
    pairs = [
        ("parameter(s)", X.shape[1], len(pde.parameter_names)),
        ("field(s)", layout.n_fields, pde.n_fields),
        ("space dimension(s)", layout.grid.n_dims, pde.n_dims),
    ]
    for what, found, expected in pairs:
        if found != expected:
            raise ValueError(f"The snapshots have {found} {what}, but {name} has {expected}.")
    if layout.steady:
        raise ValueError(
            f"{name} is an evolution equation, but y holds steady fields; give `times`."
        )
    if layout.times[0] < 0:
        raise ValueError(f"`times` must not be negative; got {layout.times[0]:g}.")
    _check_domain(pde, layout.grid)
    check_well_posed(pde, X, layout.times)


def _check_domain(pde: PDE, grid: Grid) -> None:
    for d, ((low, high), (start, end)) in enumerate(zip(grid.ranges, pde.domain, strict=True)):
        length = end - start
        given = f"`points` range over [{low:g}, {high:g}] in dimension {d}"
        domain = f"the domain [{start:g}, {end:g}] of {type(pde).__name__}"
        if low < start - _ROUNDING * length or high > end + _ROUNDING * length:
            raise ValueError(
                f"{given}, outside {domain}.  Give the points in the unit and from the origin of "
                "the equation, or set `domain` (and `period`) in the equation."
            )
        if grid.n_points > 1 and high - low < _LEAST_COVER * length:
            raise ValueError(
                f"{given}, which is {(high - low) / length:.2g} of {domain}.  Give the "
                "points in the unit of the equation, or set `domain` (and `period`) in the "
                "equation."
            )


def parameter_order(pde: PDE, names: Sequence[Any] | None) -> list[int] | None:
    """Indices of the named columns in the order of the equation's parameters.

    Parameters
    ----------
    pde : PDE
    names : sequence of str or None
        Names of the columns of X.  None: the columns have no names.

    Returns
    -------
    order : list of int or None
        None: the columns keep their order, because they have no names, or none of the names is
        that of a parameter.

    Raises
    ------
    ValueError
        If some of the names, but not all, are names of parameters.
    """
    wanted = list(pde.parameter_names)
    given = [] if names is None else list(names)
    if not set(given) & set(wanted):
        return None
    if sorted(given) != sorted(wanted):
        raise ValueError(
            f"X has the columns {given}, but {type(pde).__name__} has the parameters {wanted}; "
            "give the columns these names."
        )
    return [given.index(name) for name in wanted]


def check_grid_is_given(pde: PDE, times: Any, points: Any, where: str) -> None:
    """Check that times and points of the snapshots are given, in the words of ``where``.

    Raises
    ------
    ValueError
        If one of them is None.  Uniform numbers from 0 to 1 would be a guess: an equation holds
        in the units of its own.
    """
    missing = [name for name, value in (("times", times), ("points", points)) if value is None]
    if missing:
        raise ValueError(
            f"{' and '.join(missing)} of the snapshots must be given to solve "
            f"{type(pde).__name__}; give {where}."
        )


def check_network_period(pde: PDE, period: tuple[float | None, ...]) -> None:
    """Check that a network has the periods of the equation.

    Along a dimension in which the equation is not periodic, the network may have a period that is
    longer than the domain.

    Raises
    ------
    ValueError
        If the network has another period.
    """
    name = type(pde).__name__
    for d, (wanted, given) in enumerate(zip(pde.period, period, strict=True)):
        if wanted is not None:
            if given is None or not np.isclose(given, wanted, rtol=_ROUNDING):
                has = "no period" if given is None else f"the period {given:g}"
                raise ValueError(
                    f"{name} is periodic in dimension {d}, with period {wanted:g}, but the "
                    f"regressor has {has}; give the regressor period={pde.period!r}."
                )
        elif given is not None and given <= (1 + _ROUNDING) * np.ptp(pde.domain[d]):
            raise ValueError(
                f"{name} is not periodic in dimension {d}, but the regressor has the period "
                f"{given:g}, which makes both ends of the domain equal; give the regressor "
                f"period={pde.period!r}."
            )
