"""Training time to one error on a coarse and on a fine grid.

    python benchmarks/grid_independence.py

Fits the Vlasov snapshots of seven parameters on 101² and on 401² points with more and more
steps, until the error at two unseen parameters, on the coarse grid for both, is below the target;
the time is interpolated between the last two fits.  It includes all that ``fit`` does; the time
of the processor is what other processes on the machine leave alone.  Writes
``grid_independence.json``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from results import Record, argument_parser, parse

from skcolora import CoLoRARegressor
from skcolora.datasets import SnapshotData, make_vlasov
from skcolora.metrics import relative_l2_error


def fits(
    data: SnapshotData, new: SnapshotData, steps: list[int], target: float, seed: int
) -> list[dict[str, Any]]:
    """One fit for each number of steps, up to the first below the target."""
    y = data.y.astype(np.float32)
    rows: list[dict[str, Any]] = []
    for n in steps:
        model = CoLoRARegressor(**data.grid, max_iter=n, random_state=seed)
        started = time.perf_counter(), time.process_time()
        model.fit(data.X, y)
        seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        error = relative_l2_error(new.y, model.predict(new.X, points=new.points))
        rows.append({"steps": n, "seconds": seconds, "cpu_seconds": cpu, "error": error})
        print(f"{y.shape}: {rows[-1]}", flush=True)
        if rows[-1]["error"] <= target:
            break
    return rows


def seconds_to(target: float, rows: list[dict[str, Any]], clock: str) -> float | None:
    """Time to the target, errors being powers of the time between two fits."""
    if rows[-1]["error"] > target:
        return None
    errors = np.log([row["error"] for row in rows[-2:]])
    logs = np.log([row[clock] for row in rows[-2:]])
    order = np.argsort(errors)
    return float(np.exp(np.interp(np.log(target), errors[order], logs[order])))


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--points", type=int, nargs=2, default=[101, 401])
    parser.add_argument("--target", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, nargs="+", default=[250, 350, 500, 700, 1000, 1400])
    args = parse(parser, tiny={"points": [11, 15], "steps": [2], "target": 10.0})
    record = Record("grid_independence", args)
    times = np.linspace(0.0, 1.0, 5) if args.tiny else None
    new = make_vlasov([0.25, 0.35], n_points=args.points[0], times=times)
    runs = {}
    for n_points in args.points:
        data = make_vlasov(np.linspace(0.2, 0.4, 7), n_points=n_points, times=times, rtol=1e-8)
        runs[n_points] = [fits(data, new, args.steps, args.target, seed) for seed in args.seeds]
        for seed, rows in zip(args.seeds, runs[n_points], strict=True):
            for row in rows:
                record.add(points_along_an_axis=n_points, seed=seed, **row)
    coarse, fine = runs.values()
    for clock in ("seconds", "cpu_seconds"):
        reached = [
            [seconds_to(args.target, rows, clock) for rows in grid] for grid in (coarse, fine)
        ]
        if all(None not in row for row in reached):
            ratio = float(np.median(reached[1]) / np.median(reached[0]))
            record.add(clock=clock, to_target=reached, ratio=ratio)
            print(f"{clock} to the target: {reached}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
