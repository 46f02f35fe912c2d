"""Peak memory of a fit to snapshots in a file larger than memory allows.

    python benchmarks/out_of_core.py --gigabytes 20 --folder /tmp

Writes a memmap of a pulse that crosses a periodic square on 401² points, fits it in a process of
its own, deletes it, and reports that process's peak of resident memory, its time and the error at
unseen parameters.  With ``--check`` it fails above 2 GB.  Writes ``out_of_core.json``.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from results import Record, argument_parser, parse

from skcolora import CoLoRARegressor
from skcolora.metrics import relative_l2_error

LIMIT = 2e9


class Grid:
    """Points along each axis of the periodic square, and times."""

    def __init__(self, n_points: int, n_times: int) -> None:
        self.axis = np.linspace(0, 1, n_points)
        self.times = np.linspace(0, 1, n_times)

    def pulse(self, velocity: float, times: np.ndarray) -> np.ndarray:
        """exp(20 (cos 2π(x - vt) + cos 2π(y - t/2) - 2)), (n_times, n, n) in float32."""
        along_x, along_y = (
            np.exp(20 * (np.cos(2 * np.pi * (self.axis - shift[:, None])) - 1)).astype(np.float32)
            for shift in (velocity * times, times / 2)
        )
        return along_x[:, :, None] * along_y[:, None, :]

    def write(self, path: Path, velocities: np.ndarray) -> None:
        """One trajectory after the other, through the file rather than a mapping."""
        n_points, n_times = len(self.axis), len(self.times)
        shape = (len(velocities), n_times, n_points, n_points)
        with path.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, header)
            for velocity in velocities:
                for times in np.array_split(self.times, 20):
                    file.write(self.pulse(velocity, times).tobytes())


def peak_memory() -> int:
    """Bytes of this process, what it maps included."""
    status = Path("/proc/self/status")
    if status.exists():  # where getrusage begins with the peak of the parent
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fit(path: Path, grid: Grid, velocities: np.ndarray, max_iter: int) -> dict[str, Any]:
    before = peak_memory()
    y = np.load(path, mmap_mode="r")
    model = CoLoRARegressor(
        times=grid.times,
        points=(grid.axis, grid.axis),
        period=1.0,
        max_iter=max_iter,
        random_state=0,
    )
    started = time.perf_counter()
    model.fit(velocities[:, None], y)
    seconds, peak = time.perf_counter() - started, peak_memory()
    new, times = np.array([0.65, 0.85]), grid.times[::40]
    true = np.stack([grid.pulse(velocity, times) for velocity in new])
    return {
        "gigabytes": y.nbytes / 1e9,
        "shape": y.shape,
        "steps": max_iter,
        "seconds": seconds,
        "peak_before_fit": before,
        "peak_of_fit": peak,
        "error": relative_l2_error(true, model.predict(new[:, None], times=times)),
    }


def main() -> None:
    parser = argument_parser(__doc__, trained=False)
    parser.add_argument("--gigabytes", type=float, default=20.0)
    parser.add_argument("--folder", help="where the file is written; default: that of tempfile")
    parser.add_argument("--max-iter", type=int, default=1000)
    parser.add_argument("--check", action="store_true", help="fail above 2 GB")
    parser.add_argument("--fit", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--points", type=int, default=401, help="points along each axis")
    parser.add_argument("--times", type=int, default=400)
    args = parse(parser, tiny={"gigabytes": 1e-3, "max_iter": 1, "points": 21, "times": 41})
    grid = Grid(args.points, args.times)
    n = max(2, round(args.gigabytes * 1e9 / (4 * args.times * args.points**2)))
    velocities = np.linspace(0.5, 1.0, n)
    if args.fit:
        print(json.dumps(fit(Path(args.fit), grid, velocities, args.max_iter)))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        if shutil.disk_usage(folder).free < 1.1e9 * args.gigabytes:
            sys.exit(f"{folder} has no {args.gigabytes:g} GB free; give another --folder.")
        path = Path(folder) / "snapshots.npy"
        grid.write(path, velocities)
        command = [sys.executable, __file__, "--fit", str(path)]
        for option in ("gigabytes", "max_iter", "points", "times"):
            command += [f"--{option.replace('_', '-')}", str(getattr(args, option))]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    print(result)
    Record("out_of_core", args).add(**result)
    if args.check and result["peak_of_fit"] > LIMIT:
        sys.exit(f"The fit took {result['peak_of_fit'] / 1e9:.2f} GB.")


if __name__ == "__main__":
    main()
