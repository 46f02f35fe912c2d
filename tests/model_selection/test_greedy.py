"""sample_greedily: what is run, what is measured, when it stops, and what is kept."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcolora import ParameterInterpolator, PODRegressor
from skcolora._snapshots import rows_among
from skcolora.metrics import relative_l2_error
from skcolora.model_selection import SamplingError, sample_greedily
from skcolora.pdes import SolverError
from skcolora.utils._sklearn import in_search

TIMES, POINTS = np.linspace(0, 1, 5), np.linspace(0, 1, 16)
SPEEDS = np.linspace(0.5, 1.5, 41).reshape(-1, 1)


class Interpolator(ParameterInterpolator):
    """A model that asks for the candidates that are the farthest from its runs."""

    def fit(self, X, y):
        super().fit(X, y)
        self.seen_ = np.asarray(X, dtype=float)
        return self

    def suggest(self, candidates, n=1):
        rows, known = np.asarray(candidates, dtype=float), self.seen_
        rows = np.unique(rows[~rows_among(rows, known)], axis=0)
        if len(rows) < n:
            raise ValueError("too few")
        chosen = []
        for _ in range(n):
            gaps = np.linalg.norm(rows[:, None] - known, axis=2).min(axis=1)
            chosen.append(rows[np.argmax(gaps)])
            known = np.vstack([known, chosen[-1]])
        return np.array(chosen)


class Solver:
    """The exact solution of a bump that moves, and all parameters that it was asked for."""

    def __init__(self, failing=()):
        self.calls, self.failing = [], failing

    def __call__(self, X):
        self.calls.append(X)
        y = bump(X)
        for value in self.failing:
            y[np.isclose(np.asarray(X)[:, 0], value)] = np.nan
        return y

    @property
    def asked(self):
        return np.concatenate([np.asarray(X) for X in self.calls])


def bump(X):
    speed, width = np.asarray(X, dtype=float)[:, 0], np.asarray(X, dtype=float)[:, -1]
    gap = POINTS - 0.2 - 0.4 * speed[:, None, None] * TIMES[:, None]
    return np.exp(-((gap / (0.2 + 0.1 * width[:, None, None])) ** 2))


def model(**options):
    return Interpolator(times=TIMES, points=POINTS, **options)


def sampled(solve=None, estimator=None, candidates=SPEEDS, **options):
    estimator = model() if estimator is None else estimator
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sample_greedily(estimator, solve or Solver(), candidates, **options)


# What is run.


def test_every_run_is_another_candidate_and_the_snapshots_are_its_own():
    solve = Solver()
    result = sampled(solve, max_runs=9)
    np.testing.assert_array_equal(result.X, solve.asked)
    assert len(np.unique(result.X)) == 9
    assert np.isin(result.X, SPEEDS).all()
    np.testing.assert_array_equal(result.y, bump(result.X))
    np.testing.assert_array_equal(result.estimator.seen_, result.X)
    assert (result.stopped, result.reached) == ("max_runs", False)
    assert "9 runs" in repr(result)


@pytest.mark.parametrize("n_per_round", [1, 3])
def test_the_errors_are_those_of_models_without_the_run(n_per_round):
    result = sampled(max_runs=9, n_per_round=n_per_round)
    chosen = result.X[-len(result.errors) :]
    assert len(result.errors) == 6
    np.testing.assert_array_equal(result.n_runs, 3 + n_per_round * (np.arange(6) // n_per_round))
    for row, error, n in zip(chosen, result.errors, result.n_runs, strict=True):
        before = model(on_extrapolation="ignore").fit(result.X[:n], result.y[:n])
        true, predicted = bump(row[None])[0], before.predict(row[None])[0]
        expected = np.linalg.norm(predicted - true) / np.linalg.norm(true - true.mean())
        assert error == pytest.approx(expected)


def test_the_first_runs_of_more_are_the_same():
    few, many = (sampled(max_runs=n) for n in (6, 10))
    np.testing.assert_array_equal(many.X[:6], few.X)
    np.testing.assert_array_equal(many.errors[:3], few.errors)


def test_a_round_is_one_call_of_the_solver():
    solve = Solver()
    sampled(solve, max_runs=12, n_initial=4, n_per_round=3)
    assert [len(X) for X in solve.calls] == [4, 3, 3, 2]


def test_repeated_candidates_are_one():
    candidates = np.array([[0.5], [1.0], [1.0 + 1e-15], [1.5], [0.5], [0.75]])
    result = sampled(candidates=candidates)
    np.testing.assert_array_equal(np.sort(result.X[:, 0]), [0.5, 0.75, 1.0, 1.5])
    assert result.stopped == "candidates"


def test_runs_that_exist_are_trained_on_and_not_run_again():
    first = sampled(max_runs=5)
    solve = Solver()
    more = sampled(solve, max_runs=4, X=first.X, y=first.y)
    whole = sampled(max_runs=9)
    np.testing.assert_array_equal(more.X, whole.X)
    assert len(solve.asked) == 4
    assert not np.isin(solve.asked, first.X).any()
    np.testing.assert_array_equal(more.errors, whole.errors[-4:])
    assert list(more.n_runs) == [5, 6, 7, 8]


def test_existing_runs_count_among_the_initial_ones_and_need_not_be_candidates():
    solve = Solver()
    X = np.array([[0.49], [1.51]])
    result = sampled(solve, X=X, y=bump(X), n_initial=3, max_runs=2)
    assert solve.calls[0].tolist() == [[1.0]]
    assert result.X[:2].tolist() == X.tolist()
    assert (len(result.y), list(result.n_runs)) == (4, [3])


def test_no_run_is_needed_where_all_candidates_are_known():
    def solve(X):
        raise AssertionError

    result = sampled(solve, X=SPEEDS, y=bump(SPEEDS))
    assert (result.stopped, len(result.errors), len(result.y)) == ("candidates", 0, 41)


# When it stops.


def test_it_stops_when_enough_errors_in_a_row_are_small():
    every = sampled(max_runs=20)
    target = 1.01 * every.errors[6]
    assert max(every.errors[:4]) > target
    for n_below in (1, 3):
        result = sampled(max_runs=20, target_error=target, n_below=n_below)
        small = every.errors <= target
        stop = next(i for i in range(n_below, 18) if small[i - n_below : i].all())
        assert result.reached
        np.testing.assert_array_equal(result.errors, every.errors[:stop])
        # The last runs are trained on too.
        np.testing.assert_array_equal(result.estimator.seen_, result.X)


def test_the_whole_last_round_must_be_below():
    first = sampled(max_runs=8, n_per_round=5).errors
    target = 1.01 * first[-1]
    assert max(first) > target
    result = sampled(max_runs=38, n_per_round=5, n_below=1, target_error=target)
    assert result.reached
    rounds = result.errors.reshape(-1, 5).max(axis=1)
    assert rounds[-1] <= target
    assert (rounds[:-1] > target).all()


# Estimators and containers.


def test_the_estimator_remains_as_it_is():
    estimator = model()
    result = sampled(estimator=estimator, max_runs=4)
    assert not hasattr(estimator, "seen_")
    assert result.estimator.on_extrapolation == "warn"


@pytest.mark.parametrize("on_extrapolation", ["warn", "raise"])
def test_the_model_may_extrapolate_to_the_runs_that_it_asks_for(on_extrapolation):
    X = np.array([[0.9], [1.0], [1.1]])
    estimator = model(on_extrapolation=on_extrapolation, method="linear")
    result = sampled(estimator=estimator, X=X, y=bump(X), max_runs=2)
    assert len(result.errors) == 2
    assert result.estimator.on_extrapolation == on_extrapolation


def test_transformers_see_the_parameters_first_and_the_solver_gets_the_original_ones():
    candidates = np.geomspace(0.01, 1.0, 41).reshape(-1, 1)
    solve = Solver()
    logarithm = make_pipeline(FunctionTransformer(np.log), StandardScaler(), model())
    result = sampled(solve, logarithm, candidates, max_runs=7)
    assert np.isin(result.X, candidates).all()
    # The halves of the logarithm, and the halves of these.
    np.testing.assert_allclose(result.X[:3, 0], [0.01, 1.0, 0.1], rtol=1e-12)
    np.testing.assert_allclose(np.sort(result.X[3:5, 0]), [10**-1.5, 10**-0.5], rtol=1e-12)


def test_estimators_that_hold_a_model():
    search = GridSearchCV(model(), {"method": ["linear", "polynomial"]}, cv=3, error_score="raise")
    search.set_params(estimator__on_extrapolation="ignore")
    held = sampled(estimator=make_pipeline(StandardScaler(), search), max_runs=6)
    assert len(held.y) == 6
    of_targets = TransformedTargetRegressor(
        model(), func=lambda y: y.reshape(len(y), -1), inverse_func=lambda y: y, check_inverse=False
    )
    flat = sampled(lambda X: bump(X).reshape(len(X), -1), estimator=of_targets, max_runs=5)
    assert flat.y.shape == (5, 80)


def test_data_frames_keep_their_names():
    speeds, widths = np.meshgrid(np.linspace(0.5, 1.5, 5), np.linspace(0.0, 1.0, 5))
    frame = pd.DataFrame({"speed": speeds.ravel(), "width": widths.ravel()})
    frame.index = [f"run {i}" for i in range(25)]
    solve = Solver()
    result = sampled(solve, candidates=frame, max_runs=8)
    assert list(result.X.columns) == ["speed", "width"]
    assert list(solve.calls[0].columns) == ["speed", "width"]
    assert set(solve.calls[0].index) == {"run 0", "run 4", "run 20", "run 24", "run 12"}
    assert list(result.estimator.feature_names_in_) == ["speed", "width"]
    again = sampled(candidates=frame, X=result.X[["width", "speed"]], y=result.y, max_runs=1)
    pd.testing.assert_frame_equal(again.X.iloc[:8], result.X)
    with pytest.raises(ValueError, match=r"X has the columns \['a', 'b'\]"):
        sampled(candidates=frame, X=result.X.set_axis(["a", "b"], axis=1), y=result.y)


def test_integers_remain_integers():
    solve = Solver()
    sampled(solve, candidates=np.arange(1, 9).reshape(-1, 1), max_runs=4)
    assert all(X.dtype.kind == "i" for X in solve.calls)


def test_several_fields_count_alike_where_asked():
    def solve(X):
        large = 1e6 * np.ones((len(X), 5, 16)) + 1e3 * np.linspace(0, 1, 16)
        return np.stack([bump(X), large], axis=-1)

    joint = sampled(solve, max_runs=5)
    alike = sampled(solve, max_runs=5, multioutput="uniform_average")
    assert max(joint.errors) < 1e-4 < min(alike.errors)


# What is kept.


def test_runs_without_a_solution_are_left_out():
    solve = Solver(failing=[1.5, 0.75])
    with pytest.warns(UserWarning, match=r"no finite solution at \[(1.5|0.75)\]") as caught:
        result = sample_greedily(model(), solve, SPEEDS, max_runs=12)
    assert len(caught) == 2
    assert sorted(result.failed.ravel()) == [0.75, 1.5]
    assert (len(solve.asked), len(result.y)) == (12, 10)
    assert np.isfinite(result.y).all()
    assert not np.isin(result.X, [0.75, 1.5]).any()
    np.testing.assert_array_equal(result.y, bump(result.X))
    # Three initial runs had a solution.
    assert result.n_runs[0] == 3
    assert len(result.errors) == len(result.n_runs) == 7


def test_a_solver_error_of_the_package_leaves_its_trajectories_out():
    def solve(X):
        y = bump(X)
        if len(X) > 1:
            y[1] = np.nan
            raise SolverError("One of them is unstable.", y, (1,))
        return y

    with pytest.warns(UserWarning, match="One of them is unstable"):
        result = sample_greedily(model(), solve, SPEEDS, max_runs=5)
    assert (len(result.y), len(result.failed)) == (4, 1)


def test_a_solver_that_never_has_a_solution():
    with (
        pytest.warns(UserWarning, match="no finite solution"),
        pytest.raises(RuntimeError, match="at any of 6 candidates"),
    ):
        sample_greedily(model(), lambda X: bump(X) * np.nan, SPEEDS, max_runs=6)


def failing_after(n, error):
    calls = []

    def solve(X):
        calls.append(X)
        if len(calls) > n:
            raise error
        return bump(X)

    return solve


def test_a_failing_solver_loses_no_run():
    with pytest.raises(
        SamplingError, match="5 runs and an estimator that was fitted on 5"
    ) as caught:
        sampled(failing_after(3, OSError("disk full")))
    assert isinstance(caught.value.__cause__, OSError)
    kept = caught.value.result
    assert kept.stopped == "error"
    np.testing.assert_array_equal(kept.y, bump(kept.X))
    more = sampled(X=kept.X, y=kept.y, max_runs=2)
    np.testing.assert_array_equal(more.X, sampled(max_runs=7).X)


def test_a_solver_that_fails_at_once_fails_as_it_does():
    with pytest.raises(OSError, match="disk full"):
        sampled(failing_after(0, OSError("disk full")))


def test_a_failing_fit_loses_no_run():
    estimator = Interpolator(times=np.linspace(0, 1, 7), points=POINTS)
    with pytest.raises(SamplingError, match="no fitted estimator") as caught:
        sampled(estimator=estimator)
    assert caught.value.result.y.shape == (3, 5, 16)
    assert caught.value.result.estimator is None


def test_an_interruption_keeps_the_runs_and_the_model():
    with pytest.warns(UserWarning, match="interrupted.  The result holds 5 runs") as caught:
        result = sample_greedily(model(), failing_after(3, KeyboardInterrupt()), SPEEDS)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (result.stopped, len(result.y), len(result.errors)) == ("interrupted", 5, 2)
    assert result.estimator.predict([[1.0]]).shape == (1, 5, 16)
    with pytest.raises(KeyboardInterrupt):
        sampled(failing_after(0, KeyboardInterrupt()))


def test_an_interrupted_fit_ends_the_sampling():
    class Interrupted(Interpolator):
        def fit(self, X, y):
            # A training then passes the interruption on.
            assert in_search()
            if len(X) == 5:
                raise KeyboardInterrupt
            return super().fit(X, y)

    with pytest.warns(UserWarning, match="5 runs and an estimator that was fitted on 4 of them"):
        result = sample_greedily(Interrupted(times=TIMES, points=POINTS), Solver(), SPEEDS)
    assert (len(result.y), len(result.estimator.seen_), len(result.errors)) == (5, 4, 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda X: bump(X)[0], r"has shape \(5, 16\); expected \(3, n_times, ...\)"),
        (lambda X: bump(X).astype(complex), "Complex"),
        (lambda X: np.ma.masked_less(bump(X), 0.1), "masked"),
        (lambda X: None, r"`solve\(X\)` is None; expected \(3, n_times"),
        (lambda X: "a path", "must be an array of numbers; got str"),
        (lambda X: [[1.0, 2.0], [1.0]], "numbers|inhomogeneous"),
    ],
)
def test_results_that_are_no_snapshots(wrong, message):
    with pytest.raises((ValueError, TypeError), match=message):
        sampled(wrong)


def test_a_missing_first_axis_is_named():
    def solve(X):
        return bump(X) if len(X) > 1 else bump(X)[0]

    with pytest.raises(SamplingError, match=r"expected \(1, 5, 16\).*solve\(X\)\[None\]") as caught:
        sampled(solve)
    assert len(caught.value.result.y) == 3


# Arguments, before any run.


def never(X):
    raise AssertionError("no run is asked for")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidates": np.linspace(0, 1, 5)}, r"give candidates.reshape\(-1, 1\)"),
        ({"candidates": [[np.nan], [1.0]]}, "must be finite"),
        ({"candidates": np.empty((0, 1))}, "one row for each"),
        ({"max_runs": 0}, "max_runs"),
        ({"n_per_round": 0}, "n_per_round"),
        ({"n_below": 0}, "n_below"),
        ({"target_error": -1.0}, "target_error"),
        ({"multioutput": "raw_values"}, "multioutput"),
        ({"n_initial": 21}, "only 20 runs are possible"),
        ({"n_initial": 5, "candidates": SPEEDS[:4]}, "4 candidates are left"),
        ({"X": SPEEDS[:2]}, "X was given without y"),
        ({"y": bump(SPEEDS[:2])}, "y was given without X"),
        ({"X": SPEEDS[:2], "y": bump(SPEEDS[:3])}, r"`y` has shape \(3, 5, 16\); expected \(2"),
        ({"X": SPEEDS[:2], "y": bump(SPEEDS[:2]) * np.nan}, "NaN or infinity in 2 of 2"),
        ({"X": np.ones((2, 2)), "y": bump(SPEEDS[:2])}, "X has 2 columns"),
        ({"estimator": GridSearchCV(model(), {}), "n_initial": 4}, "5 folds"),
    ],
)
def test_arguments_are_checked_before_any_run(options, message):
    with pytest.raises(ValueError, match=message):
        sampled(never, **options)


@pytest.mark.parametrize(
    "estimator",
    [
        ParameterInterpolator(),
        make_pipeline(StandardScaler(), PODRegressor()),
        FrozenEstimator(model().fit(SPEEDS, bump(SPEEDS))),
    ],
)
def test_estimators_without_suggestions(estimator):
    with pytest.raises(TypeError, match="has no method `suggest`"):
        sampled(never, estimator)


def test_a_solver_that_cannot_be_called():
    with pytest.raises(TypeError, match="must be a function of X; got ndarray"):
        sample_greedily(model(), bump(SPEEDS), SPEEDS)


def test_a_search_has_as_many_initial_runs_as_folds():
    search = GridSearchCV(model(on_extrapolation="ignore"), {"method": ["linear"]})
    solve = Solver()
    sampled(solve, search, max_runs=6)
    assert len(solve.calls[0]) == 5


def test_suggestions_that_are_no_candidates():
    class Wrong(Interpolator):
        def suggest(self, candidates, n=1):
            return np.full((n, 1), 0.123)

    with pytest.raises(SamplingError, match="not among the candidates"):
        sampled(estimator=Wrong(times=TIMES, points=POINTS))


def test_the_error_is_the_centered_metric():
    result = sampled(max_runs=4)
    before = model().fit(result.X[:3], result.y[:3])
    error = relative_l2_error(result.y[3:], before.predict(result.X[3:]), centered=True)
    assert result.errors == pytest.approx([error])
