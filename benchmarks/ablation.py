"""What each ingredient of the training is worth: all of them, and one at a time left out.

    SKCOLORA_DATA=folder python benchmarks/ablation.py vlasov --max-time 60 --seeds 0 1 2

Every fit has the same time.  Writes ``ablation_<problem>.json`` and prints a table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
from problems import PROBLEMS, Problem
from skcolora.training import SnapshotSampler, _loop, _phases, _spring
from sklearn.pipeline import make_pipeline
from torch import nn

from skcolora import CoLoRARegressor
from skcolora.metrics import relative_l2_error


class Adam:
    """torch's Adam behind the interface of the first phase's optimiser."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._adam = torch.optim.Adam(list(parameters))

    def zero_grad(self) -> None:
        self._adam.zero_grad()

    def step(self, lr: float) -> None:
        for group in self._adam.param_groups:
            group["lr"] = lr
        self._adam.step()


@contextlib.contextmanager
def changed(owner: Any, **values: Any) -> Iterator[None]:
    with mock.patch.multiple(owner, **values):
        yield


@contextlib.contextmanager
def both(*contexts: Any) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        yield


def spring(**options: Any) -> Any:
    """The second phase with other options of its optimiser."""

    def restart(self: _phases.NaturalGradientPhase) -> None:
        self._optimizer = _spring.SPRING(self.model.parameters(), **options)

    return changed(_phases.NaturalGradientPhase, restart=restart)


def uniform_points() -> Any:
    sampler = SnapshotSampler.__init__

    def init(self: SnapshotSampler, *args: Any, **kwargs: Any) -> None:
        sampler(self, *args, **{**kwargs, "importance": 0.0})

    return changed(SnapshotSampler, __init__=init, MISFIT_SHARE=0.0)


VARIANTS: dict[str, Callable[[], Any]] = {
    "all of it": contextlib.nullcontext,
    "points drawn uniformly": uniform_points,
    "points drawn by |u| alone": lambda: changed(SnapshotSampler, MISFIT_SHARE=0.0),
    "all times from the start": lambda: changed(_phases.FirstOrderPhase, FIRST_TIMES=1.0),
    "Adam in place of SOAP": lambda: changed(_phases, SOAP=Adam),
    "no second phase": lambda: changed(
        _loop, FIRST_PHASE_TIME=1.0, FIRST_PHASE_STEPS=1.0, FIRST_PHASE_ENOUGH=_loop.UNLIMITED
    ),
    "no first phase": lambda: changed(_loop, FIRST_PHASE_STEPS=0.0),
    "no momentum in the second phase": lambda: spring(momentum=0.0),
    "momentum 0.98 in the second phase": lambda: spring(momentum=0.98),
    "damping 1e-10 throughout": lambda: both(
        spring(damping=0.0), changed(_spring.SPRING, LEAST_DAMPING=1e-10)
    ),
    "steps of fixed greatest length": lambda: changed(
        _spring.SPRING, LINEARITY=math.inf, GROWTH=1.0
    ),
    "float32 throughout (damping 1e-5)": lambda: both(
        changed(_phases.NaturalGradientPhase, dtype=torch.float32),
        changed(_spring.SPRING, LEAST_DAMPING=1e-5),
    ),
}


def run(problem: Problem, max_time: float, seeds: list[int]) -> dict[str, list[dict[str, float]]]:
    results: dict[str, list[dict[str, float]]] = {}
    for name, variant in VARIANTS.items():
        results[name] = []
        for seed in seeds:
            with variant():
                model = CoLoRARegressor(
                    **problem.data.grid, **problem.network, max_time=max_time, random_state=seed
                )
                pipeline = make_pipeline(problem.scaling, model)
                started = time.perf_counter()
                pipeline.fit(problem.X, problem.y)
                seconds = time.perf_counter() - started
            row = {
                "seed": seed,
                "seconds": seconds,
                "steps": model.n_iter_,
                "error": relative_l2_error(problem.y_new, pipeline.predict(problem.X_new)),
                "training error": relative_l2_error(problem.y, pipeline.predict(problem.X)),
            }
            results[name].append(row)
            print(
                f"{name:36} seed {seed}: {seconds:5.0f} s, {model.n_iter_} steps, "
                f"error {row['error']:.2e}, training {row['training error']:.2e}",
                flush=True,
            )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("problems", nargs="+", choices=sorted(PROBLEMS))
    parser.add_argument("--max-time", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    for name in args.problems:
        results = run(PROBLEMS[name](), args.max_time, args.seeds)
        with open(f"ablation_{name}.json", "w") as file:
            json.dump(results, file, indent=1)
        reference = np.median([row["error"] for row in results["all of it"]])
        print(f"\n{'':36}{'error':>10}{'times':>8}")
        for variant, rows in results.items():
            error = np.median([row["error"] for row in rows])
            print(f"{variant:36}{error:10.2e}{error / reference:8.1f}")


if __name__ == "__main__":
    main()
