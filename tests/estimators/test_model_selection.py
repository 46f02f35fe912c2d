"""scikit-learn's tools on trajectories: searches, pipelines, meta-estimators, parallel runs."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcolora import CoLoRARegressor, ParameterInterpolator, PODRegressor
from skcolora.metrics import neg_relative_l2_error, relative_l2_error

# Each fold holds parameters outside those of the others.
pytestmark = pytest.mark.filterwarnings("ignore::skcolora.ExtrapolationWarning")

N, N_TIMES, N_POINTS = 12, 5, 16
TIMES, POINTS = np.linspace(0, 1, N_TIMES), np.linspace(0, 1, N_POINTS)
SHAPE = (N, N_TIMES, N_POINTS)


@pytest.fixture(scope="module")
def data():
    """Damped waves with two parameters; the third says nothing."""
    X = np.random.RandomState(0).uniform(0.5, 1.5, (N, 3))
    speed, damping = X[:, 0, None, None], X[:, 1, None, None]
    t = TIMES[:, None]
    return X, np.exp(-damping * t) * np.sin(np.pi * (POINTS - 0.3 * speed * t))


def make(kind, **changes):
    grid = {"times": TIMES, "points": POINTS}
    if kind == "colora":
        small = {"width": 6, "depth": 3, "max_iter": 30, "random_state": 0}
        return CoLoRARegressor(**grid, **{**small, **changes})
    if kind == "pod":
        return PODRegressor(**grid, **{"n_components": 4, "regressor": Ridge(), **changes})
    return ParameterInterpolator(**grid, **changes)


KINDS = ["colora", "pod", "interpolator"]
# One parameter of each, with two values.
GRIDS = {
    "colora": {"rank": [1, 2]},
    "pod": {"regressor__alpha": [1e-3, 1.0]},
    "interpolator": {"method": ["auto", "rbf"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_grid_search_splits_by_trajectory(data, kind):
    X, y = data
    search = GridSearchCV(make(kind), GRIDS[kind], cv=3, scoring=neg_relative_l2_error)
    search.fit(X, y)
    assert search.best_params_.keys() == GRIDS[kind].keys()
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == SHAPE


@pytest.mark.parametrize("kind", KINDS)
def test_halving_search(data, kind):
    X, y = data
    options = {"cv": 2, "min_resources": 6, "factor": 2, "random_state": 0}
    search = HalvingGridSearchCV(make(kind), GRIDS[kind], scoring=neg_relative_l2_error, **options)
    assert search.fit(X, y).predict(X[:2]).shape == (2, N_TIMES, N_POINTS)


@pytest.mark.parametrize("kind", KINDS)
def test_pipeline(data, kind):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), make(kind)).fit(X, y)
    assert pipeline.predict(X).shape == SHAPE
    assert pipeline.score(X, y) <= 1
    raw = make(kind).fit(X, y)
    if kind == "interpolator":  # scales the parameters itself, as do the networks
        assert np.allclose(pipeline.predict(X[:3] + 0.01), raw.predict(X[:3] + 0.01))


@pytest.mark.parametrize("kind", KINDS)
def test_cross_validation(data, kind):
    X, y = data
    predicted = cross_val_predict(make(kind), X, y, cv=KFold(3))
    assert predicted.shape == SHAPE
    train, held_out = next(iter(KFold(3).split(X)))
    by_hand = make(kind).fit(X[train], y[train]).predict(X[held_out])
    assert np.array_equal(predicted[held_out], by_hand)
    scores = cross_val_score(make(kind), X, y, cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("kind", KINDS)
def test_learning_curve(data, kind):
    X, y = data
    sizes, training, test = learning_curve(
        make(kind), X, y, train_sizes=[4, 8], cv=3, scoring=neg_relative_l2_error
    )
    assert list(sizes) == [4, 8]
    assert np.isfinite(training).all()
    assert np.isfinite(test).all()


@pytest.mark.parametrize("kind", KINDS)
def test_permutation_importance_finds_the_parameter_that_says_nothing(data, kind):
    X, y = data
    changes = {"max_iter": 300} if kind == "colora" else {}
    model = make(kind, **changes).fit(X, y)
    importance = permutation_importance(
        model, X, y, n_repeats=3, random_state=0, scoring=neg_relative_l2_error
    ).importances_mean
    assert importance.argmax() in (0, 1)
    assert importance[:2].min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_clone_and_pickle(data, kind, tmp_path):
    X, y = data
    model = make(kind)
    for name, value in clone(model).get_params(deep=False).items():
        given = getattr(model, name)
        assert value is given or isinstance(value, Ridge) or np.array_equal(value, given)
    expected = model.fit(X, y).predict(X)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)
    joblib.dump(model, tmp_path / "model.joblib")
    assert np.array_equal(joblib.load(tmp_path / "model.joblib").predict(X), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_in_parallel_as_in_turn(data, kind):
    X, y = data
    searches = [
        GridSearchCV(make(kind), GRIDS[kind], cv=2, n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2)
    ]
    one, two = (search.cv_results_["mean_test_score"] for search in searches)
    assert np.allclose(one, two, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_transformed_target_with_flattened_snapshots(data, kind):
    X, y = data
    model = TransformedTargetRegressor(make(kind), transformer=StandardScaler())
    assert model.fit(X, y.reshape(N, -1)).predict(X).shape == (N, N_TIMES * N_POINTS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", ["r2", "neg_root_mean_squared_error", "explained_variance"])
def test_string_scorers_with_flattened_snapshots(data, kind, scoring):
    X, y = data
    scores = cross_val_score(make(kind), X, y.reshape(N, -1), cv=3, scoring=scoring)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("kind", KINDS)
def test_bagging_with_flattened_snapshots(data, kind):
    X, y = data
    flat = y.reshape(N, -1)
    ensemble = BaggingRegressor(make(kind), n_estimators=3, random_state=0).fit(X, flat)
    assert ensemble.predict(X).shape == flat.shape


@pytest.mark.parametrize("kind", KINDS)
def test_prediction_of_a_subset_is_the_subset_of_the_prediction(data, kind):
    X, y = data
    train, new, y_train, _ = train_test_split(X, y, random_state=0)
    model = make(kind).fit(train, y_train)
    assert np.allclose(model.predict(new)[1:], model.predict(new[1:]), rtol=0, atol=1e-12)


def test_a_transformation_of_the_parameters_helps_as_it_should():
    """Snapshots that are linear in log μ."""
    X = np.geomspace(1, 100, 4)[:, None]
    y = np.log(X)[:, :, None] * np.sin(np.pi * POINTS)
    new = np.array([[30.0]])
    true = np.log(new)[:, :, None] * np.sin(np.pi * POINTS)
    plain = ParameterInterpolator(points=POINTS, method="linear")
    in_log = make_pipeline(FunctionTransformer(np.log), clone(plain))
    assert relative_l2_error(true, in_log.fit(X, y).predict(new)) < 1e-12
    assert relative_l2_error(true, plain.fit(X, y).predict(new)) > 0.01
