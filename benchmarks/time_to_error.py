"""Seconds of training until the error at unseen parameters is small, before and after a change.

    SKCOLORA_DATA=folder SKCOLORA_FOREIGN=folder \\
        python benchmarks/time_to_error.py flame kdv vlasov --before other/checkout --jobs 2

Each budget is a fit of its own with ``max_time``, since the schedule adapts to it, in a process of
its own.  ``--before`` names another checkout of the repository, which is fitted on the same
snapshots.  Each figure is written to ``time_to_error.json`` when it is measured, and is not
measured again: start the same command again to continue.

The error is that of ``unseen.py``, relative to the variation of the training snapshots.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from results import Record, argument_parser, parse
from table_format import Table, digits
from unseen import (
    ROOT,
    add_arguments_of_fits,
    find_checkouts,
    measure_missing,
    network_task,
    open_record,
    stored,
)
from unseen_problems import UNSEEN_PROBLEMS
from unseen_table import mean_of

LEVELS = (1e-2, 3e-3)
SIDES = ("before", "after")
Rows = list[dict[str, Any]]


def run(name: str, args: argparse.Namespace, record: Record, folder: Path) -> None:
    """All fits on one problem; the two sides of a pair one after the other."""
    snapshots = folder / f"{name}.joblib"
    title, _ = stored(UNSEEN_PROBLEMS[name](), snapshots)
    asked = [
        network_task(
            {"problem": name, "side": side}, seed, {"max_time": seconds}, checkout=checkout
        )
        for seconds in args.budgets
        for seed in args.seeds
        for side, checkout in args.checkouts.items()
    ]
    measure_missing(asked, title, snapshots, args, record)


def time_to(level: float, errors: dict[float, float]) -> tuple[float, bool]:
    """Budget at which the error falls below a level, and whether any budget was enough.

    Between two budgets the logarithm of the error is linear in that of the budget.  Without any
    budget that is enough, it is the largest one.
    """
    budgets = sorted(errors)
    for i, budget in enumerate(budgets):
        if errors[budget] > level:
            continue
        if i == 0:
            return budget, True
        low, high = budgets[i - 1], budget
        share = np.log(level / errors[low]) / np.log(errors[high] / errors[low])
        return float(low * (high / low) ** share), True
    return budgets[-1], False


def times_of(rows: Rows, problem: str, level: float) -> dict[str, tuple[float, bool]]:
    """The times of both sides, of the geometric mean of the errors of all seeds."""
    found = {}
    for side in SIDES:
        chosen = [row for row in rows if row["problem"] == problem and row["side"] == side]
        budgets = {row["limit"]["max_time"] for row in chosen}
        means = {
            budget: mean_of(r["error"] for r in chosen if r["limit"]["max_time"] == budget)
            for budget in budgets
        }
        if means:
            found[side] = time_to(level, {b: e for b, e in means.items() if e is not None})
    return found


def table(rows: Rows) -> Table:
    """A row for each problem, and the geometric mean of the ratios of each level."""
    head, lines, ratios = ["problem"], [], {level: [] for level in LEVELS}
    for level in LEVELS:
        head += [f"to {level:.0e}".replace("e-0", "e-") + ": before", "after", "ratio"]
    for problem in dict.fromkeys(row["problem"] for row in rows):
        title = next(row["title"] for row in rows if row["problem"] == problem)
        line = [title]
        for level in LEVELS:
            times = times_of(rows, problem, level)
            line += [seconds(*times[side]) if side in times else "" for side in SIDES]
            reached = [enough for _, enough in times.values()]
            if len(times) < len(SIDES) or not any(reached):
                line.append("")
                continue
            ratio = times["after"][0] / times["before"][0]
            ratios[level].append(ratio)
            bound = "" if all(reached) else ("≤ " if times["after"][1] else "≥ ")
            line.append(f"{bound}{digits(ratio)}")
        lines.append(line)
    foot = ["geometric mean"]
    for values in ratios.values():
        foot += ["", "", digits(float(np.exp(np.mean(np.log(values)))))] if values else [""] * 3
    return Table(head, [*lines, foot] if lines else [])


def seconds(value: float, enough: bool) -> str:
    return f"{'' if enough else '> '}{digits(value)} s"


def main() -> None:
    parser = argument_parser(__doc__, problems=UNSEEN_PROBLEMS)
    parser.add_argument("--before", type=Path, help="another checkout of the repository")
    parser.add_argument("--budgets", type=float, nargs="+", default=[2.5, 5.0, 10.0, 20.0, 40.0])
    add_arguments_of_fits(parser)
    args = parse(parser, {"budgets": [0.5]})
    find_checkouts(parser, args, before=args.before, after=ROOT)
    record = open_record("time_to_error", args)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.problems:
            run(name, args, record, Path(folder))
    print(table(record.figures).markdown())


if __name__ == "__main__":
    main()
