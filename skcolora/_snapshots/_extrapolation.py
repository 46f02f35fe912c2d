"""The warning that a prediction extrapolates, beyond the parameters or the times of ``fit``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skcolora._snapshots._grid import Array
from skcolora._snapshots._hull import Hull
from skcolora._snapshots._times import read_times
from skcolora.utils._stack import caller_stacklevel

# What an estimator does where it extrapolates.
ON_EXTRAPOLATION = frozenset({"warn", "raise", "ignore"})
# Largest number of parameters that the message describes one by one.
_MOST_DESCRIBED = 3


class ExtrapolationWarning(UserWarning):
    """Warning that a prediction lies outside the parameters or the times of ``fit``."""


def check_extrapolation(
    on_extrapolation: str,
    X_train: Array,
    X: Array,
    train_times: NDArray[Any] | None,
    times: NDArray[Any] | None,
    names: Sequence[str] | None,
    *,
    constants_count: bool = False,
) -> None:
    """Warn once, or raise, if parameters or times lie outside those of ``fit``.

    Parameters
    ----------
    on_extrapolation : {"warn", "raise", "ignore"}
    X_train : ndarray of shape (n_training, n_parameters)
        Parameters of ``fit``.
    X : ndarray of shape (n, n_parameters)
        Parameters of ``predict``.
    train_times, times : ndarray of shape (n_times,) or None
        Increasing times of ``fit`` and of ``predict``: numbers, or the ``user_times`` of a layout,
        with which the message names dates.  None: times are not checked.
    names : sequence of str or None
        Names of the parameters.
    constants_count : bool, default=False
        Whether parameters and times that are constant in ``fit`` are checked too.  False: they
        take no part, because `warn_of_constants` reports them.

    Raises
    ------
    ValueError
        If a prediction extrapolates and ``on_extrapolation`` is "raise", or it is no such word.

    Warns
    -----
    ExtrapolationWarning
        If a prediction extrapolates and ``on_extrapolation`` is "warn".
    """
    if on_extrapolation not in ON_EXTRAPOLATION:
        raise ValueError(
            f"`on_extrapolation` must be 'warn', 'raise' or 'ignore'; got {on_extrapolation!r}."
        )
    if on_extrapolation == "ignore":
        return
    found = _parameters_outside(X_train, X, names, constants_count)
    if train_times is not None and times is not None:
        found += _times_outside(train_times, times, constants_count)
    if not found:
        return
    what = "  ".join(["The prediction extrapolates.", *found])
    if on_extrapolation == "raise":
        raise ValueError(
            f"{what}  Fit on snapshots around them, or give on_extrapolation='warn' for a "
            "prediction that may be wrong there."
        )
    warnings.warn(
        f"{what}  It may be wrong there.  Fit on snapshots around them, or give "
        "on_extrapolation='ignore'.",
        ExtrapolationWarning,
        stacklevel=caller_stacklevel(),
    )


def _parameters_outside(
    X_train: Array, X: Array, names: Sequence[str] | None, constants_count: bool
) -> list[str]:
    """A sentence about the row that lies farthest outside the training parameters, if any does.

    Rows outside the range of a parameter are compared by their largest excess, and others by
    their distance from the hull, both in shares of the ranges.
    """
    hull = Hull(X_train)
    excess = hull.excess(X)
    if not constants_count:
        excess[:, hull.width == 0] = 0.0
    shares = hull.shares(excess)
    far = shares.max(axis=1, initial=0.0)
    in_box = np.flatnonzero(far == 0)
    off_plane = np.zeros(len(X))
    off_plane[in_box], off_hull = hull.distances(X[in_box])
    far[in_box] = np.maximum(off_plane[in_box], off_hull)
    outside = np.flatnonzero(far > 0)
    if not outside.size:
        return []
    i = int(np.argmax(far))
    row = f"row {i} of X, {_describe(X[i], names)},"
    if excess[i].any():
        reason = f"In {row} {_beyond(hull, X[i], excess[i], shares[i], names)}"
    elif off_plane[i]:
        reason = (
            "The training parameters depend on each other linearly, but "
            f"{row} does not follow this dependence: it lies {_share(off_plane[i])} of the ranges "
            "away."
        )
    else:
        reason = (
            f"{row[0].upper()}{row[1:]} is a combination of parameters that lies outside the "
            f"region spanned by the training parameters, {_share(far[i])} of the ranges away, "
            "although each parameter lies within its range."
        )
    if outside.size == 1:
        return [reason]
    return [
        f"{outside.size} of {len(X)} rows of X lie outside the training parameters, of which this "
        f"is the farthest: {reason[0].lower()}{reason[1:]}"
    ]


def _beyond(
    hull: Hull, row: Array, excess: Array, shares: Array, names: Sequence[str] | None
) -> str:
    """How far the parameters of a row lie beyond their ranges, the farthest first."""
    beyond = [int(j) for j in np.argsort(-shares, kind="stable") if excess[j]]
    parts = []
    for j in beyond[:_MOST_DESCRIBED]:
        name = f"parameter {j}" if names is None else f"the parameter {names[j]!r}"
        value = f"{name} = {row[j]:.12g}"
        if not hull.width[j]:
            parts.append(f"{value} differs from {hull.low[j]:.12g}, its value in all of `fit`")
            continue
        side, end = (
            ("below the smallest", hull.low[j])
            if excess[j] < 0
            else ("beyond the largest", hull.high[j])
        )
        parts.append(
            f"{value} is {abs(excess[j]):.4g} {side} training value {end:.12g}, "
            f"{_share(shares[j])} of its range"
        )
    more = len(beyond) - len(parts)
    rest = f"; and so for {more} more" if more else ""
    return f"{'; '.join(parts)}{rest}."


def _times_outside(
    train_times: NDArray[Any], times: NDArray[Any], constants_count: bool
) -> list[str]:
    """A sentence about the times before the first or beyond the last of ``fit``, if there are."""
    dates = np.asarray(train_times).dtype.kind in "mM"
    if dates:
        kind = read_times(train_times)
        trained, asked = kind.numbers, kind.read(times).numbers
    else:
        trained, asked = np.asarray(train_times, float), np.asarray(times, float)
    hull = Hull(trained[:, None])
    excess = hull.excess(asked[:, None])[:, 0]
    if not hull.width[0] and not constants_count:
        return []
    unit = " s" if dates else ""
    parts = []
    for i, sign, side in ((0, -1, "before the first"), (-1, 1, "beyond the last")):
        if sign * excess[i] > 0:
            time, last = (str(t[i]) if dates else f"{t[i]:.12g}" for t in (times, train_times))
            share = hull.shares(excess[[i], None])[0, 0]
            of_range = f", {_share(share)} of their range" if np.isfinite(share) else ""
            parts.append(
                f"the time {time} is {abs(excess[i]):.4g}{unit} {side} training time "
                f"{last}{of_range}"
            )
    if not parts:
        return []
    sentence = " and ".join(parts)
    n = int(np.count_nonzero(excess))
    count = f"{n} of {len(asked)} times lie outside the training times: " if n > 1 else ""
    return [f"{count}{sentence}." if count else f"{sentence[0].upper()}{sentence[1:]}."]


def _describe(row: Array, names: Sequence[str] | None) -> str:
    """Parameters of a trajectory, with as many digits as tell neighbours apart."""
    if names is None:
        return f"[{', '.join(f'{value:.12g}' for value in row)}]"
    values = ", ".join(f"{name} = {value:.12g}" for name, value in zip(names, row, strict=True))
    return f"({values})"


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"
