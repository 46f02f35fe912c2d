"""The place of the user's code, at which warnings point."""

from __future__ import annotations

import sys

_INSIDE = ("skcolora", "sklearn", "joblib")


def stack_level() -> int:
    """The `stacklevel` for `warnings.warn` that leads out of skcolora and scikit-learn."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None:
        if frame.f_globals.get("__name__", "").split(".")[0] not in _INSIDE:
            return level
        level, frame = level + 1, frame.f_back
    return level
