"""Times of snapshots: numbers, dates or durations.

Inside the package times are numbers.  Dates become seconds after the first date of the
snapshots, and durations become seconds.  Both are computed from integers of any size, so that the
same instant in another resolution, or in another way of writing it, is the same number.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skcolora._snapshots._real import DATES, Array, as_real_floats, check_mask

# Attoseconds, numpy's smallest unit of time, in each unit of fixed length.
_SECOND = 10**18
_ATTOSECONDS = {
    "W": 7 * 86400 * _SECOND,
    "D": 86400 * _SECOND,
    "h": 3600 * _SECOND,
    "m": 60 * _SECOND,
    "s": _SECOND,
    **{unit: 10 ** (18 - 3 * (i + 1)) for i, unit in enumerate(("ms", "us", "ns", "ps", "fs"))},
    "as": 1,
}
# What `times` may be, in words, and an example of each.
NUMBERS, DAYS, ZONED, DURATIONS = "numbers", "dates", "dates with a time zone", "durations"
_EXAMPLES = {
    NUMBERS: "[0.0, 0.5]",
    DAYS: "numpy.array(['2024-03-01T00:00', '2024-03-01T00:30'], dtype='datetime64[s]')",
    ZONED: "pandas.date_range('2024-03-01', periods=2, freq='30min', tz='UTC')",
    DURATIONS: "numpy.array([0, 30], dtype='timedelta64[m]')",
}


@dataclass(frozen=True, eq=False)
class Times:
    """Strictly increasing times, as numbers and in the kind of the user."""

    numbers: Array
    """Times as numbers: seconds after the origin for dates, seconds for durations"""
    kind: str = NUMBERS
    """"numbers", "dates", "dates with a time zone" or "durations\""""
    origin: int = 0
    """Attoseconds from 1970 (UTC) to the time that is the number 0; 0 unless these are dates"""
    given: NDArray[Any] | None = None
    """Dates or durations as the user gave them, in UTC; None for numbers"""

    @property
    def in_user_kind(self) -> NDArray[Any]:
        """The times in the user's kind: numbers, datetime64 (in UTC) or timedelta64."""
        return self.numbers if self.given is None else self.given

    def read(self, times: Any) -> Times:
        """Other times of the same kind, counted from the same origin.

        Raises ValueError if the times are invalid or of another kind.
        """
        return _read(times, self)

    def at_numbers(self, numbers: Array) -> Times:
        """Times at these numbers, which the package has computed itself.

        Dates are rounded to nanoseconds.
        """
        if self.given is None:
            return Times(numbers)
        nano, after = _ATTOSECONDS["ns"], [Fraction(t) * _SECOND for t in numbers.tolist()]
        ticks = [round((self.origin + t) / nano) for t in after]
        given = np.array(ticks, dtype=np.int64).view(f"{self.given.dtype.kind}8[ns]")
        return Times(numbers, self.kind, self.origin, given)


def read_times(times: Any) -> Times:
    """Convert numbers, dates or durations to times.

    Parameters
    ----------
    times : array-like of shape (n_times,)
        Numbers; datetime64 or timedelta64 in any resolution; a pandas index or series of
        dates; or a list of `datetime` or pandas objects.  The first date becomes 0.

    Returns
    -------
    times : Times

    Raises
    ------
    ValueError
        Unless the times are finite, of one kind and increase strictly.
    """
    return _read(times, None)


def check_times(times: ArrayLike, n_times: int | None = None) -> Array:
    """Convert times that must be numbers to an array (n_times,).

    Raises ValueError unless the times are finite numbers and increase strictly.
    """
    array = _check_axis(as_real_floats(times, "times"))
    steps = np.diff(array)
    if (steps <= 0).any():
        i = int(np.argmax(steps <= 0))
        raise ValueError(
            "`times` must increase strictly; got "
            f"times[{i}] = {array[i]:g} followed by times[{i + 1}] = {array[i + 1]:g}."
        )
    if n_times is not None:
        check_number(len(array), n_times)
    return array


def check_number(given: int, n_times: int) -> None:
    """Raise a ValueError unless the number of times is that of the snapshots."""
    if given != n_times:
        raise ValueError(f"`times` has {given} entries, but the snapshots have {n_times} times.")


def _check_axis(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim != 1 or not array.size:
        raise ValueError(f"`times` must have shape (n_times,); got shape {array.shape}.")
    return array


def _read(times: Any, like: Times | None) -> Times:
    check_mask(times, "times")
    array = _as_dates(times)
    if array is None:
        _check_same_kind(NUMBERS, like)
        return Times(check_times(times))
    entries = [_to_instant(entry, i) for i, entry in enumerate(_check_axis(array))]
    kinds = sorted({kind for kind, _, _ in entries})
    if len(kinds) > 1:
        raise ValueError(
            f"`times` must be of one kind; got {' and '.join(kinds)}.  Give all dates a time zone, "
            "or none of them."
        )
    _check_same_kind(kinds[0], like)
    instants = [instant for _, instant, _ in entries]
    given = np.array([value for _, _, value in entries])
    if any(_to_instant(given[i], i)[1] != instant for i, instant in enumerate(instants)):
        raise ValueError(
            f"`times` must be dates that fit into one resolution; got {given.dtype} from the "
            "resolutions of the entries, which does not hold all of them.  Give one resolution."
        )
    for i in range(len(instants) - 1):
        if instants[i] >= instants[i + 1]:
            raise ValueError(
                f"`times` must increase strictly; got times[{i}] = {given[i]} followed by "
                f"times[{i + 1}] = {given[i + 1]}."
            )
    first = 0 if kinds[0] == DURATIONS else instants[0]
    origin = first if like is None else like.origin
    # The division of integers is rounded once, to the nearest float64.
    numbers = np.array([(instant - origin) / _SECOND for instant in instants])
    if (np.diff(numbers) <= 0).any():
        i = int(np.argmax(np.diff(numbers) <= 0))
        raise ValueError(
            f"`times` must differ by more than the rounding of float64 seconds; got times[{i}] = "
            f"{given[i]} followed by times[{i + 1}] = {given[i + 1]}, {numbers[i]:g} s after the "
            "origin.  Give a shorter range of dates, or numbers."
        )
    return Times(numbers, kinds[0], origin, given)


def _check_same_kind(kind: str, like: Times | None) -> None:
    if like is not None and kind != like.kind:
        raise ValueError(
            f"`times` are {kind}, but the model was fitted on {like.kind}.  Give {like.kind}, "
            f"such as {_EXAMPLES[like.kind]}."
        )


def _as_dates(times: Any) -> NDArray[Any] | None:
    """The times as an array of dates, durations or objects; None where they are numbers."""
    if isinstance(times, (list, tuple)) and any(isinstance(entry, DATES) for entry in times):
        # As objects, because one resolution may not hold all of them.
        array = np.empty(len(times), dtype=object)
        for i, entry in enumerate(times):
            array[i] = entry
        return array
    try:
        array = np.asarray(times)
    except (TypeError, ValueError):
        return None  # The conversion to numbers reports it.
    if array.dtype.kind in "mM":
        return array
    if array.dtype == object and any(isinstance(entry, DATES) for entry in array.ravel().tolist()):
        return array
    return None


def _to_instant(entry: Any, i: int) -> tuple[str, int, Any]:
    """Kind of an entry, its attoseconds, and the entry as numpy's datetime64 or timedelta64."""
    zone = getattr(entry, "tzinfo", None) is not None
    if zone:
        entry = entry.astimezone(datetime.timezone.utc)
    if hasattr(entry, "to_datetime64"):  # of pandas
        entry = entry.to_datetime64()
    elif hasattr(entry, "to_timedelta64"):
        entry = entry.to_timedelta64()
    elif isinstance(entry, datetime.timedelta):
        entry = np.timedelta64(entry, "us")
    elif isinstance(entry, datetime.datetime):
        entry = np.datetime64(entry.replace(tzinfo=None), "us")
    elif isinstance(entry, datetime.date):
        entry = np.datetime64(entry, "D")
    elif not isinstance(entry, (np.datetime64, np.timedelta64)):
        raise ValueError(
            f"`times` must be of one kind; got dates and times[{i}] = {entry!r} of type "
            f"{type(entry).__name__}."
        )
    if np.isnat(entry):
        raise ValueError(
            f"`times` must be dates without gaps; got times[{i}] = NaT, which is no date.  Leave "
            "this time out of `times` and of y."
        )
    unit, count = np.datetime_data(entry.dtype)
    if isinstance(entry, np.timedelta64):
        kind = DURATIONS
        if unit not in _ATTOSECONDS:
            raise ValueError(
                f"`times` must be durations of a fixed length; got times[{i}] = {entry!r}, in a "
                "unit of no fixed length.  Give days, hours, seconds or a shorter unit."
            )
    else:
        kind = ZONED if zone else DAYS
        if unit not in _ATTOSECONDS:  # years and months begin with a day
            ticks = int(entry.astype("datetime64[D]").astype(np.int64))
            return kind, ticks * _ATTOSECONDS["D"], entry
    return kind, int(entry.astype(np.int64)) * count * _ATTOSECONDS[unit], entry
