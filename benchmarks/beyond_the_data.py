"""Beyond the training data: parameters outside the range, initial fields never seen.

    SKCOLORA_DATA=folder python benchmarks/beyond_the_data.py

Networks trained on all published snapshots of Vlasov and 2-D Burgers.  Vlasov is asked for
positions 10 % and 20 % of the range outside it, and for clouds that start with a velocity; Burgers
for half the smallest viscosity.  Beside the errors stands what `CoLoRAGalerkin` says about itself:
the indicator of the error and the relative residual at the end.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
from problems import data_folder
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor, ParameterInterpolator, PODGalerkin
from skcolora.datasets import SnapshotData, load_snapshots, make_burgers
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Burgers2D, Vlasov


class MovingCloud(Vlasov):
    """Vlasov's equation from a cloud that starts with a velocity of its own."""

    def __init__(self, velocity: float) -> None:
        super().__init__()
        self.velocity = velocity

    def initial(self, points: Any, mu: Any) -> Any:
        x, v = points
        return super().initial((x, v - self.velocity), mu)


def report(
    name: str,
    truth: np.ndarray,
    galerkin: CoLoRAGalerkin,
    X: np.ndarray,
    rivals: dict[str, Any],
    initial: np.ndarray | None = None,
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        solution = galerkin.solve(X, initial=initial)
        moved = galerkin.predict(X, initial=initial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = {"EQ": moved, "D": galerkin.regressor_.predict(X)}
        errors |= {key: model.predict(X) for key, model in rivals.items()}
    row = "".join(
        f"{relative_l2_error(truth, np.nan_to_num(fields)):12.2e}" for fields in errors.values()
    )
    trust = f"{solution.error_indicator[0, -1]:12.2e}{np.nanmax(solution.residual[0]):12.2e}"
    print(f"{name:32}{row}{trust}   {'warns' if caught else ''}", flush=True)


def fitted(
    data: SnapshotData, pde: PDE, scaling: FunctionTransformer, max_time: float
) -> tuple[CoLoRAGalerkin, dict[str, Any]]:
    network = CoLoRARegressor(**data.grid, max_time=max_time, random_state=0)
    galerkin = CoLoRAGalerkin(pde, regressor=make_pipeline(scaling, network), random_state=0)
    rivals = {
        "interpolation": make_pipeline(scaling, ParameterInterpolator(**data.grid)),
        "PODGalerkin": PODGalerkin(pde, **data.grid, n_components=7),
    }
    for model in (galerkin, *rivals.values()):
        model.fit(data.X, data.y)
    return galerkin, rivals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--max-time", type=float, default=240.0, help="seconds of each training")
    args = parser.parse_args()
    heads = ("EQ", "D", "interp.", "PODGalerkin", "indicator", "residual")
    print(f"{'':32}" + "".join(f"{head:>12}" for head in heads))

    data = load_snapshots(data_folder() / "vlasov", period=2.0)
    galerkin, rivals = fitted(data, Vlasov(), FunctionTransformer(), args.max_time)
    axes = data.points
    for mu in (0.25, 0.18, 0.42, 0.16, 0.44):
        X = np.array([[mu]])
        report(f"Vlasov, μ = {mu}", Vlasov().solve(X, data.times, axes), galerkin, X, rivals)
    X = np.array([[0.3]])
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"))
    for velocity in (0.01, 0.02, 0.05, -0.05):
        pde = MovingCloud(velocity)
        initial = pde.initial(mesh, X[0])[None]
        truth = pde.solve(X, data.times, axes)
        report(f"Vlasov, μ = 0.3, v₀ = {velocity}", truth, galerkin, X, rivals, initial)

    data = load_snapshots(data_folder() / "burgers", period=1.0)
    galerkin, rivals = fitted(data, Burgers2D(), FunctionTransformer(np.log), args.max_time)
    for mu in (0.00397, 0.0005):
        n_points = 512 if mu < 0.001 else None
        X = np.array([[mu]])
        if n_points is None:
            truth = make_burgers(X, kind="2d").y
        else:
            truth = Burgers2D().solve(
                X, data.times, data.points, n_points=n_points, rtol=1e-4, atol=1e-4
            )
        report(f"Burgers, μ = {mu}", truth, galerkin, X, rivals)


if __name__ == "__main__":
    main()
