"""Runs with times of their own on one axis, without interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skcolora._snapshots import Array, check_real, read_times

# Times closer than this share of the whole range are one time.
_SAME = 1e-9


def on_common_times(
    times: Sequence[ArrayLike], y: Sequence[ArrayLike]
) -> tuple[NDArray[Any], Array]:
    """The times of all runs, and their snapshots there, NaN where a run has none.

    Parameters
    ----------
    times : sequence of array-likes of shape (n_times,)
    y : sequence of array-likes of shape (n_times, ...)

    Returns
    -------
    common : ndarray of shape (n_common,)
    values : ndarray of floats of shape (n_runs, n_common, ...)

    Raises
    ------
    ValueError
        If there is no run, or the runs do not fit together.
    """
    if not len(y) or len(times) != len(y):
        raise ValueError(
            f"`times` and `y` must have an entry for each run; got {len(times)} and {len(y)}."
        )
    runs = [np.asarray(check_real(run, f"y[{i}]")) for i, run in enumerate(y)]
    own = [_times_of(run, i) for i, run in enumerate(times)]
    for i, (run, t) in enumerate(zip(runs, own, strict=True)):
        if run.ndim < 2 or len(run) != len(t) or run.shape[1:] != runs[0].shape[1:]:
            raise ValueError(
                f"y[{i}] has shape {run.shape}; expected ({len(t)} times, "
                f"{', '.join(map(str, runs[0].shape[1:])) or 'n_points'}), with the number of its "
                "times first, and the points and fields of the first run.  If the fields come "
                "before the points, give numpy.moveaxis(run, 1, -1)."
            )
    kinds = {t.dtype.kind for t in own}
    if len(kinds) > 1:
        raise ValueError("`times` must be numbers in all runs, or dates in all of them.")
    common = _union(own)
    dtype = np.result_type(np.float32, *(run.dtype for run in runs))
    values = np.full((len(runs), len(common), *runs[0].shape[1:]), np.nan, dtype=dtype)
    for i, (run, t) in enumerate(zip(runs, own, strict=True)):
        places = _nearest(common, t)
        if len(np.unique(places)) < len(t):
            raise ValueError(
                f"times[{i}] has times closer to each other than a billionth of the whole range, "
                f"{common[-1] - common[0]}; leave one of them out."
            )
        values[i, places] = run
    return common, values


def _times_of(times: ArrayLike, i: int) -> NDArray[Any]:
    try:
        return read_times(times).in_user_kind
    except ValueError as error:
        raise ValueError(f"The times of run {i} are wrong: {error}") from error


def _union(own: list[NDArray[Any]]) -> NDArray[Any]:
    """Strictly increasing times of all runs; those that differ by rounding only are one."""
    every = np.unique(np.concatenate(own))
    if every.dtype.kind != "f":
        return every
    new = np.diff(every, prepend=-np.inf) > _SAME * (every[-1] - every[0])
    return every[new]


def _nearest(common: NDArray[Any], t: NDArray[Any]) -> NDArray[np.intp]:
    """Index of the common time that is nearest to each time."""
    after = np.searchsorted(common, t).clip(max=len(common) - 1)
    before = (after - 1).clip(min=0)
    return np.where(np.abs(t - common[before]) <= np.abs(common[after] - t), before, after)
