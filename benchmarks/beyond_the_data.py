"""Beyond the training data: parameters outside the range, initial fields never seen.

    SKCOLORA_DATA=folder python benchmarks/beyond_the_data.py vlasov burgers

Networks trained on all published snapshots of Vlasov and 2-D Burgers.  Vlasov is asked for
positions 10 % and 20 % of the range outside it, and for clouds that start with a velocity; Burgers
for half the smallest viscosity.  Beside the errors stands what `CoLoRAGalerkin` says about itself:
the indicator of the error, and the largest relative residual.  Writes
``beyond_the_data_<problem>.json``.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import problems
from results import Record, argument_parser, parse
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


class Query(NamedTuple):
    """One parameter, its solution, and the initial field where it is not the equation's own."""

    name: str
    X: np.ndarray
    truth: np.ndarray
    initial: np.ndarray | None = None


class Case(NamedTuple):
    """What is trained on, and what is asked for."""

    data: SnapshotData
    pde: PDE
    scaling: FunctionTransformer
    network: dict[str, Any]
    queries: list[Query]


def vlasov() -> Case:
    data = load_snapshots(problems.data_folder() / "vlasov", period=2.0)
    queries = []
    for mu in (0.25, 0.18, 0.42, 0.16, 0.44):
        X = np.array([[mu]])
        truth = Vlasov().solve(X, data.times, data.points)
        queries.append(Query(f"Vlasov, μ = {mu}", X, truth))
    X = np.array([[0.3]])
    mesh = np.stack(np.meshgrid(*data.points, indexing="ij"))
    for velocity in (0.01, 0.05, -0.05):
        pde = MovingCloud(velocity)
        truth = pde.solve(X, data.times, data.points)
        name = f"Vlasov, μ = 0.3, from velocity {velocity}"
        queries.append(Query(name, X, truth, pde.initial(mesh, X[0])[None]))
    return Case(data, Vlasov(), FunctionTransformer(), {}, queries)


def burgers() -> Case:
    data = load_snapshots(problems.data_folder() / "burgers", period=1.0)
    inside, outside = np.array([[0.00397]]), np.array([[0.0005]])
    steep = Burgers2D().solve(outside, data.times, data.points, n_points=512, rtol=1e-4, atol=1e-4)
    queries = [
        Query("2-D Burgers, μ = 0.00397", inside, make_burgers(inside, kind="2d").y),
        Query("2-D Burgers, μ = 0.0005", outside, steep),
    ]
    return Case(data, Burgers2D(), FunctionTransformer(np.log), {}, queries)


def tiny() -> Case:
    problem = problems.tiny()
    query = Query("tiny", problem.X_new[:1], problem.y_new[:1])
    data = problem.data
    return Case(data, data.pde, problem.scaling, problem.network, [query])


CASES = {"vlasov": vlasov, "burgers": burgers, "tiny": tiny}
HEADS = ("CoLoRAGalerkin", "CoLoRARegressor", "ParameterInterpolator", "PODGalerkin")


def report(
    query: Query, galerkin: CoLoRAGalerkin, rivals: dict[str, Any], record: Record, seed: int
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        solution = galerkin.solve(query.X, initial=query.initial)
        moved = galerkin.predict(query.X, initial=query.initial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = {"CoLoRAGalerkin": moved, "CoLoRARegressor": galerkin.regressor_.predict(query.X)}
        fields |= {name: model.predict(query.X) for name, model in rivals.items()}
    errors = {name: relative_l2_error(query.truth, predicted) for name, predicted in fields.items()}
    indicator = float(solution.error_indicator[0, -1])
    residual = float(np.nanmax(solution.residual[0]))
    record.add(
        query=query.name,
        seed=seed,
        errors=errors,
        error_indicator=indicator,
        largest_residual=residual,
        warns=bool(caught),
    )
    row = "".join(f"{errors[head]:22.2e}" for head in HEADS)
    trust = f"{indicator:12.2e}{residual:12.2e}"
    print(f"{query.name:36}{row}{trust}   {'warns' if caught else ''}", flush=True)


def fitted(case: Case, max_time: float, seed: int) -> tuple[CoLoRAGalerkin, dict[str, Any]]:
    """`CoLoRAGalerkin`, and the rivals by their names."""
    data, pde, scaling = case.data, case.pde, case.scaling
    network = CoLoRARegressor(**data.grid, **case.network, max_time=max_time, random_state=seed)
    galerkin = CoLoRAGalerkin(pde, regressor=make_pipeline(scaling, network), random_state=seed)
    rivals = {
        "ParameterInterpolator": make_pipeline(scaling, ParameterInterpolator(**data.grid)),
        "PODGalerkin": PODGalerkin(pde, **data.grid, n_components=min(7, len(data.times))),
    }
    for model in (galerkin, *rivals.values()):
        model.fit(data.X, data.y)
    return galerkin, rivals


def main() -> None:
    parser = argument_parser(__doc__, problems=CASES)
    parser.add_argument("--max-time", type=float, default=240.0, help="seconds of each training")
    args = parse(parser, tiny={"max_time": 0.5})
    print(f"{'':36}" + "".join(f"{h:>22}" for h in HEADS) + f"{'indicator':>12}{'residual':>12}")
    for name in args.problems:
        case = CASES[name]()
        record = Record(f"beyond_the_data_{name}", args)
        for seed in args.seeds:
            galerkin, rivals = fitted(case, args.max_time, seed)
            for query in case.queries:
                report(query, galerkin, rivals, record, seed)


if __name__ == "__main__":
    main()
