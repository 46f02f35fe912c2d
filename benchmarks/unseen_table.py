"""The table of ``unseen.py``: one row for each problem, and the geometric mean of the ratios.

python benchmarks/unseen_table.py benchmarks/results/unseen.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from table_format import Table, bold_least, digits, error, spread

Rows = list[dict[str, Any]]
HEAD = [
    "problem",
    "before",
    "after",
    "after / before",
    "training error",
    "`unseen_error_`",
    "best rival",
    "after / rival",
]


def mean_of(values: Iterable[Any]) -> float | None:
    """Geometric mean, infinity where one value is, None of no values."""
    numbers = [float(value) for value in values]
    if not numbers or any(number == float("inf") for number in numbers):
        return float("inf") if numbers else None
    # An error of 0 has no logarithm.
    return geometric_mean(max(number, 1e-16) for number in numbers)


def quotient(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one / other


def compared(figures: Rows) -> Table:
    """Errors at unseen parameters before and after a change, beside the best of all rivals.

    Errors are geometric means over the seeds; the ratio is that of the seeds that both have.
    """
    rows, before_all, rival_all = [], [], []
    for label, networks, rivals in groups(figures):
        sides = {
            side: {row["seed"]: row for row in networks if row["side"] == side}
            for side in ("before", "after")
        }
        after = sides["after"]
        common = sides["before"].keys() & after.keys()
        means = [mean_of(row["error"] for row in side.values()) for side in sides.values()]
        to_before = quotient(
            *(
                mean_of(sides[side][seed]["error"] for seed in common)
                for side in ("after", "before")
            )
        )
        best = min(rivals, key=lambda row: float(row["error"]), default=None)
        rival = None if best is None else float(best["error"])
        to_rival = quotient(means[1], rival)
        values = [*means, rival]
        cells = ["not run" if value is None else error(value) for value in values]
        cells = bold_least(cells, [float("inf") if v is None else v for v in values])
        if best is not None:
            cells[2] += f", {best['contestant']}"
        training, estimated = (
            mean_of(row[key] for row in after.values() if row.get(key) is not None)
            for key in ("training_error", "unseen_error")
        )
        rows.append(
            [
                label,
                *cells[:2],
                ratio(to_before),
                *("" if value is None else error(value) for value in (training, estimated)),
                cells[2],
                ratio(to_rival),
            ]
        )
        before_all += [to_before] if to_before is not None else []
        rival_all += [to_rival] if to_rival is not None else []
    if rows:
        foot = ratio(mean_of(before_all)), ratio(mean_of(rival_all))
        rows.append(["geometric mean", "", "", foot[0], "", "", "", foot[1]])
    return Table(HEAD, rows)


def beside_rivals(figures: Rows) -> Table:
    """Errors at unseen parameters of this revision alone, beside the best of all rivals."""
    rows = []
    for label, networks, rivals in groups(figures):
        after = [row for row in networks if row["side"] == "after"]
        if not after or not rivals:
            continue
        errors = [float(row["error"]) for row in after]
        expected = [row["unseen_error"] for row in after if row.get("unseen_error") is not None]
        best = min(rivals, key=lambda row: float(row["error"]))
        values = [median(errors), float(best["error"])]
        cells = bold_least([spread(errors), error(values[1])], values)
        rows.append(
            [
                label,
                cells[0],
                spread(expected) if expected else "",
                f"{cells[1]}, {best['contestant']}",
                ratio(quotient(values[1], values[0])),
            ]
        )
    head = [
        "problem",
        "`CoLoRARegressor`",
        "what it expects itself",
        "best rival",
        "error of the rival / error of the network",
    ]
    return Table(head, rows)


def ratio(value: float | None) -> str:
    return "" if value is None else digits(value) if value < float("inf") else "fails"


def groups(figures: Rows) -> list[tuple[str, Rows, Rows]]:
    """Label, networks and rivals of each problem, for each time limit and setting."""
    found = []
    for problem in dict.fromkeys(row["problem"] for row in figures):
        rows = [row for row in figures if row["problem"] == problem]
        rivals = [row for row in rows if "side" not in row]
        networks = [row for row in rows if "side" in row]
        title = next((row["title"] for row in rows if "title" in row), problem)
        kinds = list(dict.fromkeys(kind(row) for row in networks))
        for each in kinds or [("", "")]:
            # What is the same in all rows needs no words.
            words = [title, *each] if len(kinds) > 1 else [title]
            label = ", ".join(word for word in words if word)
            found.append((label, [row for row in networks if kind(row) == each], rivals))
    return found


def kind(row: dict[str, Any]) -> tuple[str, str]:
    """The limit and the settings of a network in words."""
    (limited, amount), *_ = row["limit"].items()
    settings = ", ".join(f"{key}={value}" for key, value in row["settings"].items())
    return f"{amount:g} {'s' if limited == 'max_time' else 'steps'}", settings


if __name__ == "__main__":
    print(compared(json.loads(Path(sys.argv[1]).read_text("utf-8"))["figures"]).markdown())
