"""Selection of trajectories, fields and times, and their descriptions in titles."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora._snapshots import Array


def check_index(index: Any, n: int, name: str) -> int:
    """Check an index of n entries, and convert a negative one; a ValueError if out of range."""
    if not isinstance(index, (int, np.integer)) or not -n <= index < n:
        raise ValueError(f"`{name}` must be an integer from 0 to {n - 1}; got {index!r}.")
    return int(index) % n


def nearest_times(times: Array, wanted: ArrayLike | None, default: int = 4) -> list[int]:
    """Indices of the snapshots nearest to the wanted times.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        Times of the snapshots.
    wanted : array-like of shape (n_shown,) or None
        None: ``default`` evenly spread times.
    default : int, default=4

    Returns
    -------
    indices : list of int

    Raises
    ------
    ValueError
        If the wanted times are not finite numbers in the range of the snapshots.
    """
    if wanted is None:
        spread = np.linspace(0, len(times) - 1, min(default, len(times)))
        return [int(i) for i in spread.round()]
    try:
        asked = np.atleast_1d(np.asarray(wanted, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"`times` must be numeric; got {wanted!r}.") from error
    if asked.ndim != 1 or not asked.size or not np.isfinite(asked).all():
        raise ValueError(f"`times` must hold finite numbers in one dimension; got {wanted!r}.")
    reach = 0.5 * np.diff(times).max() if len(times) > 1 else 1e-9 * max(1.0, abs(times[0]))
    outside = (asked < times[0] - reach) | (asked > times[-1] + reach)
    if outside.any():
        raise ValueError(
            f"`times` must lie between {times[0]:g} and {times[-1]:g}, the times of the "
            f"snapshots; got {asked[outside][0]:g}."
        )
    return [int(i) for i in np.unique(np.abs(times[:, None] - asked).argmin(axis=0))]


def take_row(X: Any, i: int) -> Any:
    """Row i of an array or data frame (n, n_parameters), with the column names."""
    return X.iloc[[i]] if hasattr(X, "iloc") else np.asarray(X)[[i]]


def column_names(X: Any) -> list[str] | None:
    """Column names of a data frame; None for other arrays."""
    columns = getattr(X, "columns", None)
    return None if columns is None else [str(column) for column in columns]


def describe_parameters(
    row: Any, names: list[str] | None, units: Sequence[str] | None = None
) -> str:
    """Names, values and units of the parameters of a trajectory, for titles."""
    values = [_short(value) for value in np.asarray(row).ravel()]
    if units is not None:
        values = [" ".join(pair).strip() for pair in zip(values, units, strict=True)]
    if names is not None:
        return ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
    text = values[0] if len(values) == 1 else f"({', '.join(values)})"
    return rf"$\mu$ = {text}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, Real) else str(value)


def describe_errors(label: str | None, error: float, centered: float) -> str:
    """Title with a label, the relative error, and that of the variation."""
    errors = f"relative $L^2$ error {_power(error)} (of variation {_power(centered)})"
    return f"{label}:  {errors}" if label else errors


def _power(error: float) -> str:
    """Error with two digits, as a power of ten if it is below 0.01."""
    if not 0 < error < 0.01:
        return f"{error:.2g}"
    digits, exponent = f"{error:.1e}".split("e")
    return rf"${digits}\times10^{{{int(exponent)}}}$"
