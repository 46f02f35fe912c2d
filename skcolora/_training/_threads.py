"""Choice of the number of threads during the training.

Torch's threads wait for each other, actively, at the end of each operation.  Where other
processes use the cores, an operation on several threads then takes tens of milliseconds, and
one thread is up to ten times as fast.  Which number is the fastest changes with the load of the
machine, so it is measured from time to time.  The sums of a training step do not depend on the
number of threads (`skcolora._training._spring`), so the choice changes the time only.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import deque
from collections.abc import Iterator

import torch


class ThreadChoice:
    """Measures the steps of a training, and sets the number of threads that is the fastest.

    Parameters
    ----------
    n_threads : int
        Number of threads of the user, which is never exceeded.
    """

    # Steps before the first trial, and steps of a trial for each number of threads.
    WARM_UP, TRIAL_STEPS = 1, 3
    # Another number of threads is taken if its steps are shorter by this factor.
    CLEARLY_FASTER = 1.15
    # A number whose first step is longer by this factor than the best one is not tried further.
    HOPELESS = 1.5
    # Largest share of the time that trials may cost, and smallest number of steps between them.
    COST_SHARE, MIN_STEPS = 0.01, 50
    # So many steps that are all longer or all shorter by this factor than before show that the
    # load of the machine has changed.
    CHANGED, N_CHANGED = 1.7, 3

    def __init__(self, n_threads: int) -> None:
        # The user's number, and half of it, again and again.
        self.candidates = [n_threads]
        while self.candidates[-1] > 1:
            self.candidates.append(self.candidates[-1] // 2)
        self.current = n_threads
        self._recent: deque[float] = deque(maxlen=self.N_CHANGED)
        self.restart()

    def restart(self) -> None:
        """Forget all times, because the next steps are of another kind."""
        self._usual, self._trial_cost = 0.0, 0.0
        self._trial: Iterator[int] | None = None
        self._tried: dict[int, list[float]] = {}
        self._clear()

    def _clear(self) -> None:
        self._n_steps, self._elapsed = 0, 0.0
        self._recent.clear()

    def next(self) -> int:
        """Number of threads for the next step."""
        if self._trial is None and self._due():
            self._trial, self._tried = self._trial_numbers(), {}
        if self._trial is not None:
            number = next(self._trial, None)
            if number is not None:
                return number
            self._finish_trial()
        return self.current

    def record(self, n_threads: int, seconds: float) -> None:
        """Record how long a step took."""
        if self._trial is not None:
            self._tried.setdefault(n_threads, []).append(seconds)
            return
        self._n_steps += 1
        self._elapsed += seconds
        self._recent.append(seconds)

    def _due(self) -> bool:
        """Whether to begin a trial."""
        if not self._usual:
            return self._n_steps >= self.WARM_UP
        if self._n_steps < self.N_CHANGED:
            return False
        slower = min(self._recent) > self.CHANGED * self._usual
        faster = max(self._recent) * self.CHANGED < self._usual
        if slower or faster:
            # The cost of the last trial counts here too, for a load that comes and goes.
            return self._elapsed > self._trial_cost
        affordable = self._trial_cost < self.COST_SHARE * self._elapsed
        return affordable and self._n_steps >= self.MIN_STEPS

    def _trial_numbers(self) -> Iterator[int]:
        """Numbers of threads of the steps of a trial.

        The smallest number is the first one, because its steps are never extremely long.
        """
        best = float("inf")
        for number in reversed(self.candidates):
            for _ in range(self.TRIAL_STEPS):
                yield number
                if self._tried[number][-1] > self.HOPELESS * best:
                    break
            best = min(best, statistics.median(self._tried[number]))

    def _finish_trial(self) -> None:
        times = {number: statistics.median(tried) for number, tried in self._tried.items()}
        fastest = min(times, key=times.__getitem__)
        if times[fastest] * self.CLEARLY_FASTER < times[self.current]:
            self.current = fastest
        self._usual = times[self.current]
        self._trial_cost = sum(
            max(seconds - self._usual, 0.0) for tried in self._tried.values() for seconds in tried
        )
        self._trial = None
        self._clear()

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Context of one step: sets the number of threads, and measures."""
        if len(self.candidates) == 1:
            yield
            return
        number = self.next()
        set_num_threads(number)
        start = time.perf_counter()
        yield
        self.record(number, time.perf_counter() - start)


def set_num_threads(n_threads: int) -> None:
    """Set torch's number of threads if it is another one."""
    if torch.get_num_threads() != n_threads:
        torch.set_num_threads(n_threads)


@contextlib.contextmanager
def chosen_threads(device: torch.device) -> Iterator[ThreadChoice]:
    """Choice of the number of threads; the number of the user is restored in any case.

    On another device than the CPU the number is left alone.
    """
    n_threads = torch.get_num_threads()
    try:
        yield ThreadChoice(n_threads if device.type == "cpu" else 1)
    finally:
        set_num_threads(n_threads)
