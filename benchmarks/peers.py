"""Error at unseen parameters beside other packages, run here on the same snapshots.

    SKCOLORA_DATA=folder SKCOLORA_FOREIGN=folder \\
        python benchmarks/peers.py vlasov burgers rde --seconds 20 --factors 10

``pip install -r benchmarks/peers.txt`` installs the packages.  Every fit runs in a process of its
own.  The networks of other packages train for the same time as ours, and with the best of their
settings also for the longer times that ``--factors`` asks for.  Each figure is written to
``peers.json`` when it is measured, and is not measured again: start the same command again to
continue.

The error of an unseen trajectory is relative to its variation about the mean of the training
snapshots, so that this mean as a prediction has the error 1.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib
from peer_settings import NETWORKS, settings_of
from results import Record, argument_parser, matches, parse
from unseen import (
    ROOT,
    add_arguments_of_fits,
    find_checkouts,
    measure_missing,
    network_task,
    open_record,
    stored,
)
from unseen_fit import NETWORK
from unseen_problems import UNSEEN_PROBLEMS

Task = dict[str, Any]
PACKAGES = ("neuraloperator", "ezyrb", "pymor", "opinf", "pydmd")


def first_round(name: str, snapshots: Path, rivals: list[str], args: Any) -> Iterator[Task]:
    """What is asked of each contestant: ours, the simple rivals, the other packages."""
    for seed in args.seeds:
        yield network_task({"problem": name}, seed, {"max_time": args.seconds})
    for rival in rivals:
        yield {"problem": name, "contestant": rival}
    for setting in settings_of(joblib.load(snapshots)):
        asked = {"problem": name, "contestant": setting.method, "setting": setting.number}
        yield {**asked, **limited(1.0, args)} if setting.trained else asked


def second_round(name: str, record: Record, args: Any) -> Iterator[Task]:
    """The best setting of each network of another package, with more time."""
    for method in NETWORKS:
        chosen = {"problem": name, "contestant": method, "factor": 1.0}
        rows = [row for row in record.figures if matches(row, chosen)]
        if rows:
            best = min(rows, key=lambda row: float(row["error"]))
            asked = {"problem": name, "contestant": method, "setting": best["setting"]}
            for factor in args.factors:
                yield {**asked, **limited(factor, args)}


def limited(factor: float, args: Any) -> Task:
    limit = {"max_time": factor * args.seconds}
    return {"limit": limit, "factor": factor, "seed": args.seeds[0]}


def wanted(tasks: Iterable[Task], args: Any) -> list[Task]:
    """The tasks whose contestants were asked for."""
    words = args.contestants or [""]
    return [asked for asked in tasks if any(word in asked["contestant"] for word in words)]


def arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__, problems=UNSEEN_PROBLEMS)
    parser.add_argument("--seconds", type=float, default=20.0, help="training time of a network")
    parser.add_argument("--factors", type=float, nargs="+", default=[10.0])
    add_arguments_of_fits(parser)
    parser.add_argument("--contestants", nargs="+", help="words of the names of those that run")
    args = parse(parser, {"seconds": 0.5, "factors": [], "contestants": [NETWORK]})
    find_checkouts(parser, args, after=ROOT)
    return args


def main() -> None:
    args = arguments()
    packages = {package: version_of(package) for package in PACKAGES}
    record = open_record("peers", args, packages=packages)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.problems:
            snapshots = Path(folder) / f"{name}.joblib"
            title, rivals = stored(UNSEEN_PROBLEMS[name](), snapshots)
            common = (title, snapshots, args, record)
            first = first_round(name, snapshots, rivals, args)
            measure_missing(wanted(first, args), *common)
            measure_missing(wanted(second_round(name, record, args), args), *common)


def version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
