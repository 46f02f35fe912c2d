"""PODGalerkin against the best that its modes could do, and its cost over the grid.

    python benchmarks/pod_galerkin.py

Prints two tables: the error of the prediction beside the projection error, where POD converges
(viscous Burgers) and where it does not (transport), and the time of a solve at four grid sizes,
with all points and with sampled ones.  Writes ``pod_galerkin.json``.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from results import Record, argument_parser, parse

from skcolora import PODGalerkin, PODRegressor
from skcolora.datasets import make_advection, make_burgers, make_rotating_detonation
from skcolora.metrics import relative_l2_error

PROBLEMS = {
    "Burgers, viscosity 0.05 to 0.2": (
        lambda mu: make_burgers(mu),
        np.geomspace(0.05, 0.2, 5),
        [0.08],
    ),
    "Burgers, viscosity 0.002 to 0.02": (
        lambda mu: make_burgers(mu),
        np.geomspace(0.002, 0.02, 7),
        [0.005],
    ),
    "advection": (make_advection, np.linspace(0.5, 1.5, 7), [0.9]),
    "rotating detonation": (make_rotating_detonation, np.linspace(2.0, 3.0, 6), [2.5]),
}


def accuracy(record: Record, args: argparse.Namespace) -> None:
    header = f"{'projection':>12}{'Galerkin':>12}{'ratio':>8}{'sampled':>12}"
    print(f"{'':34}{'n':>4}{header}  (2 n points)")
    problems = dict(list(PROBLEMS.items())[:1]) if args.tiny else PROBLEMS
    for name, (make, mu, unseen) in problems.items():
        data, new = make(mu), make(unseen)
        for n in args.modes:
            pod = PODRegressor(**data.grid, n_components=n).fit(data.X, data.y)
            best = relative_l2_error(new.y, pod.project(new.y))
            every, sampled = (
                relative_l2_error(
                    new.y,
                    PODGalerkin(
                        data.pde, **data.grid, n_components=n, n_samples=n_samples, rtol=1e-10
                    )
                    .fit(data.X, data.y)
                    .predict(new.X),
                )
                for n_samples in (None, 2 * n)
            )
            record.add(
                table="accuracy",
                problem=name,
                modes=n,
                projection=best,
                all_points=every,
                ratio=every / best,
                sampled_points=sampled,
            )
            row = f"{best:12.1e}{every:12.1e}{every / best:8.1f}{sampled:12.1e}"
            print(f"{name:34}{n:4}{row}", flush=True)


def cost(record: Record, args: argparse.Namespace) -> None:
    print(f"\n{'points':>8}{'all points':>14}{'40 sampled':>14}   (one solve, Burgers, n = 10)")
    for n_points in args.points:
        data = make_burgers(np.geomspace(0.05, 0.2, 3), n_points=n_points)
        seconds = []
        for n_samples in (None, 40):
            model = PODGalerkin(data.pde, **data.grid, n_samples=n_samples).fit(data.X, data.y)
            runs = []
            for _ in range(5):
                started = time.perf_counter()
                model.predict([[0.1]], times=[0.0, 1.0])
                runs.append(time.perf_counter() - started)
            seconds.append(min(runs))
        record.add(
            table="cost", points=n_points, seconds_all=seconds[0], seconds_sampled=seconds[1]
        )
        print(f"{n_points:8}{1e3 * seconds[0]:11.1f} ms{1e3 * seconds[1]:11.1f} ms", flush=True)


def main() -> None:
    parser = argument_parser(__doc__, trained=False)
    parser.add_argument("--modes", type=int, nargs="+", default=[4, 7, 10, 20])
    parser.add_argument("--points", type=int, nargs="+", default=[128, 512, 2048, 8192])
    args = parse(parser, tiny={"modes": [4], "points": [64]})
    record = Record("pod_galerkin", args)
    warnings.filterwarnings("ignore", message=".*miss")
    accuracy(record, args)
    cost(record, args)


if __name__ == "__main__":
    main()
