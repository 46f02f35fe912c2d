"""Logarithms of the parameters: what they change in a fit, and what they leave as it is."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skcolora import CoLoRARegressor
from skcolora._snapshots import _stored

TIMES, POINTS = np.arange(6) / 5, np.arange(16) / 16
FEW_STEPS = {"max_iter": 12, "width": 8, "depth": 3, "rank": 1, "hyper_width": 6, "hyper_depth": 2}
# The first spans a factor of sixteen, the second is a position, of either sign.
X = np.array([[0.25, -1.0], [0.5, 2.0], [1.0, 0.5], [2.0, -0.5], [4.0, 1.0], [0.75, 1.5]])
NEW = np.array([[0.6, 0.5], [1.5, 0.75]])
powers, sizes = st.integers(-12, 12).map(lambda n: 2.0**n), st.floats(1e-3, 1e3)


def waves(X):
    phase = 0.25 * np.log(X[:, 0]) * TIMES[:, None] + 0.125 * X[:, 1]
    return np.round(np.sin(2 * np.pi * (POINTS - phase.T[..., None])) * 2**10) / 2**10


Y = waves(X)


def examples(n):
    return settings(max_examples=n, deadline=None, derandomize=True)


def fitted(X=X, y=Y, **options):
    options = {**FEW_STEPS, "random_state": 0, **options}
    return CoLoRARegressor(times=TIMES, points=POINTS, period=1.0, **options).fit(X, y)


def same_weights(one, other):
    pairs = [
        (one.network_.parameters(), other.network_.parameters()),
        (one.hypernetwork_.parameters(), other.hypernetwork_.parameters()),
    ]
    return all(torch.equal(a, b) for pair in pairs for a, b in zip(*pair, strict=True))


@pytest.fixture(scope="module")
def base():
    model = fitted()
    assert model.parameter_scale_ == ["log", "linear"]
    return model


def test_the_logarithm_is_that_of_numpy(base):
    """The fit is the one with the logarithms as parameters, to the last bit."""
    outside = np.column_stack([np.log(X[:, 0]), X[:, 1]])
    model = fitted(outside, parameter_scale="linear")
    assert model.parameter_scale_ == ["linear", "linear"]
    assert model.loss_curve_ == base.loss_curve_
    assert same_weights(model, base)
    new = np.column_stack([np.log(NEW[:, 0]), NEW[:, 1]])
    assert np.array_equal(model.predict(new), base.predict(NEW))
    assert np.array_equal(model.predict_latent(new), base.predict_latent(NEW))
    assert same_weights(fitted(parameter_scale=["log", "linear"]), base)
    assert not same_weights(fitted(parameter_scale="linear"), base)


@examples(4)
@given(st.tuples(powers, powers), powers, st.integers(-30, 30).map(float))
def test_powers_of_two(units, size, shift):
    """No bit changes where no logarithm is taken; the logarithm of a multiple rounds."""
    base, plain = fitted(), fitted(parameter_scale="linear")
    fields = {"y": size * (Y + shift)}
    moved = fitted(X * units, **fields, parameter_scale="linear")
    assert same_weights(moved, plain)
    assert moved.loss_curve_ == plain.loss_curve_
    moved = fitted(X * [1.0, units[1]], **fields)
    assert moved.parameter_scale_ == base.parameter_scale_
    assert same_weights(moved, base)
    assert moved.loss_curve_ == base.loss_curve_
    moved = fitted(X * units, **fields)
    assert moved.parameter_scale_ == base.parameter_scale_
    assert np.allclose(moved.loss_curve_, base.loss_curve_, rtol=1e-7)


@examples(4)
@given(st.tuples(sizes, sizes), sizes, st.floats(-100, 100))
def test_any_units(units, size, shift):
    """Twelve steps amplify rounding by about 1e5, to 6e-11 of the variation."""
    base, moved = fitted(), fitted(X * units, size * (Y + shift))
    assert moved.parameter_scale_ == base.parameter_scale_
    assert np.allclose(moved.loss_curve_, base.loss_curve_, rtol=1e-7)
    found = moved.predict(NEW * units) / size - shift
    assert np.allclose(found, base.predict(NEW), atol=1e-7)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_prediction_where_the_logarithm_does_not_exist(base, value):
    quiet = {"on_extrapolation": "ignore"}
    model = fitted(**quiet)
    message = rf'Parameter 0 of X must be positive.*got {value:g}\..*parameter_scale="linear"'
    for method in (model.predict, model.predict_latent):
        with pytest.raises(ValueError, match=message):
            method([[1.0, 0.0], [value, 0.0]])
    cured = fitted(**quiet, parameter_scale="linear").predict([[value, 0.0]])
    assert np.isfinite(cured).all()
    # The other parameter may have any sign.
    assert np.isfinite(base.predict([[1.0, -0.25]])).all()


def test_wrong_scales_are_refused_before_any_training():
    for scale, message in (
        ("logarithm", "'parameter_scale' parameter"),
        (["log"], "each of the 2 parameters"),
        ("log", "value -1 there"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted(parameter_scale=scale, max_iter=10**9)


def test_a_trajectory_that_is_set_aside_may_have_no_logarithm():
    """Whichever trajectories are set aside, their error can be computed."""
    zero = X.copy()
    zero[0, 0] = 0.0
    for seed in range(6):
        model = fitted(zero, early_stopping=True, random_state=seed, max_iter=2)
        assert model.parameter_scale_ == ["linear", "linear"]


def test_a_warm_start_keeps_its_scale_unless_another_is_asked_for(base):
    model = fitted(warm_start=True)
    # Snapshots that would choose otherwise continue in the units of the first fit.
    model.fit(X, Y)
    assert model.parameter_scale_ == ["log", "linear"]
    assert len(model.loss_curve_) > len(base.loss_curve_)
    model.set_params(parameter_scale="linear").fit(X, Y)
    assert model.parameter_scale_ == ["linear", "linear"]
    assert same_weights(model, fitted(parameter_scale="linear"))
    again = model.set_params(parameter_scale=np.array(["log", "linear"])).fit(X, Y)
    assert again.parameter_scale_ == ["log", "linear"]
    assert same_weights(again, base)
    assert len(again.fit(X, Y).loss_curve_) > len(base.loss_curve_)


def test_constant_snapshots_and_a_constant_parameter():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fitted(np.abs(X), np.full(Y.shape, 300.7))
    assert model.n_iter_ == 0
    constant = np.column_stack([X[:, 0], np.full(6, 3.0)])
    assert fitted(constant, parameter_scale="log").parameter_scale_ == ["log", "linear"]


def test_stored_snapshots_choose_as_those_in_memory(tmp_path, monkeypatch):
    stored = np.memmap(tmp_path / "y.bin", Y.dtype, "w+", shape=Y.shape)
    stored[:] = Y
    monkeypatch.setattr(_stored, "MAX_RESIDENT", 1)
    assert fitted(y=stored).parameter_scale_ == ["log", "linear"]
    rows = np.sin(2 * np.pi * (POINTS - 0.4 * X[:, :1, None])) + np.zeros((1, 6, 1))
    stored[:] = rows
    expected = fitted(X[:, :1], rows).parameter_scale_
    assert fitted(X[:, :1], stored).parameter_scale_ == expected == ["linear"]
