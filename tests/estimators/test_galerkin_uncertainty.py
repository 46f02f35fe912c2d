"""What `CoLoRAGalerkin` says about its errors: the indicator of the residual, calibrated."""

import copy
import pickle
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._estimators import _colora_galerkin, _galerkin_folds
from skcolora._estimators._galerkin_folds import calibrate
from skcolora._estimators._left_out import errors_of, failed_fold
from skcolora._estimators._unwrap import find_regressor
from skcolora._galerkin import path_difficulty
from skcolora._snapshots import trajectory_errors
from skcolora.datasets import make_advection
from skcolora.pdes import PDE

TIMES = np.linspace(0, 0.6, 7)
# There is a gap between 0.9 and 1.3.
SPEEDS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.3, 1.4, 1.5, 1.6])
SMALL = {"width": 8, "depth": 3, "rank": 1, "adapted_layers": range(3), "random_state": 0}
# A network that is hardly trained gives other warnings as well.
pytestmark = [
    pytest.mark.filterwarnings("ignore:CoLoRAGalerkin"),
    pytest.mark.filterwarnings("ignore:The error at parameters without snapshots"),
    pytest.mark.filterwarnings("ignore::skcolora.ExtrapolationWarning"),
]


def moved(speeds):
    return make_advection(speeds, n_points=24, times=TIMES, width=0.25)


DATA = moved(SPEEDS)
NEW = moved(np.linspace(0.53, 1.57, 8))


def galerkin(regressor, pde=DATA.pde, **options):
    options = {"random_state": 0, "collocation": "grid", **options}
    return CoLoRAGalerkin(pde, regressor=FrozenEstimator(regressor), **options)


def true_errors(model, data):
    units, predicted = model.regressor_._units, model.predict(data.X)
    return trajectory_errors(units, data.y[..., None], predicted[..., None])


@pytest.fixture(scope="module")
def regressor():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CoLoRARegressor(**DATA.grid, **SMALL, max_iter=160, cv=3).fit(DATA.X, DATA.y)


@pytest.fixture(scope="module")
def model(regressor):
    return galerkin(regressor).fit(DATA.X, DATA.y)


def test_the_expected_errors_are_near_the_true_ones(model):
    expected, true = model.expected_error(NEW.X), true_errors(model, NEW)
    assert expected.shape == (len(NEW.X),)
    assert (true / 4 < expected).all()
    assert (expected < 4 * true).all()
    far = moved([2.5])
    expected, true = model.expected_error(far.X), true_errors(model, far)
    assert true / 4 < expected < 4 * true
    assert expected > model.expected_error(NEW.X).max()


def test_standard_deviations_have_the_size_of_the_expected_error(model):
    y, std = model.predict(NEW.X, return_std=True)
    assert np.array_equal(y, model.predict(NEW.X))
    assert std.shape == y.shape
    fields = model.regressor_._units.fields
    variations = np.square(fields.apply(model.regressor_.predict(NEW.X))).mean(axis=(1, 2))
    ratio = np.sqrt(np.square(std * fields.slope).mean(axis=(1, 2)) / variations)
    np.testing.assert_allclose(ratio, model.expected_error(NEW.X), rtol=1e-3)


def test_bands_cover_new_trajectories(model):
    y, lower, upper = model.predict(NEW.X, return_interval=0.9)
    inside = ((NEW.y >= lower) & (NEW.y <= upper)).all(axis=(1, 2))
    assert inside.mean() > 0.8
    narrow = model.predict(NEW.X, return_interval=0.2)
    assert (upper - lower > narrow[2] - narrow[1]).all()
    np.testing.assert_allclose(upper - y, y - lower, rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="at least 19 training trajectories; the fit had 9"):
        model.predict(NEW.X, return_interval=0.95)
    with pytest.raises(ValueError, match="not both"):
        model.predict(NEW.X, return_std=True, return_interval=0.5)


def test_times_and_points_other_than_those_of_fit(model):
    full = model.predict(NEW.X[:2], return_std=True)
    points = np.ravel(DATA.points[0] if isinstance(DATA.points, tuple) else DATA.points)
    options = {"times": TIMES[[2, 5]], "points": points[[1, 7, 20], None]}
    some = model.predict(NEW.X[:2], **options, return_std=True)
    for whole, part in zip(full, some, strict=True):
        np.testing.assert_allclose(part, whole[:, [2, 5]][:, :, [1, 7, 20]], rtol=1e-3, atol=1e-6)
    bands = model.predict(NEW.X[:2], **options, return_interval=0.5)
    assert [part.shape for part in bands] == [(2, 2, 3)] * 3


def test_an_initial_field_that_the_network_misses_widens_the_band(model):
    _, std = model.predict(NEW.X[:1], return_std=True)
    rough = np.sign(np.random.default_rng(0).normal(size=(1, 24)))
    for times in (None, TIMES[1:]):
        _, wide = model.predict(NEW.X[:1], initial=rough, times=times, return_std=True)
        assert (wide > 2 * std[:, -wide.shape[1] :]).all()


def test_the_expected_error_is_a_share_of_the_indicator(model):
    indicator = np.sqrt(np.square(model.solve(NEW.X).error_indicator).mean(axis=1))
    found = model._uncertainty
    assert found.errors.shape == SPEEDS.shape
    share = np.median(found.errors / found.difficulty)
    np.testing.assert_allclose(model.expected_error(NEW.X), share * indicator, rtol=1e-6)


class Drift(PDE):
    """Advection with a constant source."""

    domain, period, parameter_names = ((0.0, 1.0),), (1.0,), ("speed", "source")

    def rhs(self, t, field, mu):
        return mu[1] - mu[0] * field.grad[0]

    def initial(self, points, mu):
        return np.sin(2 * np.pi * points[0])

    def exact(self, t, points, mu):
        return np.sin(2 * np.pi * (points[0] - mu[0] * t)) + mu[1] * t


@pytest.mark.parametrize("inside", ["regressor", "pipeline"])
def test_errors_are_those_of_an_equation_that_was_built_without_the_trajectories(inside):
    """Also where the columns have another order, and transformers stand in front."""
    pandas = pytest.importorskip("pandas")
    pde, times, points = Drift(), np.linspace(0, 0.5, 5), np.arange(16) / 16
    X = np.array([[0.25, 0.5], [0.5, 0.8], [0.75, 1.2], [0.4, 1.0]])
    y = pde.solve(X, times, points)
    frame = pandas.DataFrame(X[:, ::-1], columns=["source", "speed"])
    network = CoLoRARegressor(
        times=times, points=points, period=1.0, **SMALL, max_iter=30, cv=2, dtype="float64"
    )

    def wrapped(estimator):
        log = FunctionTransformer(np.log)
        return make_pipeline(log, estimator) if inside == "pipeline" else estimator

    # Without a choice between the halves, which is that of other trajectories in a fold.
    options = {"collocation": "grid", "fallback": None, "random_state": 0}
    model = CoLoRAGalerkin(pde, regressor=wrapped(network), **options)
    model.fit(frame, y)
    inner = model.regressor_[-1] if inside == "pipeline" else model.regressor_
    fold = inner._folds[0]
    alone = clone(model).set_params(regressor=wrapped(FrozenEstimator(fold.regressor)))
    alone.fit(frame.iloc[fold.train], y[fold.train])
    predicted = alone.predict(frame.iloc[fold.test])
    inputs = frame.to_numpy()[fold.test]
    errors, peaks = errors_of(
        fold.regressor,
        np.log(inputs) if inside == "pipeline" else inputs,
        inner._layout,
        y[..., None],
        fold.test,
        lambda k, some: at_points(predicted[k], inner._layout, some),
    )
    found = model._uncertainty
    np.testing.assert_allclose(found.errors[:2], errors, rtol=1e-4)
    np.testing.assert_allclose(found.peaks[:2], peaks, rtol=1e-4)
    difficulty = path_difficulty(alone.solve(frame.iloc[fold.test]))
    np.testing.assert_allclose(found.difficulty[:2], difficulty, rtol=1e-4)
    _, std = model.predict(frame, return_std=True)
    assert np.isfinite(std).all()
    candidates = pandas.DataFrame({"source": [0.5, 9.0], "speed": [0.25, 0.3]})
    np.testing.assert_array_equal(model.suggest(candidates), [[9.0, 0.3]])


def at_points(y, layout, some):
    """Snapshots (n_times, n_points) at the points of another layout, as one row."""
    order = np.abs(layout.grid.points[:, 0] - some.grid.points).argmin(axis=1)
    return y[None, :, order, None]


def test_paths_that_end_early_have_infinite_errors(regressor):
    model = galerkin(regressor, max_steps=2, fallback=None).fit(DATA.X, DATA.y)
    assert np.isinf(model._uncertainty.errors).all()
    assert np.isinf(model._uncertainty.peaks).all()
    assert np.isinf(model.expected_error(NEW.X)).all()
    y, std = model.predict(NEW.X, return_std=True)
    assert np.isnan(y[:, -1]).all()
    assert np.array_equal(np.isnan(std), np.isnan(y))
    assert np.isinf(std[np.isfinite(y)]).all()
    assert len(model.suggest(NEW.X, 3)) == 3


def test_one_path_that_ends_early(model):
    """Its own standard deviations are infinite, and those of the others stay."""
    X = np.array([[0.75], [1e4]])
    stopped = copy.copy(model)
    stopped._equation = replace(model._equation, max_steps=30)
    stopped._fitted_params = SimpleNamespace(**{**vars(model._fitted_params), "fallback": None})
    _, std = stopped.predict(X, return_std=True)
    assert np.isfinite(std[0]).all()
    assert np.isnan(std[1, -1]).all()
    assert stopped.suggest(X).tolist() == [[1e4]]


def test_a_fold_without_a_network(model, monkeypatch):
    first, *others = model.regressor_._folds
    failed = failed_fold(first.train, first.test)
    monkeypatch.setattr(find_regressor(model.regressor_), "_folds", [failed, *others])
    found = calibrate(model, DATA.X, DATA.y[..., None], seed=0, seconds=None)
    assert np.isinf(found.errors).tolist() == [True] * 3 + [False] * 6
    assert np.isfinite(found.expected(1.0, 0.0))
    assert np.isinf(found.factor(0.9))
    np.testing.assert_allclose(found.errors[3:], model._uncertainty.errors[3:], rtol=1e-6)


def test_without_folds_there_are_suggestions_alone():
    network = CoLoRARegressor(**DATA.grid, **SMALL, max_iter=8)
    model = CoLoRAGalerkin(DATA.pde, regressor=network, random_state=0).fit(DATA.X, DATA.y)
    cure = r"needs the errors of a cross-validation\.  Fit with a regressor that has cv=5\."
    with pytest.raises(ValueError, match=f"`expected_error` {cure}"):
        model.expected_error(NEW.X)
    with pytest.raises(ValueError, match=f"`return_std` {cure}"):
        model.predict(NEW.X, return_std=True)
    with pytest.raises(ValueError, match=f"`return_interval` {cure}"):
        model.predict(NEW.X, return_interval=0.5)
    assert model.suggest(NEW.X, 2).shape == (2, 1)


def test_suggestions_lie_where_there_are_no_snapshots(model):
    candidates = np.array([[0.5], [0.65], [0.85], [1.1], [1.6], [2.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        suggested = model.suggest(candidates, 4)
    assert suggested[:2].tolist() == [[2.5], [1.1]]
    assert sorted(suggested.ravel()) == [0.65, 0.85, 1.1, 2.5]
    with pytest.raises(ValueError, match="at least n=5 different rows"):
        model.suggest(candidates, 5)


def test_many_candidates_are_compared_in_batches(model, monkeypatch):
    difficulty = model._difficulty(NEW.X)
    monkeypatch.setattr(_colora_galerkin, "_BATCH", 3)
    np.testing.assert_allclose(model._difficulty(NEW.X), difficulty, rtol=1e-6)


def test_other_networks_do_not_inherit_the_calibration(monkeypatch):
    # After a short training, so that the equation has something to teach.
    network = CoLoRARegressor(**DATA.grid, **SMALL, max_iter=10, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = galerkin(network.fit(DATA.X, DATA.y)).fit(DATA.X, DATA.y)
    monkeypatch.setattr(type(model), "_expected_errors", lambda *_: (0.0, 0.0))
    monkeypatch.setattr("skcolora._estimators._distill_and_refine._GAINED", np.inf)
    before = model.expected_error(NEW.X)
    refined = model.refine([[1.1]], max_iter=40)
    with pytest.raises(ValueError, match="needs the errors of a cross-validation"):
        refined.expected_error(NEW.X)
    assert 1.1 not in refined.suggest([[1.1], [1.2]])
    np.testing.assert_array_equal(model.expected_error(NEW.X), before)


def test_a_pickle_knows_the_errors(model):
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(loaded.expected_error(NEW.X), model.expected_error(NEW.X), rtol=1e-6)


def test_a_frozen_regressor_of_other_trajectories(regressor):
    model = galerkin(regressor).fit(DATA.X[:-1], DATA.y[:-1])
    with pytest.raises(ValueError, match="`expected_error` needs"):
        model.expected_error(NEW.X)


def test_too_little_time_for_the_equations_of_the_folds(model):
    rows = DATA.y[..., None]
    with pytest.warns(UserWarning, match="`max_time` was too short .* at 9 of 9 trajectories"):
        found = calibrate(model, DATA.X, rows, seed=0, seconds=1e-9)
    assert np.isinf(found.errors).all()


def test_an_interruption_of_the_folds_keeps_the_fit(regressor, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(_galerkin_folds, "_solve", interrupted)
    with pytest.warns(UserWarning, match="the fit is kept, without `expected_error`"):
        model = galerkin(regressor).fit(DATA.X, DATA.y)
    assert np.isfinite(model.predict(NEW.X)).all()
    with pytest.raises(ValueError, match="`expected_error` needs"):
        model.expected_error(NEW.X)
