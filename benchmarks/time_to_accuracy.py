"""Error at unseen parameters over the time that training may take.

    SKCOLORA_DATA=folder python benchmarks/time_to_accuracy.py vlasov --budgets 20 90 240

Each budget is a fit of its own with ``max_time``, since the schedule adapts to it.  Beside it, in
the same run: the published recipe (Adam on whole grids, 100,000 steps in 15 batches an epoch),
of which a few steps are timed; the time of all its steps is extrapolated from these.  Writes
``time_to_accuracy_<problem>.json``.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from problems import PROBLEMS, Problem
from results import Record, argument_parser, parse
from sklearn.pipeline import make_pipeline

from skcolora import CoLoRARegressor, ParameterInterpolator
from skcolora._nn import CoLoRAModel
from skcolora._snapshots import infer_layout, parameter_time_rows
from skcolora.metrics import relative_l2_error

RECIPE_STEPS, RECIPE_BATCHES, TIMED_STEPS = 100_000, 15, 10


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


def run(problem: Problem, args: argparse.Namespace, record: Record) -> None:
    """A row for each fit, one for the strongest simple rival, one for the published recipe."""
    grid = problem.data.grid
    for budget in args.budgets:
        for seed in args.seeds:
            colora = CoLoRARegressor(**grid, **problem.network, max_time=budget, random_state=seed)
            pipeline = make_pipeline(problem.scaling, colora)
            started = time.perf_counter()
            pipeline.fit(problem.X, problem.y)
            seconds = time.perf_counter() - started
            error = relative_l2_error(problem.y_new, pipeline.predict(problem.X_new))
            training = relative_l2_error(problem.y, pipeline.predict(problem.X))
            record.add(
                model="CoLoRARegressor",
                budget=budget,
                seed=seed,
                seconds=seconds,
                steps=colora.n_iter_,
                error=error,
                training_error=training,
            )
            print(
                f"{problem.name}: {seconds:6.1f} s, seed {seed}, {colora.n_iter_} steps: error "
                f"{error:.2e}, training {training:.2e}",
                flush=True,
            )
    rival = make_pipeline(problem.scaling, ParameterInterpolator(**grid))
    started = time.perf_counter()
    rival.fit(problem.X, problem.y)
    seconds = time.perf_counter() - started
    interpolation = relative_l2_error(problem.y_new, rival.predict(problem.X_new))
    record.add(model="ParameterInterpolator", seconds=seconds, error=interpolation)

    step = recipe_seconds_per_step(problem, CoLoRAModel(colora.network_, colora.hypernetwork_))
    record.add(
        model="published recipe",
        seconds_per_step=step,
        timed_steps=TIMED_STEPS,
        seconds_extrapolated_from_timed_steps=step * RECIPE_STEPS,
        times_the_budget_extrapolated={f"{b:g}": step * RECIPE_STEPS / b for b in args.budgets},
    )
    print(
        f"{problem.name}: interpolation {interpolation:.2e}; the published recipe takes "
        f"{step:.2f} s a step, {step * RECIPE_STEPS:.0f} s in all, extrapolated from "
        f"{TIMED_STEPS} timed steps"
    )


def main() -> None:
    parser = argument_parser(__doc__, problems=PROBLEMS)
    parser.add_argument("--budgets", type=float, nargs="+", default=[20.0, 90.0, 240.0])
    args = parse(parser, tiny={"budgets": [0.5]})
    for name in args.problems:
        run(PROBLEMS[name](), args, Record(f"time_to_accuracy_{name}", args))


if __name__ == "__main__":
    main()
