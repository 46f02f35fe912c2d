"""What a fit and a prediction take, over the grid, the number of fields and the width.

    python benchmarks/cost.py

Each case is a process of its own, so that its memory is its own: snapshots of bumps that move, a
fit of a tenth of the default steps, and the prediction of a trajectory.  Beside it stands what
``verbose=1`` says before the fit.  Writes ``cost.json``.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from results import Record, argument_parser, parse, rounded
from table_format import Table, digits, duration

from skcolora import CoLoRARegressor
from skcolora._training import DEFAULT_STEPS

CASES: list[dict[str, Any]] = [
    {"shape": [256], "n_fields": 1, "width": 25},
    {"shape": [128, 128], "n_fields": 1, "width": 25},
    {"shape": [128, 128], "n_fields": 1, "width": 50},
    {"shape": [128, 128], "n_fields": 3, "width": 25},
    {"shape": [512, 512], "n_fields": 1, "width": 25},
    {"shape": [64, 64, 64], "n_fields": 1, "width": 25},
    {"shape": [64, 64, 64], "n_fields": 3, "width": 50},
]
TINY = [{"shape": [16], "n_fields": 1, "width": 8}]
N_TRAJECTORIES, N_TIMES = 8, 21
SHARE = 10
"""A fit of the default steps takes this many times as long as the one that is measured."""


def snapshots(shape: list[int], n_fields: int) -> tuple[np.ndarray, np.ndarray, Any, np.ndarray]:
    """Bumps that move at the speed μ along all axes, one further ahead for each field."""
    axes = tuple(np.linspace(-1.0, 1.0, n, endpoint=False) for n in shape)
    times, X = np.linspace(0.0, 1.0, N_TIMES), np.linspace(0.5, 1.0, N_TRAJECTORIES)[:, None]
    y = np.ones((N_TRAJECTORIES, N_TIMES, *shape, n_fields), dtype=np.float32)
    for field in range(n_fields):
        centres = X * times + 0.2 * field
        for i, axis in enumerate(axes):
            gap = (axis - centres[..., None] + 1) % 2 - 1
            factor = np.exp(-20 * gap**2).astype(np.float32)
            around = [1] * len(axes)
            around[i] = len(axis)
            y[..., field] *= factor.reshape(N_TRAJECTORIES, N_TIMES, *around)
    return X, (y if n_fields > 1 else y[..., 0]), axes, times


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """The figures of one case, in this process."""
    X, y, axes, times = snapshots(case["shape"], case["n_fields"])
    model = CoLoRARegressor(
        times=times, points=axes, period=2.0, width=case["width"], cv=None, random_state=0
    )
    said = io.StringIO()
    before, started = memory("VmRSS"), time.perf_counter()
    with contextlib.redirect_stderr(said):
        model.set_params(max_iter=DEFAULT_STEPS // SHARE, verbose=1).fit(X, y)
    seconds, most = time.perf_counter() - started, memory("VmHWM")
    started = time.perf_counter()
    model.predict(X[:1])
    return {
        "weights": model.n_weights_,
        "snapshots_mb": y.nbytes / 1e6,
        "said": said.getvalue().splitlines()[0],
        "fit_seconds": SHARE * seconds,
        "memory_mb": most - before,
        "predict_seconds": time.perf_counter() - started,
    }


def memory(entry: str) -> float:
    """The memory of this process in MB: "VmRSS" now, "VmHWM" at most so far (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith(entry))


def table(rows: list[dict[str, Any]]) -> Table:
    """Seconds and memory of each case."""
    head = ["grid", "fields", "width", "weights", "fit", "memory beside y", "predict a trajectory"]
    lines = [
        [
            " × ".join(map(str, row["shape"])),
            str(row["n_fields"]),
            str(row["width"]),
            f"{row['weights']:,}",
            duration(row["fit_seconds"]),
            f"{digits(row['memory_mb'])} MB",
            duration(row["predict_seconds"]),
        ]
        for row in rows
    ]
    return Table(head, lines)


def main() -> None:
    parser = argument_parser(__doc__, trained=False)
    parser.add_argument("--case", type=json.loads, help="measure one case in this process")
    args = parse(parser, {})
    if args.case is not None:
        print(json.dumps(rounded(measure(args.case))))
        return
    record = Record("cost", args)
    for case in TINY if args.tiny else CASES:
        command = [sys.executable, __file__, "--case", json.dumps(case)]
        if args.tiny:
            command += ["--tiny", "--output", str(args.output)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        record.add(**case, **json.loads(done.stdout.splitlines()[-1]))
        print(case, record.figures[-1]["said"], flush=True)
    print(table(record.figures).markdown())


if __name__ == "__main__":
    main()
