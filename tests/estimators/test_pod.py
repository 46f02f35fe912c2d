"""PODRegressor: optimality of the projection, regression, layouts."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skcolora import ParameterInterpolator, PODRegressor
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error


@pytest.fixture(scope="module")
def data():
    return make_advection(
        np.linspace(0.5, 1.5, 6), n_points=64, times=np.linspace(0, 1, 11), width=0.1
    )


@pytest.mark.parametrize("n_components", [1, 5, 20])
def test_projection_error_is_the_tail_of_the_singular_values(data, n_components):
    model = PODRegressor(**data.grid, n_components=n_components).fit(data.X, data.y)
    lost = np.linalg.norm((data.y - model.project(data.y)) / model.scale_) ** 2
    assert lost == pytest.approx((model.singular_values_[n_components:] ** 2).sum())
    assert np.allclose(model.components_ @ model.components_.T, np.eye(n_components))


def test_projection_is_idempotent_and_better_than_the_prediction(data):
    model = PODRegressor(**data.grid).fit(data.X, data.y)
    new = make_advection([0.8, 1.1], n_points=64, times=np.linspace(0, 1, 11), width=0.1)
    projected = model.project(new.y)
    assert np.allclose(model.project(projected), projected)
    best = relative_l2_error(new.y, projected, average=False)
    # The second parameter is in the training, where the prediction is the projection.
    predicted = relative_l2_error(new.y, model.predict(new.X), average=False)
    assert (best <= predicted * (1 + 1e-9)).all()


def test_modes_and_mean_are_those_of_principal_components(data):
    model = PODRegressor(**data.grid, n_components=3).fit(data.X, data.y)
    reference = PCA(3, svd_solver="full").fit(data.y.reshape(-1, 64))
    assert np.allclose(np.abs(np.sum(model.components_ * reference.components_, axis=1)), 1)
    assert np.allclose(model.mean_, reference.mean_)
    assert np.allclose(model.singular_values_[:3] * model.scale_, reference.singular_values_)


def test_classical_modes_of_the_raw_snapshots(data):
    raw = PODRegressor(**data.grid, n_components=3, center=False, scale=False)
    raw.fit(data.X, data.y)
    _, singular_values, modes = np.linalg.svd(data.y.reshape(-1, 64), full_matrices=False)
    assert np.allclose(raw.singular_values_, singular_values)
    assert np.allclose(np.abs(np.sum(raw.components_ * modes[:3], axis=1)), 1)
    assert (raw.mean_ == 0).all()
    assert raw.scale_ == [1]


def test_with_all_modes_it_is_interpolation_of_the_snapshots(data):
    model = PODRegressor(**data.grid, n_components=64).fit(data.X, data.y)
    interpolator = ParameterInterpolator(**data.grid).fit(data.X, data.y)
    times = [0.05, 0.33, 0.97]
    assert np.allclose(model.predict([[0.9]]), interpolator.predict([[0.9]]))
    assert np.allclose(
        model.predict([[0.9]], times=times), interpolator.predict([[0.9]], times=times)
    )


def test_other_points(data):
    model = PODRegressor(**data.grid, n_components=30).fit(data.X, data.y)
    x = np.array([[0.111], [0.777], [1.25]])
    waves = np.sin(np.pi * (x[:, 0] - 0.25 - 0.5 * np.asarray(data.times)[:, None]))
    exact = np.exp(-0.5 * (waves / (0.1 * np.pi)) ** 2)
    assert np.allclose(model.predict([[0.5]], points=x)[0], exact, atol=1e-3)


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_energy_share_is_that_of_the_variation(data, offset):
    y = offset + data.y
    variation = np.linalg.norm(data.y - data.y.mean(axis=(0, 1))) ** 2
    model = PODRegressor(**data.grid, n_components=0.99).fit(data.X, y)
    fewer = PODRegressor(**data.grid, n_components=model.n_components_ - 1).fit(data.X, y)
    assert np.linalg.norm(y - model.project(y)) ** 2 <= 0.01 * variation
    assert np.linalg.norm(y - fewer.project(y)) ** 2 > 0.01 * variation


def test_any_regressor_and_its_parameters_in_a_grid(data):
    forest = RandomForestRegressor(20, random_state=0)
    model = PODRegressor(**data.grid, n_components=20, regressor=forest).fit(data.X, data.y)
    assert relative_l2_error(data.y, model.predict(data.X)) < 0.4


def test_parameters_of_the_regressor_in_a_grid():
    """Fields affine in (μ, t), which an unpenalised linear regression reproduces."""
    X, t = np.linspace(1, 2, 6)[:, None], np.linspace(0, 1, 5)[:, None]
    y = X[:, :, None] * np.sin(np.arange(9)) + t * np.cos(np.arange(9)) + 1
    grid = {"regressor__alpha": [1e-8, 1e2], "n_components": [1, 3]}
    search = GridSearchCV(PODRegressor(regressor=Ridge()), grid, cv=3).fit(X, y)
    assert search.best_params_ == {"regressor__alpha": 1e-8, "n_components": 3}
    assert search.best_score_ > 1 - 1e-6


def test_multiple_fields_and_layouts():
    y = np.random.RandomState(0).randn(4, 3, 5, 6, 2)
    X = np.arange(4.0)[:, None]
    axes = np.arange(5.0), np.arange(6.0)
    whole = PODRegressor(points=axes).fit(X, y)
    flat = PODRegressor(points=axes, times=np.linspace(0, 1, 3)).fit(X, y.reshape(4, -1))
    assert np.allclose(whole.predict(X).reshape(4, -1), flat.predict(X))
    assert whole.project(y[:, :2]).shape == (4, 2, 5, 6, 2)
    assert whole.predict(X, points=np.full((7, 2), 2.5)).shape == (4, 3, 7, 2)


@pytest.mark.parametrize("n_components", [0, 1.5, "all"])
def test_bad_n_components(data, n_components):
    with pytest.raises(ValueError, match="'n_components' parameter"):
        PODRegressor(**data.grid, n_components=n_components).fit(data.X, data.y)


def test_bad_regressor_and_bad_shape(data):
    with pytest.raises(ValueError, match="'regressor' parameter"):
        PODRegressor(**data.grid, regressor="ridge").fit(data.X, data.y)
    model = PODRegressor(**data.grid).fit(data.X, data.y)
    with pytest.raises(ValueError, match=r"y has shape \(6, 11, 63\)"):
        model.project(data.y[..., 1:])
