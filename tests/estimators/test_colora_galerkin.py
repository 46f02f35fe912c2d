"""CoLoRAGalerkin: as good as its manifold, beyond the data, and loud where it fails."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._galerkin import _point_choice
from skcolora.datasets import make_advection, make_rotating_detonation
from skcolora.metrics import neg_relative_l2_error, relative_l2_error
from skcolora.pdes import PDE, Advection, Dirichlet

DATA = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
NEW = make_advection([0.8, 1.1], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
OPTIONS = {"width": 12, "depth": 4, "adapted_layers": (0, 1, 2, 3), "rank": 1, "random_state": 0}


def small(**changes):
    """A regressor that is fitted in no time, well or not."""
    return CoLoRARegressor(**{**DATA.grid, **OPTIONS, "max_iter": 20, **changes})


@pytest.fixture(scope="module")
def regressor():
    # Enough steps that explicit time steps are limited by accuracy, not by stability.
    model = CoLoRARegressor(**DATA.grid, **OPTIONS, max_iter=150)
    return model.fit(DATA.X, DATA.y)


def galerkin(regressor, pde=DATA.pde, random_state=0, **options):
    frozen = FrozenEstimator(regressor)
    return CoLoRAGalerkin(pde, regressor=frozen, random_state=random_state, **options)


@pytest.fixture(scope="module")
def model(regressor):
    return galerkin(regressor).fit(DATA.X, DATA.y)


@pytest.fixture(scope="module")
def unchecked(regressor):
    """A model that uses what it learns from the equation, better or not."""
    return galerkin(regressor, fallback=None).fit(DATA.X, DATA.y)


def best(regressor, y):
    """Error of the best fit of the decoder."""
    return relative_l2_error(y, regressor.decode(regressor.encode(y)))


def test_nearly_as_good_as_its_manifold_between_the_training_parameters(regressor, model):
    error = relative_l2_error(NEW.y, model.predict(NEW.X))
    assert error < 3 * best(regressor, NEW.y)
    assert error < 0.2 * relative_l2_error(NEW.y, regressor.predict(NEW.X))


@pytest.mark.filterwarnings("ignore::skcolora.ExtrapolationWarning")
def test_speeds_outside_the_training_range(regressor, model):
    far = make_advection([0.3], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
    error = relative_l2_error(far.y, model.predict(far.X))
    assert error < 3 * best(regressor, far.y)
    assert error < 0.2 * relative_l2_error(far.y, regressor.predict(far.X))


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
def test_a_prediction_does_not_depend_on_its_neighbours(regressor, options):
    model = galerkin(regressor, **options).fit(DATA.X, DATA.y)
    X = np.array([[0.7], [0.9], [1.3], [0.5]])
    together = model.predict(X)
    for i in range(len(X)):
        assert np.allclose(model.predict(X[i : i + 1])[0], together[i], rtol=0, atol=1e-9)


def test_methods_agree(regressor, model):
    reference = model.predict(NEW.X)
    for options in ({"method": "RK4", "substeps": 4}, {"method": "Rosenbrock", "rtol": 1e-6}):
        other = galerkin(regressor, **options).fit(DATA.X, DATA.y).predict(NEW.X)
        assert relative_l2_error(reference, other) < 1e-3


def test_converges_with_the_tolerance():
    # A first layer that moves the field makes the path a straight line, exact at any tolerance.
    curved = small(adapted_layers=(1, 2, 3), adaptation="diagonal", rank=2, max_iter=300)
    curved.fit(DATA.X, DATA.y)

    def solution(tol):
        options = {"rtol": tol, "collocation": "grid", "fallback": None}
        fitted = galerkin(curved, **options).fit(DATA.X, DATA.y)
        return fitted.predict(NEW.X)

    reference = solution(1e-11)
    errors = [relative_l2_error(reference, solution(tol)) for tol in (1e-5, 1e-7, 1e-9)]
    assert errors[2] < errors[1] < errors[0] < 1e-3


def test_the_tolerance_follows_the_error_of_the_network(regressor, model):
    """So that the steps add little to it."""
    assert model.rtol_ == pytest.approx(min(regressor.best_loss_ / 50, 3e-5))
    limit = galerkin(regressor, rtol=1e-11).fit(DATA.X, DATA.y).predict(NEW.X)
    assert relative_l2_error(limit, model.predict(NEW.X)) < 0.3 * regressor.best_loss_
    assert galerkin(regressor, rtol=1e-3).fit(DATA.X, DATA.y).rtol_ == 1e-3


@pytest.mark.parametrize(
    ("collocation", "most_candidates"), [("sample", 64), ("qr", 64), ("qr", 40)]
)
def test_few_points_are_enough(regressor, collocation, most_candidates, monkeypatch):
    monkeypatch.setattr(_point_choice, "_MAX_CANDIDATES", most_candidates)
    options = {"collocation": collocation, "n_collocation": 24}
    fitted = galerkin(regressor, **options).fit(DATA.X, DATA.y)
    assert 20 <= len(fitted.collocation_) <= 24
    error = relative_l2_error(NEW.y, fitted.predict(NEW.X))
    assert error < 4 * best(regressor, NEW.y)


class OpenAdvection(Advection):
    """Without a period; the network has one that is longer than the domain."""

    period = (None,)
    domain = ((0.0, 63 / 64),)


@pytest.mark.parametrize("pde", [DATA.pde, OpenAdvection(width=0.1)])
def test_gauss_points_are_as_good_as_the_grid(regressor, pde):
    on_grid = galerkin(regressor, collocation="grid").fit(DATA.X, DATA.y).predict(NEW.X)
    fitted = galerkin(regressor, pde, collocation="gauss", n_collocation=51).fit(DATA.X, DATA.y)
    assert len(fitted.collocation_) == 51
    assert not np.isin(fitted.collocation_[1:], DATA.points).any()
    predicted = fitted.predict(NEW.X)
    assert relative_l2_error(on_grid, predicted) < 0.1 * relative_l2_error(NEW.y, on_grid)


class Cooling(PDE):
    """Heat that leaves through ends held at zero."""

    boundary = Dirichlet()

    def initial(self, points, mu):
        return np.sin(np.pi * points[0]) + 0.5 * np.sin(3 * np.pi * points[0])

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian

    def exact(self, t, points, mu):
        waves = ((k, a * np.exp(-mu[0] * (k * np.pi) ** 2 * t)) for k, a in ((1, 1.0), (3, 0.5)))
        return sum(a * np.sin(k * np.pi * points[0]) for k, a in waves)


@pytest.mark.parametrize("collocation", ["grid", "gauss"])
def test_values_that_stay_as_they_are_on_the_boundary(collocation):
    pde, X, new = Cooling(), np.array([[0.05], [0.1], [0.2]]), np.array([[0.07], [0.15]])
    grid = {"times": np.linspace(0, 1, 21), "points": np.linspace(0, 1, 65)}
    # Two sine waves need two online weights; with more of them the path is not determined well.
    network = CoLoRARegressor(
        **grid, width=12, depth=4, rank=2, adapted_layers=(2, 3), max_iter=150, random_state=0
    )
    model = CoLoRAGalerkin(pde, regressor=network, collocation=collocation, n_collocation=20)
    y_new = pde.solve(new, **grid)
    predicted = model.fit(X, pde.solve(X, **grid)).predict(new)
    assert relative_l2_error(y_new, predicted) < 5 * best(model.regressor_, y_new)
    assert abs(predicted[:, :, [0, -1]]).max() < 0.02


def integral(y):
    return y.mean(axis=2)


def test_mass_is_conserved_to_rounding_error(regressor, model):
    free = integral(model.predict(NEW.X))
    fitted = galerkin(regressor, conserve="mass").fit(DATA.X, DATA.y)
    predicted = fitted.predict(NEW.X)
    kept = integral(predicted)
    assert abs(free / free[:, :1] - 1).max() > 1e-10
    assert abs(kept / kept[:, :1] - 1).max() < 1e-12
    error = relative_l2_error(NEW.y, predicted)
    assert error < 1.5 * relative_l2_error(NEW.y, model.predict(NEW.X))


def test_several_conserved_quantities_of_your_own():
    densities = {"mass": lambda f: f.value[0], "energy": lambda f: f.value[0] ** 2}
    # Twelve online weights: there is always a state nearby with both integrals.
    network = small(adaptation="diagonal", rank=3, max_iter=200)
    fitted = galerkin(network.fit(DATA.X, DATA.y), conserve=densities).fit(DATA.X, DATA.y)
    predicted = fitted.predict(NEW.X)
    for kept in (integral(predicted), integral(predicted**2)):
        assert abs(kept / kept[:, :1] - 1).max() < 1e-12


def test_quantities_that_the_network_cannot_keep_are_reported(regressor):
    """Five for four online weights."""
    densities = {f"moment {k}": lambda f, k=k: f.value[0] ** k for k in (1, 2, 3, 4, 5)}
    fitted = galerkin(regressor, conserve=densities, free_output=False).fit(DATA.X, DATA.y)
    with pytest.warns(ConvergenceWarning, match=r"to `conserve` \(moment 1, moment 2"):
        predicted = fitted.predict(NEW.X)
    assert np.isfinite(predicted).all()


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


def test_the_indicator_bounds_the_error_of_transport(regressor):
    """Advection keeps distances, so that the defect adds up and does not grow.

    With all points of the grid the sums are integrals; what is left are the errors of the steps
    and of the trapezoidal rule in time.
    """
    options = {"collocation": "grid", "rtol": 1e-8}
    solution = galerkin(regressor, **options).fit(DATA.X, DATA.y).solve(NEW.X)
    predicted = solution.predict()
    gap = np.linalg.norm(predicted - NEW.y, axis=2) / np.linalg.norm(predicted, axis=2)
    assert (gap < 1.1 * solution.error_indicator + 1e-6).all()


def test_times_and_points_of_your_own(model):
    all_times = model.predict(NEW.X)
    some = model.predict(NEW.X, times=DATA.times[[3, 7, 20]])
    assert np.allclose(some, all_times[:, [3, 7, 20]], atol=1e-12)
    at_points = model.predict(NEW.X, points=np.array([[0.1], [0.77]]))
    assert at_points.shape == (2, 21, 2)
    later = model.predict([[0.5]], times=[0.0, 1.5])
    assert np.isfinite(later).all()
    assert np.allclose(model.predict(NEW.X, times=[0.0])[:, 0], all_times[:, 0], atol=1e-12)


def test_distilled_regressor_is_nearly_as_good():
    # With other seeds the latent paths leave the training states, and the map does not follow.
    regressor = CoLoRARegressor(**DATA.grid, **(OPTIONS | {"random_state": 2}), max_iter=150)
    model = galerkin(regressor.fit(DATA.X, DATA.y)).fit(DATA.X, DATA.y)
    learnt = model.distill(np.linspace(0.65, 1.35, 6)[:, None])
    assert isinstance(learnt, CoLoRARegressor)
    own = relative_l2_error(NEW.y, model.predict(NEW.X))
    before = relative_l2_error(NEW.y, regressor.predict(NEW.X))
    error = relative_l2_error(NEW.y, learnt.predict(NEW.X))
    assert error - own < 0.1 * (before - own)


def test_distillation_leaves_out_where_the_equation_is_not_followed(unchecked, monkeypatch):
    """But keeps the paths that were trained on."""
    candidates = np.array([[0.4], [0.9]])
    ends = unchecked.solve(np.vstack([DATA.X, candidates]), times=[0.0, 1.0]).latent[:, -1, 0]
    limit = np.sort(ends)[1:3].mean()
    monkeypatch.setattr(
        "skcolora._galerkin._solved_paths._follows_equation",
        lambda solution: solution.latent[:, -1, 0] > limit,
    )
    learnt = unchecked.distill(candidates, max_iter=5)
    kept = set(learnt._X.ravel())
    assert set(DATA.X.ravel()) <= kept
    dropped = {
        float(x) for x, end in zip(candidates.ravel(), ends[-2:], strict=True) if end < limit
    }
    assert kept == set(DATA.X.ravel()) | (set(candidates.ravel()) - dropped)
    limit = np.inf
    none = unchecked.distill(candidates, max_iter=5)
    assert set(none._X.ravel()) == set(DATA.X.ravel())
    np.testing.assert_allclose(none.predict(NEW.X), unchecked.regressor_.predict(NEW.X), atol=1e-3)


class Blowing(Advection):
    """NaN after a time, for one of the parameters."""

    def rhs(self, t, field, mu):
        rate = super().rhs(t, field, mu)
        late = (field.xp.zeros_like(mu[0]) + t > 0.3) & (mu[0] > 1.0)
        return field.xp.where(late, float("nan"), rate[0])


def test_nan_in_the_equation_ends_one_trajectory_alone(regressor, model):
    fitted = galerkin(regressor, Blowing(width=0.1), fallback=None).fit(DATA.X, DATA.y)
    with pytest.warns(ConvergenceWarning, match=r"speed = 1.1 met NaN.*ended at t = 0\.[23]"):
        predicted = fitted.predict(NEW.X)
    assert np.allclose(predicted[0], model.predict(NEW.X)[0], atol=1e-9)
    assert np.isfinite(predicted[1, DATA.times < 0.29]).all()
    assert np.isnan(predicted[1, DATA.times > 0.31]).all()


def test_the_step_budget(regressor):
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


def test_an_equation_bound_to_the_points_of_the_snapshots(regressor):
    with pytest.raises(ValueError, match=r"OnTheGrid.rhs failed at .* functions of field.points"):
        CoLoRAGalerkin(OnTheGrid(), regressor=small(max_iter=10**6)).fit(DATA.X, DATA.y)
    model = galerkin(regressor, OnTheGrid(), collocation="grid").fit(DATA.X, DATA.y)
    assert len(model.collocation_) == 64


class WithoutInitial(PDE):
    period = (1.0,)

    def rhs(self, t, field, mu):
        return -mu[0] * field.grad[0]


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin")
def test_the_hypernetwork_where_no_initial_field_is_known(regressor):
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


def test_parameters_hold_from_fit_on(regressor):
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


def test_a_model_that_keeps_a_quantity_pickles(regressor):
    fitted = galerkin(regressor, conserve="mass").fit(DATA.X, DATA.y)
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.predict(NEW.X), fitted.predict(NEW.X))


def test_the_history_is_that_of_the_last_training(regressor, unchecked, monkeypatch):
    # As if five steps had reduced the error.
    monkeypatch.setattr("skcolora._estimators._distill_and_refine.same_weights", lambda *_: False)
    learnt = unchecked.distill(NEW.X, max_iter=7)
    assert learnt.n_iter_ == len(learnt.loss_curve_) == 7
    assert learnt.best_loss_ != regressor.best_loss_
    assert learnt.n_weights_ == sum(
        p.numel() for net in (learnt.network_, learnt.hypernetwork_) for p in net.parameters()
    )
    refined = unchecked.refine(NEW.X, max_iter=5).regressor_
    assert refined.n_iter_ == len(refined.loss_curve_) == 5
    assert refined.best_loss_ != regressor.best_loss_
    assert regressor.n_iter_ == 150


def test_integrals_are_kept_with_fixed_ends():
    """The boundary weighs as much as the domain among the collocation points, not in integrals."""

    class Rod(PDE):
        boundary, conserved = Dirichlet(), {"heat": lambda field: field.value[0]}

        def initial(self, points, mu):
            return np.sin(np.pi * points[0]) ** 2

        def rhs(self, t, field, mu):
            x = field.points[0]
            return mu[0] * (field.xp.cos(2 * np.pi * x) - field.xp.cos(6 * np.pi * x))

    times, points = np.linspace(0, 1, 11), np.linspace(0, 1, 41)[:, None]
    y = Rod().solve([0.1, 0.2, 0.3], times, points)
    network = CoLoRARegressor(times=times, points=points, **OPTIONS, max_iter=200)
    model = CoLoRAGalerkin(Rod(), regressor=network, conserve="heat", random_state=0)
    predicted = model.fit([[0.1], [0.2], [0.3]], y).predict([[0.15]])
    kept = Rod().integrals(predicted, Rod().mesh(41))["heat"]
    assert abs(kept / kept[:, :1] - 1).max() < 1e-12
