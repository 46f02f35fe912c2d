"""Time limit of a whole public call."""

from __future__ import annotations

import math
import time
from numbers import Real

from sklearn.utils import check_scalar


class Deadline:
    """Time limit that starts when the object is made, at the beginning of a public call.

    Parameters
    ----------
    seconds : float or None
        Seconds that the call may take.  None: no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._end = math.inf if seconds is None else time.perf_counter() + seconds

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self._end)

    @property
    def remaining(self) -> float:
        """Seconds that are left; negative after the end, infinite without a limit."""
        return self._end - time.perf_counter() if self.limited else math.inf

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining <= 0

    def earlier(self, seconds: float) -> Deadline:
        """A limit that ends some seconds before this one, to reserve time for later work."""
        out = Deadline()
        out._end = self._end - seconds
        return out

    def share(self, share: float) -> Deadline:
        """A limit at a share of the time that is left now."""
        out = Deadline()
        if self.limited:
            out._end = time.perf_counter() + share * max(self.remaining, 0.0)
        return out


def time_limit(max_time: float | None) -> Deadline:
    """The limit of a public call with the argument ``max_time``, to be made first.

    Raises TypeError or ValueError unless it is a positive number or None.
    """
    if max_time is not None:
        check_scalar(max_time, "max_time", Real, min_val=0, include_boundaries="neither")
    return Deadline(max_time)
