"""The default tolerance of the time integration, which follows from the training error."""

from __future__ import annotations

# This part of the training error, within this range.
_PART_OF_ERROR, _LEAST_RTOL, _MOST_RTOL = 50, 1e-9, 3e-5


def step_tolerance(training_error: float) -> float:
    """The tolerance of the steps for a network of this error, which is small beside it."""
    return min(max(training_error / _PART_OF_ERROR, _LEAST_RTOL), _MOST_RTOL)
