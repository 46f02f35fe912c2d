"""Error at unseen parameters of untouched defaults, before and after a change, beside all rivals.

    SKCOLORA_DATA=folder SKCOLORA_FOREIGN=folder \\
        python benchmarks/unseen.py all --before other/checkout --seconds 100

Every fit runs in a process of its own.  ``--before`` names another checkout of the repository,
whose package is fitted in turn with this one, on the same snapshots; without it only this one is
fitted.  The rivals are those of ``unseen_rivals.py``.  Each figure is written to ``unseen.json``
when it is measured, and is not measured again: start the same command again to continue.  The fits
of a package that has changed since are measured anew.

The error of an unseen trajectory is relative to its variation about the mean of the training
snapshots, so that this mean as a prediction has the error 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from problems import Problem
from results import Record, argument_parser, matches, parse, revision
from unseen_fit import NETWORK
from unseen_problems import UNSEEN_PROBLEMS
from unseen_rivals import has_ezyrb, rivals_of
from unseen_table import compared

ROOT = Path(__file__).resolve().parent.parent
FIT = Path(__file__).with_name("unseen_fit.py")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def content_of(checkout: Path) -> str:
    """A short number that changes whenever a file of the package does."""
    total = hashlib.sha1()
    for path in sorted((checkout / "skcolora").rglob("*.py")):
        total.update(str(path.relative_to(checkout)).encode() + path.read_bytes())
    return total.hexdigest()[:8]


def network_task(
    about: dict[str, Any],
    seed: int,
    limit: dict[str, float],
    settings: dict[str, Any] | None = None,
    checkout: Path = ROOT,
) -> dict[str, Any]:
    """What is asked of one network; ``about`` names the problem, and what else tells it apart."""
    return {
        **about,
        "contestant": NETWORK,
        "seed": seed,
        "limit": limit,
        "settings": settings or {},
        "package": content_of(checkout),
    }


def network_tasks(name: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What is asked of each network: for each seed the checkouts in turn."""
    in_time = args.max_iter is None
    limit = {"max_time": args.seconds} if in_time else {"max_iter": args.max_iter}
    for seed in args.seeds:
        for side, checkout in args.checkouts.items():
            about = {"problem": name, "side": side, "threads": args.threads}
            yield network_task(about, seed, limit, args.settings, checkout)


def stored(problem: Problem, path: Path) -> tuple[str, list[str]]:
    """Write what a process needs to a file; return the problem's title and all suitable rivals."""
    y, grid, points = problem.y, problem.data.grid, problem.data.points
    # Only snapshots with an axis more than trajectories, times and points have several fields.
    axes = len(points) if isinstance(points, tuple) else 1
    n_fields = y.shape[-1] if y.ndim == 3 + axes else 1
    fields = y.reshape(-1, n_fields).astype(np.float64)
    content = {
        "X": problem.X,
        "y": y,
        "X_new": problem.X_new,
        "y_new": problem.y_new,
        "grid": grid,
        "network": problem.network,
        "mean": fields.mean(axis=0),
        "std": fields.std(axis=0),
    }
    joblib.dump(content, path)
    n_snapshots = len(y) * (1 if grid["times"] is None else len(grid["times"]))
    return problem.name, rivals_of(problem.X, problem.X_new, n_snapshots, y.size // n_snapshots)


def measured(asked: dict[str, Any], snapshots: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The figures of one fit from a process of its own; what went wrong, if it failed."""
    checkout = args.checkouts[asked.get("side", "after")]
    paths = [str(checkout), os.environ.get("PYTHONPATH", "")]
    threads = {variable: str(args.threads) for variable in THREAD_VARIABLES}
    task = {**asked, "snapshots": str(snapshots), "threads": args.threads}
    done = subprocess.run(
        [sys.executable, str(FIT), json.dumps(task)],
        env={**os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        failure = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return {"error": np.inf, "worst": np.inf, "median": np.inf, "failure": failure}
    return {**json.loads(done.stdout.splitlines()[-1]), "revision": args.revisions[checkout]}


def run(name: str, args: argparse.Namespace, record: Record, folder: Path) -> None:
    """All contestants on one problem."""
    snapshots = folder / f"{name}.joblib"
    title, rivals = stored(UNSEEN_PROBLEMS[name](), snapshots)
    tasks: list[dict[str, Any]] = []
    if "rivals" in args.contestants:
        tasks += [{"problem": name, "contestant": rival} for rival in rivals]
    if "networks" in args.contestants:
        tasks += network_tasks(name, args)
    measure_missing(tasks, title, snapshots, args, record)
    snapshots.unlink()


def measure_missing(
    tasks: Iterable[dict[str, Any]],
    title: str,
    snapshots: Path,
    args: argparse.Namespace,
    record: Record,
) -> None:
    """Measure what the record does not have yet, ``args.jobs`` fits at the same time."""
    missing = [asked for asked in tasks if not known(asked, record)]
    pool = ThreadPoolExecutor(args.jobs)
    try:
        running = {pool.submit(measured, asked, snapshots, args): asked for asked in missing}
        for future in as_completed(running):
            asked, figures = running[future], future.result()
            # A fit of another state of the package answers a question that is no longer asked.
            same = {key: value for key, value in asked.items() if key != "package"}
            record.replace(same, title=title, **asked, **figures)
            tell(asked, figures)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def known(asked: dict[str, Any], record: Record) -> bool:
    """Whether it has been measured; what failed is tried again."""
    return any(matches(row, asked) and "failure" not in row for row in record.figures)


def tell(asked: dict[str, Any], figures: dict[str, Any]) -> None:
    side = f", {asked['side']}, seed {asked['seed']}" if "side" in asked else ""
    told = figures.get("failure") or (
        f"error {float(figures['error']):.2e}, worst {float(figures['worst']):.2e}, "
        f"{figures['seconds']:.1f} s"
    )
    print(f"{asked['problem']}: {asked['contestant']}{side}: {told}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__, problems=(*UNSEEN_PROBLEMS, "all"))
    parser.add_argument("--before", type=Path, help="another checkout of the repository")
    parser.add_argument("--after", type=Path, default=ROOT, help="by default this checkout")
    parser.add_argument("--seconds", type=float, default=100.0, help="max_time of a network")
    parser.add_argument("--max-iter", type=int, help="steps in place of a time limit")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON of the network's")
    add_arguments_of_fits(parser, threads=2)
    both = ["rivals", "networks"]
    parser.add_argument("--contestants", nargs="+", choices=both, default=both)
    args = parse(parser, {"max_iter": 3, "threads": 1})
    if "all" in args.problems:
        args.problems = [name for name in UNSEEN_PROBLEMS if name != "tiny"]
    find_checkouts(parser, args, before=args.before, after=args.after)
    return args


def add_arguments_of_fits(parser: argparse.ArgumentParser, *, threads: int = 1) -> None:
    """How many fits run at the same time, and on how many threads."""
    parser.add_argument("--threads", type=int, default=threads, help="of each fit")
    parser.add_argument("--jobs", type=int, default=1, help="number of fits at the same time")


def open_record(name: str, args: argparse.Namespace, **more: Any) -> Record:
    """The record of a benchmark that goes on where it was stopped.

    It says which revisions were compared, and not in which folders they were.
    """
    hidden = ("before", "after", "checkouts", "revisions")
    shown = {key: value for key, value in vars(args).items() if key not in hidden}
    shown["checkouts"] = {side: args.revisions[path] for side, path in args.checkouts.items()}
    return Record(name, argparse.Namespace(**shown, **more), resume=True)


def find_checkouts(
    parser: argparse.ArgumentParser, args: argparse.Namespace, **sides: Path | None
) -> None:
    """Set ``args.checkouts``, the folder of each side, and ``args.revisions`` of these folders."""
    args.checkouts = {side: path.resolve() for side, path in sides.items() if path is not None}
    for path in args.checkouts.values():
        if not (path / "skcolora" / "__init__.py").exists():
            parser.error(f"{path} is no checkout: it has no folder skcolora.")
    args.revisions = {
        path: revision(path / "skcolora").removeprefix(", revision ")
        for path in args.checkouts.values()
    }


def main() -> None:
    args = arguments()
    if "rivals" in args.contestants and not has_ezyrb():
        print("EZyRB is not installed: its rivals are left out.")
    record = open_record("unseen", args)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.problems:
            run(name, args, record, Path(folder))
    print(compared(record.figures).markdown())


if __name__ == "__main__":
    main()
