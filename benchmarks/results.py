"""What all benchmarks share: their common arguments, and the JSON files that hold their figures.

Each benchmark writes one file for each problem, ``benchmarks/results/<name>.json``, with the
figures, what was asked for, the machine and the versions.  ``make_tables.py`` draws every table
of the documentation from these files.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
import torch

import skcolora

FOLDER = Path(__file__).parent / "results"
DIGITS = 3


def argument_parser(
    description: str | None, *, problems: Collection[str] = (), trained: bool = True
) -> argparse.ArgumentParser:
    """A parser with the arguments that the benchmarks have in common.

    ``problems`` are the names that the script takes as positional arguments, one of which is
    "tiny"; a script that trains networks also takes ``--seeds``.
    """
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    if problems:
        parser.add_argument(
            "problems", nargs="*", metavar="problem", help=f"of {', '.join(sorted(problems))}"
        )
    if trained:
        parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the JSON files")
    parser.add_argument("--note", default="", help="what else is to be said of the machine")
    parser.add_argument("--tiny", action="store_true", help="the smallest run of the whole script")
    parser.set_defaults(known_problems=tuple(problems))
    return parser


def parse(parser: argparse.ArgumentParser, tiny: Mapping[str, Any]) -> argparse.Namespace:
    """The arguments; with ``--tiny`` the defaults are those of ``tiny``."""
    args = parser.parse_args()
    if args.tiny:
        parser.set_defaults(**tiny)
        args = parser.parse_args()
        if args.output.resolve() == FOLDER:
            parser.error("--tiny needs an --output other than the folder of the measured figures.")
        if "seeds" in args:
            args.seeds = args.seeds[:1]
    known = args.known_problems
    if known:
        args.problems = args.problems or (["tiny"] if args.tiny else [])
        unknown = sorted(set(args.problems) - set(known))
        if unknown or not args.problems:
            parser.error(f"give one or more problems of {', '.join(known)}; got {unknown}.")
    del args.known_problems
    args.output.mkdir(parents=True, exist_ok=True)
    return args


class Record:
    """The figures of one benchmark on one problem, in one JSON file.

    The file is written again with each row, so that a run that is stopped leaves what it has.
    With ``resume`` the rows that the file already has are kept.
    """

    def __init__(self, name: str, args: argparse.Namespace, *, resume: bool = False) -> None:
        self.path: Path = args.output / f"{name}.json"
        self.figures: list[dict[str, Any]] = []
        self._started = time.perf_counter()
        if resume and self.path.exists():
            before = json.loads(self.path.read_text(encoding="utf-8"))
            self.figures = before["figures"]
            self._started -= before["seconds"]
        given = {key: value for key, value in vars(args).items() if key not in ("output", "note")}
        self._about = {
            "benchmark": f"benchmarks/{Path(sys.argv[0]).name}",
            "arguments": {key: value for key, value in given.items() if value is not None},
            "date": datetime.date.today().isoformat(),
            "machine": {
                "processor": processor(),
                "threads": torch.get_num_threads(),
                "note": args.note,
            },
            "calibration": {"GFlop/s of a float64 product of 1024² matrices": product_rate()},
            "versions": versions(),
        }

    def add(self, **row: Any) -> None:
        """Add a row of figures and write the file."""
        self.figures.append(row)
        seeds = sorted({row["seed"] for row in self.figures if "seed" in row})
        seconds = time.perf_counter() - self._started
        content = {**self._about, "seeds": seeds, "seconds": seconds, "figures": self.figures}
        text = json.dumps(rounded(content), indent=1, ensure_ascii=False, allow_nan=False)
        # The old file stands until the new one is whole.
        whole = self.path.with_suffix(".part")
        whole.write_text(text + "\n", encoding="utf-8")
        whole.replace(self.path)

    def replace(self, asked: Mapping[str, Any], **row: Any) -> None:
        """Add a row in place of all that have the values asked for."""
        self.figures = [old for old in self.figures if not matches(old, asked)]
        self.add(**row)


def matches(row: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether a row, perhaps read from a file, has every value that is asked for."""
    return all(rounded(row.get(key)) == rounded(value) for key, value in asked.items())


def rounded(value: Any) -> Any:
    """What JSON can hold: floats with three digits, infinity as "inf", no number as None."""
    if isinstance(value, Mapping):
        return {str(key): rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray | range):
        return [rounded(each) for each in value]
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            return None
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else "inf"
    return str(value)


def product_rate(size: int = 1024) -> float:
    """Billions of float64 operations a second in a matrix product."""
    a = torch.randn(size, size, dtype=torch.float64)
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - started)
    return 2e-9 * size**3 / best


def processor() -> str:
    """The model of the processor, and how many hardware threads this process may use."""
    model = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        lines = described.read_text().splitlines()
        model = next((s.split(":")[1].strip() for s in lines if s.startswith("model name")), model)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {usable} of {os.cpu_count()} hardware threads"


def versions() -> dict[str, str]:
    """Versions of Python, of the dependencies, and of the package."""
    modules = {"numpy": np, "scipy": scipy, "scikit-learn": sklearn, "torch": torch}
    return {
        "python": platform.python_version(),
        **{name: str(module.__version__) for name, module in modules.items()},
        "skcolora": f"{skcolora.__version__}{revision()}",
    }


def revision(folder: Path = Path(skcolora.__file__).parent) -> str:
    """The git revision of a package, and whether it was changed since; empty without git."""
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "."]).returncode
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f", revision {commit}{' with changes' if changed else ''}"
