"""Error at unseen parameters over the time that training may take.

    SKCOLORA_DATA=folder python benchmarks/time_to_accuracy.py vlasov --budgets 20 90 240

Each budget is a fit of its own with ``max_time``, since the schedule adapts to it.  Beside it, in
the same run: the published recipe (Adam on whole grids, 100,000 steps in 15 batches an epoch),
timed per step, and the rate of matrix products of the machine, by which runs on two machines can
be compared.  Writes ``time_to_accuracy_<problem>.json`` and ``.png``.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from problems import PROBLEMS, Problem
from skcolora.nn import CoLoRAModel
from sklearn.pipeline import make_pipeline

from skcolora import CoLoRARegressor, ParameterInterpolator
from skcolora._snapshots import infer_layout, parameter_time_rows
from skcolora.metrics import relative_l2_error

RECIPE_STEPS, RECIPE_BATCHES, TIMED_STEPS = 100_000, 15, 10


def product_rate(size: int = 1024) -> float:
    """Billions of float64 operations a second in a matrix product."""
    a = torch.randn(size, size, dtype=torch.float64)
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - started)
    return 2e-9 * size**3 / best


def recipe_seconds_per_step(problem: Problem, model: CoLoRAModel) -> float:
    """A step of the published recipe: whole grids of a fifteenth of the snapshots, in float32."""
    layout = infer_layout(problem.y.shape, problem.data.times, problem.data.points)
    X = problem.scaling.fit_transform(problem.X)
    inputs = torch.tensor(parameter_time_rows(X, layout.times), dtype=torch.float32)
    u = torch.tensor(layout.to_rows(problem.y), dtype=torch.float32).flatten(0, 1)
    x = torch.tensor(layout.grid.points, dtype=torch.float32)
    model = model.float().requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    n_batch = len(u) // RECIPE_BATCHES
    durations = []
    for _ in range(TIMED_STEPS):
        started = time.perf_counter()
        batch = torch.randperm(len(u))[:n_batch]
        difference = model(x, inputs[batch]) - u[batch]
        loss = (difference.norm(dim=(1, 2)) / u[batch].norm(dim=(1, 2))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        durations.append(time.perf_counter() - started)
    return float(np.median(durations))


def run(problem: Problem, budgets: list[float], seeds: list[int]) -> dict[str, Any]:
    grid = problem.data.grid
    rows = []
    for budget in budgets:
        for seed in seeds:
            colora = CoLoRARegressor(**grid, **problem.network, max_time=budget, random_state=seed)
            pipeline = make_pipeline(problem.scaling, colora)
            started = time.perf_counter()
            pipeline.fit(problem.X, problem.y)
            seconds = time.perf_counter() - started
            error = relative_l2_error(problem.y_new, pipeline.predict(problem.X_new))
            training = relative_l2_error(problem.y, pipeline.predict(problem.X))
            rows.append(
                {
                    "budget": budget,
                    "seed": seed,
                    "seconds": seconds,
                    "steps": colora.n_iter_,
                    "error": error,
                    "training error": training,
                }
            )
            print(
                f"{problem.name}: {seconds:6.1f} s, seed {seed}, {colora.n_iter_} steps: error "
                f"{error:.2e}, training {training:.2e}",
                flush=True,
            )
    rival = make_pipeline(problem.scaling, ParameterInterpolator(**grid))
    interpolation = relative_l2_error(
        problem.y_new, rival.fit(problem.X, problem.y).predict(problem.X_new)
    )
    step = recipe_seconds_per_step(problem, CoLoRAModel(colora.network_, colora.hypernetwork_))
    result = {
        "fits": rows,
        "ParameterInterpolator": interpolation,
        "recipe: seconds per step": step,
        "recipe: seconds in all": step * RECIPE_STEPS,
        "GFlop/s of a float64 product": product_rate(),
        "threads": torch.get_num_threads(),
    }
    print(
        f"{problem.name}: interpolation {interpolation:.2e}; the published recipe takes "
        f"{step:.2f} s a step, {step * RECIPE_STEPS:.0f} s in all; "
        f"{result['GFlop/s of a float64 product']:.0f} GFlop/s"
    )
    return result


def draw(problem: Problem, result: dict[str, Any], path: str) -> None:
    figure, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
    for seed in sorted({row["seed"] for row in result["fits"]}):
        fits = [row for row in result["fits"] if row["seed"] == seed]
        ax.loglog(
            [row["seconds"] for row in fits],
            [row["error"] for row in fits],
            "o-",
            label=f"CoLoRARegressor, seed {seed}",
        )
    ax.axhline(result["ParameterInterpolator"], color="0.5", ls="--", label="ParameterInterpolator")
    ax.set(xlabel="seconds of training", ylabel="error at unseen parameters", title=problem.name)
    ax.legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("problems", nargs="+", choices=sorted(PROBLEMS))
    parser.add_argument("--budgets", type=float, nargs="+", default=[20.0, 90.0, 240.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    for name in args.problems:
        problem = PROBLEMS[name]()
        result = run(problem, args.budgets, args.seeds)
        with open(f"time_to_accuracy_{name}.json", "w") as file:
            json.dump(result, file, indent=1)
        draw(problem, result, f"time_to_accuracy_{name}.png")


if __name__ == "__main__":
    main()
