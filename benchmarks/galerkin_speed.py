"""Time of a solution: full-order solver coarsened to the same error, and the reduced models.

    python benchmarks/galerkin_speed.py

2-D Burgers; everything is fitted to five viscosities that our own solver gave, in single precision
as snapshots are mostly stored; `CoLoRAGalerkin` computes in double precision.  The full-order
solver takes the cheapest of several grids and tolerances whose error at unseen viscosities is no
larger than that of `CoLoRAGalerkin`; its own watch over the grid is switched off for that, and its
time for 100 trajectories is ten times that of ten.  Then one trajectory and 100 at once, by every
model: the whole fields on 129² points and 51 times, the latent states alone, and the fields at 100
places.  "Offline" is what a model takes before its first answer: the snapshots, the training, and
the distillation of the one that has one.  Writes ``galerkin_speed.json`` or
``galerkin_speed_refined.json``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from problems import check_unseen
from results import Record, argument_parser, parse
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor, ParameterInterpolator, PODGalerkin
from skcolora.datasets import SnapshotData, make_burgers
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, SolverError
from skcolora.pdes._solvers import _lines

N_POINTS = (32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 256)
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


class Solver(NamedTuple):
    """A grid and a tolerance, and what they cost and give."""

    n_points: int
    tolerance: float
    error: float
    seconds: float


def solve(pde: PDE, new: SnapshotData, X: np.ndarray, n_points: int, tolerance: float) -> Any:
    settings = {"n_points": n_points, "rtol": tolerance, "atol": tolerance}
    return pde.solve(X, new.times, new.points, **settings)


def matched_solver(pde: PDE, new: SnapshotData, sizes: list[int], error: float) -> Solver:
    """The cheapest grid and tolerance that are as accurate; seconds are those a trajectory."""
    best: Solver | None = None
    for n in sizes:
        for tolerance in TOLERANCES:
            started = time.perf_counter()
            try:
                reached = relative_l2_error(new.y, solve(pde, new, new.X, n, tolerance))
            except SolverError:
                continue
            took = (time.perf_counter() - started) / len(new.X)
            if reached <= error and (best is None or took < best.seconds):
                best = Solver(n, tolerance, reached, took)
        if best is not None and n > best.n_points:  # a finer grid costs more
            break
    if best is None:
        raise SystemExit(f"No grid up to {sizes[-1]} points is as accurate as {error:.1e}.")
    return best


class Clock:
    """Times one trajectory and 100 at once of every model, beside those of the first one."""

    def __init__(self, record: Record, seed: int, X: np.ndarray) -> None:
        self.record, self.seed, self.X = record, seed, X
        self.first: tuple[float, float] | None = None
        print(f"{'':44}{'error':>10}{'one, s':>10}{'100, s':>10}{'times':>9}{'times':>9}")

    def time(
        self,
        model: str,
        error: float,
        run: Callable[[np.ndarray], object],
        every: int = 1,
        offline: float = 0.0,
    ) -> None:
        middle = len(self.X) // 2
        one = min(seconds(lambda: run(self.X[middle : middle + 1])) for _ in range(2))
        hundred = seconds(lambda: run(self.X[::every])) * every
        self.first = self.first or (one, hundred)
        faster = self.first[0] / one, self.first[1] / hundred
        self.record.add(
            model=model,
            seed=self.seed,
            error=error,
            seconds_of_one=one,
            seconds_of_100=hundred,
            times_faster_one=faster[0],
            times_faster_100=faster[1],
            offline_seconds=offline,
        )
        ratios = f"{faster[0]:9.1f}{faster[1]:9.1f}"
        print(f"{model:44}{error:10.1e}{one:10.4f}{hundred:10.3f}{ratios}", flush=True)


class Setting(NamedTuple):
    """What is trained on, what is judged, and how large everything is."""

    data: SnapshotData
    new: SnapshotData
    viscosities: tuple[float, float]
    network: dict[str, Any]
    modes: dict[int, int]
    """Numbers of modes of `PODGalerkin`, each with its number of points."""
    sizes: list[int]
    """Grids that the full-order solver may take."""
    data_seconds: float
    """What the training snapshots took."""

    def between(self, n: int) -> np.ndarray:
        return np.geomspace(*self.viscosities, n)[:, None]


def burgers(low: float) -> Setting:
    nine = np.geomspace(low, 0.01, 9)
    started = time.perf_counter()
    data = make_burgers(nine[::2], kind="2d")
    took = time.perf_counter() - started
    new = make_burgers(nine[1::2], kind="2d")
    return Setting(data, new, (low, 0.01), {}, {20: 60, 60: 240}, list(N_POINTS), took)


def tiny() -> Setting:
    """1-D Burgers on a few points, for runs that only show that the script works."""
    nine, times = np.geomspace(0.05, 0.2, 9), np.linspace(0.0, 0.5, 5)
    started = time.perf_counter()
    data = make_burgers(nine[::2], n_points=32, times=times)
    took = time.perf_counter() - started
    new = make_burgers(nine[1::2], n_points=32, times=times)
    return Setting(data, new, (0.05, 0.2), {"width": 8, "depth": 3}, {3: 6}, [32, 48], took)


def compare(setting: Setting, args: argparse.Namespace, seed: int, record: Record) -> None:
    data, new, pde = setting.data, setting.new, setting.data.pde
    candidates = setting.between(13)
    check_unseen(np.concatenate([data.X, candidates]), new.X)
    y = data.y.astype(np.float32)
    network = CoLoRARegressor(
        **data.grid, **setting.network, max_time=args.max_time, random_state=seed
    )
    log = FunctionTransformer(np.log)
    galerkin = CoLoRAGalerkin(pde, regressor=make_pipeline(log, network), random_state=seed)
    started = time.perf_counter()
    galerkin.fit(data.X, y)
    if args.refine:
        galerkin = galerkin.refine(candidates)
    trained = setting.data_seconds + time.perf_counter() - started
    frozen = FrozenEstimator(galerkin.regressor_)
    few = CoLoRAGalerkin(pde, regressor=frozen, n_collocation=args.few, random_state=seed)
    few.fit(data.X, y)
    started = time.perf_counter()
    distilled = galerkin.distill(candidates, max_iter=args.distillation_steps)
    taught = trained + time.perf_counter() - started
    interpolator = make_pipeline(log, ParameterInterpolator(**data.grid))
    rivals: dict[str, Any] = {"ParameterInterpolator": interpolator}
    for n, n_samples in setting.modes.items():
        pod = PODGalerkin(pde, **data.grid, n_components=n, n_samples=n_samples)
        rivals[f"PODGalerkin, {n} modes"] = pod
    of_few, of_taught = f"CoLoRAGalerkin, {args.few} points", "CoLoRARegressor (distilled)"
    offline = {"CoLoRAGalerkin": trained, of_few: trained, of_taught: taught}
    for name, rival in rivals.items():
        offline[name] = setting.data_seconds + seconds(lambda rival=rival: rival.fit(data.X, y))
    models = {"CoLoRAGalerkin": galerkin, of_few: few, of_taught: distilled}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = {
            name: relative_l2_error(new.y, model.predict(new.X))
            for name, model in {**rivals, **models}.items()
        }
    print({name: f"{error:.1e}" for name, error in errors.items()}, flush=True)
    many = setting.between(args.many)
    places = np.random.default_rng(0).random((100, pde.n_dims))

    def states(X: np.ndarray) -> np.ndarray:
        return distilled[-1].predict_latent(log.transform(X))

    with warnings.catch_warnings(), mock.patch.object(_lines, "_TOO_COARSE", np.inf):
        warnings.simplefilter("ignore")
        best = matched_solver(pde, new, setting.sizes, errors["CoLoRAGalerkin"])
        print(f"{torch.get_num_threads()} thread(s); {best}")
        clock = Clock(record, seed, many)
        clock.time(
            f"full-order solver, {best.n_points} points along an axis, "
            f"tolerance {best.tolerance:g}, whole fields",
            best.error,
            lambda X: solve(pde, new, X, best.n_points, best.tolerance),
            every=10,
        )
        for name, model in {**rivals, **models}.items():
            about = f"{name}, whole fields", errors[name]
            clock.time(*about, model.predict, offline=offline[name])
        for name in ("CoLoRAGalerkin", of_few):
            clock.time(
                f"{name}, 100 places",
                errors[name],
                lambda X, model=models[name]: model.predict(X, points=places),
                offline=trained,
            )
        error = errors[of_taught]
        clock.time(
            f"{of_taught}, 100 places",
            error,
            lambda X: distilled[-1].predict(log.transform(X), points=places),
            offline=taught,
        )
        about = "CoLoRAGalerkin, states", errors["CoLoRAGalerkin"]
        clock.time(*about, galerkin.solve, offline=trained)
        clock.time(f"{of_taught}, states", error, states, offline=taught)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--max-time", type=float, default=240.0, help="seconds of training")
    parser.add_argument("--low", type=float, default=0.002, help="smallest viscosity")
    parser.add_argument("--refine", action="store_true", help="let the network learn the equation")
    parser.add_argument("--few", type=int, default=100, help="points of the cheaper equation")
    parser.add_argument("--many", type=int, default=100, help="trajectories at once")
    parser.add_argument("--distillation-steps", type=int, default=300)
    tiny_arguments = {"max_time": 0.5, "few": 20, "many": 10, "distillation_steps": 2}
    args = parse(parser, tiny_arguments)
    setting = tiny() if args.tiny else burgers(args.low)
    record = Record(f"galerkin_speed{'_refined' if args.refine else ''}", args)
    for seed in args.seeds:
        compare(setting, args, seed, record)


if __name__ == "__main__":
    main()
