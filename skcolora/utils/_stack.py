"""The call stack: who called the package."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from types import FrameType

# Packages whose frames stand between the user's call and the package's code.
_BETWEEN = ("skcolora", "sklearn", "joblib", "contextlib", "torch")


def called_from(modules: Sequence[str]) -> bool:
    """Whether a function of one of the modules, or of their submodules, is in the call stack."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_from(frame, modules):
            return True
        frame = frame.f_back
    return False


def caller_stacklevel() -> int:
    """The ``stacklevel`` with which ``warnings.warn`` names the line of the user's call.

    To be called in the arguments of ``warnings.warn``.
    """
    frame: FrameType | None = sys._getframe(1)
    for level in itertools.count(1):
        if frame is None:
            break
        if not _is_from(frame, _BETWEEN):
            return level
        frame = frame.f_back
    return 1


def _is_from(frame: FrameType, modules: Sequence[str]) -> bool:
    name = frame.f_globals.get("__name__") or ""
    return any(name == module or name.startswith(f"{module}.") for module in modules)
