"""How well can any linear space of n dimensions hold the solutions? All seven problems.

The error of the best space is that of proper orthogonal decomposition: the share of the
singular values beyond the n-th, ``sqrt(Σ_{k>n} σ_k² / Σ σ_k²)``, the relative L2 error over all
snapshots.  Diffusion makes it fall fast.  Transport makes it fall slowly: a front of width w that
travels a distance L needs about L / w modes before it falls at all, and with a
shock, where w is zero, it falls like a low power of n only.

    python benchmarks/n_width.py

Prints a table and writes ``n_width.json``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from results import Record, argument_parser, parse
from scipy.linalg import svdvals

from skcolora.datasets import (
    SnapshotData,
    make_advection,
    make_burgers,
    make_rotating_detonation,
    make_vlasov,
    make_wave,
)

DIMENSIONS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200)
COARSER = 65  # points along an axis of the problems in two dimensions: enough for the norm

PROBLEMS: dict[str, Callable[[], SnapshotData]] = {
    "advection": lambda: make_advection(np.linspace(0.5, 1.5, 11)),
    "Burgers, viscosity 0.02 to 0.2": lambda: make_burgers(np.geomspace(0.02, 0.2, 8)),
    "Burgers, viscosity 0.002 to 0.02": lambda: make_burgers(np.geomspace(0.002, 0.02, 8)),
    "inviscid Burgers": lambda: make_burgers(8, kind="inviscid", random_state=0),
    "2-D Burgers": lambda: make_burgers(
        np.geomspace(0.004, 0.01, 4), kind="2d", n_points=COARSER, rtol=1e-6
    ),
    "Vlasov": lambda: make_vlasov(np.linspace(0.2, 0.4, 7), n_points=COARSER, rtol=1e-7),
    "wave": lambda: make_wave(20, n_points=COARSER - 1, random_state=0),
    "rotating detonation": lambda: make_rotating_detonation(np.linspace(2.0, 3.1, 8)),
}


def projection_errors(data: SnapshotData) -> np.ndarray:
    """Best relative error in n = 0, 1, 2, ... dimensions."""
    snapshots = data.y.reshape(data.y.shape[0] * data.y.shape[1], -1)
    energy = svdvals(snapshots) ** 2
    beyond = np.append(np.cumsum(energy[::-1])[::-1], 0.0)
    return np.sqrt(beyond / beyond[0])


def main() -> None:
    args = parse(argument_parser(__doc__, trained=False), tiny={})
    problems = dict(list(PROBLEMS.items())[:1]) if args.tiny else PROBLEMS
    record = Record("n_width", args)
    print(f"{'n':>36}", *(f"{n:>8}" for n in DIMENSIONS))
    for name, make in problems.items():
        start = time.perf_counter()
        errors = projection_errors(make())
        seconds = time.perf_counter() - start
        shown = {n: errors[n] for n in DIMENSIONS if n < len(errors) - 1}
        record.add(problem=name, seconds=seconds, error_in_n_dimensions=shown)
        row = " ".join(f"{error:8.1e}" for error in shown.values())
        print(f"{name:>36} {row}   ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
