"""Each table of the documentation, as a function of the measured figures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import architecture
import peers_table
from both_halves import table as table_of_halves
from cost import table as table_of_cost
from gaps import table as table_of_gaps
from paper import table as table_of_paper
from pymor_demo import table as table_of_pymor_demo
from reynolds import table as table_of_reynolds
from table_format import Table, bold_least, digits, duration, error, spread
from time_to_error import table as table_of_times
from unseen_table import beside_rivals, compared

Rows = list[dict[str, Any]]
TITLES = {
    "vlasov": "Vlasov",
    "burgers": "2-D Burgers",
    "burgers_solved": "2-D Burgers",
    "rde": "rotating detonation",
    "rde_solved": "rotating detonation",
    "wave": "wave, four parameters",
}


class Results:
    """The figures of all benchmarks that have been run."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")
        }

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def figures(self, name: str, **chosen: Any) -> Rows:
        """The rows of one file in which every key of ``chosen`` has the value given."""
        if name not in self._files:
            raise SystemExit(f"There are no figures in {name}.json: run its benchmark first.")
        rows = self._files[name]["figures"]
        return [row for row in rows if all(row.get(k) == v for k, v in chosen.items())]

    def argument(self, name: str, argument: str) -> Any:
        return self._files[name]["arguments"][argument]

    def runs(self) -> dict[str, dict[str, Any]]:
        """The whole content of each file, by the name of the file."""
        return dict(sorted(self._files.items()))


def errors(rows: Rows) -> list[float]:
    return [float(row["error"]) for row in rows]


def published(results: Results) -> Table:
    """Trained networks and the strongest simple rival on the published snapshots."""
    rows = []
    for problem in ("vlasov", "burgers", "rde"):
        name = f"time_to_accuracy_{problem}"
        if name not in results:
            continue
        (rival,) = errors(results.figures(name, model="ParameterInterpolator"))
        for budget in results.argument(name, "budgets"):
            network = errors(results.figures(name, model="CoLoRARegressor", budget=budget))
            middle = median(network)
            cells = bold_least([spread(network), error(rival)], [middle, rival])
            ratio = f"{digits(rival / middle)}"
            rows.append([TITLES[problem], duration(budget), *cells, ratio])
    head = [
        "problem",
        "training",
        "`CoLoRARegressor`",
        "`ParameterInterpolator`",
        "error of interpolation / error of the network",
    ]
    return Table(head, rows)


def recipe(results: Results) -> Table:
    """The time of the published recipe, of which a few steps are timed."""
    rows = []
    for problem in ("vlasov", "burgers", "rde"):
        name = f"time_to_accuracy_{problem}"
        if name not in results:
            continue
        (row,) = results.figures(name, model="published recipe")
        budget, ratio = list(row["times_the_budget_extrapolated"].items())[-1]
        rows.append(
            [
                TITLES[problem],
                duration(row["seconds_per_step"]),
                duration(row["seconds_extrapolated_from_timed_steps"]),
                duration(float(budget)),
                digits(ratio),
            ]
        )
    head = [
        "problem",
        "one step of the published recipe",
        "all its 100,000 steps, extrapolated from timed steps",
        "training of `CoLoRARegressor`",
        "ratio of these times, extrapolated",
    ]
    return Table(head, rows)


FEW_DATA_MODELS = {
    "CoLoRAGalerkin.refine": "`CoLoRAGalerkin.refine`",
    "CoLoRAGalerkin.refine, then distill": "`CoLoRAGalerkin.refine`, then `distill`",
    "CoLoRAGalerkin.refine, its regressor_": "`CoLoRAGalerkin.refine`, its `regressor_` alone",
    "CoLoRAGalerkin": "`CoLoRAGalerkin`",
    "CoLoRAGalerkin.distill": "`CoLoRAGalerkin.distill`",
    "CoLoRARegressor": "`CoLoRARegressor`",
    "ParameterInterpolator": "`ParameterInterpolator`",
    "PODRegressor": "`PODRegressor`, 7 modes",
    "PODGalerkin": "`PODGalerkin`, 7 modes",
}
SHORT_FEW_DATA = (
    "CoLoRAGalerkin.refine",
    "CoLoRAGalerkin",
    "CoLoRARegressor",
    "ParameterInterpolator",
    "PODRegressor",
    "PODGalerkin",
)


def few_data(results: Results, models: Iterable[str] = FEW_DATA_MODELS) -> Table:
    """Every estimator after training on three trajectories, and its time on the first problem."""
    models = list(models)
    head, columns, times = ["model"], [], []
    for problem in ("vlasov", "burgers_solved", "rde_solved"):
        name = f"few_data_{problem}"
        if name not in results:
            continue
        values = [errors(results.figures(name, trajectories=3, model=model)) for model in models]
        middles = [median(v) if v else math.inf for v in values]
        columns.append(bold_least([spread(v) for v in values], middles))
        seeds = {row["seed"] for row in results.figures(name, trajectories=3) if "seed" in row}
        head.append(f"{TITLES[problem]}, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}")
        if not times:
            times = [_time(results.figures(name, trajectories=3, model=model)) for model in models]
            of = TITLES[problem]
    head.append(f"training and prediction, {of}")
    names = [FEW_DATA_MODELS[model] for model in models]
    return Table(head, [list(cells) for cells in zip(names, *columns, times, strict=True)])


def _time(rows: Rows) -> str:
    """The median time of all that a model needs for its prediction."""
    times = [row.get("fit_seconds", 0.0) + row.get("seconds", 0.0) for row in rows]
    return duration(median(times)) if times else "not run"


def few_data_short(results: Results) -> Table:
    """The estimators that a reader of the README has met."""
    return few_data(results, SHORT_FEW_DATA)


def refinement(results: Results) -> Table:
    """What the equation gains, and what its refinement gains, over the number of trajectories."""
    models = "CoLoRARegressor", "CoLoRAGalerkin", "CoLoRAGalerkin.refine"
    rows = []
    for problem in ("vlasov", "burgers", "rde", "wave"):
        name = f"refinement_{problem}"
        if name not in results:
            continue
        for n in sorted({row["trajectories"] for row in results.figures(name)}):
            found = [results.figures(name, trajectories=n, model=model) for model in models]
            _, before, after = map(errors, found)
            worst = max(b / a for a, b in zip(before, after, strict=True))
            cells = [spread(errors(each)) for each in found]
            rows.append([TITLES[problem], str(n), *cells, f"{worst:.2f}"])
    head = [
        "problem",
        "trajectories",
        "`CoLoRARegressor`",
        "`CoLoRAGalerkin`",
        "after `refine`",
        "largest ratio of the last two",
    ]
    return Table(head, rows)


def beyond_the_data(results: Results) -> Table:
    """Outside the range of the training data, with what `CoLoRAGalerkin` says about itself."""
    models = ("CoLoRAGalerkin", "CoLoRARegressor", "ParameterInterpolator", "PODGalerkin")
    rows = []
    for problem in ("vlasov", "burgers"):
        name = f"beyond_the_data_{problem}"
        if name not in results:
            continue
        for query in dict.fromkeys(row["query"] for row in results.figures(name)):
            found = results.figures(name, query=query)
            values = [median(float(row["errors"][model]) for row in found) for model in models]
            cells = bold_least([error(value) for value in values], values)
            residual = median(float(row["largest_residual"]) for row in found)
            warns = "yes" if any(row["warns"] for row in found) else "no"
            rows.append([query, *cells, error(residual), warns])
    return Table(["asked for", *(f"`{m}`" for m in models), "residual", "warns"], rows)


def galerkin_settings(results: Results) -> Table:
    """The settings of `CoLoRAGalerkin` that matter."""
    chosen = {
        "tolerance": ("0.001", "1e-05", "1e-07"),
        "points": ("qr, 100", "qr, 1000"),
        "norm": ("L2", "H-1"),
        "conserve": ("nothing", "mass"),
    }
    name = "galerkin_settings_vlasov"
    network = errors(results.figures(name, setting="CoLoRARegressor"))
    rows = [["`CoLoRARegressor`, without the equation", spread(network), ""]]
    for table, settings in chosen.items():
        for setting in settings:
            found = results.figures(name, table=table, setting=setting)
            if found:
                steps = median(row["steps"] for row in found)
                rows.append([f"{table}: {setting}", spread(errors(found)), digits(steps)])
    return Table(["setting", "error", "steps"], rows)


def prediction(results: Results) -> Table:
    """The time of a prediction against the bare matrix products in it."""
    rows = [
        [
            row["dtype"],
            duration(row["predict_seconds"]),
            duration(row["bare_products_seconds"]),
            f"{row['ratio_to_bare_products']:.1f}",
            f"{1 / row['ratio_to_as_written']:.1f}",
            duration(row["latent_states_seconds"]),
        ]
        for row in results.figures("prediction")
    ]
    head = [
        "precision",
        "one trajectory, whole fields",
        "matrix products alone",
        "ratio to the products",
        "times faster than the network as written",
        "100,000 latent states",
    ]
    return Table(head, rows)


def galerkin_speed(results: Results) -> Table:
    """Times of one solution and of 100, beside the full-order solver of the same error.

    The last column is the number of solutions from which on a model has taken less time than the
    solver, with its snapshots and its training.
    """
    figures = results.figures("galerkin_speed")
    timed = any("offline_seconds" in row for row in figures)
    rows, solver = [], 0.0
    for row in figures:
        # Each seed begins with the solver.
        if row["times_faster_100"] == 1:
            solver = row["seconds_of_100"] / 100
        saved, offline = solver - row["seconds_of_100"] / 100, row.get("offline_seconds", 0.0)
        pays = f"{math.ceil(offline / saved):,}" if offline and saved > 0 else ""
        rows.append(
            [
                row["model"],
                error(row["error"]),
                duration(row["seconds_of_one"]),
                digits(row["times_faster_one"]),
                duration(row["seconds_of_100"]),
                digits(row["times_faster_100"]),
                *[pays] * timed,
            ]
        )
    head = ["model", "error", "one", "times faster", "100 at once", "times faster"]
    return Table([*head, *["pays from this number of solutions"] * timed], rows)


def n_width(results: Results) -> Table:
    """The error of the best linear space."""
    shown = ("2", "7", "20", "50", "100")
    rows = [
        [row["problem"], *(_of(row["error_in_n_dimensions"].get(n)) for n in shown)]
        for row in results.figures("n_width")
    ]
    return Table(["problem", *(f"{n} dimensions" for n in shown)], rows)


def _of(value: float | None) -> str:
    """Below single precision only rounding is left."""
    return "" if value is None else "< 1e-7" if value < 1e-7 else error(value)


def pod_galerkin(results: Results) -> Table:
    """`PODGalerkin` beside the projection onto its modes."""
    rows = [
        [
            row["problem"],
            str(row["modes"]),
            error(row["projection"]),
            error(row["all_points"]),
            error(row["sampled_points"]),
        ]
        for row in results.figures("pod_galerkin", table="accuracy")
        if row["modes"] in (7, 20)
    ]
    head = [
        "problem",
        "modes",
        "projection, the best possible",
        "`PODGalerkin`",
        "with sampled points",
    ]
    return Table(head, rows)


def unseen(results: Results) -> Table:
    """Untouched defaults at unseen parameters; a head alone where nothing has been measured."""
    return compared(results.figures("unseen") if "unseen" in results else [])


def unseen_short(results: Results) -> Table:
    """This revision and the best rival alone."""
    return beside_rivals(results.figures("unseen"))


def where_to_run(results: Results) -> Table:
    """Ways to choose the runs of the solver, by the number of runs."""
    rows = []
    for label, name, runs in (
        ("one after the other, by `sample_greedily`", "greedy", 10),
        ("random", "random", 10),
        ("grid of 4 × 4", "grid", 16),
    ):
        found = results.figures("where_to_run", contestant=name, runs=runs)
        worst = spread([float(row["worst"]) for row in found])
        rows.append([label, str(runs), spread(errors(found)), worst])
    return Table(["choice", "runs", "error", "largest error"], rows)


def time_to_error(results: Results) -> Table:
    """Seconds of training until the error is small, before and after a change."""
    return table_of_times(results.figures("time_to_error"))


def cost(results: Results) -> Table:
    """What a fit takes, over grid, fields and width."""
    return table_of_cost(results.figures("cost"))


def peers(results: Results) -> Table:
    """Errors of other packages on the same snapshots."""
    return peers_table.errors(results.figures("peers"))


def peer_costs(results: Results) -> Table:
    """Their seconds, weights and memory on one problem."""
    return peers_table.costs(results.figures("peers"), "burgers")


def paper(results: Results) -> Table:
    """Errors that the paper of the method has published, and ours."""
    return table_of_paper(results.figures("paper"))


def latent_variables(results: Results) -> Table:
    """Errors over the number of latent variables, beside linear and quadratic spaces."""
    return architecture.over_n(results.figures("architecture"))


def sensitivity(results: Results) -> Table:
    """What one changed setting of a network does to its error."""
    return architecture.sensitivity(results.figures("architecture"))


def reynolds(results: Results) -> Table:
    """Errors over the Reynolds number."""
    return table_of_reynolds(results.figures("reynolds"))


def pymor_demo(results: Results) -> Table:
    """Our estimators inside of pyMOR's reductor."""
    return table_of_pymor_demo(results.figures("pymor_demo"))


def both_halves(results: Results) -> Table:
    """What `CoLoRAGalerkin` returns, beside both halves that it chooses from."""
    return table_of_halves(results.figures("both_halves"))


def gaps(results: Results) -> Table:
    """Errors where snapshots have gaps."""
    return table_of_gaps(results.figures("gaps"))


def runs(results: Results) -> Table:
    """Machine, versions and time of each run."""
    rows = []
    for name, run in results.runs().items():
        (rate,) = run["calibration"].values()
        seeds = ", ".join(map(str, run["seeds"])) or "none"
        revision = run["versions"]["skcolora"].split("revision ")[-1]
        rows.append(
            [
                f"`{name}`",
                run["date"],
                revision,
                seeds,
                duration(run["seconds"]),
                str(run["machine"]["threads"]),
                f"{rate:.0f} GFlop/s",
            ]
        )
    head = [
        "file",
        "date",
        "revision",
        "seeds",
        "time of the run",
        "threads",
        "rate of a matrix product",
    ]
    return Table(head, rows)


TABLES: dict[str, Callable[[Results], Table]] = {
    table.__name__: table
    for table in (
        published,
        recipe,
        few_data,
        few_data_short,
        refinement,
        beyond_the_data,
        both_halves,
        gaps,
        galerkin_settings,
        prediction,
        galerkin_speed,
        n_width,
        pod_galerkin,
        unseen,
        unseen_short,
        where_to_run,
        time_to_error,
        cost,
        peers,
        peer_costs,
        paper,
        latent_variables,
        sensitivity,
        reynolds,
        pymor_demo,
        runs,
    )
}
