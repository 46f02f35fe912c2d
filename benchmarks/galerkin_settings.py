"""What `CoLoRAGalerkin` depends on: tolerance, norm, points, regularisation, conserved quantities.

    SKCOLORA_DATA=folder python benchmarks/galerkin_settings.py vlasov burgers rde wave

One network for each problem, trained on several trajectories of our own solvers, or, for Vlasov, on
the published ones, which agree with ours to 6e-7: so that the hypernetwork and the equation are
judged by the same equation.  Both predict the same unseen parameters; then one setting at a time is
changed.  "From limit" is the distance from the path at tolerance 1e-9, or from that with
all points of the grid: what the setting costs, whatever the network's own error.  "Drift" is the
largest relative change of an integral over the points of the snapshots.  Prints tables and writes
``galerkin_settings_<problem>.json``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
from problems import PROBLEMS, Problem
from results import Record, argument_parser, parse
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_burgers, make_rotating_detonation
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Burgers, Burgers2D, RotatingDetonation, Vlasov, Wave

EQUATIONS: dict[str, PDE] = {
    "vlasov": Vlasov(),
    "burgers": Burgers2D(),
    "rde": RotatingDetonation(),
    "wave": Wave(),
    "tiny": Burgers(),
}


def burgers(cache: str | None) -> Problem:
    """Five viscosities; judged by two in between."""
    viscosities = np.geomspace(0.001, 0.01, 9)
    data = make_burgers(viscosities[::2], kind="2d", cache=cache)
    new = make_burgers(viscosities[1::2], kind="2d", cache=cache)
    scaling = FunctionTransformer(np.log)
    return Problem("2-D Burgers", data.X, data.y, new.X[1:3], new.y[1:3], data, {}, scaling)


def rotating_detonation(cache: str | None) -> Problem:
    """Nine parameters; judged by two in between."""
    data = make_rotating_detonation(np.linspace(2.0, 3.1, 9), cache=cache)
    new = make_rotating_detonation([2.35, 2.75], cache=cache)
    network = {"adaptation": "diagonal"}
    scaling = FunctionTransformer()
    return Problem("Rotating detonation", data.X, data.y, new.X, new.y, data, network, scaling)


OURS = {"burgers": burgers, "rde": rotating_detonation}
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
TOLERANCE_OF_LIMIT = 1e-9
COUNTS = (100, 150, 300, 1000)
REGULARIZATIONS = (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)


class Study:
    """Predictions of one network at the unseen parameters of a problem."""

    def __init__(
        self, problem: Problem, pde: PDE, max_time: float, seed: int, record: Record
    ) -> None:
        self.problem, self.pde, self.seed, self.record = problem, pde, seed, record
        self.X, self.y = problem.X_new[:2], problem.y_new[:2]
        network = CoLoRARegressor(
            **problem.data.grid, **problem.network, max_time=max_time, random_state=seed
        )
        self.regressor = make_pipeline(problem.scaling, network).fit(problem.X, problem.y)

    def predict(self, **settings: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Fields, and error, seconds and steps."""
        settings = {"random_state": self.seed, **settings}
        model = CoLoRAGalerkin(self.pde, regressor=FrozenEstimator(self.regressor), **settings)
        model.fit(self.problem.X, self.problem.y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            started = time.perf_counter()
            solution = model.solve(self.X)
            seconds = (time.perf_counter() - started) / len(self.X)
            fields = model.predict(self.X)
        return fields, {
            "error": relative_l2_error(self.y, fields),
            "seconds": seconds,
            "steps": float(np.mean(solution.n_steps + solution.n_rejected)),
            "residual": float(np.nanmax(solution.residual)),
            "condition": float(np.nanmax(solution.condition)),
        }

    def compare(self, title: str, rows: dict[str, dict[str, Any]], limit: np.ndarray) -> None:
        """One table, a row for each choice of settings."""
        print(f"\n{title:28}{'error':>10}{'from limit':>12}{'s each':>9}{'tries':>7}", flush=True)
        for name, settings in rows.items():
            fields, row = self.predict(**settings)
            row["from_the_limit"] = relative_l2_error(limit, fields)
            self.record.add(table=title, setting=name, seed=self.seed, **row)
            print(
                f"{name:28}{row['error']:10.2e}{row['from_the_limit']:12.2e}"
                f"{row['seconds']:9.2f}{row['steps']:7.0f}",
                flush=True,
            )

    def drifts(self) -> None:
        """Conserved quantities, left alone and kept."""
        names = list(self.pde.conserved)
        if not names:
            return
        print(f"\n{'conserve':28}{'error':>10}{'drift of ' + ', '.join(names):>32}")
        for conserve in (None, names):
            fields, row = self.predict(conserve=conserve)
            drift = largest_drift(self.pde, fields)
            setting = ", ".join(conserve) if conserve else "nothing"
            self.record.add(
                table="conserve", setting=setting, seed=self.seed, **row, largest_drift=drift
            )
            values = ", ".join(f"{value:.1e}" for value in drift.values())
            print(f"{conserve!s:28}{row['error']:10.2e}{values:>32}", flush=True)


def largest_drift(pde: PDE, fields: np.ndarray) -> dict[str, float]:
    """The largest relative change of each conserved integral over the points of the snapshots."""
    inside = fields
    for axis, length in enumerate(pde.period):
        if length is not None:  # both ends of a period are among the points
            inside = np.delete(inside, -1, axis=2 + axis)
    mesh = pde.mesh(inside.shape[2 : 2 + pde.n_dims])
    return {
        name: float(np.max(np.abs(integral / integral[:, :1] - 1)))
        for name, integral in pde.integrals(inside, mesh).items()
    }


def study(name: str, args: argparse.Namespace, seed: int, record: Record) -> None:
    problem = OURS[name](args.cache) if name in OURS else PROBLEMS[name]()
    it = Study(problem, EQUATIONS[name], args.max_time, seed, record)
    data_driven = relative_l2_error(it.y, it.regressor.predict(it.X))
    _, row = it.predict()
    record.add(table="default", setting="CoLoRARegressor", seed=seed, error=data_driven)
    record.add(table="default", setting="CoLoRAGalerkin", seed=seed, **row)
    print(
        f"\n{problem.name}: hypernetwork {data_driven:.2e}, equation {row['error']:.2e}, "
        f"ratio {row['error'] / data_driven:.2f}; condition up to {row['condition']:.1e}, "
        f"relative residual up to {row['residual']:.1e}",
        flush=True,
    )
    exact, _ = it.predict(rtol=TOLERANCE_OF_LIMIT)
    it.compare("tolerance", {f"{rtol:g}": {"rtol": rtol} for rtol in args.tolerances}, exact)
    regularizations = {f"{r:g}": {"regularization": r} for r in args.regularizations}
    it.compare("regularization", regularizations, exact)
    every, _ = it.predict(collocation="grid")
    it.compare("norm", {norm: {"norm": norm} for norm in ("L2", "H-1")}, every)
    rules = {
        f"{rule}, {n}": {"collocation": rule, "n_collocation": n}
        for rule in ("sample", "qr", "gauss")
        for n in args.counts
    }
    it.compare("points", rules, every)
    it.drifts()


def main() -> None:
    parser = argument_parser(__doc__, problems=EQUATIONS)
    parser.add_argument("--max-time", type=float, default=120.0, help="seconds of each training")
    parser.add_argument("--tolerances", type=float, nargs="+", default=TOLERANCES)
    parser.add_argument("--regularizations", type=float, nargs="+", default=REGULARIZATIONS)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--cache", help="folder in which the snapshots are kept")
    tiny = {"max_time": 0.5, "tolerances": [1e-2], "regularizations": [1e-8], "counts": [30]}
    args = parse(parser, tiny)
    for name in args.problems:
        record = Record(f"galerkin_settings_{name}", args)
        for seed in args.seeds:
            study(name, args, seed, record)


if __name__ == "__main__":
    main()
