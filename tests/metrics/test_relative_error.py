"""The relative error against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from skcolora.metrics import neg_relative_l2_error, relative_l2_error


def test_mean_of_the_relative_errors_of_trajectories():
    true = np.array([[[3.0, 4.0]], [[1.0, 0.0]]])
    predicted = np.array([[[3.0, 4.5]], [[1.0, 0.3]]])
    assert np.allclose(relative_l2_error(true, predicted, average=False), [0.1, 0.3])
    assert relative_l2_error(true, predicted) == pytest.approx(0.2)


@given(st.floats(1e-3, 1e3), st.floats(-0.5, 0.5))
def test_scale_does_not_matter_and_a_relative_change_is_the_error(scale, change):
    true = scale * np.random.RandomState(0).randn(3, 4, 5)
    assert relative_l2_error(true, (1 + change) * true) == pytest.approx(abs(change), abs=1e-12)


def test_zero_trajectories():
    errors = relative_l2_error(np.zeros((2, 3)), [[0, 0, 0], [0, 1, 0]], average=False)
    assert list(errors) == [0, np.inf]


@pytest.mark.parametrize("bad", [np.zeros((2, 4)), np.zeros((3, 3))])
def test_refuses_other_shapes(bad):
    with pytest.raises(ValueError, match=r"shape|inconsistent"):
        relative_l2_error(np.ones((2, 3)), bad)


def test_refuses_a_truth_that_is_not_finite():
    with pytest.raises(ValueError, match="NaN"):
        relative_l2_error([[1.0, np.nan]], [[1.0, 1.0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_trajectory_that_could_not_be_predicted_has_an_infinite_error(bad):
    predicted = [[1.0, 2.0], [3.0, bad]]
    errors = relative_l2_error([[1.0, 1.0], [3.0, 4.0]], predicted, average=False)
    assert errors[0] == pytest.approx(np.sqrt(0.5))
    assert errors[1] == np.inf
    assert relative_l2_error([[1.0, 1.0], [3.0, 4.0]], predicted) == np.inf


def test_scorer_is_minus_the_error():
    class Twice(BaseEstimator):
        def predict(self, X):
            return 2 * X

    X = np.arange(1.0, 7.0).reshape(2, 3)
    assert neg_relative_l2_error(Twice(), X, X) == pytest.approx(-1)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e3))
def test_the_centered_error_does_not_depend_on_offset_and_unit(offset, unit):
    random = np.random.RandomState(0)
    true, noise = random.randn(3, 4, 5), 0.1 * random.randn(3, 4, 5)
    plain = relative_l2_error(true, true + noise, centered=True)
    moved = unit * true + offset, unit * (true + noise) + offset
    rounding = 1e-13 * (1 + abs(offset) / unit)
    assert relative_l2_error(*moved, centered=True) == pytest.approx(plain, rel=rounding)


def test_the_mean_has_the_centered_error_one():
    true = 300 + np.random.RandomState(0).randn(2, 3, 4, 2) * [1, 1e-3]
    mean = np.broadcast_to(true.mean(axis=(1, 2), keepdims=True), true.shape)
    errors = relative_l2_error(true, mean, centered=True, multioutput="raw_values", average=False)
    assert errors.shape == (2, 2)
    assert errors == pytest.approx(1, rel=1e-9)


def test_one_error_for_each_field():
    random = np.random.RandomState(0)
    true = random.randn(3, 4, 5, 2) * [1e5, 1e-3]
    predicted = true + random.randn(3, 4, 5, 2) * [1e2, 1e-4]
    for centered in (False, True):
        each = relative_l2_error(true, predicted, multioutput="raw_values", centered=centered)
        alone = [
            relative_l2_error(true[..., f], predicted[..., f], centered=centered) for f in range(2)
        ]
        assert each == pytest.approx(alone, rel=1e-12)
        mean = relative_l2_error(true, predicted, multioutput="uniform_average", centered=centered)
        assert mean == pytest.approx(np.mean(alone))


def test_constant_trajectories_when_centered():
    true = np.full((2, 30), 0.1)
    predicted = true.copy()
    predicted[1, 0] += 1e-9
    assert list(relative_l2_error(true, predicted, centered=True, average=False)) == [0, np.inf]


def test_fields_need_an_axis_of_their_own():
    with pytest.raises(ValueError, match=r"needs snapshots .*got shape \(2, 6\).*Reshape"):
        relative_l2_error(np.ones((2, 6)), np.ones((2, 6)), multioutput="raw_values")
    with pytest.raises(ValueError, match="`multioutput` must be one of"):
        relative_l2_error(np.ones((2, 6)), np.ones((2, 6)), multioutput="all")


def test_values_that_were_not_observed():
    random = np.random.RandomState(0)
    true, predicted = random.randn(2, 3, 4, 5, 2) + 3.0
    true[0, 1] = true[1, :, 2] = true[2, 0, 0, 1] = np.nan
    for centered in (False, True):
        found = relative_l2_error(
            true, predicted, missing="ignore", centered=centered, average=False
        )
        for i, error in enumerate(found):
            seen = ~np.isnan(true[i])
            u, v = true[i][seen], predicted[i][seen]
            size = np.linalg.norm(u - u.mean() if centered else u)
            assert error == pytest.approx(np.linalg.norm(u - v) / size)
    with pytest.raises(ValueError, match="contains NaN"):
        relative_l2_error(true, predicted)
    with pytest.raises(ValueError, match="`missing` must be one of"):
        relative_l2_error(true, predicted, missing="drop")
    predicted[0, 0, 0, 0] = np.nan
    errors = relative_l2_error(true, predicted, missing="ignore", average=False)
    assert np.isinf(errors[0])
    assert np.isfinite(errors[1:]).all()
    true[2] = np.nan
    assert np.isnan(relative_l2_error(true, predicted, missing="ignore", average=False)[2])
