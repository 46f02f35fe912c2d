"""Error budgets: each failure is produced on purpose, and is named."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_advection
from skcolora.inspection import ErrorBudgetDisplay, error_budget
from skcolora.inspection._verdict import Levels
from skcolora.metrics import relative_l2_error

FITTING = {"width": 10, "depth": 4, "rank": 1, "adapted_layers": range(4)}


def pulse(speeds, n_times, *, n_points=24, width=0.15):
    times = np.linspace(0, 1, n_times)
    return make_advection(speeds, n_points=n_points, times=times, width=width)


def steady(parameters, field, *, n_points=32):
    """Snapshots at one time, of fields field(μ, x)."""
    x = np.linspace(0, 1, n_points)
    y = np.stack([field(mu, x)[None] for mu in parameters])
    X, grid = np.reshape(parameters, (-1, 1)), {"times": [0.0], "points": x}
    return SimpleNamespace(X=X, y=y, grid=grid)


def fitted(data, **options):
    model = CoLoRARegressor(**data.grid, **({"random_state": 0} | options))
    return model.fit(data.X, data.y)


def budget_of(model, data, new, **options):
    return error_budget(model, new.X, new.y, X_train=data.X, y_train=data.y, **options)


@pytest.fixture(scope="module")
def wide_pulse():
    data = pulse([0.5, 1.0, 1.5], 11, n_points=32)
    return data, fitted(data, max_iter=450, **FITTING), pulse([0.7, 1.3], 11, n_points=32)


# Each failure on purpose.


def test_a_training_that_was_too_short():
    data = pulse([0.9, 1.0, 1.1], 6)
    budget = budget_of(fitted(data, max_iter=80, **FITTING), data, pulse([0.95], 6))
    assert budget.verdict == "training_too_short"
    assert budget.means["training"] > 2 * budget.means["training_fit"]
    assert "`max_iter`" in budget.advice


def test_a_network_that_is_too_small():
    data = pulse([0.5, 1.0, 1.5], 6, n_points=32, width=0.1)
    model = fitted(data, max_iter=400, width=2, depth=2, rank=1, adapted_layers=(1,))
    budget = budget_of(model, data, pulse([0.7, 1.3], 6, n_points=32, width=0.1))
    assert budget.verdict == "network_too_small"
    assert budget.means["training_fit"] > 0.8 * budget.means["training"] > 0.4
    assert "`width` or `rank`" in budget.advice


def test_a_hypernetwork_that_is_too_small():
    def wave(mu, x):
        return (1.5 + np.cos(20 * mu)) * np.sin(2 * np.pi * x)

    data = steady(np.linspace(0, 1, 12), wave, n_points=16)
    small = {"width": 4, "depth": 2, "rank": 1, "hyper_width": 1, "hyper_depth": 2}
    model = fitted(data, max_iter=1200, **small)
    budget = budget_of(model, data, steady([0.33, 0.71], wave, n_points=16))
    assert budget.verdict == "hypernetwork_too_small"
    assert budget.means["training"] > 3 * budget.means["training_fit"]
    assert "`hyper_width`" in budget.advice


def test_a_manifold_that_does_not_hold_the_unseen_fields():
    def bump(mu, x):
        return np.exp(-(((x - mu) / 0.08) ** 2))

    data = steady([0.2, 0.5, 0.8], bump)
    # Positions are no ratios, which three bumps that do not overlap cannot show.
    shape = {"width": 12, "depth": 3, "rank": 3, "hyper_width": 8, "parameter_scale": "linear"}
    # The updates of the last layer span a linear space of three dimensions.
    model = fitted(data, max_iter=250, adapted_layers=[2], adaptation="diagonal", **shape)
    budget = budget_of(model, data, steady([0.35, 0.65], bump))
    assert budget.verdict == "manifold"
    assert budget.means["best_fit"] > 5 * budget.means["training"]
    assert "`CoLoRAGalerkin.refine`" in budget.advice


def test_a_map_that_misses_latent_states_of_the_manifold(wide_pulse):
    data, model, new = wide_pulse
    budget = budget_of(model, data, new)
    assert budget.verdict == "map"
    assert budget.means["prediction"] > 5 * budget.means["training"]
    assert budget.means["best_fit"] < 5 * budget.means["training"]
    assert "`distill`" in budget.advice
    assert budget.equation is budget.path is None


def test_training_times_that_are_too_coarse():
    data = pulse([0.9, 0.95, 1.0, 1.05, 1.1], 5, width=0.1)
    model = fitted(data, max_iter=200, **FITTING)
    new, times = pulse([0.93, 1.07], 9, width=0.1), np.linspace(0, 1, 9)
    budget = budget_of(model, data, new, times=times)
    assert budget.verdict == "times"
    assert list(budget.between) == [False, True] * 4 + [False]
    assert "finer output times" in budget.advice
    # Snapshots at the training times alone do not show it, but the latent states tell.
    at_training_times = budget_of(model, data, pulse([0.93, 1.07], 5, width=0.1))
    assert at_training_times.verdict != "times"
    assert at_training_times.left_out > 0.3


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin.*follow the equation:UserWarning")
def test_a_path_of_the_equation(wide_pulse):
    data, model, new = wide_pulse
    frozen = FrozenEstimator(model)
    galerkin = CoLoRAGalerkin(data.pde, regressor=frozen, fallback=None).fit(data.X, data.y)
    budget = budget_of(galerkin, data, new)
    # The equation repairs the map.
    assert budget.means["equation"] < 0.3 * budget.means["prediction"]
    galerkin.set_params(regularization=0.5).fit(data.X, data.y)
    with pytest.warns(UserWarning, match="latent directions"):
        spoilt = budget_of(galerkin, data, new)
    assert spoilt.verdict == "path"
    assert spoilt.means["path"] > 10 * spoilt.means["best_fit"]
    assert "less `regularization`" in spoilt.advice
    assert np.array_equal(spoilt.prediction, budget.prediction)
    galerkin.set_params(max_steps=1, regularization=1e-8).fit(data.X, data.y)
    with pytest.warns(Warning, match="max_steps"):
        unfinished = budget_of(galerkin, data, new)
    assert np.isinf(unfinished.means["equation"])
    assert unfinished.verdict == "path"
    assert "raise `max_steps`" in unfinished.advice


LEVELS = {
    "training": 0.01,
    "training_fit": 0.008,
    "best_fit": 0.01,
    "prediction": 0.01,
    "between": np.nan,
    "left_out": 0.01,
    "still_fell": False,
    "with_equation": False,
}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "network_too_small"),
        ({"still_fell": True}, "training_too_short"),
        ({"training_fit": 0.001}, "hypernetwork_too_small"),
        ({"training_fit": 0.001, "with_equation": True}, "manifold"),
        ({"best_fit": 0.1, "prediction": 0.12}, "manifold"),
        ({"best_fit": 0.1, "prediction": 0.2}, "map"),
        ({"best_fit": 0.1, "prediction": 0.2, "with_equation": True}, "path"),
        ({"prediction": np.inf, "with_equation": True}, "path"),
        ({"prediction": 0.017}, "network_too_small"),
        ({"prediction": 0.018}, "map"),
        ({"prediction": 0.1, "between": 0.2}, "times"),
        ({"prediction": 0.1, "between": 0.05}, "map"),
        ({"training": 0.5, "training_fit": 0.4, "prediction": 5.0}, "network_too_small"),
    ],
)
def test_the_largest_step_of_the_error_decides(changes, verdict):
    assert Levels(**(LEVELS | changes)).verdict == verdict


# The errors.


def test_errors_are_those_of_the_variation(advection, colora):
    new = make_advection([0.6, 1.2], n_points=32, times=np.linspace(0, 1, 6))
    budget = budget_of(colora, advection, new)
    pairs = {
        "training": (advection.y, colora.predict(advection.X)),
        "prediction": (new.y, colora.predict(new.X)),
    }
    for name, pair in pairs.items():
        expected = relative_l2_error(*pair, centered=True, average=False)
        of_trajectories = np.sqrt(np.square(getattr(budget, name)).mean(axis=1))
        assert of_trajectories == pytest.approx(expected, rel=1e-6)
        assert budget.means[name] == pytest.approx(expected.mean(), rel=1e-6)
    encoded = relative_l2_error(new.y, colora.decode(colora.encode(new.y)), centered=True)
    assert budget.means["best_fit"] <= encoded * (1 + 1e-6)
    assert (budget.best_fit <= budget.prediction).all()
    assert (budget.prediction <= budget.best_fit + budget.map + 1e-6).all()
    assert (budget.training_fit <= budget.training).all()
    assert str(budget).startswith(budget.title)


def test_several_fields_count_alike(advection):
    y = np.stack([advection.y, 300 + 1e3 * advection.y[::-1]], axis=-1)
    model = CoLoRARegressor(**advection.grid, width=6, depth=3, max_iter=3, random_state=0)
    model.fit(advection.X, y)
    budget = error_budget(model, advection.X, y, X_train=advection.X, y_train=y)
    error = (model.predict(advection.X) - y) / y.std(axis=(0, 1, 2))
    variation = (y - y.mean(axis=(1, 2), keepdims=True)) / y.std(axis=(0, 1, 2))
    expected = np.linalg.norm(error.reshape(5, -1), axis=1)
    expected /= np.linalg.norm(variation.reshape(5, -1), axis=1)
    of_trajectories = np.sqrt(np.square(budget.prediction).mean(axis=1))
    assert of_trajectories == pytest.approx(expected, rel=1e-6)


def test_pipelines_transform_the_parameters(advection):
    model = CoLoRARegressor(**advection.grid, width=6, depth=3, max_iter=3, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model).fit(advection.X, advection.y)
    X = pipeline[0].transform(advection.X)
    arrays = {"y": advection.y[:2], "y_train": advection.y}
    budget = error_budget(pipeline, advection.X[:2], X_train=advection.X, **arrays)
    assert budget.means == error_budget(model, X[:2], X_train=X, **arrays).means
    galerkin = CoLoRAGalerkin(advection.pde, regressor=FrozenEstimator(pipeline))
    with pytest.warns(UserWarning, match="CoLoRAGalerkin"):
        outer = error_budget(
            galerkin.fit(advection.X, advection.y), advection.X[:2], X_train=advection.X, **arrays
        )
    assert np.array_equal(outer.training, budget.training)
    assert np.array_equal(outer.prediction, budget.prediction)


def test_flattened_steady_fields():
    X, y = np.linspace(0, 1, 6)[:, None], np.random.default_rng(0).normal(size=(6, 5))
    model = CoLoRARegressor(width=4, depth=2, max_iter=2, random_state=0).fit(X, y)
    budget = error_budget(model, X[:2], y[:2], X_train=X, y_train=y)
    assert budget.prediction.shape == (2, 1)
    assert np.isnan(budget.left_out)
    assert ErrorBudgetDisplay(budget).plot().ax_.get_xlabel() == "steady field"


def test_refuses(advection, colora, pod):
    X, y = advection.X, advection.y
    with pytest.raises(TypeError, match="PODRegressor has no latent states"):
        error_budget(pod, X, y, X_train=X, y_train=y)
    with pytest.raises(ValueError, match="`X_train` has 2 rows, but `y_train` has 5"):
        error_budget(colora, X, y, X_train=X[:2], y_train=y)
    with pytest.raises(ValueError, match="`y_train` has 3 times, but `fit` was given 6"):
        error_budget(colora, X, y, X_train=X, y_train=y[:, :3])
    with pytest.raises(ValueError, match="`y` has 6 times, but `times` has 2"):
        error_budget(colora, X, y, X_train=X, y_train=y, times=[0.0, 0.1])
    with pytest.raises(ValueError, match="`y`: y has shape"):
        error_budget(colora, X, y[..., :3], X_train=X, y_train=y)
    flat = y.reshape(len(y), -1)
    inner = CoLoRARegressor(**advection.grid, width=4, depth=2, max_iter=1)
    scaled = TransformedTargetRegressor(inner, transformer=StandardScaler()).fit(X, flat)
    with pytest.raises(TypeError, match="TransformedTargetRegressor may transform the snapshots"):
        error_budget(scaled, X, flat, X_train=X, y_train=flat)


# The picture.


def test_lines_are_the_mean_errors_over_time(wide_pulse):
    data, model, _ = wide_pulse
    new, times = pulse([0.7, 1.3], 21, n_points=32), np.linspace(0, 1, 21)
    arrays = {"X_train": data.X, "y_train": data.y, "times": times}
    display = ErrorBudgetDisplay.from_estimator(model, new.X, new.y, **arrays)
    assert list(display.lines_) == ["training_fit", "training", "best_fit", "prediction"]
    for name, line in display.lines_.items():
        assert np.array_equal(line.get_ydata(), getattr(display.budget, name).mean(axis=0))
    assert list(display.lines_["prediction"].get_markevery()) == list(range(0, 21, 2))
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_title("left") == display.budget.title
    assert len(display.ax_.get_legend().get_texts()) == 4
    again = ErrorBudgetDisplay(display.budget).plot(display.ax_)
    assert again.figure_ is display.figure_
