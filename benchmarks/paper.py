"""Our errors beside those that the paper of the method has published, on its own problems.

    SKCOLORA_DATA=folder python benchmarks/paper.py vlasov burgers rde wave inviscid

The paper is arXiv:2402.14646, and its published rivals are F-FNO, DINo and CROM.  Their figures are
quoted; ours are measured: with at most as many weights and latent variables as the paper has, and
with the untouched defaults.  Every fit runs in a process of its own.  Each figure is written to
``paper.json`` when it is measured, and is not measured again: start the same command again to
continue.

Vlasov's equation is learnt from the published files, and judged by the exact solution.  The
published files of Burgers and of the rotating detonation are farther from the solution than the
errors that are to be measured, by the amounts that the script prints: there our own solver makes
the snapshots at the parameters of the paper, for the training and for the judgement.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import problems
from problems import Problem
from results import argument_parser, parse
from table_format import Table, digits, error, spread
from unseen import (
    ROOT,
    add_arguments_of_fits,
    find_checkouts,
    measure_missing,
    network_task,
    open_record,
    stored,
)
from unseen_problems import plain, problem_of, slow_wave

from skcolora.datasets import (
    SnapshotData,
    load_snapshots,
    make_burgers,
    make_rotating_detonation,
    make_vlasov,
)
from skcolora.metrics import relative_l2_error
from skcolora.pdes import InviscidBurgers

Rows = list[dict[str, Any]]
SIZES = ("published size", "defaults")
ALL_BUT_FIRST = list(range(1, 8))


class Published(NamedTuple):
    """A row of the paper's tables, and our network of the same size."""

    weights: int
    n_latent: int
    error: float
    rival: str
    rival_error: float
    settings: dict[str, Any]
    """Arguments of `CoLoRARegressor`: at most the paper's weights, and its latent variables."""


PUBLISHED: dict[str, Published] = {
    "vlasov": Published(
        5451,
        7,
        9.87e-4,
        "F-FNO",
        8.57e-3,
        {"adapted_layers": ALL_BUT_FIRST, "hyper_width": 14},
    ),
    "burgers": Published(
        5451,
        7,
        4.96e-4,
        "F-FNO",
        5.11e-3,
        {"adapted_layers": ALL_BUT_FIRST, "hyper_width": 14},
    ),
    "wave": Published(
        7505,
        49,
        9.22e-4,
        "DINo",
        6.89e-3,
        {"adapted_layers": ALL_BUT_FIRST, "adaptation": "diagonal", "rank": 7, "hyper_width": 14},
    ),
    "inviscid": Published(
        4521,
        2,
        2.74e-4,
        "CROM",
        1.93e-3,
        {"adapted_layers": [0, 1], "hyper_width": 13},
    ),
}


def burgers() -> Problem:
    """Eight viscosities from 0.001 to 0.01, and the two that the paper holds out."""
    data, new = (
        make_burgers(mu, kind="2d") for mu in (_published("burgers").X, [3.97e-3, 7.93e-3])
    )
    return problem_of("2-D Burgers", data, new.X, new.y)


def rotating_detonation() -> Problem:
    """Ten parameters from 2.0 to 3.1, and the two that the paper holds out."""
    data, new = (make_rotating_detonation(mu) for mu in (_published("rde").X, [2.3, 2.7]))
    return problem_of("Rotating detonation", data, new.X, new.y)


def wave() -> Problem:
    """The pulses of DINo, 64 of which are learnt."""
    return slow_wave(64)._replace(name="2-D wave")


def inviscid() -> Problem:
    """The 80 training parameters and two others of K. Lee and K. Carlberg, arXiv:1812.08373."""
    pairs = [(a, b) for a in np.linspace(4.25, 5.5, 10) for b in np.linspace(0.015, 0.03, 8)]
    X, X_new = np.array(pairs), np.array([[4.3, 0.021], [5.15, 0.0285]])
    x, times, pde = np.linspace(0.0, 100.0, 256), np.linspace(0.0, 35.0, 501), InviscidBurgers()
    y, y_new = (pde.solve(mu, times, x[:, None], n_points=256) for mu in (X, X_new))
    data = SnapshotData(X, y, times, x[:, None], pde=pde)
    return problem_of("1-D inviscid Burgers", data, X_new, y_new)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "vlasov": lambda: plain(problems.vlasov()),
    "burgers": burgers,
    "rde": rotating_detonation,
    "wave": wave,
    "inviscid": inviscid,
    "tiny": lambda: plain(problems.tiny()),
}
SOLVERS: dict[str, Callable[[np.ndarray], SnapshotData]] = {
    "vlasov": make_vlasov,
    "burgers": lambda X: make_burgers(X, kind="2d"),
    "rde": make_rotating_detonation,
}


def _published(name: str) -> SnapshotData:
    """The published files, for their parameters and fields alone."""
    return load_snapshots(problems.data_folder() / name)


def distance(name: str) -> np.ndarray:
    """Relative L2 difference of each published file from our solver at its parameter."""
    files = _published(name)
    return relative_l2_error(SOLVERS[name](files.X).y, files.y, average=False)


def tasks(name: str, rivals: list[str], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The simple rivals, and each network with both of its settings."""
    for rival in rivals:
        yield {"problem": name, "contestant": rival}
    sizes: dict[str, dict[str, Any]] = {"defaults": {}}
    if name in PUBLISHED:
        sizes["published size"] = PUBLISHED[name].settings
    for seed in args.seeds:
        for size in [size for size in args.sizes if size in sizes]:
            about = {"problem": name, "size": size}
            yield network_task(about, seed, {"max_time": args.seconds}, sizes[size])


def table(rows: Rows) -> Table:
    """A line for each problem: what is published, ours with the same size, ours untouched."""
    lines = []
    for name in dict.fromkeys(row["problem"] for row in rows):
        here = [row for row in rows if row["problem"] == name and "plain" in row]
        ours = {size: [row["plain"] for row in here if row.get("size") == size] for size in SIZES}
        simple = min(
            (row for row in here if "size" not in row), key=lambda row: float(row["plain"])
        )
        paper = PUBLISHED.get(name)
        ratio, size, other = "", "", ""
        if paper is not None and ours["published size"]:
            middle = float(np.median([float(value) for value in ours["published size"]]))
            ratio = digits(paper.error / middle)
            size = f"{paper.weights:,}, {paper.n_latent}"
            other = f"{error(paper.rival_error)}, {paper.rival}"
        lines.append(
            [
                here[0]["title"],
                size,
                "" if paper is None else error(paper.error),
                other,
                spread(ours["published size"]) if size else "",
                ratio,
                spread(ours["defaults"]) if ours["defaults"] else "",
                f"{error(simple['plain'])}, {simple['contestant']}",
            ]
        )
    head = [
        "problem",
        "weights, latent variables of the paper",
        "CoLoRA, as published",
        "its rival, as published",
        "`CoLoRARegressor` of this size",
        "published / ours",
        "`CoLoRARegressor`, defaults",
        "best simple rival",
    ]
    return Table(head, lines)


def main() -> None:
    parser = argument_parser(__doc__, problems=PROBLEMS)
    parser.add_argument("--seconds", type=float, default=300.0, help="training time of a network")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    add_arguments_of_fits(parser)
    args = parse(parser, {"seconds": 0.5})
    find_checkouts(parser, args, after=ROOT)
    record = open_record("paper", args)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.problems:
            snapshots = Path(folder) / f"{name}.joblib"
            title, rivals = stored(PROBLEMS[name](), snapshots)
            measure_missing(tasks(name, rivals, args), title, snapshots, args, record)
            if name in SOLVERS and not any(
                row["problem"] == name and "distance" in row for row in record.figures
            ):
                record.add(problem=name, title=title, distance=distance(name))
    print(table(record.figures).markdown())


if __name__ == "__main__":
    main()
