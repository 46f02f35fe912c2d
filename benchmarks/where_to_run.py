"""Error at unseen parameters against the number of runs: greedy, random, spread and grid sampling.

    python benchmarks/where_to_run.py --seconds 100

The problem is that of ``flame.py``.  All contestants fit the same network:

- greedy: `sample_greedily`, whose rounds ask the model where the solver is needed next;
- spread: `sample_greedily` with initial runs alone, which are spread evenly over the candidates;
- random: random candidates, the first ones of one order for each repetition;
- grid: 3 × 3 and 4 × 4 parameters, with those at the edge.

The candidates are a grid of 25 × 25 parameters.  All models are judged at the same random
parameters.  The error of a trajectory is relative to its variation.

The fits take about two hours.  Each figure is written to ``where_to_run.json`` when it is measured,
and is not measured again: start the same command again to continue.  Where ``SKCOLORA_FOREIGN``
names the folder of ``flame.npz``, the snapshots of FiPy are compared with those of the solver.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flame
import numpy as np
import torch
from problems import check_unseen
from results import Record, argument_parser, matches, parse
from table_format import Table, spread
from unseen import ROOT, content_of
from unseen_problems import UNSEEN

from skcolora import CoLoRARegressor
from skcolora.metrics import relative_l2_error
from skcolora.model_selection import sample_greedily

N_INITIAL = 5
"""Runs before the first round, the default for two parameters."""
Judge = Callable[[CoLoRARegressor, np.ndarray, float], None]


class Experiment:
    """The candidates, the parameters that models are judged at, and the network.

    Parameters
    ----------
    args : Namespace
        The arguments of the script.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.points = flame.centres(args.points)
        self.candidates = box_grid(args.candidates)
        drawn = np.random.default_rng(UNSEEN).uniform(size=(args.unseen, 2))
        self.X_new = flame.LOW + drawn * (flame.HIGH - flame.LOW)
        check_unseen(self.candidates, self.X_new)
        self.y_new = self.solve(self.X_new)
        limit = {"max_time": args.seconds} if args.max_iter is None else {"max_iter": args.max_iter}
        self.asked = {"limit": limit, "threads": args.threads, "package": content_of(ROOT)}

    def solve(self, X: np.ndarray) -> np.ndarray:
        return flame.solve(X, self.points, n_cells=self.args.cells)

    def network(self, seed: int, judge: Judge) -> CoLoRARegressor:
        """A network that is judged after each fit."""

        class Judged(CoLoRARegressor):
            def fit(self, X: Any, y: Any) -> CoLoRARegressor:
                started = time.perf_counter()
                super().fit(X, y)
                judge(self, X, time.perf_counter() - started)
                return self

        grid = {"times": flame.TIMES, "points": self.points}
        return Judged(**grid, **self.asked["limit"], random_state=seed, on_extrapolation="ignore")

    def figures(self, model: CoLoRARegressor, seconds: float) -> dict[str, Any]:
        """The figures of a fitted network."""
        errors = relative_l2_error(
            self.y_new, model.predict(self.X_new), average=False, centered=True
        )
        return {
            "error": errors.mean(),
            "worst": errors.max(),
            "median": np.median(errors),
            "training_error": model.best_loss_,
            "seconds": seconds,
        }

    def indices(self, X: np.ndarray) -> list[int]:
        """The candidates that the rows of X are."""
        distances = np.abs((X[:, None] - self.candidates) / flame.HIGH).max(axis=2)
        return [int(i) for i in distances.argmin(axis=1)]


def box_grid(n: int) -> np.ndarray:
    """Parameters (n², 2) on a grid with those at the edge."""
    axes = (np.linspace(low, high, n) for low, high in zip(flame.LOW, flame.HIGH, strict=True))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)


def designs(experiment: Experiment) -> Iterator[tuple[str, int, np.ndarray]]:
    """Contestant, seed and parameters of each fit that no model has a say in."""
    args, candidates = experiment.args, experiment.candidates
    for seed in args.seeds:
        for n in args.grids:
            yield "grid", seed, box_grid(n)
    for seed in range(args.repetitions):
        order = np.random.default_rng(seed).permutation(len(candidates))
        for n in args.runs:
            yield "random", seed, candidates[order[:n]]


def add(record: Record, asked: dict[str, Any], figures: dict[str, Any]) -> None:
    # A fit of another state of the package answers a question that is no longer asked.
    record.replace({k: v for k, v in asked.items() if k != "package"}, **asked, **figures)
    print(
        f"{asked['contestant']}, seed {asked['seed']}, {asked['runs']} runs: "
        f"error {figures['error']:.2e}, worst {figures['worst']:.2e}",
        flush=True,
    )


def run_designs(experiment: Experiment, record: Record) -> None:
    """Grids and random candidates."""
    for contestant, seed, X in designs(experiment):
        asked = {"contestant": contestant, "seed": seed, "runs": len(X), **experiment.asked}
        if any(matches(row, asked) for row in record.figures):
            continue

        def judge(model: CoLoRARegressor, X: Any, seconds: float, asked: Any = asked) -> None:
            add(record, asked, experiment.figures(model, seconds))

        experiment.network(seed, judge).fit(X, experiment.solve(X))


def run_sampler(experiment: Experiment, record: Record, contestant: str, seed: int) -> None:
    """Greedy or spread sampling up to the largest number of runs, from where it was stopped."""
    counts = experiment.args.runs
    greedy = contestant == "greedy"
    first, last = min(N_INITIAL, max(counts)), max(counts)
    wanted = range(first, last + 1) if greedy else counts
    asked = {"contestant": contestant, "seed": seed, **experiment.asked}
    rows = [row for row in record.figures if matches(row, asked)]
    known = {row["runs"]: row["chosen"] for row in rows}
    if known.keys() >= set(wanted):
        return

    def judge(model: CoLoRARegressor, X: Any, seconds: float) -> None:
        figures = experiment.figures(model, seconds)
        chosen = experiment.indices(np.asarray(X))
        add(record, {**asked, "runs": len(X)}, {**figures, "chosen": chosen})

    network = experiment.network(seed, judge)
    if greedy:
        # The model of the last figure is fitted again, because it says where to go on.
        chosen = known[max(known)] if known else []
        X = experiment.candidates[chosen] if chosen else None
        y = None if X is None else experiment.solve(X)
        options = {"n_initial": max(first, len(chosen)), "max_runs": last - len(chosen)}
        sample_greedily(network, experiment.solve, experiment.candidates, X=X, y=y, **options)
        return
    for n in (n for n in counts if n not in known):
        options = {"n_initial": n, "max_runs": n}
        sample_greedily(network, experiment.solve, experiment.candidates, **options)


def check_solver(experiment: Experiment, record: Record) -> None:
    """How far the snapshots are from those of half the cells, and from those of FiPy.

    FiPy's are of first order in time: implicit Euler steps make the front too fast.
    """
    args, X = experiment.args, experiment.X_new
    folder = os.environ.get("SKCOLORA_FOREIGN")
    same = [row for row in record.figures if matches(row, {"cells": args.cells})]
    if any("fipy" in row or not folder for row in same):
        return
    coarse = flame.solve(X, experiment.points, n_cells=args.cells // 2)
    errors = relative_l2_error(experiment.y_new, coarse, average=False, centered=True)
    row: dict[str, Any] = {"contestant": "solver", "cells": args.cells, "half": errors.max()}
    print(f"Half of {args.cells} cells change the snapshots by at most {errors.max():.1e}.")
    if folder:
        with np.load(Path(folder, "flame.npz")) as file:
            X, y = (np.concatenate([file[k], file[f"{k}_test"]]) for k in ("X", "y"))
            points, times = file["points"][:, 0], file["times"]
        ours = flame.solve(X, points, times, n_cells=args.cells)
        errors = relative_l2_error(ours, y, average=False, centered=True)
        row |= {"fipy": errors.mean(), "fipy_least": errors.min(), "fipy_worst": errors.max()}
        print(f"FiPy differs by {errors.min():.1e} to {errors.max():.1e}.")
    record.replace({"contestant": "solver"}, **row)


def table(record: Record, asked: dict[str, Any]) -> Table:
    """Error of each contestant by the number of runs: median, lowest and highest of the seeds."""
    rows = [row for row in record.figures if matches(row, asked)]
    names = ("greedy", "spread", "random", "grid")
    body = []
    for runs in sorted({row["runs"] for row in rows}):
        here = [row for row in rows if row["runs"] == runs]
        errors = [[row["error"] for row in here if row["contestant"] == name] for name in names]
        body.append([str(runs), *(spread(each) if each else "" for each in errors)])
    return Table(["runs", *names], body)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=100.0, help="max_time of each fit")
    parser.add_argument("--max-iter", type=int, help="steps in place of a time limit")
    parser.add_argument("--threads", type=int, default=1, help="of each fit")
    parser.add_argument("--runs", type=int, nargs="+", default=[5, 9, 12, 16], help="to judge at")
    parser.add_argument("--grids", type=int, nargs="+", default=[3, 4], help="runs along each axis")
    parser.add_argument("--repetitions", type=int, default=5, help="of random sampling")
    contestants = ["greedy", "spread", "designs"]
    parser.add_argument("--contestants", nargs="+", choices=contestants, default=contestants)
    parser.add_argument("--candidates", type=int, default=25, help="along each axis")
    parser.add_argument("--unseen", type=int, default=40, help="number of unseen parameters")
    parser.add_argument("--points", type=int, default=160, help="of each snapshot")
    parser.add_argument("--cells", type=int, default=flame.CELLS, help="of the solver")
    tiny = {"runs": [5, 6], "grids": [2], "repetitions": 1, "candidates": 5, "unseen": 3}
    args = parse(parser, {**tiny, "max_iter": 2, "points": 16, "cells": 64})
    torch.set_num_threads(args.threads)
    experiment = Experiment(args)
    record = Record("where_to_run", args, resume=True)
    check_solver(experiment, record)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Seed by seed, so that a run that is stopped has all contestants of some seeds.
        for seed in args.seeds:
            for contestant in ("greedy", "spread"):
                if contestant in args.contestants:
                    run_sampler(experiment, record, contestant, seed)
        if "designs" in args.contestants:
            run_designs(experiment, record)
    print(table(record, experiment.asked).markdown())


if __name__ == "__main__":
    main()
