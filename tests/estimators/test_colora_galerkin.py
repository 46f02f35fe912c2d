"""CoLoRAGalerkin: solutions, failures, arguments, and what scikit-learn expects."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_advection, make_rotating_detonation
from skcolora.metrics import neg_relative_l2_error, relative_l2_error
from skcolora.pdes import PDE, Advection

DATA = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
NEW = make_advection([0.8, 1.1], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
OPTIONS = {"width": 12, "depth": 4, "adapted_layers": (0, 1, 2, 3), "rank": 1, "random_state": 0}


def small(**changes):
    """A regressor that is fitted in no time, well or not."""
    return CoLoRARegressor(**{**DATA.grid, **OPTIONS, "max_iter": 20, **changes})


def test_an_initial_field_that_is_given(model):
    """The bump where it arrives later, at all points and as scattered observations."""
    points = DATA.points[0] if isinstance(DATA.points, tuple) else np.ravel(DATA.points)
    pde = DATA.pde
    field = pde.exact(0.2, [points], [1.0])[None]
    truth = np.stack([pde.exact(0.2 + t, [points], [1.0]) for t in DATA.times[:10]])[None]
    options = {"times": DATA.times[:10]}
    everywhere = model.predict([[1.0]], initial=field, **options)
    indicator = model.solve([[1.0]], initial=field, **options).error_indicator.max()
    assert relative_l2_error(truth, everywhere) < min(2 * indicator, 1e-3)
    rng = np.random.default_rng(0)
    scattered = np.sort(rng.uniform(0, 1, 40))[:, None]
    observed = pde.exact(0.2, [scattered[:, 0]], [1.0])[None]
    few = model.predict([[1.0]], initial=(scattered, observed), **options)
    assert relative_l2_error(truth, few) < min(4 * indicator, 1e-3)


@pytest.mark.parametrize("options", [{}, {"conserve": "mass"}])
def test_a_prediction_does_not_depend_on_its_neighbours(galerkin, regressor, options):
    model = galerkin(regressor, **options).fit(DATA.X, DATA.y)
    X = np.array([[0.7], [0.9], [1.3], [0.5]])
    together = model.predict(X)
    for i in range(len(X)):
        assert np.allclose(model.predict(X[i : i + 1])[0], together[i], rtol=0, atol=1e-9)


def test_the_solution_says_what_happened(model):
    solution = model.solve(NEW.X)
    n_latent = model.regressor_.n_latent_
    assert solution.latent.shape == (2, 21, n_latent)
    for entry in (solution.residual, solution.condition, solution.effective_rank):
        assert entry.shape == (2, 21)
        assert np.isfinite(entry).all()
    assert (solution.residual < 0.1).all()
    assert (solution.condition >= 1).all()
    assert (solution.effective_rank <= n_latent + 1e-9).all()
    assert list(solution.status) == ["success", "success"]
    assert np.allclose(solution.time_reached, DATA.times[-1])
    assert (solution.n_steps > 0).all()
    assert (solution.initial_error < 0.01).all()
    assert (np.diff(solution.error_indicator[:, [0, -1]]) > 0).all()


def test_times_and_points_of_your_own(model):
    all_times = model.predict(NEW.X)
    some = model.predict(NEW.X, times=DATA.times[[3, 7, 20]])
    assert np.allclose(some, all_times[:, [3, 7, 20]], atol=1e-12)
    at_points = model.predict(NEW.X, points=np.array([[0.1], [0.77]]))
    assert at_points.shape == (2, 21, 2)
    later = model.predict([[0.5]], times=[0.0, 1.5])
    assert np.isfinite(later).all()
    assert np.allclose(model.predict(NEW.X, times=[0.0])[:, 0], all_times[:, 0], atol=1e-12)


class Blowing(Advection):
    """NaN after a time, for one of the parameters."""

    def rhs(self, t, field, mu):
        rate = super().rhs(t, field, mu)
        late = (field.xp.zeros_like(mu[0]) + t > 0.3) & (mu[0] > 1.0)
        return field.xp.where(late, float("nan"), rate[0])


def test_nan_in_the_equation_ends_one_trajectory_alone(galerkin, regressor, model):
    fitted = galerkin(regressor, Blowing(width=0.1), fallback=None).fit(DATA.X, DATA.y)
    with pytest.warns(ConvergenceWarning, match=r"speed = 1.1 met NaN.*ended at t = 0\.[23]"):
        predicted = fitted.predict(NEW.X)
    assert np.allclose(predicted[0], model.predict(NEW.X)[0], atol=1e-9)
    assert np.isfinite(predicted[1, DATA.times < 0.29]).all()
    assert np.isnan(predicted[1, DATA.times > 0.31]).all()


def test_the_step_budget(galerkin, regressor):
    fitted = galerkin(regressor, max_steps=2, fallback=None).fit(DATA.X, DATA.y)
    with pytest.warns(ConvergenceWarning, match=r"and 1 more took all of its `max_steps`"):
        solution = fitted.solve(NEW.X)
    assert list(solution.status) == ["max_steps", "max_steps"]
    assert np.isnan(solution.latent[:, -1]).all()
    assert (solution.time_reached < DATA.times[-1]).all()


def test_a_field_that_the_network_cannot_hold(model):
    noise = np.random.default_rng(0).standard_normal((1, 64))
    with pytest.warns(UserWarning, match="cannot represent the initial field"):
        model.solve([[1.0]], times=[0.0], initial=noise)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": [-1.0, 0.5]}, "`times` must not be negative"),
        ({"times": [0.5, 0.2]}, "`times` must increase strictly"),
        ({"initial": np.ones((1, 64))}, r"`initial` has shape \(1, 64\); expected \(2, 64\)"),
        ({"initial": np.ones((2, 63))}, r"`initial` has shape \(2, 63\)"),
        ({"initial": np.full((2, 64), np.nan)}, "`initial` must be finite"),
        ({"initial": (np.ones((5, 2)), np.ones((2, 5)))}, "2 dimension"),
        ({"initial": (np.ones(3),)}, r"tuple must be \(points, values\)"),
    ],
)
def test_bad_arguments_of_predict(model, options, message):
    with pytest.raises(ValueError, match=message):
        model.predict(NEW.X, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pde": None}, "'pde' parameter of CoLoRAGalerkin must be an instance"),
        ({"regressor": LinearRegression()}, "must be a CoLoRARegressor, or a Pipeline"),
        ({"regressor": small(period=None)}, "is periodic in dimension 0"),
        ({"conserve": "energy"}, "names 'energy', but Advection conserves 'mass'"),
        ({"conserve": {"mass": 1}}, "must hold functions of a field"),
        ({"method": "Euler"}, "'method' parameter"),
        ({"rtol": 0.0}, "'rtol' parameter"),
    ],
)
def test_bad_arguments(change, message):
    options = {"pde": DATA.pde, "regressor": small(), **change}
    with pytest.raises(ValueError, match=message):
        CoLoRAGalerkin(**options).fit(DATA.X, DATA.y)


def test_snapshots_of_another_equation():
    data = make_rotating_detonation([2.5], n_points=33, times=[0.0, 0.1])
    regressor = CoLoRARegressor(**data.grid, max_iter=1)
    with pytest.raises(ValueError, match=r"have 2 field\(s\), but Advection has 1"):
        CoLoRAGalerkin(Advection(), regressor=regressor).fit(data.X, data.y)
    with pytest.raises(ValueError, match=r"have 2 parameter\(s\), but Advection has 1"):
        CoLoRAGalerkin(Advection(), regressor=small()).fit(np.ones((3, 2)), DATA.y)


class OnTheGrid(Advection):
    """Its speeds are bound to the points of the snapshots."""

    speeds = np.linspace(0.5, 1.5, 64)

    def rhs(self, t, field, mu):
        return -field.xp.asarray(self.speeds) * mu[0] * field.grad[0]


def test_an_equation_bound_to_the_points_of_the_snapshots(galerkin, regressor):
    with pytest.raises(ValueError, match=r"OnTheGrid.rhs failed at .* functions of field.points"):
        CoLoRAGalerkin(OnTheGrid(), regressor=small(max_iter=10**6)).fit(DATA.X, DATA.y)
    model = galerkin(regressor, OnTheGrid(), collocation="grid").fit(DATA.X, DATA.y)
    assert len(model.collocation_) == 64


class WithoutInitial(PDE):
    period = (1.0,)

    def rhs(self, t, field, mu):
        return -mu[0] * field.grad[0]


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin")
def test_the_hypernetwork_where_no_initial_field_is_known(galerkin, regressor):
    fitted = galerkin(regressor, WithoutInitial()).fit(DATA.X, DATA.y)
    latent = fitted.solve(NEW.X).latent[:, 0]
    assert np.allclose(latent, regressor.predict_latent(NEW.X)[:, 0], atol=1e-6)


def test_pipelines_inside_leave_the_physics_alone():
    log = FunctionTransformer(np.log)
    inside = CoLoRAGalerkin(DATA.pde, regressor=make_pipeline(log, small()))
    inside.fit(DATA.X, DATA.y)
    assert inside.regressor_[-1]._X.max() < 0.4  # logarithms
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert inside.predict(NEW.X).shape == NEW.y.shape
        learnt = inside.distill(NEW.X, max_iter=3)
    assert learnt.predict(NEW.X).shape == NEW.y.shape


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin")
def test_searches_pickles_and_clones():
    model = CoLoRAGalerkin(DATA.pde, regressor=small(), method="RK4", substeps=1)
    grid = {"regressor__rank": [1, 2]}
    search = GridSearchCV(model, grid, cv=3, scoring=neg_relative_l2_error)
    fitted = search.fit(DATA.X, DATA.y).best_estimator_
    predicted = fitted.predict(NEW.X)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert np.allclose(loaded.predict(NEW.X), predicted, atol=1e-12)
    assert clone(fitted).regressor.rank == fitted.regressor.rank
    assert "CoLoRAGalerkin(pde=Advection" in repr(CoLoRAGalerkin(DATA.pde))
    flat = clone(model).fit(DATA.X, DATA.y.reshape(3, -1)).predict(NEW.X)
    assert flat.shape == (2, 21 * 64)


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin")
def test_behaves_as_scikit_learn_expects():
    options = {"method": "RK4", "substeps": 1, "random_state": 0}
    model = CoLoRAGalerkin(DATA.pde, regressor=small(), **options)
    before = {name: id(value) for name, value in model.get_params(deep=False).items()}
    with pytest.raises(NotFittedError):
        model.predict(NEW.X)
    assert model.fit(DATA.X, DATA.y) is model
    assert model.n_features_in_ == 1
    attributes = set(vars(model))
    predicted = model.predict(NEW.X)
    assert set(vars(model)) == attributes
    assert {name: id(value) for name, value in model.get_params(deep=False).items()} == before
    assert predicted.dtype == np.float64
    assert np.allclose(model.fit(DATA.X, DATA.y).predict(NEW.X), predicted, atol=1e-9)
    with pytest.raises(ValueError, match="X has 2 features"):
        model.predict(np.ones((1, 2)))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(DATA.X, np.full_like(DATA.y, np.nan))


def test_parameters_hold_from_fit_on(galerkin, regressor):
    fitted = galerkin(regressor, conserve="mass").fit(DATA.X, DATA.y)
    before, refined = fitted.predict(NEW.X), fitted.refine(NEW.X, max_iter=1)
    fitted.set_params(
        method="RK4",
        substeps=1,
        rtol=1e-1,
        conserve=None,
        max_steps=1,
        norm="H-1",
        collocation="gauss",
        n_collocation=7,
        regularization=0.5,
    )
    assert np.array_equal(fitted.predict(NEW.X), before)
    again = fitted.refine(NEW.X, max_iter=1)
    assert np.array_equal(again.predict(NEW.X), refined.predict(NEW.X))


def test_a_solution_gives_its_fields(model):
    times = [0.0, 0.25, 1.0]
    solution = model.solve(NEW.X, times=times)
    assert np.array_equal(solution.predict(), model.predict(NEW.X, times=times))
    places = np.array([[0.123], [0.9]])
    expected = model.predict(NEW.X, times=times, points=places)
    assert np.array_equal(solution.predict(points=places), expected)
    copy = pickle.loads(pickle.dumps(solution))
    assert np.array_equal(copy.predict(), solution.predict())
