"""Times over decades: what their logarithm changes in a fit, and what it leaves as it is."""

import pickle
import warnings

import numpy as np
import pytest
import torch

from skcolora import CoLoRARegressor, ExtrapolationWarning
from skcolora._snapshots import _time_coordinate
from skcolora._snapshots._time_coordinate import TimeCoordinate
from skcolora.metrics import relative_l2_error

X, NEW = np.geomspace(0.25, 1, 5)[:, None], np.array([[0.4], [0.8]])
POINTS = np.linspace(-3, 3, 41)
DECADES = np.append(0.0, np.geomspace(2.0**-10, 2.0**7, 35))
UNIFORM = np.linspace(0, 1, 12)
SMALL = {"width": 10, "depth": 4, "hyper_width": 8, "parameter_scale": "linear", "random_state": 0}


def spreading(mu, times):
    """A Gaussian that spreads, at parameters (n, 1)."""
    variance = 0.02 + 0.5 * mu[..., None] * times[:, None]
    return np.sqrt(0.02 / variance) * np.exp(-0.5 * POINTS**2 / variance)


def fitted(times, y, max_iter=12, **options):
    options = {**SMALL, "max_iter": max_iter, **options}
    return CoLoRARegressor(times=times, points=POINTS, **options).fit(X, y)


def same_weights(one, other):
    return one.loss_curve_ == other.loss_curve_ and all(
        torch.equal(a, b)
        for a, b in zip(one.network_.parameters(), other.network_.parameters(), strict=True)
    )


@pytest.fixture
def always_linear(monkeypatch):
    monkeypatch.setattr(_time_coordinate, "_CROWDED", 0.0)


def test_early_and_late_times_are_learnt(request):
    y, new = spreading(X, DECADES), spreading(NEW, DECADES)
    logarithmic = fitted(DECADES, y, 150)
    request.getfixturevalue("always_linear")
    linear = fitted(DECADES, y, 150)
    assert (logarithmic.time_scale_, linear.time_scale_) == ("log", "linear")
    errors = [relative_l2_error(new, model.predict(NEW)) for model in (logarithmic, linear)]
    assert errors[0] < 0.6 * errors[1]


def test_uniform_times_are_fitted_as_without_a_logarithm(request):
    y = spreading(X, UNIFORM)
    one = fitted(UNIFORM, y)
    request.getfixturevalue("always_linear")
    other = fitted(UNIFORM, y)
    assert one.time_scale_ == "linear"
    assert same_weights(one, other)
    assert np.array_equal(one.predict(NEW), other.predict(NEW))


@pytest.mark.parametrize("unit", [2.0**-20, 2.0**10])
def test_the_unit_of_time_changes_no_bit(unit):
    y = spreading(X, DECADES)
    base, moved = fitted(DECADES, y), fitted(unit * DECADES, y)
    assert same_weights(base, moved)
    assert np.array_equal(base.predict(NEW), moved.predict(NEW))


def test_the_origin_of_time_and_dates_play_no_part():
    times = np.append(0, 2.0 ** np.arange(11))
    y = spreading(X, times / 8)
    base, moved = fitted(times, y), fitted(times + 2.0**20, y)
    dates = np.datetime64("2024-03-01") + times.astype("timedelta64[D]")
    for model in (moved, fitted(dates, y)):
        assert model.time_scale_ == "log"
        assert np.allclose(model.predict(NEW), base.predict(NEW), rtol=0, atol=1e-6)
    assert same_weights(base, moved)


def test_predictions_a_little_outside_the_times():
    """Before the first and after the last time they go on from there."""
    times = DECADES[1:]
    model = fitted(times, spreading(X, times), 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        early = model.predict(NEW, times=[0.0, times[0]])
        late = model.predict(NEW, times=times[-1] * np.array([1, 1.05]))
    assert np.abs(np.diff(early, axis=1)).max() < 0.1
    assert np.abs(np.diff(late, axis=1)).max() < 0.01
    assert np.isfinite(model.predict_latent(NEW, times=[-1e3, 1e12])).all()


def test_a_saved_model_and_a_warm_start_keep_the_coordinate():
    y = spreading(X, DECADES)
    model = fitted(DECADES, y, warm_start=True)
    loaded = pickle.loads(pickle.dumps(model))
    assert np.array_equal(loaded.predict(NEW), model.predict(NEW))
    before = model._units.times
    model.fit(X, y)
    assert model._units.times is before
    assert model.time_scale_ == "log"


def test_a_single_time():
    model = CoLoRARegressor(times=[0.5], points=POINTS, max_iter=3, random_state=0)
    model.fit(X, spreading(X, np.array([0.5])))
    assert model.time_scale_ == "linear"
    assert not model._units.times.affine.varies.any()
    assert model._units.times.coordinate == TimeCoordinate()
