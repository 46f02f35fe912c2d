"""A network inside of pyMOR: its data-driven reductor, with our estimators and its own regressors.

    python benchmarks/pymor_demo.py

The problem is the one of pyMOR's demo ``data_driven_instationary``: Burgers' equation on a circle
with an exponent as parameter, solved by pyMOR's finite volumes.  Its regressors learn the POD
coefficients, with the settings and the scaling of the demo.  Ours learn the fields themselves:
``time_vectorized=True`` hands a regressor one row of all times and places for each parameter, which
is a layout that ``fit`` takes.  Writes ``pymor_demo.json``.

pyMOR is not a dependency of this package: ``pip install -r benchmarks/peers.txt``.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from results import Record, argument_parser, parse
from table_format import Table, duration, spread
from unseen_fit import variation_errors

from skcolora import CoLoRARegressor, ParameterInterpolator

Rows = list[dict[str, Any]]


class Demo(NamedTuple):
    """pyMOR's full-order model, its solutions at the training parameters, and unseen ones."""

    solver: Any
    parameters: list[Any]
    solutions: Any
    """Of all training parameters, one after the other, as a vector array of pyMOR."""
    unseen: list[Any]
    y_new: np.ndarray
    grid: dict[str, Any]
    """What `CoLoRARegressor` is told of the snapshots."""


def solve(n_cells: int, n_steps: int, n_parameters: int) -> Demo:
    from pymor.tools.random import new_rng
    from pymordemos.data_driven_instationary import create_fom

    solver, _, space = create_fom(1, n_cells, n_steps)
    parameters = space.sample_uniformly(n_parameters)
    with new_rng(101):
        unseen = space.sample_randomly(10)
    solutions = solver.solution_space.empty()
    for mu in parameters:
        solutions.append(solver.solve(mu))
    y_new = np.stack([solver.solve(mu).to_numpy().T for mu in unseen])
    n_times, n_points = y_new.shape[1:]
    # The circle has the length 2, and the values are those of the middles of the cells.
    points = (np.arange(n_points) + 0.5) * (2.0 / n_points)
    times = np.linspace(0.0, solver.T, n_times)
    grid = {"times": times, "points": points[:, None], "period": 2.0}
    return Demo(solver, parameters, solutions, unseen, y_new, grid)


def in_fields(demo: Demo, estimator: Any) -> Callable[[Any], np.ndarray]:
    """pyMOR's reductor with one of our estimators, as a function of the parameter."""
    from pymor.reductors.data_driven import DataDrivenReductor

    rows = demo.solutions.to_numpy().T
    reductor = DataDrivenReductor(
        demo.parameters, rows, regressor=estimator, T=demo.solver.T, time_vectorized=True
    )
    reduced = reductor.reduce()
    return lambda mu: reduced.solve(mu).to_numpy().T


def in_modes(demo: Demo, regressor: Any) -> Callable[[Any], np.ndarray]:
    """pyMOR's reductor on POD coefficients, as its demo uses it."""
    from pymor.reductors.data_driven import DataDrivenPODReductor
    from sklearn.preprocessing import MinMaxScaler

    reductor = DataDrivenPODReductor(
        demo.parameters,
        demo.solutions,
        regressor=regressor,
        T=demo.solver.T,
        input_scaler=MinMaxScaler(),
        output_scaler=MinMaxScaler(),
        pod_params={"l2_err": 1e-5},
    )
    reduced = reductor.reduce()
    return lambda mu: reductor.reconstruct(reduced.solve(mu)).to_numpy().T


def contestants(demo: Demo, seconds: float, seeds: list[int]) -> Iterator[tuple[str, Any, Any]]:
    """Name, seed and a function that fits."""
    from pymor.algorithms.ml.nn import NeuralNetworkRegressor
    from pymor.algorithms.ml.vkoga import GaussianKernel, VKOGARegressor

    for centres in (30, 300):
        kernel = VKOGARegressor(
            kernel=GaussianKernel(length_scale=1.0),
            criterion="fp",
            max_centers=centres,
            tol=1e-6,
            reg=1e-12,
        )
        name = f"pyMOR, POD and kernel, {centres} centres"
        yield name, None, lambda kernel=kernel: in_modes(demo, kernel)
    # Without a tolerance the best of all its trainings counts; the demo's 1e-4 is not reached here.
    network = NeuralNetworkRegressor(validation_ratio=0.1)
    yield "pyMOR, POD and network", None, lambda: in_modes(demo, network)
    interpolator = ParameterInterpolator(**demo.grid)
    yield "`ParameterInterpolator` in pyMOR", None, lambda: in_fields(demo, interpolator)
    for seed in seeds:
        colora = CoLoRARegressor(**demo.grid, max_time=seconds, random_state=seed)
        name = "`CoLoRARegressor` in pyMOR"
        yield name, seed, lambda colora=colora: in_fields(demo, colora)


def table(rows: Rows) -> Table:
    """A line for each regressor."""
    lines = []
    for name in dict.fromkeys(row["model"] for row in rows):
        here = [row for row in rows if row["model"] == name]
        lines.append(
            [
                name,
                spread(row["error"] for row in here),
                duration(here[0]["seconds"]),
                duration(here[0]["predict_seconds"]),
            ]
        )
    return Table(["regressor", "error", "fit", "one prediction"], lines)


def compare(demo: Demo, args: argparse.Namespace, record: Record) -> None:
    snapshots = demo.solutions.to_numpy()
    mean, std = np.array([snapshots.mean()]), np.array([snapshots.std()])
    for name, seed, fit in contestants(demo, args.seconds, args.seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            started = time.perf_counter()
            predict = fit()
            fitted = time.perf_counter()
            predicted = np.stack([predict(mu) for mu in demo.unseen])
            done = time.perf_counter()
        error = variation_errors(demo.y_new, predicted, mean, std).mean()
        seconds, each = fitted - started, (done - fitted) / len(demo.unseen)
        row = {"error": error, "seconds": seconds, "predict_seconds": each}
        record.add(model=name, **({} if seed is None else {"seed": seed}), **row)
        print(f"{name}: {error:.2e}, {seconds:.1f} s", flush=True)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--steps", type=int, default=200, help="time steps of the solver")
    parser.add_argument("--parameters", type=int, default=10, help="number of training parameters")
    parser.add_argument("--seconds", type=float, default=60.0, help="training time of a network")
    args = parse(parser, {"cells": 20, "steps": 20, "parameters": 4, "seconds": 0.5})
    try:
        import pymor  # noqa: F401
    except ImportError:
        sys.exit("pyMOR is not installed: pip install -r benchmarks/peers.txt")
    demo = solve(args.cells, args.steps, args.parameters)
    record = Record("pymor_demo", args)
    compare(demo, args, record)
    print(table(record.figures).markdown())


if __name__ == "__main__":
    main()
