"""PODGalerkin: as good as its space, cheap by sampling, and loud where it is unstable."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV

from skcolora import PODGalerkin, PODRegressor
from skcolora.datasets import make_advection, make_burgers, make_rotating_detonation
from skcolora.metrics import neg_relative_l2_error, relative_l2_error
from skcolora.pdes import PDE


@pytest.fixture(scope="module")
def burgers():
    return make_burgers([0.05, 0.07, 0.1, 0.15, 0.2]), make_burgers([0.08, 0.12])


@pytest.mark.parametrize("n_samples", [None, 40])
def test_close_to_the_projection_where_pod_converges(burgers, n_samples):
    train, test = burgers
    for n in (5, 8):
        model = PODGalerkin(train.pde, **train.grid, n_components=n, n_samples=n_samples)
        error = relative_l2_error(test.y, model.fit(train.X, train.y).predict(test.X))
        best = PODRegressor(**train.grid, n_components=n).fit(train.X, train.y).project(test.y)
        assert error < 3 * relative_l2_error(test.y, best)


def test_at_other_times_and_past_the_last(burgers):
    train, _ = burgers
    model = PODGalerkin(train.pde, **train.grid, n_components=8).fit(train.X, train.y)
    later = model.predict([[0.1]], times=[0.0, 1.0, 1.2])
    exact = train.pde.solve([0.1], [0.0, 1.0, 1.2], train.points)
    assert relative_l2_error(exact, later) < 1e-3
    assert np.allclose(model.predict([[0.1]])[0, -1], later[0, 1], atol=1e-5)


def test_two_fields_and_the_end_of_the_period():
    data = make_rotating_detonation([2.5, 2.6], n_points=129, times=np.linspace(0, 1, 41))
    model = PODGalerkin(data.pde, **data.grid, n_components=12).fit(data.X, data.y)
    predicted = model.predict([[2.55]])
    assert predicted.shape == (1, 41, 129, 2)
    assert np.array_equal(predicted[:, :, 0], predicted[:, :, -1])
    truth = data.pde.solve([2.55], data.times, data.points)
    assert relative_l2_error(truth, predicted) < 1e-3


def test_sampling_chooses_distinct_points_and_does_not_see_the_grid(burgers):
    train, _ = burgers
    model = PODGalerkin(train.pde, **train.grid, n_components=5, n_samples=20)
    model.fit(train.X, train.y)
    assert len(np.unique(model.sample_points_)) == 20
    # The mean snapshot, and then the modes.
    assert model._equation.sampled.grad.shape == (1, 1, 20, 1 + 5)


def test_instability_is_reported_and_not_a_silent_wrong_answer():
    data = make_advection(np.linspace(0.5, 1.5, 8))
    model = PODGalerkin(data.pde, **data.grid, n_components=10, n_samples=10)
    model.fit(data.X, data.y)
    with pytest.warns(ConvergenceWarning) as caught:
        predicted = model.predict([[0.9]], times=np.linspace(0.0, 40.0, 41))
    messages = " ".join(str(warning.message) for warning in caught)
    assert "10 modes miss" in messages
    assert "became unstable for speed = 0.9 at t = " in messages
    assert np.isfinite(predicted[0, 0]).all()
    assert np.isnan(predicted[0, -1]).all()


def test_behaves_as_scikit_learn_expects(burgers):
    """The checks that bring data, on data of the equation."""
    train, new = burgers
    model = PODGalerkin(train.pde, **train.grid, n_components=6)
    before = {name: id(value) for name, value in model.get_params(deep=False).items()}
    with pytest.raises(NotFittedError):
        model.predict(new.X)
    assert model.fit(train.X, train.y) is model
    assert model.n_features_in_ == 1
    fitted = dict(vars(model))
    predicted = model.predict(train.X)
    assert vars(model).keys() == fitted.keys()
    assert {name: id(value) for name, value in model.get_params(deep=False).items()} == before
    assert np.array_equal(model.fit(train.X, train.y).predict(train.X), predicted)
    assert np.array_equal(model.predict(train.X[1:]), predicted[1:])
    assert np.allclose(pickle.loads(pickle.dumps(model)).predict(train.X), predicted, rtol=1e-9)
    with pytest.raises(ValueError, match="X has 2 features"):
        model.predict(np.ones((1, 2)))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(train.X, np.full_like(train.y, np.nan))
    flat = train.y.reshape(len(train.y), -1)
    flattened = clone(model).fit(train.X, flat).predict(train.X)
    assert np.allclose(flattened, predicted.reshape(flat.shape))
    search = GridSearchCV(model, {"n_components": [1, 4]}, cv=2, scoring=neg_relative_l2_error)
    assert search.fit(train.X, train.y).best_params_ == {"n_components": 4}


def test_clone_and_repr(burgers):
    train, _ = burgers
    model = PODGalerkin(train.pde, n_components=3)
    assert clone(model).n_components == 3
    assert "PODGalerkin(n_components=3, pde=Burgers())" in repr(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pde": None}, "'pde' parameter of PODGalerkin must be an instance"),
        ({"points": np.linspace(0, 0.5, 256)}, "uniform tensor grid of the whole domain"),
        ({"n_samples": 2}, "`n_samples` must be at least `n_components`; got n_samples=2"),
        ({"times": np.arange(51) - 1.0}, "`times` must not be negative"),
        ({"n_components": 0}, "'n_components' parameter"),
    ],
)
def test_bad_arguments(change, message):
    data = make_advection([0.5, 0.6])
    model = PODGalerkin(**{"pde": data.pde, **data.grid, **change})
    with pytest.raises(ValueError, match=message):
        model.fit(data.X, data.y)


def test_snapshots_of_another_equation(burgers):
    train, _ = burgers
    data = make_rotating_detonation([2.5], n_points=33, times=[0.0, 0.1])
    with pytest.raises(ValueError, match=r"have 2 field\(s\), but Burgers has 1"):
        PODGalerkin(train.pde, **data.grid).fit(data.X, data.y)


def test_no_warning_where_all_is_well(burgers):
    train, _ = burgers
    model = PODGalerkin(train.pde, **train.grid, n_components=6).fit(train.X, train.y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(train.X[:1])


def test_points_of_your_own_are_interpolated_spectrally(burgers):
    train, test = burgers
    model = PODGalerkin(train.pde, **train.grid, n_components=10).fit(train.X, train.y)
    on_grid = model.predict(test.X)
    same = model.predict(test.X, points=train.points)
    np.testing.assert_allclose(same, on_grid, atol=1e-12)
    shifted = train.points + 1.0  # one period further
    np.testing.assert_allclose(model.predict(test.X, points=shifted), on_grid, atol=1e-12)
    between = np.random.default_rng(0).random((7, 1))
    truth = train.pde.solve(test.X, train.times, between)
    bound = 1.5 * relative_l2_error(test.y, on_grid) + 1e-6
    assert relative_l2_error(truth, model.predict(test.X, points=between)) < bound


def test_initial_fields_of_your_own(burgers):
    train, test = burgers
    model = PODGalerkin(train.pde, **train.grid, n_components=10).fit(train.X, train.y)
    own = model.predict(test.X)
    start = np.stack([train.pde.initial_value(train.points.T, mu)[0] for mu in test.X])
    np.testing.assert_allclose(model.predict(test.X, initial=start), own, atol=1e-10)
    observed = np.random.default_rng(0).random((40, 1))
    values = np.stack([train.pde.initial_value(observed.T, mu)[0] for mu in test.X])
    from_observations = model.predict(test.X, initial=(observed, values))
    assert relative_l2_error(own, from_observations) < 1e-3
    # A state of the training, from which the path goes on as it did there.
    middle = len(train.times) // 2
    later = model.predict(train.X[:1], times=train.times[:4], initial=train.y[:1, middle])
    assert relative_l2_error(train.y[:1, middle : middle + 4], later) < 1e-2


def test_an_equation_without_initial_field(burgers):
    class NoInitial(PDE):
        parameter_names, period = ("viscosity",), (1.0,)

        def rhs(self, t, field, mu):
            return mu[0] * field.laplacian - field.value * field.grad[0]

    train, _ = burgers
    model = PODGalerkin(NoInitial(), **train.grid).fit(train.X, train.y)
    with pytest.raises(ValueError, match="NoInitial defines no `initial`; give `initial`"):
        model.predict(train.X)
    start = train.y[:, 0]
    assert relative_l2_error(train.y, model.predict(train.X, initial=start)) < 1e-2


@pytest.mark.parametrize("period", [2.0, (1.5,)])
def test_another_period_than_that_of_the_equation(burgers, period):
    train, _ = burgers
    model = PODGalerkin(train.pde, **{**train.grid, "period": period})
    with pytest.raises(ValueError, match=r"but Burgers has 1\.0; give period=\(1\.0,\)"):
        model.fit(train.X, train.y)


def test_parameters_hold_from_fit_on(burgers):
    train, test = burgers
    model = PODGalerkin(train.pde, **train.grid, n_components=6).fit(train.X, train.y)
    before = model.predict(test.X)
    model.set_params(method="RK23", rtol=1e-2, n_components=2)
    assert np.array_equal(model.predict(test.X), before)
