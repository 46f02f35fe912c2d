"""Training time to one error on a coarse and on a fine grid.

    python benchmarks/grid_independence.py

Fits the Vlasov snapshots of seven parameters on 101² and on 401² points with more and more
steps, until the error at two unseen parameters, on the coarse grid for both, is below the target;
the time is interpolated between the last two fits.  It includes all that ``fit`` does; the time
of the processor is what other processes on the machine leave alone.  Writes
``grid_independence.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

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
        rows.append({"steps": n, "seconds": seconds, "cpu seconds": cpu, "error": error})
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
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, nargs=2, default=[101, 401])
    parser.add_argument("--target", type=float, default=2e-3)
    parser.add_argument("--steps", type=int, nargs="+", default=[250, 350, 500, 700, 1000, 1400])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    new = make_vlasov([0.25, 0.35])
    result: dict[str, Any] = {"target": args.target, "grids": {}}
    for n_points in args.points:
        data = make_vlasov(np.linspace(0.2, 0.4, 7), n_points=n_points, rtol=1e-8)
        runs = [fits(data, new, args.steps, args.target, seed) for seed in args.seeds]
        result["grids"][f"{n_points}²"] = runs
    coarse, fine = result["grids"].values()
    for clock in ("seconds", "cpu seconds"):
        times = [[seconds_to(args.target, rows, clock) for rows in runs] for runs in (coarse, fine)]
        if all(None not in row for row in times):
            ratio = float(np.median(times[1]) / np.median(times[0]))
            result[f"{clock} to target"] = {"each": times, "ratio": ratio}
        # Whatever errors they reach.
        result[f"ratios of {clock} at the same steps"] = [
            b[clock] / a[clock]
            for rows in zip(coarse, fine, strict=True)
            for a, b in zip(*rows, strict=False)
        ]
    print({key: value for key, value in result.items() if key != "grids"})
    with open("grid_independence.json", "w") as file:
        json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
