"""Tables in Markdown and reStructuredText, and how numbers are written in them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

# Errors above this value come from a model that failed.
_SENSELESS = 1e50


@dataclass(frozen=True)
class Table:
    """A head and rows of cells, with code between single backticks and bold between asterisks."""

    head: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

    def rst(self) -> str:
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for cells in (self.head, *self.rows):
            for i, cell in enumerate(cells):
                text = cell.replace("`", "``")
                lines.append(f"   {'* -' if i == 0 else '  -'} {text}".rstrip())
        return "\n".join(lines)


def error(value: float) -> str:
    """An error in the form 1.3e-4; one that is not finite, or without any sense, is a failure."""
    value = float(value)
    if not value < _SENSELESS:
        return "fails"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def digits(value: float) -> str:
    """A number with two digits: 0.25, 3.8, 1,200."""
    shown = float(f"{value:.2g}")
    return f"{shown:,.0f}" if abs(shown) >= 10 else f"{shown:g}"


def duration(seconds: float) -> str:
    for unit, size, largest in (("ms", 1e-3, 1), ("s", 1, 600), ("min", 60, 7200)):
        if seconds < largest:
            return f"{digits(seconds / size)} {unit}"
    return f"{digits(seconds / 3600)} h"


def spread(values: Iterable[float]) -> str:
    """The median, and the lowest and highest value in brackets where there are several."""
    values = sorted(map(float, values))
    if not values:
        return "not run"
    middle = error(median(values))
    return middle if len(values) == 1 else f"{middle} ({error(values[0])} – {error(values[-1])})"


def bold_least(cells: list[str], values: list[float]) -> list[str]:
    """Cells, those of the least value in bold."""
    least = min(values)
    return [f"**{c}**" if v == least < math.inf else c for c, v in zip(cells, values, strict=True)]
