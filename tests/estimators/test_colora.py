"""CoLoRARegressor: accuracy, layouts, latent states, reproducibility, bad input."""

import io
import itertools
import pickle
import warnings
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

from skcolora import CoLoRARegressor, ParameterInterpolator, PODRegressor
from skcolora._estimators import _colora
from skcolora._training import _loop
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error

SPEEDS = np.linspace(0.5, 1.5, 9)


@pytest.fixture(scope="module")
def data():
    return make_advection(SPEEDS, n_points=48, times=np.linspace(0, 1, 9), width=0.1)


@pytest.fixture(scope="module")
def fitted(data):
    model = CoLoRARegressor(
        **data.grid, width=10, depth=3, rank=1, adapted_layers=(0,), max_iter=1000, random_state=1
    )
    return model.fit(data.X, data.y)


def quick(**changes):
    return CoLoRARegressor(**{"width": 6, "depth": 3, "max_iter": 4, "random_state": 0, **changes})


def test_learns_advection_with_one_latent_variable(data, fitted):
    """A linear space of one dimension holds next to nothing of it."""
    new = make_advection([0.7, 1.3], n_points=48, times=np.linspace(0, 1, 9), width=0.1)
    error = relative_l2_error(new.y, fitted.predict(new.X))
    assert fitted.n_latent_ == 1
    assert error < 1e-3
    assert len(fitted.loss_curve_) == fitted.n_iter_ == 1000


def test_predicts_anywhere_in_space_and_time(fitted):
    times, points = np.linspace(0.03, 0.9, 5), np.random.RandomState(0).rand(17, 1)
    fields = fitted.predict([[0.9]], times=times, points=points)
    distance = points[:, 0] - 0.25 - 0.9 * times[:, None]
    exact = np.exp(-0.5 * (np.sin(np.pi * distance) / (0.1 * np.pi)) ** 2)
    assert np.linalg.norm(fields[0] - exact) < 1e-3 * np.linalg.norm(exact)
    beyond = fitted.predict([[0.9]], times=times, points=points + 3)
    assert np.allclose(fields, beyond, rtol=0, atol=1e-9)


def test_weights_of_the_default_network(data):
    model = CoLoRARegressor(**data.grid, max_iter=1).fit(data.X, data.y)
    # The update of the first layer shifts its 25 phases.
    first, hidden = 3 * 25 + 3 * 25 + 3, 6 * (25 * 25 + 25 + 3 * 25 + 3 * 25)
    # The hypernetwork sees the parameter, its product with the time, and the time.
    last, hyper = 25 + 1 + 3 * 25 + 3, 3 * 15 + 15 + 15 * 15 + 15 + 15 * 8 + 8
    assert model.n_weights_ == first + hidden + last + hyper


def test_same_random_state_same_fit(data):
    one, two = (quick(**data.grid, max_iter=60).fit(data.X, data.y) for _ in range(2))
    for a, b in zip(one.network_.parameters(), two.network_.parameters(), strict=True):
        assert torch.equal(a, b)
    assert one.loss_curve_ == two.loss_curve_
    other = quick(**data.grid, max_iter=60, random_state=1).fit(data.X, data.y)
    assert one.loss_curve_ != other.loss_curve_


def test_fit_leaves_the_global_generators_alone(data):
    def states():
        return torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002

    before = states()
    quick(**data.grid).fit(data.X, data.y)
    after = states()
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])


def test_prediction_of_a_subset_is_the_subset_of_the_prediction(data, fitted):
    X = np.random.RandomState(0).uniform(0.5, 1.5, (7, 1))
    every = fitted.predict(X)
    assert np.array_equal(fitted.predict(X[[4, 1]]), every[[4, 1]])
    assert np.array_equal(fitted.predict_latent(X[2:3]), fitted.predict_latent(X)[2:3])


def test_decode_of_latent_states_is_predict(data, fitted):
    latent = fitted.predict_latent(data.X)
    assert latent.shape == (9, 9, 1)
    assert np.array_equal(fitted.decode(latent), fitted.predict(data.X))


@pytest.mark.parametrize("adaptation", ["scalar", "diagonal"])
@pytest.mark.parametrize("n_fields", [1, 2])
def test_encode_inverts_decode(adaptation, n_fields):
    """For latent states that no training state is near to."""
    axes = np.linspace(0, 1, 12), np.linspace(0, 1, 11)
    y = np.random.RandomState(0).randn(3, 4, 12, 11, n_fields)
    model = quick(points=axes, period=(1.0, None), rank=2, adaptation=adaptation)
    model.fit(np.arange(3.0)[:, None], y)
    latent = model.predict_latent([[0.3], [1.7]])
    latent += 0.3 * latent.std() * np.random.RandomState(1).randn(*latent.shape)
    fields = model.decode(latent)
    again = model.decode(model.encode(fields))
    assert relative_l2_error(fields, again, average=False).max() < 1e-6


def test_encode_finds_the_states_of_unseen_snapshots(fitted):
    new = make_advection([0.6], n_points=48, times=np.linspace(0, 1, 9), width=0.1)
    nearest = fitted.decode(fitted.encode(new.y[:, 3:5]))
    assert nearest.shape == (1, 2, 48)
    assert relative_l2_error(new.y[:, 3:5], nearest) < 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_follows_y_unless_told(data, dtype):
    y = data.y.astype(dtype)
    assert quick(**data.grid).fit(data.X, y).predict(data.X).dtype == dtype
    told = quick(**data.grid, dtype="float32").fit(data.X, y)
    assert told.predict(data.X).dtype == np.float32
    assert next(told.network_.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        ((3, 4, 15), np.linspace(0, 1, 15)),
        ((3, 4, 15, 2), np.random.RandomState(0).rand(15, 3)),
        ((3, 4, 5, 3), (np.arange(5.0), np.arange(3.0))),
        ((3, 4, 5, 3, 2), (np.arange(5.0), np.arange(3.0))),
        ((3, 60), np.linspace(0, 1, 15)),
        ((3, 120), (np.arange(5.0), np.arange(3.0))),
    ],
)
def test_predictions_come_in_the_layout_of_fit(shape, points):
    y = np.random.RandomState(0).randn(*shape)
    model = quick(times=np.arange(4.0), points=points).fit([[0], [1], [2]], y)
    assert model.predict([[0.5], [1.5]]).shape == (2, *shape[1:])
    assert model.decode(model.encode(y)).shape == shape


def test_layouts_mean_the_same(data):
    whole = quick(**data.grid).fit(data.X, data.y)
    flat = quick(**data.grid).fit(data.X, data.y.reshape(9, -1))
    assert np.array_equal(whole.predict(data.X).reshape(9, -1), flat.predict(data.X))
    assert whole.score(data.X, data.y) == flat.score(data.X, data.y.reshape(9, -1))


@pytest.mark.parametrize("n", [2, 3, 30])
def test_few_parameters_are_close_to_each_other_for_the_hypernetwork(n):
    """Whatever their unit, and however often each one occurs."""
    X = np.repeat(np.linspace(1e3, 2e3, n), 2)[:, None]
    model = quick(max_iter=1).fit(X, np.random.RandomState(0).rand(2 * n, 4, 5))
    inputs = model._units.parameters.apply(X)[:, 0]
    gap = inputs[2] - inputs[0]
    assert gap == pytest.approx(0.15 if n < 20 else 0.12, rel=0.05)


@pytest.mark.parametrize("n_fields", [1, 2])
def test_steady_fields_on_a_grid(n_fields):
    axes = np.linspace(0, 1, 6), np.linspace(0, 2, 5)
    X = np.linspace(1, 2, 5)[:, None]
    y = X[:, :, None] * np.sin(axes[0][:, None] + axes[1])
    y = np.stack([y, y**2], axis=-1) if n_fields == 2 else y
    options = {"width": 6, "depth": 3, "max_iter": 10, "random_state": 0}
    models = [
        CoLoRARegressor(points=axes, **options),
        PODRegressor(points=axes),
        PODRegressor(points=axes, regressor=LinearRegression()),
        ParameterInterpolator(points=axes),
    ]
    for model in models:
        predicted = model.fit(X, y).predict([[1.3], [1.7]])
        assert predicted.shape == (2, *y.shape[1:])
        assert np.isfinite(model.score(X, y))
        flat = clone(model).fit(X, y.reshape(5, -1)).predict([[1.3], [1.7]])
        assert np.array_equal(flat.reshape(predicted.shape), predicted)
    # The parameters alone are the columns of a regressor of the user.
    assert models[2].regressor_.n_features_in_ == 1
    latent = models[0].encode(y[:1])
    assert latent.shape[0] == 1


def test_steady_fields():
    X = np.linspace(0, 1, 20)[:, None]
    y = np.sin(np.linspace(0, 3, 30) + X)
    model = CoLoRARegressor(width=10, depth=3, max_iter=400, random_state=0).fit(X, y)
    assert model.predict(X).shape == (20, 30)
    assert relative_l2_error(y, model.predict(X)) < 0.02
    with pytest.raises(ValueError, match="steady"):
        model.predict(X, times=[0.5])


@pytest.mark.parametrize("scale", [2.0**-66, 2.0**66])  # exact in binary, about 1e∓20
def test_the_unit_of_y_does_not_matter(data, scale):
    model, scaled = quick(**data.grid), quick(**data.grid)
    expected = model.set_params(max_iter=50).fit(data.X, data.y).predict(data.X)
    given = scaled.set_params(max_iter=50).fit(data.X, scale * data.y).predict(data.X)
    assert np.allclose(given / scale, expected, rtol=1e-9)


def test_a_zero_snapshot_and_a_constant_parameter_do_no_harm(data):
    y = data.y.copy()
    y[:, 0] = 0
    X = np.hstack([data.X, np.ones_like(data.X)])
    model = quick(**data.grid, max_iter=60).fit(X, y)
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.predict(X)).all()


def test_one_trajectory_is_enough(data):
    model = quick(**data.grid).fit(data.X[:1], data.y[:1])
    assert model.predict(data.X[:1]).shape == (1, 9, 48)


def test_warm_start_goes_on():
    X = np.linspace(0, 1, 20)[:, None]
    y = np.sin(np.linspace(0, 3, 30) + X)
    model = quick(max_iter=200, warm_start=True).fit(X, y)
    before = relative_l2_error(y, model.predict(X))
    model.set_params(max_iter=30).fit(X, y)
    assert relative_l2_error(y, model.predict(X)) < 0.8 * before
    assert len(model.loss_curve_) == 230
    assert model.n_iter_ == 30
    model.set_params(width=7).fit(X, y)
    assert len(model.loss_curve_) == 30


def test_a_warm_start_is_never_worse_than_its_start(data, monkeypatch):
    """On the sample that it is judged by, here all of the data."""
    monkeypatch.setattr("skcolora._training._spring.SPRING.step", _away)
    model = quick(**data.grid, warm_start=True).fit(data.X, data.y)
    before = model.predict(data.X)
    model.fit(data.X, data.y)
    assert np.array_equal(model.predict(data.X), before)


def _away(self, *args, **options):
    for parameter in self.parameters:
        parameter.data.add_(1.0)


def test_max_time_ends_a_fit_at_a_step_that_the_clock_decides(data, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(_loop.time, "perf_counter", lambda: 0.001 * next(clock))
    model = quick(**data.grid, max_iter=None, max_time=0.5).fit(data.X, data.y)
    # Each look at the clock takes a thousandth of a second.
    assert 1 <= model.n_iter_ <= 500
    assert 0.001 * next(clock) <= 0.505


def test_target_error_ends_training_early(data):
    model = quick(**data.grid, adapted_layers=(0,), rank=1, max_iter=1000, target_error=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(data.X, data.y)
    assert model.n_iter_ < 1000
    assert model.best_loss_ <= 0.1
    assert relative_l2_error(data.y, model.predict(data.X)) < 0.2


def test_a_budget_too_small_for_the_target_error_warns(data):
    model = quick(**data.grid, target_error=1e-12)
    with pytest.warns(
        ConvergenceWarning, match="above target_error=1e-12, after 4 steps; raise `max_iter`"
    ):
        model.fit(data.X, data.y)
    assert model.n_iter_ == 4


def test_trajectories_set_aside_are_not_trained_on(data):
    """Nothing of them reaches the weights, which their error only chooses."""
    options = {"max_iter": 30, "early_stopping": True, "validation_fraction": 0.3, **data.grid}
    _, aside = train_test_split(range(len(data.X)), test_size=0.3, random_state=0)
    changed = data.y.copy()
    changed[aside] *= 1 + 1e-2 * np.random.RandomState(0).rand(*changed[aside].shape)
    seeds = SimpleNamespace(randint=lambda _: 0)
    with mock.patch("skcolora._estimators._colora.check_random_state", return_value=seeds):
        model = quick(**options).fit(data.X, data.y)
        again = quick(**options).fit(data.X, changed)
        changed[:] += 1e-2 * data.y**2
        other = quick(**options).fit(data.X, changed)
    assert np.array_equal(model.predict(data.X), again.predict(data.X))
    assert model.best_loss_ != again.best_loss_
    assert not np.array_equal(model.predict(data.X), other.predict(data.X))


def test_validation_ends_what_only_overfits(monkeypatch):
    """Noise, different in each trajectory: nothing that is learnt helps the others."""
    monkeypatch.setattr("skcolora._training._loop.CHECK_EVERY", 2)
    # Small weights of the map would learn the noise later.
    monkeypatch.setattr(NaturalGradientPhase, "SHRINKAGE", 0.0)
    y = np.random.RandomState(0).randn(6, 5, 30)
    options = {"early_stopping": True, "validation_fraction": 0.5, "n_iter_no_change": 20}
    # Large enough to learn the noise by heart as soon as the second phase begins.
    sizes = {"width": 12, "adaptation": "diagonal", "max_iter": 400}
    model = quick(**sizes, **options).fit(np.arange(6.0)[:, None], y)
    patient = clone(model).set_params(n_iter_no_change=40).fit(np.arange(6.0)[:, None], y)
    assert patient.n_iter_ == model.n_iter_ + 20 < 400
    assert patient.best_loss_ == model.best_loss_


def test_too_few_trajectories_to_set_any_aside(data):
    with pytest.raises(ValueError, match="train set will be empty"):
        quick(**data.grid, early_stopping=True, validation_fraction=0.5).fit(data.X[:1], data.y[:1])


def test_interrupted_fit_is_fitted(data, monkeypatch):
    def interrupted(self, progress, step_factor):
        raise KeyboardInterrupt

    monkeypatch.setattr(NaturalGradientPhase, "step", interrupted)
    model = quick(**data.grid, max_iter=50, cv=None)
    with pytest.warns(UserWarning, match="interrupted after 10 steps"):
        model.fit(data.X, data.y)
    assert np.isfinite(model.predict(data.X)).all()


def test_pickle(data, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(data.X), fitted.predict(data.X))
    assert not hasattr(clone(again), "network_")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_fit_on_cuda_and_load_without(data):
    model = quick(**data.grid, max_iter=50, device="cuda").fit(data.X, data.y)
    predicted = model.predict(data.X)
    state = io.BytesIO(pickle.dumps(model))
    assert next(model.network_.parameters()).device.type == "cuda"
    loaded = pickle.load(state).set_params(device="cpu")
    assert np.allclose(loaded.predict(data.X), predicted, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 7}, "`rank` must be at most `width`; got rank=7, width=6"),
        ({"adaptation": "full"}, "'adaptation' parameter .* Got 'full'"),
        ({"adapted_layers": (3,)}, r"`adapted_layers` .* depth - 1 = 2; got \(3,\)"),
        ({"adapted_layers": ()}, "`adapted_layers`"),
        ({"adapted_layers": (1, 1)}, "`adapted_layers`"),
        ({"device": "abacus"}, "`device` must be 'auto' or .* got 'abacus'"),
        ({"dtype": "float16"}, "'dtype' parameter .* Got 'float16'"),
        ({"period": 0.0}, "`period` must be positive"),
        ({"period": (1.0, 1.0)}, "`period` has 2 entries"),
        ({"times": np.arange(8.0)}, "`times` has 8 entries, but the snapshots have 9"),
        ({"points": np.arange(47.0)}, "but `points` have shape"),
        ({"max_time": 0}, "'max_time' parameter"),
        ({"target_error": -1.0}, "'target_error' parameter"),
        ({"early_stopping": True, "validation_fraction": 1.0}, "'validation_fraction' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"depth": 1}, "'depth' parameter"),
    ],
)
def test_bad_parameters_are_refused_before_training(data, monkeypatch, changes, message):
    monkeypatch.setattr(_colora, "train_networks", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises((ValueError, TypeError), match=message):
        quick(**{**data.grid, **changes}).fit(data.X, data.y)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(data, bad):
    X, y = data.X.copy(), data.y.copy()
    X[0] = y[0, 0, 0] = bad
    with pytest.raises(ValueError, match=r"Input y contains infinity|NaN in 1 of 3888"):
        quick(**data.grid).fit(data.X, y)
    with pytest.raises(ValueError, match="Input X contains"):
        quick(**data.grid).fit(X, data.y)


def test_other_bad_input(data, fitted):
    with pytest.raises(ValueError, match="X has 9 rows and y has 4 trajectories"):
        quick(**data.grid).fit(data.X, data.y[:4])
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        quick(**data.grid).fit(data.X[:0], data.y[:0])
    with pytest.raises(ValueError, match="X has 2 features"):
        fitted.predict([[1.0, 2.0]])
    with pytest.raises(ValueError, match="`points` have 2 dimension"):
        fitted.predict([[1.0]], points=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="`times` must increase"):
        fitted.predict([[1.0]], times=[1.0, 0.5])
    with pytest.raises(ValueError, match=r"`latent` has shape \(2, 3\)"):
        fitted.decode(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="`latent` must be finite"):
        fitted.decode(np.full((1, 1, 1), np.nan))
    with pytest.raises(ValueError, match=r"y has shape \(1, 9, 47\); expected"):
        fitted.encode(data.y[:1, :, :47])
    with pytest.raises(ValueError, match="y must be finite"):
        fitted.encode(data.y[:1] * np.nan)
