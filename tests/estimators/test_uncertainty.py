"""Expected errors, standard deviations, bands and suggestions of `CoLoRARegressor`."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRARegressor
from skcolora._estimators._spread import spread
from skcolora._estimators._uncertainty import Uncertainty
from skcolora.datasets import make_advection

TIMES = np.linspace(0, 1, 9)


def moved(speeds):
    return make_advection(speeds, n_points=32, times=TIMES, width=0.15)


DATA, NEW = moved(np.linspace(0.6, 1.4, 10)), moved(np.linspace(0.65, 1.35, 12))


def model(**changes):
    options = {"width": 10, "depth": 4, "rank": 1, "max_iter": 250, "cv": 5, "random_state": 0}
    return CoLoRARegressor(**DATA.grid, **(options | changes))


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model().fit(DATA.X, DATA.y)


def errors_of(n, rng, scale=1.0):
    difficulty = rng.uniform(0.1, 1.0, n)
    noise = rng.lognormal(0, 0.3, n)
    return Uncertainty(
        errors=scale * difficulty * noise,
        training=np.zeros(n),
        difficulty=difficulty,
        peaks=scale * difficulty * noise * rng.lognormal(1, 0.2, n),
    )


def test_the_expected_error_follows_the_difficulty():
    found = errors_of(500, np.random.default_rng(0), scale=0.3)
    assert found.ratio == pytest.approx(0.3, rel=0.05)
    np.testing.assert_allclose(found.expected(np.array([0.0, 2.0]), 0.1)[0], 0.1)
    np.testing.assert_allclose(found.expected(2.0, 0.0), 2 * found.ratio)


def test_training_errors_do_not_count_twice():
    some = np.ones(3)
    found = Uncertainty(errors=np.sqrt(2) * some, training=some, difficulty=some, peaks=some)
    np.testing.assert_allclose(found.gaps, 1.0)
    np.testing.assert_allclose(found.transferred(0.5, 0.0), 0.5)
    worse = Uncertainty(errors=0.5 * some, training=some, difficulty=some, peaks=some)
    np.testing.assert_allclose(worse.gaps, 0.0)
    assert worse.expected(1.0, 0.2) == pytest.approx(0.2)


@given(st.integers(0, 2**31 - 1), st.integers(9, 40), st.sampled_from([0.5, 0.8, 0.9]))
@settings(max_examples=20, deadline=None)
def test_the_factor_is_a_rank(seed, n, level):
    """At least a share ``level`` of n + 1 exchangeable numbers is at most the factor."""
    found = errors_of(n, np.random.default_rng(seed))
    scores = found.peaks / found.expected(found.difficulty, found.training)
    assert (scores <= found.factor(level)).sum() == np.ceil(level * (n + 1) - 1e-9)


def test_bands_hold_their_level():
    """The coverage of conformal bands, with as many repetitions as resolve it."""
    rng, inside = np.random.default_rng(0), []
    for _ in range(300):
        found = errors_of(40, rng)
        half = Uncertainty(*(entry[:20] for entry in vars(found).values()))
        scores = found.peaks[20:] / half.expected(found.difficulty[20:], 0.0)
        inside.append((scores <= half.factor(0.9)).mean())
    assert 0.88 < np.mean(inside) < 0.94


def test_a_level_needs_enough_trajectories():
    few = errors_of(8, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 9 training trajectories; the fit had 8"):
        few.factor(0.9)
    assert few.factor(0.85) > 0


def test_predictions_come_with_their_errors(fitted):
    y = fitted.predict(NEW.X)
    again, std = fitted.predict(NEW.X, return_std=True)
    np.testing.assert_array_equal(again, y)
    assert std.shape == y.shape
    assert (std > 0).all()
    true = np.linalg.norm(y - NEW.y, axis=(1, 2)) / np.linalg.norm(
        NEW.y - NEW.y.mean(), axis=(1, 2)
    )
    told = np.linalg.norm(std, axis=(1, 2)) / np.linalg.norm(NEW.y - NEW.y.mean(), axis=(1, 2))
    assert 0.2 < np.median(told) / np.median(true) < 5
    np.testing.assert_allclose(told, fitted.expected_error(NEW.X), rtol=0.05)


def test_errors_are_where_the_standard_deviations_are():
    """On average over networks, because the errors of one are mostly chance."""
    correlations = []
    for seed in range(8):
        one = model(cv=None, random_state=seed).fit(DATA.X, DATA.y)
        errors = np.abs(one.predict(NEW.X) - NEW.y).ravel()
        where = spread(one, NEW.X, one._layout).ravel()
        correlations.append(np.corrcoef(where, errors)[0, 1])
    assert np.mean(correlations) > 0.1, correlations


def test_bands_hold_whole_trajectories(fitted):
    y, lower, upper = fitted.predict(NEW.X, return_interval=0.9)
    assert (lower < y).all()
    assert (y < upper).all()
    inside = ((lower <= NEW.y) & (NEW.y <= upper)).all(axis=(1, 2))
    assert inside.mean() > 0.7
    _, lower_half, upper_half = fitted.predict(NEW.X, return_interval=0.5)
    assert (upper_half - lower_half <= upper - lower).all()


def test_errors_do_not_depend_on_the_times_and_points_asked_for(fitted):
    _, std = fitted.predict(NEW.X, return_std=True)
    points = DATA.grid["points"]
    points = points if isinstance(points, np.ndarray) else points[0][:, None]
    _, some = fitted.predict(NEW.X[:2], times=TIMES[3:5], points=points[::4], return_std=True)
    np.testing.assert_allclose(some, std[:2, 3:5, ::4], rtol=1e-5)


@pytest.mark.parametrize("unit", [1.0, 1e6])
def test_the_spread_has_the_size_of_the_variation(unit):
    """Also beside a constant field, which has no errors."""
    fields = np.stack([unit * DATA.y, np.full_like(DATA.y, 3.0)], axis=-1)
    one = model(max_iter=40, cv=None).fit(DATA.X, fields)
    found = spread(one, NEW.X, one._layout)
    assert (found[..., 1] == 0).all()
    axes = (1, 2)
    mean = fields[..., 0].mean()
    variation = np.square(one.predict(NEW.X)[..., 0] - mean).mean(axes)
    np.testing.assert_allclose(np.square(found[..., 0]).mean(axes), variation, rtol=1e-4)


def test_what_needs_a_cross_validation_says_so():
    alone = model(cv=None, max_iter=10).fit(DATA.X, DATA.y)
    for ask in (
        lambda: alone.expected_error(NEW.X),
        lambda: alone.predict(NEW.X, return_std=True),
        lambda: alone.predict(NEW.X, return_interval=0.9),
    ):
        with pytest.raises(ValueError, match=r"needs the errors of a cross-validation.*cv=5"):
            ask()


def test_one_left_out_trajectory_gives_errors_but_no_bands():
    once = model(cv="once", max_iter=60).fit(DATA.X, DATA.y)
    assert once.predict(NEW.X, return_std=True)[1].shape == NEW.y.shape
    with pytest.raises(
        ValueError, match=r"at least 9 training trajectories; the fit had 1 that.*cv=5"
    ):
        once.predict(NEW.X, return_interval=0.9)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 90])
def test_levels_are_shares(fitted, level):
    with pytest.raises(ValueError, match="return_interval"):
        fitted.predict(NEW.X, return_interval=level)


def test_one_kind_of_uncertainty_at_a_time(fitted):
    with pytest.raises(ValueError, match="not both"):
        fitted.predict(NEW.X, return_std=True, return_interval=0.9)


def test_pickles_and_pipelines_keep_it(fitted):
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.expected_error(NEW.X), fitted.expected_error(NEW.X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = make_pipeline(FunctionTransformer(), model(cv=2, max_iter=10))
        pipeline.fit(DATA.X, DATA.y)
    y, std = pipeline.predict(NEW.X, return_std=True)
    assert y.shape == std.shape


def test_suggestions_fill_the_largest_gap():
    speeds = np.array([0.5, 0.6, 0.7, 1.1, 1.2])
    data = moved(speeds)
    sparse = model(cv=None, max_iter=10).fit(data.X, data.y)
    candidates = np.linspace(0.5, 1.2, 15)[:, None]
    first = sparse.suggest(candidates)
    assert first.shape == (1, 1)
    assert 0.8 < first[0, 0] < 1.0
    several = sparse.suggest(candidates, 4)
    np.testing.assert_array_equal(several[0], first[0])
    assert len(np.unique(several)) == 4
    assert not np.isin(np.round(several, 9), speeds).any()
    # The next one is chosen as if there were snapshots at the first.
    assert abs(several[1, 0] - first[0, 0]) > 0.09


def test_suggestions_are_nested_and_independent_of_the_order():
    rng = np.random.default_rng(0)
    two = np.column_stack([np.linspace(0.6, 1.4, 10), rng.uniform(size=10)])
    regressor = model(cv=None, max_iter=5).fit(two, DATA.y)
    candidates = rng.uniform([0.5, 0], [1.5, 1], (40, 2))
    some = regressor.suggest(candidates, 6)
    np.testing.assert_array_equal(regressor.suggest(candidates[::-1], 3), some[:3])
    np.testing.assert_array_equal(regressor.suggest(np.vstack([two, candidates]), 6), some)


def test_suggestions_from_a_data_frame():
    frame = pd.DataFrame(DATA.X, columns=["speed"])
    regressor = model(cv=None, max_iter=5).fit(frame, DATA.y)
    found = regressor.suggest(pd.DataFrame({"speed": [0.6, 2.0, 1.0]}))
    np.testing.assert_allclose(found, [[2.0]])


def test_too_few_candidates(fitted):
    with pytest.raises(ValueError, match=r"at least n=2 different rows.*got 1"):
        fitted.suggest([[0.6], [0.75], [0.75]], 2)
    with pytest.raises(ValueError, match="n"):
        fitted.suggest([[0.75]], 0)


def test_a_fit_without_errors_forgets_those_of_the_last_one(fitted):
    again = clone(fitted).set_params(cv=None, max_iter=5).fit(DATA.X, DATA.y)
    assert again.unseen_error_ is None
    with pytest.raises(ValueError, match="cross-validation"):
        again.expected_error(NEW.X)
