"""Error at unseen parameters, of every estimator, on published and generated snapshots.

    SKCOLORA_DATA=folder python benchmarks/accuracy.py vlasov burgers rde advection

Writes ``accuracy_<problem>.json``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from problems import PROBLEMS, Problem
from results import Record, argument_parser, parse
from sklearn.pipeline import make_pipeline

from skcolora import CoLoRARegressor, ParameterInterpolator, PODRegressor
from skcolora.metrics import relative_l2_error


def compare(problem: Problem, *, max_time: float | None, seeds: list[int], record: Record) -> None:
    """One row for each model: errors, latent size, weights and times in seconds."""
    grid = problem.data.grid
    print(f"\n{problem.name}, parameters {problem.X_new.tolist()}")
    print(f"{'':24}{'error':>10}{'training':>10}{'n':>5}{'weights':>9}{'fit':>10}{'predict':>11}")

    def add(**row: Any) -> None:
        record.add(**row)
        print(
            f"{row['model']:24}{row['error']:10.2e}{row.get('training_error', np.nan):10.2e}"
            f"{row.get('n', ''):>5}{row.get('weights', ''):>9}"
            f"{row.get('fit_seconds', np.nan):8.2f} s{row.get('predict_seconds', np.nan):9.3f} s",
            flush=True,
        )

    for seed in seeds:
        colora = CoLoRARegressor(
            **grid, **problem.network, max_time=max_time, random_state=seed, verbose=1
        )
        row = measured("CoLoRARegressor", colora, problem)
        add(**row, seed=seed, n=colora.n_latent_, weights=colora.n_weights_)
    n = colora.n_latent_
    pod = PODRegressor(**grid, n_components=n)
    add(**measured("PODRegressor", pod, problem), n=n)
    best = relative_l2_error(problem.y_new, pod.project(problem.y_new))
    add(model="POD projection", n=n, error=best)
    add(**measured("ParameterInterpolator", ParameterInterpolator(**grid), problem))
    linear = ParameterInterpolator(**grid, method="linear")
    add(**measured("  of degree 1", linear, problem))


def measured(name: str, model: Any, problem: Problem) -> dict[str, Any]:
    pipeline = make_pipeline(problem.scaling, model)
    started = time.perf_counter()
    pipeline.fit(problem.X, problem.y)
    fitted = time.perf_counter()
    predicted = pipeline.predict(problem.X_new)
    done = time.perf_counter()
    each = relative_l2_error(problem.y_new, predicted, average=False)
    return {
        "model": name,
        "error": float(each.mean()),
        "errors": each,
        "training_error": relative_l2_error(problem.y, pipeline.predict(problem.X)),
        "fit_seconds": fitted - started,
        "predict_seconds": done - fitted,
    }


def main() -> None:
    parser = argument_parser(__doc__, problems=PROBLEMS)
    parser.add_argument("--max-time", type=float, help="seconds of each training")
    args = parse(parser, tiny={"max_time": 0.5})
    for name in args.problems:
        record = Record(f"accuracy_{name}", args)
        compare(PROBLEMS[name](), max_time=args.max_time, seeds=args.seeds, record=record)


if __name__ == "__main__":
    main()
