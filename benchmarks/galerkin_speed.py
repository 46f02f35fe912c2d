"""Time of a solution: full-order solver coarsened to the same error, and the reduced models.

    python benchmarks/galerkin_speed.py

2-D Burgers; everything is fitted to five viscosities that our own solver gave, in single precision
as snapshots are mostly stored; `CoLoRAGalerkin` computes in double precision.  The full-order
solver takes the cheapest of several grids and tolerances whose error at unseen viscosities is no
larger than that of `CoLoRAGalerkin`; its own watch over the grid is switched off for that, and its
time for 100 trajectories is ten times that of ten.  Then one trajectory and 100 at once, by every
model: the whole fields on 129² points and 51 times, the latent states alone, and the fields at 100
places.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor, ParameterInterpolator, PODGalerkin
from skcolora.datasets import make_burgers
from skcolora.metrics import relative_l2_error
from skcolora.pdes import Burgers2D, SolverError, _lines

N_POINTS = (32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 256)
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def matched_solver(
    times: np.ndarray, axes: tuple[np.ndarray, ...], X: np.ndarray, y: np.ndarray, error: float
) -> tuple[int, float, float, float]:
    """Grid, tolerance, error and seconds a trajectory of the cheapest that is as accurate."""
    best = (0, 0.0, np.inf, np.inf)
    _lines._TOO_COARSE = np.inf  # judged by its error instead
    for n in N_POINTS:
        for tol in TOLERANCES:

            def solve(n: int = n, tol: float = tol) -> np.ndarray:
                return Burgers2D().solve(X, times, axes, n_points=n, rtol=tol, atol=tol)

            started = time.perf_counter()
            try:
                reached = relative_l2_error(y, solve())
            except SolverError:
                continue
            took = (time.perf_counter() - started) / len(X)
            if reached <= error and took < best[3]:
                best = (n, tol, reached, took)
        if best[0] and n > best[0]:  # a finer grid costs more
            break
    if not best[0]:
        raise SystemExit(f"No grid up to {N_POINTS[-1]}² points is as accurate as {error:.1e}.")
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--max-time", type=float, default=240.0, help="seconds of training")
    parser.add_argument("--low", type=float, default=0.002, help="smallest viscosity")
    parser.add_argument("--refine", action="store_true", help="let the network learn the equation")
    parser.add_argument("--cache", help="folder in which the snapshots are kept")
    args = parser.parse_args()
    data = make_burgers(np.geomspace(args.low, 0.01, 5), kind="2d", cache=args.cache)
    new = make_burgers(np.geomspace(args.low, 0.01, 9)[1::2], kind="2d", cache=args.cache)
    y = data.y.astype(np.float32)
    network = CoLoRARegressor(**data.grid, max_time=args.max_time, random_state=0)
    log = FunctionTransformer(np.log)
    galerkin = CoLoRAGalerkin(data.pde, regressor=make_pipeline(log, network), random_state=0)
    galerkin.fit(data.X, y)
    if args.refine:
        galerkin = galerkin.refine(np.geomspace(args.low, 0.01, 13)[:, None])
    frozen = FrozenEstimator(galerkin.regressor_)
    few = CoLoRAGalerkin(data.pde, regressor=frozen, n_collocation=100, random_state=0)
    few.fit(data.X, y)
    regressor = galerkin.distill(np.geomspace(args.low, 0.01, 13)[:, None])
    rivals = {
        f"PODGalerkin, {n} modes": PODGalerkin(
            data.pde, **data.grid, n_components=n, n_samples=n_samples
        ).fit(data.X, y)
        for n, n_samples in ((20, 60), (60, 240))
    }
    interpolator = make_pipeline(log, ParameterInterpolator(**data.grid)).fit(data.X, y)
    rivals["ParameterInterpolator"] = interpolator

    many = np.geomspace(args.low, 0.01, 100)[:, None]
    places = np.random.default_rng(0).random((100, 2))
    models = {
        "CoLoRAGalerkin": galerkin,
        "CoLoRAGalerkin, 100 points": few,
        "CoLoRARegressor (distilled)": regressor,
    }
    errors = {
        name: relative_l2_error(new.y, model.predict(new.X)) for name, model in models.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model in rivals.items():
            errors[name] = relative_l2_error(new.y, np.nan_to_num(model.predict(new.X), nan=1e3))
    target = errors["CoLoRAGalerkin"]
    print({name: f"{error:.1e}" for name, error in errors.items()}, flush=True)
    n, tol, reached, _ = matched_solver(data.times, data.points, new.X, new.y, target)
    print(f"{torch.get_num_threads()} thread(s); full-order: {n}² points, tolerance {tol:g}")

    def full_order(X: np.ndarray) -> None:
        Burgers2D().solve(X, data.times, data.points, n_points=n, rtol=tol, atol=tol)

    def timed(name: str, error: float, run: Callable[[np.ndarray], object], every: int = 1) -> None:
        one = min(seconds(lambda: run(many[50:51])) for _ in range(2))
        hundred = seconds(lambda: run(many[::every])) * every
        reference.setdefault("one", one)
        reference.setdefault("hundred", hundred)
        ratios = f"{reference['one'] / one:9.1f}{reference['hundred'] / hundred:9.1f}"
        print(f"{name:44}{error:10.1e}{one:10.4f}{hundred:10.3f}{ratios}", flush=True)

    reference: dict[str, float] = {}
    print(f"{'':44}{'error':>10}{'one, s':>10}{'100, s':>10}{'times':>9}{'times':>9}")
    timed("full-order solver, whole fields", reached, full_order, every=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model in {**rivals, **models}.items():
            timed(f"{name}, whole fields", errors[name], model.predict)

        def states(X: np.ndarray) -> np.ndarray:
            return regressor[-1].predict_latent(log.transform(X))

        timed("CoLoRAGalerkin, states", errors["CoLoRAGalerkin"], galerkin.solve)
        timed("CoLoRARegressor, states", errors["CoLoRARegressor (distilled)"], states)
        for name in ("CoLoRAGalerkin", "CoLoRAGalerkin, 100 points"):
            timed(
                f"{name}, 100 places",
                errors[name],
                lambda X, model=models[name]: model.predict(X, points=places),
            )
        timed(
            "CoLoRARegressor, 100 places",
            errors["CoLoRARegressor (distilled)"],
            lambda X: regressor[-1].predict(log.transform(X), points=places),
        )


if __name__ == "__main__":
    main()
