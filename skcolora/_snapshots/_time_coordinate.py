"""Coordinate of time: the time itself, or its logarithm where it is sampled over decades.

Snapshots of diffusion or of a stiff reaction are often stored at times like
``geomspace(1e-3, 1e2, 41)``.  In the time itself nearly all of them crowd at one end, and the
latent state cannot change fast enough there.  The times alone decide: what was worth storing is
known best by whoever stored it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skcolora._snapshots._grid import Array

# Median of the elapsed times, as a share of the time range, below which the logarithm is taken.
# Of times that are spaced evenly in their logarithm, this is the median over 1.9 decades.
_CROWDED = 1 / 10


@dataclass(frozen=True)
class TimeCoordinate:
    """The time t itself, or ``asinh((t - t₀) / δ)``.

    Up to the shift δ after the origin t₀ the latter is about linear, later it is the logarithm
    ``log(2 (t - t₀) / δ)``.  It is smooth and increasing at all times, also before the origin.
    """

    origin: float = 0.0
    """The time t₀"""
    shift: float = 0.0
    """The shift δ, or 0 for the time itself"""

    @classmethod
    def of(cls, times: Array) -> TimeCoordinate:
        """The coordinate for snapshots at these increasing times, (n_times,).

        The logarithm is taken where half of the times lie in the first tenth of their range.
        The shift then puts the median of the times into the middle of the coordinate.
        """
        elapsed = times - times[0]
        median, last = float(np.median(elapsed)), float(elapsed[-1])
        if not 0 < median < _CROWDED * last:
            return cls()
        # The solution of asinh(median / δ) = asinh(last / δ) / 2.
        share = median / last
        return cls(float(times[0]), last * 2 * share**2 / (1 - 4 * share**2) ** 0.5)

    @property
    def logarithmic(self) -> bool:
        return self.shift > 0

    def apply(self, times: Any) -> Array:
        """Coordinates of times of any shape."""
        times = np.asarray(times, dtype=np.float64)
        return np.arcsinh((times - self.origin) / self.shift) if self.logarithmic else times

    def invert(self, coordinates: Any) -> Array:
        """Times of coordinates of any shape."""
        values = np.asarray(coordinates, dtype=np.float64)
        return self.origin + self.shift * np.sinh(values) if self.logarithmic else values

    def stretch(self, times: Any) -> Array:
        """Derivative of the time in the coordinate, at times of any shape; 1 for the time."""
        times = np.asarray(times, dtype=np.float64)
        if not self.logarithmic:
            return np.ones_like(times)
        return np.hypot(self.shift, times - self.origin)

    def spaced(self, first: float, last: float, n_times: int) -> Array:
        """Times from the first to the last, evenly spaced in the coordinate."""
        times = self.invert(np.linspace(self.apply(first), self.apply(last), n_times))
        # Exactly, for the equation starts at the first time.
        times[0], times[-1] = first, last
        return times
