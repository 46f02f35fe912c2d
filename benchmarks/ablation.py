"""What each ingredient of the training is worth: all of them, and one at a time left out.

    SKCOLORA_DATA=folder python benchmarks/ablation.py vlasov --max-time 60 --seeds 0 1 2

Every fit has the same time.  Writes ``ablation_<problem>.json`` and prints tables.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
from problems import PROBLEMS, Problem
from results import Record, argument_parser, parse
from sklearn.pipeline import make_pipeline

from skcolora import CoLoRARegressor
from skcolora._training import (
    SnapshotSampler,
    _first_order,
    _loop,
    _natural_gradient,
    _spring,
)
from skcolora.metrics import relative_l2_error


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

    make = _spring.SPRING

    def changed_spring(*args: Any, **kwargs: Any) -> _spring.SPRING:
        return make(*args, **{**kwargs, **options})

    return changed(_natural_gradient, SPRING=changed_spring)


def uniform_points() -> Any:
    sampler = SnapshotSampler.__init__

    def init(self: SnapshotSampler, *args: Any, **kwargs: Any) -> None:
        sampler(self, *args, **{**kwargs, "importance": 0.0})

    return changed(SnapshotSampler, __init__=init, MISFIT_SHARE=0.0)


VARIANTS: dict[str, Callable[[], Any]] = {
    "all of it": contextlib.nullcontext,
    "points drawn uniformly": uniform_points,
    "points drawn by |u| alone": lambda: changed(SnapshotSampler, MISFIT_SHARE=0.0),
    "all times from the start": lambda: both(
        changed(_first_order.FirstOrderPhase, FIRST_TIMES=1.0),
        changed(_natural_gradient.NaturalGradientPhase, FIRST_TIMES=1.0),
    ),
    "1,024 samples in the second phase": lambda: changed(
        _natural_gradient.NaturalGradientPhase, N_ROWS=1024
    ),
    "half of the time in the first phase": lambda: changed(
        _loop, FIRST_PHASE_TIME=0.5, FIRST_PHASE_ENOUGH=_loop.UNLIMITED
    ),
    "no second phase": lambda: changed(
        _loop, FIRST_PHASE_TIME=1.0, FIRST_PHASE_STEPS=1.0, FIRST_PHASE_ENOUGH=_loop.UNLIMITED
    ),
    "no first phase": lambda: changed(_loop, FIRST_PHASE_STEPS=0.0),
    "no momentum in the second phase": lambda: spring(momentum=0.0),
    "momentum 0.95 in the second phase": lambda: spring(momentum=0.95),
    "damping 1e-10 throughout": lambda: both(
        spring(damping=0.0), changed(_spring.SPRING, LEAST_DAMPING=1e-10)
    ),
    "steps of fixed greatest length": lambda: changed(
        _spring.SPRING, LINEARITY=math.inf, GROWTH=1.0
    ),
    "float32 throughout (damping 1e-5)": lambda: both(
        changed(_natural_gradient.NaturalGradientPhase, dtype=torch.float32),
        changed(_spring.SPRING, LEAST_DAMPING=1e-5),
    ),
}


def run(
    problem: Problem, variants: list[str], max_time: float, seeds: list[int], record: Record
) -> None:
    for name in variants:
        for seed in seeds:
            with VARIANTS[name]():
                model = CoLoRARegressor(
                    **problem.data.grid, **problem.network, max_time=max_time, random_state=seed
                )
                pipeline = make_pipeline(problem.scaling, model)
                started = time.perf_counter()
                pipeline.fit(problem.X, problem.y)
                seconds = time.perf_counter() - started
            error = relative_l2_error(problem.y_new, pipeline.predict(problem.X_new))
            training = relative_l2_error(problem.y, pipeline.predict(problem.X))
            record.add(
                variant=name,
                seed=seed,
                seconds=seconds,
                steps=model.n_iter_,
                error=error,
                training_error=training,
            )
            print(
                f"{name:36} seed {seed}: {seconds:5.0f} s, {model.n_iter_} steps, "
                f"error {error:.2e}, training {training:.2e}",
                flush=True,
            )


def main() -> None:
    parser = argument_parser(__doc__, problems=PROBLEMS)
    parser.add_argument("--max-time", type=float, default=60.0)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    args = parse(parser, tiny={"max_time": 0.1})
    for name in args.problems:
        record = Record(f"ablation_{name}", args)
        run(PROBLEMS[name](), args.variants, args.max_time, args.seeds, record)
        medians = {
            variant: np.median([r["error"] for r in record.figures if r["variant"] == variant])
            for variant in args.variants
        }
        reference = medians.get("all of it", np.nan)
        print(f"\n{'':36}{'error':>10}{'times':>8}")
        for variant, error in medians.items():
            print(f"{variant:36}{error:10.2e}{error / reference:8.1f}")


if __name__ == "__main__":
    main()
