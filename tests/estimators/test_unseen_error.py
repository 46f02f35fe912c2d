"""Cross-validation of `CoLoRARegressor`: the error to expect at unseen parameters."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from skcolora import CoLoRARegressor
from skcolora._estimators._left_out import (
    errors_of,
    inner_trajectories,
    peak_errors,
)
from skcolora._estimators._spread import spread
from skcolora._estimators._unseen_error import cross_validate, typical_power, unseen_errors
from skcolora._snapshots import Units, trajectory_errors
from skcolora.datasets import make_advection
from skcolora.utils._deadline import Deadline

TIMES = np.linspace(0, 1, 9)


def moved(speeds):
    return make_advection(speeds, n_points=32, times=TIMES, width=0.15)


def small(data, **changes):
    options = {"width": 10, "depth": 4, "rank": 1, "adapted_layers": range(4), "max_iter": 200}
    return CoLoRARegressor(**data.grid, **(options | {"random_state": 0, "cv": 3} | changes))


def unseen(model, data, new):
    """Mean error of the variation at other parameters."""
    fields = data.y[..., None]
    units = Units.of(data.X, TIMES, np.zeros((1, 1)), (None,), 1)
    scale = type(units.fields)(np.array([fields.mean()]), np.array([fields.std()]))
    predicted = model.predict(new.X)[..., None]
    return trajectory_errors(units.with_fields(scale), new.y[..., None], predicted).mean()


@pytest.fixture(scope="module")
def dense():
    data = moved(np.linspace(0.8, 1.2, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return data, small(data).fit(data.X, data.y)


@pytest.fixture(scope="module")
def sparse():
    data = moved([0.5, 1.0, 1.5, 2.0])
    with pytest.warns(UserWarning, match="The error at parameters without snapshots is about"):
        return data, small(data, max_iter=500).fit(data.X, data.y)


def test_few_trajectories_that_do_not_tell_of_others_are_found_out(sparse):
    data, model = sparse
    assert model.unseen_error_ > 5 * model.best_loss_
    true = unseen(model, data, moved([0.75, 1.25, 1.75]))
    assert true > 3 * model.best_loss_
    assert true / 10 < model.unseen_error_ < 10 * true


def test_many_trajectories_do_not_warn_and_expect_the_true_error(dense):
    data, model = dense
    assert model.cv_error_.shape == (9,)
    assert (model.cv_error_ >= model.best_loss_).all()
    true = unseen(model, data, moved([0.87, 1.03, 1.18]))
    assert true / 5 < model.unseen_error_ < 5 * true


def test_the_fit_is_the_same_without_cross_validation(dense):
    data, model = dense
    other = clone(model).set_params(cv=None).fit(data.X, data.y)
    assert other.cv_error_ is None
    assert np.array_equal(other.predict(data.X), model.predict(data.X))


def test_folds_run_on_the_workers_of_joblib():
    """A training that is so short rounds alike with one thread and with several."""
    data = moved([0.5, 1.0, 1.5, 2.0])
    model = small(data, cv=2, max_iter=20)
    alone = clone(model).fit(data.X, data.y).cv_error_
    with joblib.parallel_config(backend="loky", n_jobs=2):
        together = clone(model).fit(data.X, data.y).cv_error_
    np.testing.assert_allclose(together, alone, rtol=1e-3)


def test_errors_are_relative_to_the_variation():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(2, 3, 5, 2))
    scale = type(Units.of(np.eye(2), np.arange(3.0), np.eye(2), (None, None), 2).fields)
    fields = scale(np.array([1.0, -2.0]), np.array([2.0, 0.5]))
    units = Units.of(np.eye(2), np.arange(3.0), np.eye(2), (None, None), 2).with_fields(fields)
    mean = np.broadcast_to(fields.center, true.shape)
    np.testing.assert_allclose(trajectory_errors(units, true, mean), 1.0)
    close = true + 0.01 * (true - mean)
    np.testing.assert_allclose(trajectory_errors(units, true, close), 0.01)


@pytest.mark.parametrize("cv", [1, 0, 2.5, "all"])
def test_a_number_of_folds_that_is_none(dense, cv):
    data, model = dense
    with pytest.raises(ValueError, match="'cv' parameter"):
        clone(model).set_params(cv=cv).fit(data.X, data.y)


def test_more_folds_than_trajectories(dense):
    data, model = dense
    with pytest.raises(ValueError, match="at most the number of trajectories, 9; got 10"):
        clone(model).set_params(cv=10).fit(data.X, data.y)


def test_folds_that_leave_too_few_trajectories_for_early_stopping():
    data = moved([0.5, 1.0])
    model = small(data, cv=2, max_iter=2, early_stopping=True)
    with pytest.raises(ValueError, match="train set will be empty"):
        model.fit(data.X, data.y)
    assert not hasattr(model, "network_")


def test_a_fold_whose_training_fails_has_an_infinite_error(dense, monkeypatch):
    def failing(self, X, y):
        raise FloatingPointError

    data, model = dense
    rows = data.y[..., None]
    monkeypatch.setattr(CoLoRARegressor, "fit", failing)
    folds = cross_validate(model, data.X, rows, seed=0, deadline=Deadline())
    assert np.isinf(np.concatenate([fold.errors for fold in folds])).all()
    _, of_each, expected = unseen_errors(folds, model._units.parameters, data.X, 0.01)
    assert np.isinf(of_each).all()
    assert np.isinf(expected)


def test_an_interruption_of_the_folds_keeps_the_fit(dense, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    data, model = dense
    monkeypatch.setattr("skcolora._estimators._unseen_error._fold", interrupted)
    with pytest.warns(UserWarning, match="without `cv_error_`"):
        kept = clone(model).fit(data.X, data.y)
    assert kept.cv_error_ is None
    assert np.array_equal(kept.predict(data.X), model.predict(data.X))


def test_a_tenth_is_left_out_at_first_and_trained_on_in_the_end():
    speeds = np.linspace(0.8, 1.2, 20)
    data = moved(speeds)
    model = small(data, cv="once", max_iter=400).fit(data.X, data.y)
    (fold,) = model._folds
    assert len(fold.test) == 2
    assert sorted([*fold.train, *fold.test]) == list(range(20))
    assert np.flatnonzero(np.isfinite(model.cv_error_)).tolist() == sorted(fold.test)
    assert model.n_iter_ == 400
    # The first phase, and half of the second one.
    assert len(fold.regressor.loss_curve_) == 80 + 160
    # The network that had not seen them is another one, and worse there.
    seen = unseen(model, data, moved(speeds[fold.test]))
    assert seen < fold.errors.mean()
    assert unseen(fold.regressor, data, moved(speeds[fold.test])) == pytest.approx(
        fold.errors.mean(), rel=1e-3
    )


@pytest.mark.parametrize(
    "changes",
    [{"cv": None}, {"max_iter": 7}, {"early_stopping": True}],
    ids=["not asked for", "too short", "early stopping"],
)
def test_nothing_is_left_out(changes):
    data = moved(np.linspace(0.8, 1.2, 9))
    model = small(data, **({"cv": "once", "max_iter": 12} | changes)).fit(data.X, data.y)
    assert model.unseen_error_ is None
    assert model.cv_error_ is None


def test_few_parameters_leave_none_out():
    data = moved([0.5, 1.0, 1.5, 2.0, 2.0])
    assert small(data, cv="once", max_iter=12).fit(data.X, data.y).unseen_error_ is None


def test_a_warm_start_does_not_leave_out_what_it_has_seen(dense):
    data, _ = dense
    model = small(data, cv="once", max_iter=12, warm_start=True).fit(data.X, data.y)
    assert model.unseen_error_ is not None
    assert model.fit(data.X, data.y).unseen_error_ is None


def test_a_second_fit_keeps_nothing_of_the_first():
    data = moved(np.linspace(0.8, 1.2, 9))
    model = small(data, cv="once", max_iter=12).fit(data.X, data.y)
    size = len(pickle.dumps(model))
    assert model._folds[0].regressor._folds == []
    assert len(pickle.dumps(model.fit(data.X, data.y))) < 1.1 * size


def test_the_first_part_keeps_its_share_of_the_time():
    data = moved(np.linspace(0.8, 1.2, 9))
    model = small(data, cv="once", max_iter=None, max_time=3.0).fit(data.X, data.y)
    (fold,) = model._folds
    assert 0 < len(fold.regressor.loss_curve_) < model.n_iter_


def test_inner_trajectories_are_surrounded_and_apart():
    axis = np.arange(5.0)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    chosen = grid[inner_trajectories(grid)]
    assert len(chosen) == 2
    assert ((chosen > 0) & (chosen < 4)).all()
    assert np.linalg.norm(chosen[0] - chosen[1]) > 1.2


def test_of_trajectories_that_lie_alike_the_first_one_is_left_out():
    nodes = np.linspace(0.3, 0.7, 12)[:, None]
    assert np.flatnonzero(inner_trajectories(nodes)).tolist() == [5]


def test_as_many_trajectories_as_determine_a_plane():
    nodes = np.vstack([np.zeros(4), np.eye(4)])
    assert inner_trajectories(nodes).sum() == 1


def test_repeated_parameters_are_left_out_together():
    nodes = np.repeat(np.arange(6.0), 2)[:, None]
    chosen = inner_trajectories(nodes)
    assert chosen.sum() == 2
    assert np.unique(nodes[chosen]).size == 1


def test_typical_parameters_lie_nearer_where_there_are_more():
    nodes = np.arange(6.0)[:, None]
    assert typical_power(nodes) < 0.8 * typical_power(nodes[[0, 2, 3, 5]])


def test_peak_errors_are_in_units_of_the_scale():
    true = np.zeros((2, 3, 4, 2))
    predicted = true.copy()
    predicted[0, 1, 2, 0], predicted[1, 0, 0, 1] = 3.0, 5.0
    scale = np.ones_like(true)
    scale[..., 0], scale[..., 1] = 2.0, 0.0
    np.testing.assert_array_equal(peak_errors(true, predicted, scale), [1.5, 0.0])


def test_the_largest_errors_are_those_of_all_points(dense):
    """A large error at one time and one of very many points is found."""
    data, model = dense
    fine = model._layout.at(None, np.linspace(0, 1, 20_000, endpoint=False)[:, None])
    rows = np.repeat(data.y, 625, axis=2)[..., None]

    def predict(k, some):
        nearest = np.round(some.grid.points[:, 0] * 20_000).astype(int)
        found = rows[k : k + 1, :, nearest].copy()
        found[0, 3, nearest == 1_234] += 0.5
        return found

    errors, peaks = errors_of(model, data.X[:2], fine, rows, np.arange(2), predict)
    scale = spread(model, data.X[:2], fine)
    np.testing.assert_allclose(peaks, 0.5 / scale[:, 3, 1_234, 0], rtol=1e-5)
    assert (errors > 0).all()
