"""A file from which a training that was cut off goes on."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

# Least seconds between two files, and how many times longer than the writing of one.
_LEAST_SECONDS, _TIMES_WRITING = 1.0, 100.0
_FORMAT = 3


class Checkpoint:
    """State of a training, which is written to a file from time to time.

    A training consists of parts, see `train_leaving_out`.  The file holds the state of the part
    that runs, and what later steps need of the parts before it.

    Parameters
    ----------
    path : Path
        File.  If it exists, ``saved`` holds its state.
    key : mapping of str to str
        What the training depends on.
    seed : int
        Seed of the training.

    Attributes
    ----------
    saved : dict or None
        State of the part that was cut off, until the training has gone on from it.
    earlier : dict or None
        What is kept of the part before it.
    seed : int
        Seed of the training that was cut off, or the one that was given.
    used : float
        Seconds that the training had taken until then.

    Raises
    ------
    ValueError
        If the file is none of this class, or belongs to another training.
    """

    def __init__(self, path: Path, key: Mapping[str, str], seed: int) -> None:
        self._path, self._key, self.seed = path, dict(key), seed
        self.saved: dict[str, Any] | None = None
        self.earlier: dict[str, Any] | None = None
        self.used = 0.0
        self._started = self._last = time.perf_counter()
        self._interval = _LEAST_SECONDS
        if path.exists():
            self._read()

    def _read(self) -> None:
        try:
            # Nothing is executed: the file holds tensors, numbers, words and lists of these.
            found = torch.load(self._path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as e:
            raise self._unusable("is no checkpoint of skcolora, or damaged") from e
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise self._unusable("is no checkpoint of this version of skcolora")
        theirs = found["key"]
        names = sorted({*theirs, *self._key})
        differing = [name for name in names if theirs.get(name) != self._key.get(name)]
        if differing:
            raise self._unusable(f"belongs to another fit; different are {', '.join(differing)}")
        self.saved, self.earlier = found["state"], found["earlier"]
        self.used, self.seed = found["used"], found["seed"]

    def _unusable(self, why: str) -> ValueError:
        return ValueError(
            f"The file {os.fspath(self._path)!r} of `checkpoint` {why}.  Remove it to begin anew, "
            "or give another path."
        )

    @property
    def due(self) -> bool:
        """Whether it is time to write a file; writing takes at most a hundredth of the time."""
        return time.perf_counter() - self._last >= self._interval

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file; the one before stays whole until then."""
        started = time.perf_counter()
        content = {
            "format": _FORMAT,
            "key": self._key,
            "seed": self.seed,
            "state": state,
            "earlier": self.earlier,
            "used": self.used + started - self._started,
        }
        unfinished = self._path.with_name(f"{self._path.name}.part")
        torch.save(content, unfinished)
        os.replace(unfinished, self._path)
        self._last = time.perf_counter()
        self._interval = max(_LEAST_SECONDS, _TIMES_WRITING * (self._last - started))

    def next_part(self, earlier: dict[str, Any]) -> None:
        """Begin another part; ``earlier`` is what is kept of the one before."""
        self.saved, self.earlier = None, earlier

    def remove(self) -> None:
        """Remove the file, at the end of the fit."""
        for path in (self._path, self._path.with_name(f"{self._path.name}.part")):
            path.unlink(missing_ok=True)
