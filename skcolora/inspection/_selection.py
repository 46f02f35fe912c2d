"""What is to be shown: models, trajectories, fields and times."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora._snapshots import Array


def check_index(index: Any, n: int, name: str) -> int:
    """An index into n entries, from the end where negative, or a ValueError."""
    if not isinstance(index, (int, np.integer)) or not -n <= index < n:
        raise ValueError(f"`{name}` must be an integer from 0 to {n - 1}; got {index!r}.")
    return int(index) % n


def nearest_times(times: Array, wanted: ArrayLike | None, default: int = 4) -> list[int]:
    """Indices of the snapshots nearest to the wanted times; None spreads a few evenly."""
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
    """Row i of an array or data frame, with its column names."""
    return X.iloc[[i]] if hasattr(X, "iloc") else np.asarray(X)[[i]]


def column_names(X: Any) -> list[str] | None:
    """The names of the parameters, where X has any."""
    columns = getattr(X, "columns", None)
    return None if columns is None else [str(column) for column in columns]


def describe_parameters(row: Any, names: list[str] | None) -> str:
    """A trajectory's parameters in a few words."""
    values = [_short(value) for value in np.asarray(row).ravel()]
    if names is not None:
        return ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
    joined = values[0] if len(values) == 1 else f"({', '.join(values)})"
    return rf"$\mu$ = {joined}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, Real) else str(value)
