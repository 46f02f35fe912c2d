"""What the size of a network buys: latent variables, rank, layers, width and adaptation.

    SKCOLORA_DATA=folder python benchmarks/architecture.py advection vlasov burgers wave rde

Networks with n latent variables stand beside the best linear space of n modes and a greedy
quadratic manifold of n coordinates, both fitted to the unseen snapshots themselves.  For a network
this is the error of its decoder; the error of the prediction stands beside it.  Other networks
differ from the default in one setting.  Every training has the same time, in a process of its own.
Each figure is written to ``architecture.json`` when it is measured, and is not measured again:
start the same command again to continue.

The errors are those of ``unseen.py``, relative to the variation of the training snapshots.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import problems
from problems import Problem
from quadratic_manifold import QuadraticManifoldRegressor
from results import Record, argument_parser, matches, parse
from table_format import Table, bold_least, digits, error
from unseen import (
    ROOT,
    add_arguments_of_fits,
    find_checkouts,
    measure_missing,
    network_task,
    open_record,
    stored,
)
from unseen_fit import variation_errors
from unseen_problems import UNSEEN_PROBLEMS, plain
from unseen_table import mean_of, quotient

from skcolora import PODRegressor

Rows = list[dict[str, Any]]
LATENT: dict[int, dict[str, Any]] = {
    1: {"adapted_layers": [0]},
    2: {"adapted_layers": [0, 1]},
    4: {"adapted_layers": [0, 1, 2, 3]},
    8: {},
    16: {"adaptation": "diagonal", "rank": 2},
    24: {"adaptation": "diagonal"},
    40: {"adaptation": "diagonal", "rank": 5},
}
"""Settings of a network by its number of latent variables."""
CHANGES: dict[str, dict[str, Any]] = {
    "rank 1": {"rank": 1},
    "rank 6": {"rank": 6},
    "all layers but the first adapted": {"adapted_layers": list(range(1, 8))},
    "the last four layers adapted": {"adapted_layers": [4, 5, 6, 7]},
    "width 15": {"width": 15},
    "width 40": {"width": 40},
    "depth 4": {"depth": 4},
    "depth 12": {"depth": 12},
    "hypernetwork of width 30": {"hyper_width": 30},
}
"""Settings that differ from the default in one thing."""
MANIFOLDS = ("POD", "quadratic manifold")
DECODER, PREDICTION = "decoder of the network", "prediction of the network"
PROBLEMS: dict[str, Callable[[], Problem]] = {
    "advection": lambda: plain(problems.advection()),
    "wave": UNSEEN_PROBLEMS["wave64"],
    **{name: UNSEEN_PROBLEMS[name] for name in ("vlasov", "burgers", "rde", "flame", "tiny")},
}


def network_tasks(name: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    every = [{}] if args.tiny else [*LATENT.values(), *CHANGES.values()]
    about = {"problem": name, "decoder": True}
    for seed in args.seeds:
        for settings in every:
            yield network_task(about, seed, {"max_time": args.seconds}, settings)


def manifolds(name: str, title: str, snapshots: Path, record: Record) -> None:
    """How well spaces that are told from the training snapshots hold the unseen ones."""
    problem = joblib.load(snapshots)
    y_new, grid, n_fields = problem["y_new"], problem["grid"], len(problem["mean"])
    # No linear space of snapshots has more modes than there are snapshots or values.
    most = min(len(problem["y"]) * len(grid["times"]), y_new[0].size // len(grid["times"]))
    for n in LATENT:
        for kind in MANIFOLDS:
            asked = {"problem": name, "contestant": kind, "n": n}
            if n >= most or any(matches(row, asked) for row in record.figures):
                continue
            model: Any = PODRegressor(**grid, n_components=n)
            if kind == "quadratic manifold":
                model = QuadraticManifoldRegressor(grid["times"], n_fields, n)
            projected = model.fit(problem["X"], problem["y"]).project(y_new)
            errors = variation_errors(y_new, projected, problem["mean"], problem["std"])
            record.add(title=title, **asked, decoder_error=errors.mean())
            print(f"{name}: {kind}, n = {n}: {errors.mean():.2e}", flush=True)


def titles(rows: Rows) -> dict[str, str]:
    return {row["problem"]: row["title"] for row in rows}


def curves(rows: Rows, name: str) -> dict[str, dict[int, float | None]]:
    """Errors of each kind of space on one problem, by n, and of the network's prediction."""
    here = [row for row in rows if row["problem"] == name]
    found = {kind: {n: of_manifold(here, kind, n) for n in LATENT} for kind in MANIFOLDS}
    for label, key in ((DECODER, "decoder_error"), (PREDICTION, "error")):
        found[label] = {
            n: mean_of(row.get(key, "inf") for row in of_settings(here, settings))
            for n, settings in LATENT.items()
        }
    return found


def over_n(rows: Rows) -> Table:
    """A line for each problem and kind of space, a column for each n; and a rate.

    The rate is p of ``error ~ n⁻ᵖ`` by least squares over all n.
    """
    lines = []
    for name, title in titles(rows).items():
        every = curves(rows, name)
        spaces = {kind: curve for kind, curve in every.items() if kind != PREDICTION}
        columns = []
        for n in LATENT:
            values = [curve[n] for curve in spaces.values()]
            cells = ["" if value is None else error(value) for value in values]
            columns.append(bold_least(cells, [np.inf if v is None else v for v in values]))
        for i, (kind, curve) in enumerate(spaces.items()):
            lines.append([title, kind, *(column[i] for column in columns), rate(curve)])
        cells = ["" if value is None else error(value) for value in every[PREDICTION].values()]
        lines.append([title, PREDICTION, *cells, rate(every[PREDICTION])])
    return Table(["problem", "space", *(f"n = {n}" for n in LATENT), "rate p"], lines)


def of_manifold(rows: Rows, kind: str, n: int) -> float | None:
    found = [row["decoder_error"] for row in rows if matches(row, {"contestant": kind, "n": n})]
    return float(found[0]) if found else None


def rate(errors: dict[int, float | None]) -> str:
    known = [(n, value) for n, value in errors.items() if value]
    if len(known) < 3:
        return ""
    return digits(-np.polyfit(*np.log(np.array(known, dtype=float)).T, 1)[0])


def of_settings(rows: Rows, settings: dict[str, Any]) -> Rows:
    """The networks with exactly these settings."""
    return [row for row in rows if row.get("settings") == settings]


def ratio_to_default(rows: Rows, name: str, settings: dict[str, Any], key: str) -> float | None:
    """Mean of a figure over the seeds, relative to that of the default on the same problem."""
    here = [row for row in rows if row["problem"] == name]
    changed, default = (
        mean_of(row.get(key, "inf") for row in of_settings(here, each)) for each in (settings, {})
    )
    return quotient(changed, default)


def sensitivity(rows: Rows) -> Table:
    """Error and steps of each change, as a ratio to the default, by problem; the mean of all."""
    names = titles(rows)
    lines = []
    more = {f"n = {n}": settings for n, settings in LATENT.items() if settings}
    for label, settings in {**CHANGES, **more}.items():
        ratios, steps = (
            [ratio_to_default(rows, name, settings, key) for name in names]
            for key in ("error", "steps")
        )
        known = [[value for value in column if value is not None] for column in (ratios, steps)]
        if known[0]:
            cells = ["" if value is None else digits(value) for value in ratios]
            lines.append([label, *cells, *(digits(mean_of(column)) for column in known)])
    return Table(["change", *names.values(), "geometric mean", "steps"], lines)


def main() -> None:
    parser = argument_parser(__doc__, problems=PROBLEMS)
    parser.add_argument("--seconds", type=float, default=20.0, help="training time of a network")
    add_arguments_of_fits(parser)
    args = parse(parser, {"seconds": 0.5})
    find_checkouts(parser, args, after=ROOT)
    record = open_record("architecture", args)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.problems:
            snapshots = Path(folder) / f"{name}.joblib"
            title, _ = stored(PROBLEMS[name](), snapshots)
            manifolds(name, title, snapshots, record)
            tasks = network_tasks(name, args)
            measure_missing(tasks, title, snapshots, args, record)
    print(over_n(record.figures).markdown())
    print(sensitivity(record.figures).markdown())


if __name__ == "__main__":
    main()
