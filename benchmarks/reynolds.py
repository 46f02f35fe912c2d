"""From which Reynolds number on does a nonlinear manifold pay? Burgers' equation, from 10 to 10⁴.

    python benchmarks/reynolds.py 1d 2d --numbers 10 30 100 300 1000 3000 10000

The Reynolds number is 1 / μ: fields of size 1 on a domain of size 1 with the viscosity μ.  At each
number six viscosities within a factor of two are learnt, and five between them are judged.  Beside
the network with its 8 latent variables, the best linear space of 8 modes, POD with a regression of
8 modes and of the best number of modes, and interpolation of the snapshots.  Each figure is written
to ``reynolds.json`` when it is measured, and is not measured again: start the same command again
to continue.

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
from problems import Problem
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
from unseen_fit import NETWORK, variation_errors
from unseen_problems import problem_of
from unseen_table import mean_of

from skcolora import PODRegressor
from skcolora.datasets import SnapshotData, make_burgers

Rows = list[dict[str, Any]]
N = 8
"""Number of latent variables of the network, and of modes."""
PROJECTION, POD = f"POD projection, {N} modes", f"POD, {N} modes"
LARGEST = {"1d": 10_000, "2d": 1000}
"""The numbers up to which the solutions are computed."""


def exact(viscosity: float, times: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The solution of `skcolora.pdes.Burgers` by the formula of Cole and Hopf, (n_times, n).

    In the frame of the mean speed 1/2 the field is ``∫ (x - y)/t w dy / ∫ w dy`` with
    ``w = exp(-(Φ(y) + (x - y)²/(2t)) / (2μ))`` and the integral Φ of the initial field sin(2πy)/2.
    """
    field = np.empty((len(times), len(x)))
    # The weights are as wide as √(2μt) at least at the start, and decay fast beyond the front.
    for i, t in enumerate(times):
        if t == 0.0:
            field[i] = 0.5 + 0.5 * np.sin(2 * np.pi * x)
            continue
        reach = 0.5 * t + 12 * np.sqrt(2 * viscosity * t)
        n_nodes = 2 * int(np.ceil(reach / (0.1 * np.sqrt(2 * viscosity * t)))) + 1
        offset = np.linspace(-reach, reach, n_nodes)
        moved = x - 0.5 * t
        y = moved[:, None] - offset
        potential = (1 - np.cos(2 * np.pi * y)) / (4 * np.pi) + offset**2 / (2 * t)
        exponent = potential / (2 * viscosity)
        weights = np.exp(exponent.min(axis=1, keepdims=True) - exponent)
        field[i] = 0.5 + weights @ (offset / t) / weights.sum(axis=1)
    return field


def problem(kind: str, number: float, *, tiny: bool = False) -> Problem:
    """Six viscosities within a factor of two around 1 / number, and the five between them."""
    every = np.geomspace(1 / np.sqrt(2), np.sqrt(2), 11) / number
    times = np.linspace(0.0, 1.0, 6 if tiny else 51)
    title = f"Burgers, {kind[0]}-D, Re = {number:,.0f}"
    if kind == "2d":
        data, new = (make_burgers(mu, kind="2d") for mu in (every[::2], every[1::2]))
        return problem_of(title, data, new.X, new.y)
    x = np.arange(64 if tiny else 512) / (64 if tiny else 512)
    y = np.stack([exact(mu, times, x) for mu in every])
    data = SnapshotData(every[::2, None], y[::2], times, x[:, None], period=1.0)
    return problem_of(title, data, every[1::2, None], y[1::2])


def tasks(about: dict[str, Any], rivals: list[str], args: argparse.Namespace) -> Iterator[Any]:
    for rival in rivals:
        yield {**about, "contestant": rival}
    yield {**about, "contestant": POD}
    for seed in args.seeds:
        yield network_task(about, seed, {"max_time": args.seconds})


def project(about: dict[str, Any], title: str, snapshots: Path, record: Record) -> None:
    """The best linear space: unseen snapshots in the modes of the training snapshots."""
    asked = {**about, "contestant": PROJECTION}
    if not any(matches(row, asked) for row in record.figures):
        given = joblib.load(snapshots)
        model = PODRegressor(**given["grid"], n_components=N).fit(given["X"], given["y"])
        y = given["y_new"]
        errors = variation_errors(y, model.project(y), given["mean"], given["std"])
        record.add(title=title, **asked, error=errors.mean())


METHODS: dict[str, Callable[[str], bool]] = {
    PROJECTION: lambda contestant: contestant == PROJECTION,
    f"`{NETWORK}`, {N} latent variables": lambda contestant: contestant == NETWORK,
    POD: lambda contestant: contestant == POD,
    "POD, best number of modes": lambda contestant: contestant.startswith("POD, "),
    "EZyRB, POD and splines": lambda contestant: contestant.startswith("EZyRB"),
    "interpolation of snapshots": lambda contestant: contestant.startswith("interpolation"),
}
"""The columns of the table, and which contestants stand in each."""


def numbers_of(rows: Rows) -> list[float]:
    return sorted({float(row["number"]) for row in rows})


def best(rows: Rows, number: float, belongs: Callable[[str], bool]) -> tuple[str, float] | None:
    """The best contestant at a Reynolds number, and its mean error over the seeds."""
    seeds: dict[str, list[Any]] = {}
    for row in rows:
        if float(row["number"]) == number and belongs(row["contestant"]):
            seeds.setdefault(row["contestant"], []).append(row["error"])
    means = {contestant: mean_of(values) or 0.0 for contestant, values in seeds.items()}
    return min(means.items(), key=lambda pair: pair[1]) if means else None


def table(rows: Rows) -> Table:
    """A line for each Reynolds number, and the number from which on the network is ahead."""
    lines = []
    for kind in dict.fromkeys(row["problem"] for row in rows):
        of_kind = [row for row in rows if row["problem"] == kind]
        ahead: dict[float, list[float]] = {}
        for number in numbers_of(of_kind):
            found = [best(of_kind, number, belongs) for belongs in METHODS.values()]
            values = [np.inf if each is None else each[1] for each in found]
            cells = ["" if each is None else error(each[1]) for each in found]
            cells[1:] = bold_least(cells[1:], values[1:])
            for i in (3, 4, 5):
                cells[i] += "" if found[i] is None else f", {found[i][0].split(', ', 1)[1]}"
            lines.append([f"{kind[0]}-D", f"{number:,.0f}", *cells])
            ahead[number] = [value / values[1] for value in values]
        first, _, *others = zip(*ahead.values(), strict=True)
        crossings = [crossing(list(ahead), list(column)) for column in (first, *others)]
        lines.append([f"{kind[0]}-D", "ahead from", crossings[0], "", *crossings[1:]])
    return Table(["dimensions", "Reynolds number", *METHODS], lines)


def crossing(numbers: list[float], ratios: list[float]) -> str:
    """The number from which on all ratios are above 1, with linear logarithms in between."""
    behind = [i for i, ratio in enumerate(ratios) if ratio <= 1]
    if not behind:
        return f"below {numbers[0]:,.0f}"
    last = behind[-1]
    if last == len(ratios) - 1:
        return f"above {numbers[-1]:,.0f}"
    x, y = np.log(numbers[last : last + 2]), np.log(ratios[last : last + 2])
    return digits(float(np.exp(np.interp(0.0, y, x))))


def main() -> None:
    parser = argument_parser(__doc__, problems=(*LARGEST, "tiny"))
    numbers = [10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0]
    parser.add_argument("--numbers", type=float, nargs="+", default=numbers)
    parser.add_argument("--seconds", type=float, default=20.0, help="training time of a network")
    add_arguments_of_fits(parser)
    args = parse(parser, {"seconds": 0.5, "numbers": [10.0]})
    find_checkouts(parser, args, after=ROOT)
    record = open_record("reynolds", args)
    kinds = ["1d" if name == "tiny" else name for name in args.problems]
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            for number in [each for each in args.numbers if each <= LARGEST[kind]]:
                snapshots = Path(folder) / "snapshots.joblib"
                about = {"problem": kind, "number": number}
                made = problem(kind, number, tiny=args.tiny)
                title, rivals = stored(made, snapshots)
                project(about, title, snapshots, record)
                measure_missing(tasks(about, rivals, args), title, snapshots, args, record)
    print(table(record.figures).markdown())


if __name__ == "__main__":
    main()
