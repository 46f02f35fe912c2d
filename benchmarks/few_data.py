"""Error at unseen parameters over the number of training trajectories, of every estimator.

    SKCOLORA_DATA=folder python benchmarks/few_data.py vlasov burgers rde wave --counts 2 3 5 7

One network is trained for each count and seed.  It predicts by its hypernetwork
(`CoLoRARegressor`), moved by the equation (`CoLoRAGalerkin`), and by a hypernetwork that has learnt
paths of the equation at parameters without snapshots (`distill`).  The same after the network has
learnt the equation at these parameters (`refine`), none of which is judged.  "Best fit of the
decoder" is the error of the network with the latent states that fit the unseen snapshots best.

The published snapshots of Burgers and of the rotating detonation are 2e-3 to 6e-3 and 7e-4 to 3e-3
from the solution, below which no method that solves the equation can come; with ``--solved`` they
are replaced by those of our own solver at the same parameters.
Writes ``few_data_<problem>.json`` or ``few_data_<problem>_solved.json``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import problems
from results import Record, argument_parser, parse
from scipy.stats import qmc
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import (
    CoLoRAGalerkin,
    CoLoRARegressor,
    ParameterInterpolator,
    PODGalerkin,
    PODRegressor,
)
from skcolora.datasets import (
    SnapshotData,
    load_snapshots,
    make_burgers,
    make_rotating_detonation,
    make_vlasov,
    make_wave,
)
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Burgers2D, RotatingDetonation, Vlasov, Wave


class Case(NamedTuple):
    """A pool of trajectories, those that are trained on for each count, and the equation."""

    data: SnapshotData
    pde: PDE
    chosen: Callable[[int], np.ndarray]
    """Indices of the training trajectories."""
    unseen: tuple[np.ndarray, np.ndarray] | None
    """Parameters and snapshots besides those of the pool that are not trained on."""
    candidates: np.ndarray
    """Parameters that the refinement and the distillation learn from; none of them is judged."""
    scaling: FunctionTransformer
    network: dict[str, Any]


def _spread(values: np.ndarray) -> Callable[[int], np.ndarray]:
    """The nearest to evenly spread ones, both ends among them."""

    def chosen(n: int) -> np.ndarray:
        targets = np.linspace(values.min(), values.max(), n)
        free = np.ones(len(values), dtype=bool)
        picks = []
        for target in targets:
            picks.append(int(np.where(free, np.abs(values - target), np.inf).argmin()))
            free[picks[-1]] = False
        return np.sort(picks)

    return chosen


def vlasov(solved: bool, cache: str | None) -> Case:
    data = load_snapshots(problems.data_folder() / "vlasov", period=2.0)
    new = make_vlasov([0.25, 0.35])
    candidates = np.linspace(0.2, 0.4, 8)[:, None]
    chosen = _spread(data.X[:, 0])
    return Case(data, Vlasov(), chosen, (new.X, new.y), candidates, FunctionTransformer(), {})


def burgers(solved: bool, cache: str | None) -> Case:
    """The middle one of three is 0.00496, though 0.00595 is nearer to the middle."""
    data = load_snapshots(problems.data_folder() / "burgers", period=1.0)
    if solved:
        data = make_burgers(data.X[:, 0], kind="2d", cache=cache)
    candidates = np.geomspace(0.001, 0.01, 13)[:, None]
    spread = _spread(data.X[:, 0])

    def chosen(n: int) -> np.ndarray:
        return np.array([0, 3, 7]) if n == 3 else spread(n)

    return Case(data, Burgers2D(), chosen, None, candidates, FunctionTransformer(np.log), {})


def rotating_detonation(solved: bool, cache: str | None) -> Case:
    data = load_snapshots(problems.data_folder() / "rde", period=2 * np.pi)
    if solved:
        data = make_rotating_detonation(data.X[:, 0], cache=cache)
    candidates = np.linspace(2.0, 3.1, 9)[:, None]
    chosen = _spread(data.X[:, 0])
    network = {"adaptation": "diagonal"}
    pde = RotatingDetonation()
    return Case(data, pde, chosen, None, candidates, FunctionTransformer(), network)


def wave(solved: bool, cache: str | None) -> Case:
    """Four parameters: pulses of a Sobol sequence, judged by five more."""
    low, high = np.array([0.5, -0.5, -0.5, 0.1]), np.array([1.5, 0.5, 0.5, 0.2])
    parameters = qmc.scale(qmc.Sobol(4, rng=0).random(32), low, high)
    data, new = make_wave(parameters), make_wave(5, random_state=1)
    # With the first layer adapted, a pulse that is moved is in the manifold.
    network = {"adaptation": "diagonal", "adapted_layers": range(8), "rank": 3}
    return Case(
        data,
        Wave(),
        np.arange,
        (new.X, new.y),
        qmc.scale(qmc.Sobol(4, rng=1).random(8), low, high),
        FunctionTransformer(),
        network,
    )


def tiny(solved: bool, cache: str | None) -> Case:
    """1-D Burgers on a few points, for runs that only show that the script works."""
    problem = problems.tiny()
    candidates = np.geomspace(0.05, 0.2, 3)[:, None]
    chosen = _spread(problem.X[:, 0])
    unseen = (problem.X_new, problem.y_new)
    problem_pde, network = problem.data.pde, problem.network
    return Case(problem.data, problem_pde, chosen, unseen, candidates, problem.scaling, network)


CASES = {
    "vlasov": vlasov,
    "burgers": burgers,
    "rde": rotating_detonation,
    "wave": wave,
    "tiny": tiny,
}


class Split(NamedTuple):
    """What is trained on, and what is judged."""

    X: np.ndarray
    y: np.ndarray
    X_new: np.ndarray
    y_new: np.ndarray


def split(case: Case, count: int) -> Split:
    """Raises where a parameter that is judged is among those that the equation is learnt at."""
    chosen = case.chosen(count)
    X, y = case.data.X[chosen], case.data.y[chosen]
    if case.unseen is not None:
        X_new, y_new = case.unseen
    else:
        rest = np.setdiff1d(np.arange(len(case.data.X)), chosen)
        X_new, y_new = case.data.X[rest], case.data.y[rest]
    problems.check_unseen(np.concatenate([X, case.candidates]), X_new)
    return Split(X, y, X_new, y_new)


def judge(
    record: Record,
    about: dict[str, Any],
    predict: Callable[[], np.ndarray],
    truth: np.ndarray,
) -> None:
    """Add a row of errors; a prediction that fails has an infinite one, and a reason."""
    started = time.perf_counter()
    row: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            each = relative_l2_error(truth, predict(), average=False)
            row = {"error": float(each.mean()), "errors": each}
        except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
            row = {"error": np.inf, "reason": str(error)}
    row["seconds"] = time.perf_counter() - started
    if caught:
        row["warnings"] = sorted({str(w.message) for w in caught})
    record.add(**about, **row)
    print(f"  {about['model']:36}{row['error']:10.2e}{row['seconds']:8.1f} s", flush=True)


def networks(record: Record, case: Case, data: Split, args: argparse.Namespace, seed: int) -> None:
    """Rows of one network: its hypernetwork, the equation, and both after refinement."""
    network = CoLoRARegressor(
        **case.data.grid, **case.network, max_time=args.max_time, random_state=seed
    )
    regressor = make_pipeline(case.scaling, network)
    started = time.perf_counter()
    galerkin = CoLoRAGalerkin(case.pde, regressor=regressor, random_state=seed).fit(data.X, data.y)
    fitted = time.perf_counter() - started
    about = {"model": "", "trajectories": len(data.X), "seed": seed, "fit_seconds": fitted}

    def add(model: str, predict: Callable[[], np.ndarray], truth: np.ndarray = data.y_new) -> None:
        judge(record, {**about, "model": model}, predict, truth)

    def distilled(of: CoLoRAGalerkin) -> np.ndarray:
        return of.distill(case.candidates).predict(data.X_new)

    inner = galerkin.regressor_[-1]
    about["training_error"] = relative_l2_error(data.y, galerkin.regressor_.predict(data.X))
    some = data.y_new[:, :: max(1, data.y_new.shape[1] // 10)]
    add("CoLoRARegressor", lambda: galerkin.regressor_.predict(data.X_new))
    add("CoLoRAGalerkin", lambda: galerkin.predict(data.X_new))
    if args.distill:
        add("CoLoRAGalerkin.distill", lambda: distilled(galerkin))
        add("best fit of the decoder", lambda: inner.decode(inner.encode(some)), some)

    started = time.perf_counter()
    after = ["refine", "refine, its regressor_", *["refine, then distill"] * args.distill]
    try:
        refined = galerkin.refine(
            case.candidates, max_iter=args.refinement_steps, max_time=args.refinement_time
        )
    except ValueError as error:  # the equation had no finite residual
        for model in after:
            about["model"] = f"CoLoRAGalerkin.{model}"
            record.add(**about, error=np.inf, reason=str(error))
        return
    about["fit_seconds"] += time.perf_counter() - started
    predictions = (
        lambda: refined.predict(data.X_new),
        lambda: refined.regressor_.predict(data.X_new),
        lambda: distilled(refined),
    )
    for model, predict in zip(after, predictions, strict=False):
        add(f"CoLoRAGalerkin.{model}", predict)


def rivals(record: Record, case: Case, data: Split, n_components: int) -> None:
    """Rows of the models that have no seed."""
    grid = case.data.grid
    models = {
        "ParameterInterpolator": make_pipeline(case.scaling, ParameterInterpolator(**grid)),
        "PODRegressor": make_pipeline(
            case.scaling, PODRegressor(**grid, n_components=n_components)
        ),
        "PODGalerkin": PODGalerkin(case.pde, **grid, n_components=n_components),
    }
    for name, model in models.items():
        about = {"model": name, "trajectories": len(data.X)}
        if name != "ParameterInterpolator":
            about["modes"] = n_components
        judge(
            record,
            about,
            lambda model=model: model.fit(data.X, data.y).predict(data.X_new),
            data.y_new,
        )


def main() -> None:
    parser = argument_parser(__doc__, problems=CASES)
    parser.add_argument("--counts", type=int, nargs="+", default=[2, 3, 4, 5, 7])
    parser.add_argument("--max-time", type=float, default=240.0, help="seconds of each training")
    parser.add_argument("--refinement-steps", type=int, default=300)
    parser.add_argument("--refinement-time", type=float, help="seconds of each refinement")
    parser.add_argument("--distill", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--modes", type=int, default=7, help="of the linear models")
    parser.add_argument("--solved", action="store_true", help="snapshots of our own solver")
    parser.add_argument("--cache", help="folder in which these are kept")
    args = parse(parser, tiny={"counts": [3], "max_time": 0.5, "refinement_steps": 2, "modes": 3})
    for name in args.problems:
        case = CASES[name](args.solved, args.cache)
        record = Record(f"few_data_{name}{'_solved' if args.solved else ''}", args)
        for count in args.counts:
            print(f"{name}, {count} trajectories", flush=True)
            data = split(case, count)
            rivals(record, case, data, args.modes)
            for seed in args.seeds:
                print(f" seed {seed}", flush=True)
                networks(record, case, data, args, seed)


if __name__ == "__main__":
    main()
