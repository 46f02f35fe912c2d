"""Cross-validation of `CoLoRARegressor`: the error to expect at unseen parameters."""

import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from skcolora import CoLoRARegressor
from skcolora._estimators._unseen_error import cross_validate, snapshot_errors
from skcolora._snapshots import Units
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
    return snapshot_errors(units.with_fields(scale), new.y[..., None], predicted).mean()


@pytest.fixture(scope="module")
def dense():
    data = moved(np.linspace(0.8, 1.2, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return data, small(data).fit(data.X, data.y)


@pytest.fixture(scope="module")
def sparse():
    data = moved([0.5, 1.0, 1.5, 2.0])
    with pytest.warns(
        UserWarning, match="the median error at parameters that a network had not seen"
    ):
        return data, small(data).fit(data.X, data.y)


def test_few_trajectories_that_do_not_tell_of_others_are_found_out(sparse):
    data, model = sparse
    assert np.median(model.cv_error_) > 5 * model.best_loss_
    true = unseen(model, data, moved([0.75, 1.25, 1.75]))
    assert true > 3 * model.best_loss_
    assert true / 10 < np.median(model.cv_error_) < 10 * true


def test_many_trajectories_do_not_warn_and_expect_the_true_error(dense):
    data, model = dense
    assert model.cv_error_.shape == (9,)
    assert (model.cv_error_ >= model.best_loss_).all()
    true = unseen(model, data, moved([0.87, 1.03, 1.18]))
    assert true / 5 < np.median(model.cv_error_) < 5 * true


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
    np.testing.assert_allclose(snapshot_errors(units, true, mean), 1.0)
    close = true + 0.01 * (true - mean)
    np.testing.assert_allclose(snapshot_errors(units, true, close), 0.01)


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
    with pytest.warns(UserWarning, match="had not seen"):
        errors = cross_validate(model, data.X, rows, seed=0, deadline=Deadline())
    assert np.isinf(errors).all()


def test_an_interruption_of_the_folds_keeps_the_fit(dense, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    data, model = dense
    monkeypatch.setattr("skcolora._estimators._unseen_error._errors_of_fold", interrupted)
    with pytest.warns(UserWarning, match="without `cv_error_`"):
        kept = clone(model).fit(data.X, data.y)
    assert kept.cv_error_ is None
    assert np.array_equal(kept.predict(data.X), model.predict(data.X))
