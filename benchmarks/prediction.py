"""Time of a prediction against the bare matrix products of the same shapes.

    python benchmarks/prediction.py

The published architecture on whole grids, in both precisions: `predict`, the matrix products of
the same shapes alone, and the same network evaluated as it is written, in one call; then latent
states of 1,000 parameters at 100 times.  The best of several runs each, all in one process.
Writes ``prediction.json``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from results import Record, argument_parser, parse
from torch import Tensor

from skcolora import CoLoRARegressor


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    run()
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


def fitted(dtype: str, n_times: int, n_points: int) -> CoLoRARegressor:
    """The published architecture; how well it is trained does not matter here."""
    axis = np.linspace(-1.0, 1.0, n_points)
    points = (axis, axis)
    y = np.random.default_rng(0).standard_normal((3, n_times, n_points, n_points)).astype(dtype)
    model = CoLoRARegressor(points=points, period=2.0, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(np.arange(3.0)[:, None], y)


@torch.no_grad()
def bare_products(model: CoLoRARegressor, n_times: int, n_points: int) -> Callable[[], None]:
    """One product a hidden layer and snapshot, nothing else."""
    weights = [layer.W for layer in model.network_.layers[1:]]
    inputs = torch.randn(n_points**2, model.width, dtype=weights[0].dtype)
    outputs = [inputs.new_empty(n_points**2, w.shape[1]) for w in weights]

    def run() -> None:
        for _ in range(n_times):
            for weight, out in zip(weights, outputs, strict=True):
                torch.mm(inputs, weight, out=out)

    return run


@torch.no_grad()
def naive(model: CoLoRARegressor, X: np.ndarray) -> Tensor:
    """The forward pass as it is written, all snapshots and points at once."""
    units, layout = model._units, model._layout
    like = next(model.network_.parameters())
    rows = torch.from_numpy(units.inputs(X, layout.times)).to(like).flatten(0, 1)
    points = torch.from_numpy(units.coordinates(layout.grid.points)).to(like)
    center, scale = (
        torch.from_numpy(entry).to(like) for entry in (units.fields.center, units.fields.scale)
    )
    fields: Tensor = center + scale * model.network_(points, model.hypernetwork_(rows))
    return fields


def main() -> None:
    parser = argument_parser(__doc__, trained=False)
    parser.add_argument("--times", type=int, default=63, help="number of snapshots")
    parser.add_argument("--points", type=int, default=101, help="points along each axis")
    args = parse(parser, tiny={"times": 3, "points": 11})
    record = Record("prediction", args)
    size = args.times, args.points
    X = np.array([[0.5]])
    many, times = np.linspace(0.0, 2.0, 1000)[:, None], np.linspace(0.0, 1.0, 100)
    print(f"{size[0]} snapshots at {size[1]}² points; {torch.get_num_threads()} thread(s)")
    for dtype in ("float32", "float64"):
        model = fitted(dtype, *size)
        predict = seconds(lambda model=model: model.predict(X))
        products = seconds(bare_products(model, *size))
        written = seconds(lambda model=model: naive(model, X))
        latent = seconds(lambda model=model: model.predict_latent(many, times=times))
        record.add(
            dtype=dtype,
            predict_seconds=predict,
            bare_products_seconds=products,
            ratio_to_bare_products=predict / products,
            as_written_seconds=written,
            ratio_to_as_written=predict / written,
            latent_states_seconds=latent,
        )
        print(
            f"{dtype}: predict {predict:.3f} s, bare products {products:.3f} s "
            f"(ratio {predict / products:.2f}), forward pass as written {written:.3f} s "
            f"(ratio {predict / written:.2f})"
        )
        print(f"{dtype}: latent states of 1000 parameters at 100 times {1e3 * latent:.0f} ms")


if __name__ == "__main__":
    main()
