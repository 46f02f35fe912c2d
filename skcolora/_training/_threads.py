"""Choice of the number of threads during the training.

Torch's threads wait for each other, actively, at the end of each operation.  Where other
processes use the cores, an operation on several threads then takes tens of milliseconds, and
one thread is up to ten times as fast.  Which number is faster changes with the load of the
machine, so it is measured from time to time, on work whose result is not used: unless the number
is changed, the measurements leave the training as it is, to the last bit.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator

import torch


class ThreadChoice:
    """Sets the number of threads that is the fastest, as long as it is clearly the fastest.

    Parameters
    ----------
    n_threads : int
        Number of threads of the user, which is never exceeded.  With 1 there is no choice.
    work : callable
        Work that is measured, of the same kind as a training step and without effects.
    """

    # The current number is left if the work takes this factor of the time of another number.
    CLEARLY_FASTER = 1.5
    # A number with which the work twice takes this factor of the best time is not measured again.
    HOPELESS = 3.0
    # Number of runs whose median decides about a change.
    N_RUNS = 3
    # Largest share of the time that measurements may take.
    COST_SHARE = 0.01
    # So many steps that are all longer or all shorter by this factor than before show that the
    # load of the machine has changed.
    CHANGED, N_CHANGED = 1.7, 3

    def __init__(self, n_threads: int, work: Callable[[], object]) -> None:
        self._work = work
        # The user's number, and half of it, again and again.
        self.candidates = [n_threads]
        while self.candidates[-1] > 1:
            self.candidates.append(self.candidates[-1] // 2)
        self.current = n_threads
        self.work_seconds = float("inf")
        """Duration of the work with the current number of threads, where it was measured"""
        self._cost = 0.0
        self._recent: deque[float] = deque(maxlen=self.N_CHANGED)
        self._clear()

    def restart(self) -> None:
        """Begin steps of another kind; the first call measures before any step."""
        self._clear()
        if not self._cost and len(self.candidates) > 1:
            self.measure()

    def _clear(self) -> None:
        self._usual: float | None = None
        self._elapsed = 0.0
        self._recent.clear()

    def record(self, seconds: float) -> None:
        """Record how long a step took, and measure again if it is time to do so."""
        if len(self.candidates) == 1:
            return
        self._elapsed += seconds
        self._recent.append(seconds)
        if self._measurement_is_due():
            self.measure()

    def _measurement_is_due(self) -> bool:
        if len(self._recent) == self.N_CHANGED:
            if self._usual is None:
                self._usual = statistics.median(self._recent)
            slower = min(self._recent) > self.CHANGED * self._usual
            faster = max(self._recent) * self.CHANGED < self._usual
            if (slower or faster) and self._elapsed > 10 * self._cost:
                return True
        return self._cost < self.COST_SHARE * self._elapsed

    def measure(self) -> None:
        """Measure the work with each number of threads, and set the number for the next steps."""
        start = time.perf_counter()
        times: dict[int, list[float]] = {number: [] for number in self.candidates}
        self._run(times)
        # One run is enough where nothing changes; a change needs the median of several.
        if self._decide(times) != self.current:
            for _ in range(self.N_RUNS - 1):
                self._run(times)
            self.current = self._decide(times)
        set_num_threads(self.current)
        self.work_seconds = statistics.median(times[self.current])
        self._cost = time.perf_counter() - start
        self._clear()

    def _run(self, times: dict[int, list[float]]) -> None:
        """Run the work once with each number, the smallest first: it is never extremely slow."""
        best = float("inf")
        for number in reversed(self.candidates):
            runs = times[number]
            if len(runs) < 2 or min(runs) < self.HOPELESS * best:
                set_num_threads(number)
                start = time.perf_counter()
                self._work()
                runs.append(time.perf_counter() - start)
            best = min(best, *runs)

    def _decide(self, times: dict[int, list[float]]) -> int:
        medians = {number: statistics.median(runs) for number, runs in times.items()}
        fastest = min(medians, key=medians.__getitem__)
        limit = medians[self.current]
        if medians[fastest] * self.CLEARLY_FASTER < limit:
            return fastest
        # Back to more threads, up to the user's number, as soon as they are as fast.
        return next(number for number in self.candidates if medians[number] <= limit)


def set_num_threads(n_threads: int) -> None:
    """Set torch's number of threads if it is another one."""
    if torch.get_num_threads() != n_threads:
        torch.set_num_threads(n_threads)


@contextlib.contextmanager
def chosen_threads(device: torch.device, work: Callable[[], object]) -> Iterator[ThreadChoice]:
    """Choice of the number of threads; the number of the user is restored in any case.

    On another device than the CPU the number is left alone.
    """
    n_threads = torch.get_num_threads()
    try:
        yield ThreadChoice(n_threads if device.type == "cpu" else 1, work)
    finally:
        set_num_threads(n_threads)
