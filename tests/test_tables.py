"""The tables of the documentation show what the benchmarks measured, and every benchmark runs."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skcolora.metrics import relative_l2_error

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
SHARED = {
    "equations",
    "flame",
    "peer_autoencoder",
    "peer_fno",
    "peer_reduced",
    "peer_settings",
    "peers_table",
    "problems",
    "quadratic_manifold",
    "results",
    "result_figures",
    "result_tables",
    "table_format",
    "make_tables",
    "unseen_fit",
    "unseen_problems",
    "unseen_rivals",
    "unseen_table",
}
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in SHARED)
QUICK = {
    "accuracy",
    "grid_independence",
    "n_width",
    "prediction",
}
NEEDS = {"pymor_demo": "pymor"}
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "docs" / "guide.rst",
    ROOT / "docs" / "peers.rst",
    ROOT / "docs" / "results.rst",
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tables_are_those_of_the_figures(benchmark_module, document):
    make_tables = benchmark_module("make_tables")
    text = document.read_text("utf-8")
    results = make_tables.Results(make_tables.RESULTS)
    new, differing = make_tables.rewritten(text, document.suffix, results)
    assert not differing, "run `python benchmarks/make_tables.py`"
    assert new == text
    assert make_tables.MARKED[document.suffix].search(text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_an_edited_figure_is_found(benchmark_module, tmp_path, document):
    make_tables = benchmark_module("make_tables")
    results = make_tables.Results(make_tables.RESULTS)
    text = document.read_text("utf-8")
    _, name, table, _ = make_tables.MARKED[document.suffix].search(text).groups()
    digit = next(i for i, letter in enumerate(table) if letter == "." and table[i + 1].isdigit())
    edited = table[: digit + 1] + str((int(table[digit + 1]) + 1) % 10) + table[digit + 2 :]
    wrong = text.replace(table, edited)
    assert wrong != text
    again, differing = make_tables.rewritten(wrong, document.suffix, results)
    assert name in differing
    assert again == text

    copy = tmp_path / document.name
    copy.write_text(wrong, "utf-8")
    command = [sys.executable, str(BENCHMARKS / "make_tables.py"), "--check", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert name in done.stderr
    assert copy.read_text("utf-8") == wrong


def test_a_table_without_an_end_is_an_error(benchmark_module):
    make_tables = benchmark_module("make_tables")
    results = make_tables.Results(make_tables.RESULTS)
    with pytest.raises(SystemExit, match="not at its end"):
        make_tables.rewritten("<!-- table: n_width -->\n| 1 |\n", ".md", results)


def test_failures_count_as_failures(benchmark_module):
    results, table_format = benchmark_module("results"), benchmark_module("table_format")
    true, predicted = np.ones((2, 3)), np.ones((2, 3))
    predicted[1, 2] = np.nan
    errors = relative_l2_error(true, predicted, average=False)
    np.testing.assert_array_equal(errors, [0.0, np.inf])
    assert results.rounded({"error": np.inf, "seconds": 1.23456}) == {
        "error": "inf",
        "seconds": 1.23,
    }
    assert table_format.spread(["inf"]) == "fails"
    assert table_format.spread([1e-3, "inf", 2e-3]) == "2.0e-3 (1.0e-3 – fails)"


def test_the_error_of_the_variation_is_relative_to_the_mean_of_the_training(benchmark_module):
    fit = benchmark_module("unseen_fit")
    rng = np.random.default_rng(0)
    true = rng.normal(size=(3, 4, 5, 2)) * [1.0, 1e6] + [0.0, 3e6]
    mean, std = np.array([0.1, 3e6]), np.array([1.0, 1e6])
    by_mean = fit.variation_errors(true, np.broadcast_to(mean, true.shape), mean, std)
    np.testing.assert_allclose(by_mean, 1.0)
    shrunk = mean + 0.75 * (true - mean)
    np.testing.assert_allclose(fit.variation_errors(true, shrunk, mean, std), 0.25)
    shrunk[1, 0, 0, 0] = np.nan
    errors = fit.variation_errors(true, shrunk, mean, std)
    np.testing.assert_allclose(errors, [0.25, np.inf, 0.25])


def test_times_to_an_error_are_interpolated_between_budgets(benchmark_module):
    module = benchmark_module("time_to_error")
    errors = {5.0: 4e-2, 10.0: 1e-2, 20.0: 2.5e-3}
    assert module.time_to(1e-2, errors) == pytest.approx((10.0, True))
    # The error falls with the inverse square of the time.
    assert module.time_to(5e-3, errors) == pytest.approx((10.0 * 2**0.5, True))
    assert module.time_to(1e-3, errors) == (20.0, False)
    assert module.time_to(1e-1, errors) == (5.0, True)

    def row(side, seconds, seed, error):
        limit = {"max_time": seconds}
        common = {"problem": "one", "title": "One", "side": side, "seed": seed}
        return {**common, "limit": limit, "error": error}

    rows = [row("before", 10.0, 0, 4e-2), row("before", 10.0, 1, 1e-2)]
    rows += [row("before", 20.0, seed, 5e-3) for seed in (0, 1)]
    rows += [row("after", 10.0, 0, 1e-2), row("after", 20.0, 0, 1e-3)]
    one, foot = module.table(rows).rows
    assert one == ["One", "14 s", "10 s", "0.71", "> 20 s", "14 s", "≤ 0.72"]
    assert foot == ["geometric mean", "", "", "0.71", "", "", "0.72"]
    assert not module.table([]).rows


def unseen_rows():
    """Two problems and two seeds: the ratios after / before are 0.5, and 0.25 and 1."""
    asked = {"contestant": "CoLoRARegressor", "limit": {"max_time": 100.0}, "settings": {}}
    errors = {("one", 0): (0.2, 0.1), ("one", 1): (0.4, 0.2), ("two", 0): (1e-2, 2.5e-3)}
    errors["two", 1] = (1e-2, 1e-2)
    rows = [
        {"problem": problem, "seed": seed, "side": side, "error": value, **asked}
        for (problem, seed), values in errors.items()
        for side, value in zip(("before", "after"), values, strict=True)
    ]
    rivals = {"good": 6e-3, "bad": "inf"}
    rows += [{"problem": "two", "contestant": c, "error": value} for c, value in rivals.items()]
    return rows


def test_ratios_of_unseen_errors_are_geometric_means(benchmark_module):
    unseen_table = benchmark_module("unseen_table")
    one, two, foot = unseen_table.compared(unseen_rows()).rows
    assert one == ["one", "2.8e-1", "**1.4e-1**", "0.5", "", "", "not run", ""]
    assert two == ["two", "1.0e-2", "**5.0e-3**", "0.5", "", "", "6.0e-3, good", "0.83"]
    assert foot == ["geometric mean", "", "", "0.5", "", "", "", "0.83"]
    failed = [{**row, "error": "inf"} if row["seed"] else row for row in unseen_rows()[:4]]
    assert unseen_table.compared(failed).rows[0][1:4] == ["fails", "fails", "fails"]
    assert not unseen_table.compared([]).rows


def test_an_unseen_error_stands_beside_the_best_rival(benchmark_module):
    unseen_table = benchmark_module("unseen_table")
    rows = [row | {"unseen_error": 4e-3} for row in unseen_rows()]
    (two,) = unseen_table.beside_rivals(rows).rows
    shown = "6.3e-3 (2.5e-3 – 1.0e-2)"
    assert two == ["two", shown, "4.0e-3 (4.0e-3 – 4.0e-3)", "**6.0e-3**, good", "0.96"]


def test_a_benchmark_goes_on_where_it_was_stopped(benchmark_module, tmp_path):
    results = benchmark_module("results")
    args = argparse.Namespace(output=tmp_path, note="")
    asked = {"problem": "one", "limit": {"max_time": 0.12345}}
    results.Record("name", args).add(**asked, seed=0, error=0.5)
    again = results.Record("name", args, resume=True)
    (row,) = again.figures
    assert results.matches(row, asked)
    assert not results.matches(row, {**asked, "seed": 1})
    again.replace({**asked, "seed": 1}, **asked, seed=1, error=0.25)
    again.replace({**asked, "seed": 0}, **asked, seed=0, error=0.125)
    (written,) = tmp_path.iterdir()
    figures = json.loads(written.read_text("utf-8"))["figures"]
    assert {row["seed"]: row["error"] for row in figures} == {0: 0.125, 1: 0.25}
    assert results.Record("name", args).figures == []


def test_the_flame_grows_as_it_should_and_converges(benchmark_module):
    flame = benchmark_module("flame")
    x, times = flame.centres(40), np.linspace(0.0, 1.0, 5)
    # Without diffusion each point grows logistically, the tail of 1e-40 too.
    grown = flame.solve(np.array([[16.0, 0.0]]), x, times, n_cells=40)
    start = (0.15 - x) / 0.02
    exact = 1 / (1 + np.exp(-start - 16.0 * times[:, None]))
    np.testing.assert_allclose(grown[0], exact, rtol=1e-4)
    X = np.array([[8.0, 0.01]])
    coarse, middle, fine = (flame.solve(X, x, times, n_cells=40 * n) for n in (3, 9, 27))
    order = np.log(np.linalg.norm(coarse - middle) / np.linalg.norm(middle - fine)) / np.log(3)
    assert order == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize(
    "script",
    [pytest.param(s, marks=() if s in QUICK else pytest.mark.slow) for s in SCRIPTS],
)
def test_every_benchmark_runs(script, tmp_path):
    if script in NEEDS:
        pytest.importorskip(NEEDS[script])
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--tiny"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("SKCOLORA_DATA", None)
    subprocess.run([*command, "--output", str(tmp_path)], check=True, env=environment)
    (written,) = tmp_path.glob("*.json")
    content = json.loads(written.read_text("utf-8"))
    assert content["benchmark"] == f"benchmarks/{script}.py"
    assert content["arguments"]["tiny"]
    assert content["figures"]
    assert set(content) >= {"seeds", "seconds", "machine", "calibration", "versions", "date"}
