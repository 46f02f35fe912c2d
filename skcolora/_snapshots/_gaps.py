"""Gaps: values of snapshots that were not observed, which are NaN inside the package."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skcolora._snapshots._packing import fill_values
from skcolora._snapshots._real import Array, load

MISSING = ("error", "ignore")


def marks_as_nan(values: Any) -> Any:
    """An array in which NaN stands for masked entries, and for the fill value of a dataset.

    Other objects are returned as they are.
    """
    fills = None
    if not isinstance(values, np.ndarray) and hasattr(values, "__array__"):
        fills = fill_values(values) if hasattr(values, "attrs") else None
        values = load(values)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        return values
    gaps = np.ma.getmaskarray(values).copy() if isinstance(values, np.ma.MaskedArray) else None
    data = np.ma.getdata(values)
    if fills is not None and fills.marks:
        marked = fills.mask(data)
        gaps = marked if gaps is None else gaps | marked
    if gaps is None or not gaps.any():
        return data
    data = data.astype(np.result_type(data.dtype, np.float32))
    data[gaps] = np.nan
    return data


def check_complete(values: Any, name: str) -> None:
    """Raise a ValueError if an array of floats holds NaN."""
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        return
    n = int(np.count_nonzero(np.isnan(values)))
    if n:
        raise ValueError(
            f"`{name}` must be finite; got NaN in {n} of {values.size} values.  If these were not "
            'observed, set missing="ignore" of CoLoRARegressor; other estimators need complete '
            "snapshots."
        )


def check_observed(rows: Array) -> None:
    """Raise a ValueError where a trajectory, or a field, has no observed value at all."""
    seen = ~np.isnan(rows)
    empty = np.flatnonzero(~seen.any(axis=(1, 2, 3)))
    if len(empty):
        raise ValueError(
            f"y must have an observed value in each trajectory; got NaN only in trajectory "
            f"{empty[0]}" + (f" and {len(empty) - 1} more" if len(empty) > 1 else "") + ".  Leave "
            "these rows out of X and y."
        )
    unseen = np.flatnonzero(~seen.any(axis=(0, 1, 2)))
    if len(unseen):
        raise ValueError(
            f"y must have an observed value of each field; got NaN only in field {unseen[0]}.  "
            "Leave this field out of y."
        )


def has_gaps(rows: Any) -> bool:
    """Whether rows in memory hold a value that was not observed."""
    return isinstance(rows, np.ndarray) and bool(np.isnan(rows).any())


def observed_times(rows: Array) -> NDArray[np.intp]:
    """Indices of the times at which some value of (n, n_times, n_points, n_fields) was observed."""
    return np.flatnonzero(~np.isnan(rows).all(axis=(0, 2, 3)))


def interpolate_gaps(rows: Array, times: Array) -> Array:
    """Rows whose gaps are filled, linearly in time.

    Before the first and after the last observed value of a point the value stays the same.  A
    point that a trajectory never observed gets the mean of its values in the other trajectories,
    or the mean of the field.

    Parameters
    ----------
    rows : ndarray of shape (n_trajectories, n_times, n_points, n_fields)
    times : ndarray of shape (n_times,)

    Returns
    -------
    filled : ndarray of the shape of rows
    """
    out = np.array(rows)
    index = np.arange(len(times))[:, None, None]
    for row in out:
        seen = ~np.isnan(row)
        # The nearest observed values before and after; NaN is kept where there is none.
        before = np.maximum.accumulate(np.where(seen, index, -1), axis=0)
        after = np.minimum.accumulate(np.where(seen, index, len(times))[::-1], axis=0)[::-1]
        first = np.where(before < 0, after, before) % len(times)
        last = np.where(after < len(times), after, before) % len(times)
        low, high = (np.take_along_axis(row, ends, axis=0) for ends in (first, last))
        width = times[last] - times[first]
        after_first = times[:, None, None] - times[first]
        share = np.divide(after_first, width, where=width > 0, out=np.zeros_like(width))
        row[:] = np.where(seen, row, low + share * (high - low))
    gaps = np.isnan(out)
    if gaps.any():
        count = (~gaps).sum(axis=0)
        mean = np.divide(np.nansum(out, axis=0), count, where=count > 0, out=np.zeros(count.shape))
        overall = np.nanmean(out, axis=(0, 1, 2))
        out = np.where(gaps, np.where(count > 0, mean, overall).astype(out.dtype), out)
    return out
