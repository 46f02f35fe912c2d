"""Whether `max_time` holds, and how much memory large grids take.

    python benchmarks/limits.py --grids 1d square129 cube32 --seconds 10 30 100
    python benchmarks/limits.py --grids square401 --seconds 30

A pulse crosses a periodic line, square or cube; five trajectories of eleven times.  Each of `fit`,
the `fit` of the equation (with the regressor's limit), `refine` and `distill` is given the same
number of seconds, in a process of its own for each grid and limit, which also tells its peak of
resident memory after each call.  Writes ``limits.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np
from results import Record, argument_parser, parse

GRIDS = {"1d": (1, 256), "square129": (2, 129), "cube32": (3, 32), "square401": (2, 401)}
SPEEDS, NEW = np.linspace(0.5, 1.5, 5), np.array([0.6, 0.9, 1.15, 1.4])
TIMES = np.linspace(0, 1, 11)


def pulse(coordinates: Any, shift: Any) -> Any:
    """A Gaussian pulse on the periodic unit box that has moved along the first axis."""
    gaps = [(x - 0.3 - (shift if d == 0 else 0) + 0.5) % 1 - 0.5 for d, x in enumerate(coordinates)]
    return np.exp(-50 * sum(gap**2 for gap in gaps))


def measure(grid: str, seconds: float, max_iter: int | None) -> list[dict[str, Any]]:
    """Seconds and peak of memory of each call, in this process."""
    from skcolora import CoLoRAGalerkin, CoLoRARegressor
    from skcolora.pdes import PDE

    n_dims_, n = GRIDS[grid]

    class Transport(PDE):
        n_dims = n_dims_
        parameter_names = ("speed",)
        domain = ((0.0, 1.0),) * n_dims_
        period = (1.0,) * n_dims_

        def initial(self, points: Any, mu: Any) -> Any:
            return pulse(points, 0.0)

        def rhs(self, t: Any, field: Any, mu: Any) -> Any:
            return -mu[0] * field.grad[0]

    axis = np.arange(n) / n
    mesh = np.meshgrid(*[axis] * n_dims_, indexing="ij")
    y = np.stack([np.stack([pulse(mesh, speed * t) for t in TIMES]) for speed in SPEEDS])
    points = (axis,) * n_dims_ if n_dims_ > 1 else axis[:, None]
    limits = {"max_time": seconds} if max_iter is None else {"max_iter": max_iter}
    regressor = CoLoRARegressor(times=TIMES, points=points, period=1.0, random_state=0, **limits)
    model = CoLoRAGalerkin(Transport(), regressor=regressor, random_state=0)
    X, new = SPEEDS[:, None], NEW[:, None]
    calls = {
        "fit": lambda: regressor.fit(X, y),
        "fit of the equation": lambda: model.fit(X, y),
        "solve": lambda: model.predict(new),
        "refine": lambda: model.refine(new, **limits),
        "distill": lambda: model.distill(new, **limits),
    }
    rows = []
    for name, call in calls.items():
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
        took = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append({"call": name, "seconds": took, "peak_gigabytes": peak})
    return rows


def main() -> None:
    if "--measure" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--measure")
        parser.add_argument("--seconds", type=float)
        parser.add_argument("--max-iter", type=int)
        args = parser.parse_args()
        print(json.dumps(measure(args.measure, args.seconds, args.max_iter)))
        return
    parser = argument_parser(__doc__, trained=False)
    parser.add_argument("--grids", nargs="+", choices=GRIDS, default=list(GRIDS))
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 30.0])
    parser.add_argument("--max-iter", type=int, help="steps in place of a time limit")
    args = parse(parser, {"grids": ["1d"], "seconds": [1.0], "max_iter": 3})
    record = Record("limits", args)
    for grid in args.grids:
        for seconds in args.seconds:
            command = [sys.executable, __file__, "--measure", grid, "--seconds", str(seconds)]
            command += [] if args.max_iter is None else ["--max-iter", str(args.max_iter)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            for row in json.loads(done.stdout.splitlines()[-1]):
                limited = row["call"] != "solve" and args.max_iter is None
                ratio = row["seconds"] / seconds if limited else None
                record.add(grid=grid, limit=seconds, **row, **({"ratio": ratio} if ratio else {}))
                print(
                    f"{grid:10}{seconds:6.0f} s  {row['call']:20}{row['seconds']:8.1f} s"
                    f"{ratio or float('nan'):8.2f}{row['peak_gigabytes']:8.2f} GB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
