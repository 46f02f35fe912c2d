"""What `CoLoRAGalerkin` returns, beside both halves that it chooses from, on twelve equations.

    SKCOLORA_DATA=folder SKCOLORA_FOREIGN=folder python benchmarks/both_halves.py all

For each equation and seed one network is trained on few runs, see ``equations.py``.  The regressor
and the path of the equation predict runs that were held out, and so does what `predict` returns.
``--distill`` and ``--refine`` give seconds to learn from the equation at these parameters, in the
same process.  Errors are relative to the variation of each trajectory.  Each figure is written to
``both_halves.json`` when it is measured, and is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np
import torch
from equations import EQUATIONS
from results import Record, argument_parser, matches, parse, rounded
from sklearn.frozen import FrozenEstimator
from table_format import Table, spread

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.metrics import relative_l2_error

HALVES = ("regressor", "equation", "returned")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def measured(task: dict[str, Any]) -> dict[str, Any]:
    """Errors of both halves and of what is returned, for one equation and seed."""
    torch.set_num_threads(1)
    pde, data, X_new, y_new = EQUATIONS[task["problem"]]()
    network = CoLoRARegressor(**data.grid, **task["limit"], random_state=task["seed"])

    def judged(y: Any) -> float:
        errors = relative_l2_error(y_new, y, average=False, centered=True)
        return float(np.nan_to_num(errors, nan=np.inf).mean())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(data.X, data.y)
        started = time.perf_counter()
        model = CoLoRAGalerkin(pde, regressor=FrozenEstimator(network), random_state=task["seed"])
        model.fit(data.X, data.y)
        fitted = time.perf_counter()
        solution = model.solve(X_new)
        solved = time.perf_counter()
        settings = {
            "norm": model.norm_,
            "regularization": model.regularization_,
            "free_output": model.free_output_,
        }
        fixed: dict[str, Any] = {"fallback": None, **settings}
        alone = CoLoRAGalerkin(
            pde, regressor=FrozenEstimator(network), random_state=task["seed"], **fixed
        ).fit(data.X, data.y)
        found: dict[str, Any] = {
            "regressor": judged(network.predict(X_new)),
            "equation": judged(alone.predict(X_new)),
            "returned": judged(solution.predict()),
            "status": [str(each) for each in solution.status],
            **settings,
            "fit_seconds": fitted - started,
            "solve_seconds": solved - fitted,
        }
        if task["distill"]:
            started = time.perf_counter()
            learnt = model.distill(X_new, max_time=task["distill"])
            found["distill_seconds"] = time.perf_counter() - started
            found["distilled"] = judged(learnt.predict(X_new))
        if task["refine"]:
            refined = model.refine(X_new, max_time=task["refine"])
            found["refined"] = judged(refined.predict(X_new))
            found["refined_regressor"] = judged(refined.regressor_.predict(X_new))
    return found


def run_one(task: dict[str, Any]) -> dict[str, Any]:
    """The figures of one task from a process of its own; what went wrong, if it failed."""
    threads = dict.fromkeys(THREAD_VARIABLES, "1")
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), "--task", json.dumps(task)],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"failure": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(figures: list[dict[str, Any]]) -> Table:
    """Errors by equation: median, lowest and highest of the seeds."""
    rows, ratios = [], []
    for problem in dict.fromkeys(row["problem"] for row in figures):
        here = [row for row in figures if row["problem"] == problem and "failure" not in row]
        ratio = [
            float(row["returned"]) / min(float(row["regressor"]), float(row["equation"]))
            for row in here
        ]
        ratios += ratio
        cells = [spread(float(row[half]) for row in here) for half in HALVES]
        for extra in ("distilled", "refined"):
            some = [float(row[extra]) for row in here if extra in row]
            cells.append(spread(some) if some else "")
        rows.append([problem, *cells, f"{max(ratio):.2f}" if ratio else ""])
    if ratios:
        rows.append(["geometric mean", *[""] * 5, f"{geometric_mean(ratios):.2f}"])
    head = ["equation", "regressor", "equation alone", "returned", "distilled", "refined"]
    return Table([*head, "returned / better half, at most"], rows)


def main() -> None:
    if "--task" in sys.argv:
        print(json.dumps(rounded(measured(json.loads(sys.argv[-1])))))
        return
    parser = argument_parser(__doc__, problems=(*EQUATIONS, "tiny", "all"))
    parser.add_argument("--seconds", type=float, default=30.0, help="max_time of each network")
    parser.add_argument("--max-iter", type=int, help="steps in place of a time limit")
    parser.add_argument("--distill", type=float, help="seconds of a distillation")
    parser.add_argument("--refine", type=float, help="seconds of a refinement")
    parser.add_argument("--jobs", type=int, default=1, help="number of fits at the same time")
    args: argparse.Namespace = parse(parser, {"max_iter": 3})
    if "all" in args.problems:
        args.problems = list(EQUATIONS)
    if "tiny" in args.problems:
        args.problems = ["advection"]
    record = Record("both_halves", args, resume=True)
    limit = {"max_time": args.seconds} if args.max_iter is None else {"max_iter": args.max_iter}
    tasks = [
        {
            "problem": problem,
            "seed": seed,
            "limit": limit,
            "distill": args.distill,
            "refine": args.refine,
        }
        for seed in args.seeds
        for problem in args.problems
    ]
    missing = [
        task
        for task in tasks
        if not any(matches(row, task) and "failure" not in row for row in record.figures)
    ]
    with ThreadPoolExecutor(args.jobs) as pool:
        running = {pool.submit(run_one, task): task for task in missing}
        for future in as_completed(running):
            task, figures = running[future], future.result()
            record.replace(task, **task, **figures)
            told = figures.get("failure") or ", ".join(
                f"{key} {float(figures[key]):.2e}"
                for key in (*HALVES, "distilled", "refined")
                if key in figures
            )
            print(f"{task['problem']}, seed {task['seed']}: {told}", flush=True)
    print(table(record.figures).markdown())


if __name__ == "__main__":
    main()
