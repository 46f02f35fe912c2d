"""Error of `CoLoRARegressor` at unseen parameters where snapshots have gaps.

    SKCOLORA_FOREIGN=folder python benchmarks/gaps.py

The snapshots are a flame front that an adaptive solver computed, every run with its own times:
resampled to common times by interpolation, as they came (`SnapshotData.from_runs`), and resampled
with half of all values dropped at random.  Beside the network stands `ParameterInterpolator`, on
snapshots that are complete, or whose gaps are filled by interpolation in time.  Errors are relative
to the variation, at the runs that are held out.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from flame import solve
from results import Record, argument_parser, parse
from table_format import Table, error, spread

from skcolora import CoLoRARegressor, ParameterInterpolator
from skcolora._snapshots import interpolate_gaps
from skcolora.datasets import SnapshotData
from skcolora.metrics import relative_l2_error

KINDS = ("complete", "own times", "half dropped")


def tiny_files(folder: Path) -> None:
    """A few runs of our own solver in the files that `cases` reads."""
    X, x = np.array([[4.0, 0.008], [8.0, 0.008], [16.0, 0.008]]), np.linspace(0.05, 1.95, 12)
    times = np.linspace(0.0, 0.2, 5)
    y = solve(X, x, times, n_cells=80)
    np.savez(
        folder / "flame.npz",
        X=X[::2],
        y=y[::2],
        X_test=X[1:2],
        y_test=y[1:2],
        times=times,
        points=x,
    )
    runs = {}
    for i, some in enumerate((slice(None, None, 2), slice(None))):
        runs[f"train_{i:02d}_t"], runs[f"train_{i:02d}_u"] = times[some], y[2 * i, some]
    np.savez(folder / "flame_own_times.npz", X=X[::2], x=x, **runs)


def cases(folder: Path) -> tuple[dict[str, SnapshotData], np.ndarray, np.ndarray]:
    """Snapshots of each kind, and the runs that are held out."""
    resampled = np.load(folder / "flame.npz")
    runs = np.load(folder / "flame_own_times.npz")
    grid = resampled["times"], resampled["points"]
    n = len(runs["X"])
    own = SnapshotData.from_runs(
        runs["X"],
        [runs[f"train_{i:02d}_t"] for i in range(n)],
        [runs[f"train_{i:02d}_u"] for i in range(n)],
        points=runs["x"],
    )
    half = resampled["y"].copy()
    half[np.random.default_rng(0).random(half.shape) < 0.5] = np.nan
    kinds = {
        "complete": SnapshotData(resampled["X"], resampled["y"], *grid),
        "own times": own,
        "half dropped": SnapshotData(resampled["X"], half, *grid),
    }
    return kinds, resampled["X_test"], resampled["y_test"]


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    args = parse(parser, {"steps": 3})
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary if args.tiny else os.environ["SKCOLORA_FOREIGN"])
        if args.tiny:
            tiny_files(folder)
        kinds, X_new, y_new = cases(folder)
    times = kinds["complete"].times
    record = Record("gaps", args)

    def judged(y: np.ndarray) -> float:
        return float(relative_l2_error(y_new, y, centered=True))

    for kind, data in kinds.items():
        filled = interpolate_gaps(data.y[..., None], data.times)[..., 0]
        rival = ParameterInterpolator(**data.grid).fit(data.X, filled)
        record.add(
            kind=kind,
            model="ParameterInterpolator",
            error=judged(rival.predict(X_new, times=times)),
        )
        for seed in args.seeds:
            model = CoLoRARegressor(
                **data.grid, max_iter=args.steps, missing="ignore", random_state=seed
            ).fit(data.X, data.y)
            found = judged(model.predict(X_new, times=times))
            record.add(kind=kind, model="CoLoRARegressor", seed=seed, error=found)
            print(f"{kind}, seed {seed}: {found:.2e}", flush=True)
    print(table(record.figures).markdown())


def table(figures: list[dict]) -> Table:
    """Errors by kind: median, lowest and highest of the seeds; and their ratio to complete ones."""

    def errors(kind: str, model: str) -> list[float]:
        return [
            float(row["error"]) for row in figures if (row["kind"], row["model"]) == (kind, model)
        ]

    complete = float(np.median(errors("complete", "CoLoRARegressor")))
    rows = []
    for kind in KINDS:
        mine = errors(kind, "CoLoRARegressor")
        ratio = f"{np.median(mine) / complete:.2f}"
        rival = error(errors(kind, "ParameterInterpolator")[0])
        rows.append([kind, spread(mine), ratio, rival])
    return Table(
        ["snapshots", "CoLoRARegressor", "ratio to complete", "ParameterInterpolator"], rows
    )


if __name__ == "__main__":
    main()
