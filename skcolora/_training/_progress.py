"""How far a training is: a bar, or lines in a log, and a function that may end it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

from skcolora._nn import CoLoRAModel
from skcolora.utils._deadline import Deadline

Watch = Callable[[float, Callable[[], CoLoRAModel]], bool]
"""Called with the share that is done and a function that copies the best model so far; True ends
the training"""

# Seconds between two lines, where the output is not a terminal.
_LINE_EVERY = 30.0


class Progress:
    """Share of a training that is done, of its steps or of its time, whichever is larger.

    A positive ``verbose`` shows it: in a terminal as a bar with the time that is left, elsewhere as
    a line now and then, which does not fill a log.

    Parameters
    ----------
    n_steps : int or None
        Number of steps of the training.  None: it is not known.
    deadline : Deadline
        Time limit of the training.
    verbose : int
    watch : callable, optional
        See `Watch`.
    """

    def __init__(
        self,
        n_steps: int | None,
        deadline: Deadline,
        *,
        verbose: int = 0,
        watch: Watch | None = None,
    ) -> None:
        self._total, self._deadline, self._watch = n_steps, deadline, watch
        self._started = time.perf_counter()
        self._available = max(deadline.remaining, 1e-9)
        self._n_steps, self._title = 0, ""
        self._shown = verbose > 0
        self._bar = None
        if self._shown and sys.stderr.isatty():
            layout = "{desc}{percentage:3.0f} %|{bar}| {elapsed}<{remaining}{postfix}"
            self._bar = tqdm(total=1.0, bar_format=layout)
        self._last_line = self._started

    @property
    def share(self) -> float:
        """Share that is done, in [0, 1]."""
        shares = [0.0]
        if self._total:
            shares.append(self._n_steps / self._total)
        if self._deadline.limited:
            shares.append(1 - self._deadline.remaining / self._available)
        return min(max(shares), 1.0)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    @property
    def shown(self) -> bool:
        """Whether there is somebody to tell."""
        return self._shown

    def tell(self, sentence: str) -> None:
        """Show a sentence, beside the bar."""
        if self._bar is not None:
            self._bar.write(sentence, file=sys.stderr)
        elif self._shown:
            print(sentence, file=sys.stderr, flush=True)

    def begin(self, title: str) -> None:
        """Begin a part of the training, with words that tell it from others."""
        self._title = f"{title}: " if title else ""

    def step(self, n: int = 1) -> None:
        """Count steps."""
        self._n_steps += n

    def look(self, error: float, best: Callable[[], CoLoRAModel]) -> bool:
        """Show the smallest error so far, and return whether the training shall end."""
        if self._shown:
            self._show(error)
        return self._watch is not None and self._watch(self.share, best)

    def finish(self, error: float) -> None:
        """Show the error at the end of a part."""
        if self._shown:
            self._show(error, last=True)

    def _show(self, error: float, last: bool = False) -> None:
        share, now = self.share, time.perf_counter()
        state = f"{self._n_steps} steps, error {error:.2e}"
        if self._bar is not None:
            self._bar.set_description_str(self._title, refresh=False)
            self._bar.set_postfix_str(state, refresh=False)
            self._bar.update(share - self._bar.n)
            return
        if not last and now - self._last_line < _LINE_EVERY:
            return
        self._last_line = now
        elapsed = now - self._started
        left = f", about {elapsed * (1 / share - 1):.0f} s left" if 0 < share < 1 else ""
        print(f"{self._title}{100 * share:.0f} %, {state}{left}", file=sys.stderr, flush=True)
