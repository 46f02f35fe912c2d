"""Files that are written completely or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """The name of a file to write, which takes the place of ``path`` at the end without an error.

    Its folder is removed in any case, so that nothing else is left.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        os.replace(unfinished, path)
