"""The tables of ``peers.py``: errors of all methods, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from peer_settings import MODES, NETWORKS
from table_format import Table, bold_least, digits, duration, error
from unseen_fit import NETWORK
from unseen_table import mean_of

Rows = list[dict[str, Any]]
SIMPLE = {"interpolation": "interpolation of the snapshots", "POD,": "POD, least squares"}


def methods(factors: list[float]) -> dict[str, Callable[[dict[str, Any]], bool]]:
    """The label of each line, and which rows belong to it."""
    lines: dict[str, Callable[[dict[str, Any]], bool]] = {
        f"`{NETWORK}`": lambda row: row["contestant"] == NETWORK
    }
    for start, label in SIMPLE.items():
        lines[label] = lambda row, start=start: row["contestant"].startswith(start)
    lines["EZyRB, POD and splines"] = lambda row: (
        row["contestant"]
        in (
            "EZyRB, (μ, t)",
            "EZyRB, trajectories",
        )
    )
    for method in MODES:
        lines[method] = lambda row, method=method: row["contestant"] == method
    for method in NETWORKS:
        for factor in factors:
            label = method if factor == 1 else f"{method}, {factor:g} times as long"
            lines[label] = lambda row, method=method, factor=factor: (
                row["contestant"] == method and row.get("factor") == factor
            )
    return lines


def best(rows: Rows) -> dict[str, Any] | None:
    """The best setting of a method, over its seeds by the geometric mean."""
    settings: dict[Any, Rows] = {}
    for row in rows:
        settings.setdefault((row["contestant"], row.get("setting")), []).append(row)
    found = [(mean_of(row["error"] for row in group), group[0]) for group in settings.values()]
    if not found:
        return None
    value, row = min(found, key=lambda pair: float(pair[0] or 0.0))
    return {**row, "error": value}


def factors_of(rows: Rows) -> list[float]:
    return sorted({row["factor"] for row in rows if "factor" in row})


def errors(rows: Rows, problems: list[str] | None = None) -> Table:
    """A line for each method, a column for each problem."""
    titles = {row["problem"]: row["title"] for row in rows}
    chosen = [name for name in titles if problems is None or name in problems]
    lines = methods(factors_of(rows))
    columns = []
    for name in chosen:
        here = [row for row in rows if row["problem"] == name]
        found = [best([row for row in here if belongs(row)]) for belongs in lines.values()]
        values = [float("inf") if each is None else float(each["error"]) for each in found]
        cells = ["" if each is None else error(each["error"]) for each in found]
        columns.append(bold_least(cells, values))
    table = [
        [label, *(column[i] for column in columns)]
        for i, label in enumerate(lines)
        if any(column[i] for column in columns)
    ]
    return Table(["method", *(titles[name] for name in chosen)], table)


def costs(rows: Rows, problem: str) -> Table:
    """Seconds, weights and memory of the best setting of each method on one problem."""
    here = [row for row in rows if row["problem"] == problem and "predict_seconds" in row]
    lines = []
    for label, belongs in methods(factors_of(rows)).items():
        found = best([row for row in here if belongs(row)])
        if found is None:
            continue
        same = [row for row in here if row["contestant"] == found["contestant"]]
        lines.append(
            [
                label,
                error(found["error"]),
                duration(found["seconds"]),
                duration(found["predict_seconds"]),
                f"{found['weights']:,}" if "weights" in found else "",
                f"{digits(max(median(row['memory'] for row in same), 1))} MB",
            ]
        )
    head = ["method", "error", "fit", "predict", "weights", "memory of the fit"]
    return Table(head, lines)
