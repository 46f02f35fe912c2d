"""All weights of the last layer as online weights."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_burgers
from skcolora.metrics import relative_l2_error

GRID = {"n_points": 64, "times": np.linspace(0, 1, 11)}
DATA = make_burgers([0.02, 0.06, 0.2], **GRID)
NEW = make_burgers([0.035, 0.11], **GRID)


@pytest.fixture(scope="module")
def regressor():
    network = CoLoRARegressor(**DATA.grid, width=12, depth=4, max_iter=600, random_state=0)
    return FrozenEstimator(network.fit(DATA.X, DATA.y))


def galerkin(regressor, **options):
    model = CoLoRAGalerkin(DATA.pde, regressor=regressor, random_state=0, **options)
    return model.fit(DATA.X, DATA.y)


@pytest.fixture(scope="module")
def free(regressor):
    return galerkin(regressor, free_output=True)


def error(model):
    return relative_l2_error(NEW.y, model.predict(NEW.X))


def test_paths_between_few_trajectories_become_more_accurate(regressor, free):
    assert error(free) < 0.5 * error(galerkin(regressor, free_output=False))


def test_it_is_chosen_where_it_helps(regressor, monkeypatch):
    monkeypatch.setattr("skcolora._estimators._galerkin_trust._GOOD", 0.1)
    model = galerkin(regressor)
    assert model.free_output_ is True
    assert model.regularization_ in (1e-4, 1e-5, 1e-3)
    assert len(model.collocation_) == len(model._equation.collocation.points)


def test_it_is_not_chosen_where_paths_are_good_enough(regressor, monkeypatch):
    monkeypatch.setattr("skcolora._estimators._galerkin_trust._GOOD", 1e3)
    assert galerkin(regressor).free_output_ is False


def test_the_latent_state_has_the_weights_of_the_last_layer(free):
    solution = free.solve(NEW.X)
    assert solution.latent.shape == (2, 11, free.regressor_.n_latent_ - 1 + 12)
    assert free.free_output_ is True
    assert np.array_equal(pickle.loads(pickle.dumps(free)).predict(NEW.X), solution.predict())


def test_what_is_learnt_from_the_paths_is_an_ordinary_regressor(regressor, free, monkeypatch):
    # Whether it is better than before is for others to judge.
    monkeypatch.setattr("skcolora._estimators._distill_and_refine._WORSE", np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        learnt = free.distill(NEW.X, max_iter=150)
        refined = free.refine(NEW.X, max_iter=20)
    assert learnt.n_latent_ == refined.regressor_.n_latent_ == regressor.n_latent_
    assert error(learnt) < 0.5 * error(regressor)
    assert refined.solve(NEW.X).latent.shape == (2, 11, regressor.n_latent_ - 1 + 12)


def test_integrals_are_kept(regressor):
    model = galerkin(regressor, free_output=True, conserve="mass")
    mass = model.predict(NEW.X).sum(axis=2)
    assert np.abs(mass - mass[:, :1]).max() < 1e-10


def test_no_warning_about_directions_that_the_regularization_damps(free):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        free.solve(NEW.X)
    assert not any("latent directions" in str(each.message) for each in caught)
