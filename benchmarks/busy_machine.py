"""Time of a fit while other processes use the cores, with and without the choice of threads.

One process for each core computes without a pause.  A fit with a given number of steps is timed on
the quiet machine and on the busy one, in turn, with torch's number of threads as it is.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import torch
from results import Record, argument_parser, parse

from skcolora import CoLoRARegressor
from skcolora._training._threads import ThreadChoice
from skcolora.datasets import make_burgers


def n_cores() -> int:
    usable = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if usable else os.cpu_count() or 1


@contextlib.contextmanager
def busy_processes(n: int) -> Iterator[None]:
    """Some processes that compute without a pause."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@contextlib.contextmanager
def choice_of_threads(allowed: bool) -> Iterator[None]:
    """Whether the training measures and changes the number of threads."""
    record = ThreadChoice.record
    if not allowed:
        ThreadChoice.record = lambda self, seconds: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        ThreadChoice.record = record  # type: ignore[method-assign]


def main() -> None:
    parser = argument_parser(__doc__, trained=False)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--points", type=int, default=256)
    args = parse(parser, {"steps": 10, "repeat": 1, "points": 32})
    viscosities = np.geomspace(0.002, 0.2, 8)
    data = make_burgers(viscosities, n_points=args.points, times=np.linspace(0, 1, 41))
    record = Record("busy_machine", args)
    seconds: dict[tuple[bool, bool], list[float]] = {}
    threads = torch.get_num_threads()
    print(f"{threads} thread(s), {n_cores()} core(s), {args.steps} steps")
    for _ in range(args.repeat):
        for busy in (False, True):
            for chosen in (True, False):
                model = CoLoRARegressor(**data.grid, max_iter=args.steps, random_state=0)
                with busy_processes(n_cores() if busy else 0), choice_of_threads(chosen):
                    started = time.perf_counter()
                    model.fit(np.log(data.X), data.y)
                    took = time.perf_counter() - started
                seconds.setdefault((busy, chosen), []).append(took)
                record.add(busy=busy, choice_of_threads=chosen, seconds=took)
                print(f"{busy=!s:6} choice={chosen!s:6} {took:8.1f} s", flush=True)
    quiet = statistics.median(seconds[False, False])
    for (busy, chosen), times in seconds.items():
        ratio = statistics.median(times) / quiet
        record.add(busy=busy, choice_of_threads=chosen, ratio_to_quiet_without_choice=ratio)
        print(f"{busy=!s:6} choice={chosen!s:6} {ratio:6.2f} times the quiet time")


if __name__ == "__main__":
    main()
