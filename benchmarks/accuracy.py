"""Error at unseen parameters, of every estimator, on published and generated snapshots.

SKCOLORA_DATA=folder python benchmarks/accuracy.py vlasov burgers rde advection
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from problems import PROBLEMS, Problem
from sklearn.pipeline import make_pipeline

from skcolora import CoLoRARegressor, ParameterInterpolator, PODRegressor
from skcolora.metrics import relative_l2_error


def compare(problem: Problem, *, max_time: float | None, seed: int) -> list[dict[str, Any]]:
    """One row for each model: errors, latent size, weights and times in seconds."""
    grid = problem.data.grid
    colora = CoLoRARegressor(
        **grid, **problem.network, max_time=max_time, random_state=seed, verbose=1
    )
    rows = [_measured("CoLoRARegressor", colora, problem)]
    n = colora.n_latent_
    rows[0].update(n=n, weights=colora.n_weights_)
    pod = PODRegressor(**grid, n_components=n)
    rows.append({**_measured("PODRegressor", pod, problem), "n": n})
    best = relative_l2_error(problem.y_new, pod.project(problem.y_new))
    rows.append({"model": "POD projection", "n": n, "error": best})
    rows.append(_measured("ParameterInterpolator", ParameterInterpolator(**grid), problem))
    linear = ParameterInterpolator(**grid, method="linear")
    rows.append(_measured("  of degree 1", linear, problem))
    return rows


def _measured(name: str, model: Any, problem: Problem) -> dict[str, Any]:
    pipeline = make_pipeline(problem.scaling, model)
    started = time.perf_counter()
    pipeline.fit(problem.X, problem.y)
    fitted = time.perf_counter()
    predicted = pipeline.predict(problem.X_new)
    done = time.perf_counter()
    each = relative_l2_error(problem.y_new, predicted, average=False)
    return {
        "model": name,
        "error": float(np.mean(each)),
        "errors": each.tolist(),
        "training error": relative_l2_error(problem.y, pipeline.predict(problem.X)),
        "fit": fitted - started,
        "predict": done - fitted,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("problems", nargs="+", choices=sorted(PROBLEMS))
    parser.add_argument("--max-time", type=float, help="seconds of each training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    args = parser.parse_args()
    results = {}
    for name in args.problems:
        problem = PROBLEMS[name]()
        results[name] = compare(problem, max_time=args.max_time, seed=args.seed)
        print(f"\n{problem.name}, parameters {problem.X_new.tolist()}")
        print(
            f"{'':24}{'error':>10}{'training':>10}{'n':>5}{'weights':>9}{'fit':>10}{'predict':>11}"
        )
        for row in results[name]:
            print(
                f"{row['model']:24}{row['error']:10.2e}{row.get('training error', np.nan):10.2e}"
                f"{row.get('n', ''):>5}{row.get('weights', ''):>9}"
                f"{row.get('fit', np.nan):8.2f} s{row.get('predict', np.nan):9.3f} s",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
