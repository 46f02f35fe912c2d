"""The coordinates of the parameters: the snapshots decide, whatever their units and order."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator

from skcolora._snapshots import StoredRows, choose_logarithms, infer_layout
from skcolora._snapshots._coordinates import interpolation_error
from skcolora._snapshots._units import ParameterScale

few = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
TIMES, POINTS = np.linspace(0, 1, 5), np.linspace(0, 1, 24, endpoint=False)


def rows_of(phase):
    """Waves (n, n_times, n_points, 2) that are displaced by a phase (n,), and grow with it."""
    angle = 2 * np.pi * POINTS - phase[:, None, None] * (0.5 + TIMES[:, None])
    return np.stack([np.sin(angle), 3 + (2 + np.cos(phase / 3))[:, None, None] * angle], axis=-1)


def design(n=36, seed=0):
    """A diffusivity over two orders of magnitude, and a position in [0.1, 3.1]."""
    unit = np.random.default_rng(seed).random((n, 2))
    return np.column_stack([10.0 ** (2 * unit[:, 0] - 1), 0.1 + 3 * unit[:, 1]])


def mixed(X):
    """Smooth functions of the logarithm of the first parameter and of the second as it is."""
    return rows_of(0.5 * np.log(X[:, 0]) + 0.5 * X[:, 1])


# The error of the interpolation.


def brute_force(coordinates, values):
    """Fit the interpolant anew for each trajectory that is left out."""
    spread = coordinates.std(axis=0)
    scaled = (coordinates - coordinates.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    ratios = []
    for i in range(len(scaled)):
        others = np.arange(len(scaled)) != i
        interpolant = RBFInterpolator(scaled[others], values[others], kernel="linear", degree=0)
        miss = interpolant(scaled[[i]])[0] - values[i]
        ratios.append(np.linalg.norm(miss) / np.linalg.norm(values[i]))
    return np.exp(np.mean(np.log(ratios)))


@few
@given(seeds, st.integers(4, 20), st.integers(1, 4))
def test_the_error_is_that_of_leaving_each_trajectory_out(seed, n, n_parameters):
    random = np.random.default_rng(seed)
    X, values = random.random((n, n_parameters)), random.normal(size=(n, 30))
    expected = brute_force(X, values)
    assert interpolation_error(X, values @ values.T) == pytest.approx(expected, rel=1e-8)
    units, shifts = 10 ** random.uniform(-3, 3, n_parameters), random.normal(size=n_parameters)
    moved = interpolation_error(units * X + shifts, 7.0 * values @ values.T)
    assert moved == pytest.approx(expected, rel=1e-8)


def test_one_parameter_is_interpolated_linearly_between_its_neighbours():
    X, values = np.array([[0.0], [1.0], [3.0]]), np.array([[2.0], [5.0], [4.0]])
    # Beyond the ends the interpolant is the mean of the values and half of its slope.
    found = interpolation_error(X, values @ values.T)
    middle = 2 + 2 / 3
    assert found == pytest.approx(brute_force(X, values), rel=1e-8)
    interpolant = RBFInterpolator(X[[0, 2]], values[[0, 2]], kernel="linear", degree=0)
    assert interpolant([[1.0]])[0, 0] == pytest.approx(middle, rel=1e-12)


def test_a_column_without_variation_has_no_effect_on_the_error():
    X, values = design(), mixed(design()).reshape(36, -1)
    gram = values @ values.T
    constant = np.column_stack([X, np.full(36, 1e7)])
    assert interpolation_error(constant, gram) == pytest.approx(interpolation_error(X, gram))


def test_fields_that_are_zero_have_an_error():
    values = np.array([[0.0], [0.0], [1.0], [2.0]])
    assert np.isfinite(interpolation_error(np.arange(4.0)[:, None], values @ values.T))
    assert np.isfinite(interpolation_error(np.arange(4.0)[:, None], np.zeros((4, 4))))


# The choice.


def test_a_function_of_the_logarithm():
    X = np.logspace(-2, 1, 9)[:, None]
    assert list(choose_logarithms(X, rows_of(np.log(X[:, 0])))) == [True]


@pytest.mark.parametrize("low", [1e-3, 0.1, 1.0])
def test_a_function_of_the_parameter_over_a_wide_range(low):
    X = np.linspace(low, 4, 12)[:, None]
    assert list(choose_logarithms(X, rows_of(X[:, 0]))) == [False]


def test_each_parameter_for_itself():
    X = design()
    assert list(choose_logarithms(X, mixed(X))) == [True, False]
    assert list(choose_logarithms(X[:, ::-1], mixed(X))) == [False, True]


@pytest.mark.parametrize("X", [np.linspace(1.0, 2.0, 9), np.linspace(0, 9, 9), -np.arange(1, 9.0)])
def test_small_ranges_and_values_that_are_not_positive_have_no_logarithm(X):
    """Not even where the snapshots are functions of the logarithm."""
    rows = rows_of(np.log(np.abs(X) + 1e-3))
    assert list(choose_logarithms(X[:, None], rows)) == [False]


def test_two_trajectories_decide_nothing():
    X = np.array([[1.0, 1.0], [3.0, 1.5], [1.0, 1.0]])
    assert list(choose_logarithms(X, None)) == [True, False]


@few
@given(seeds, st.tuples(*[st.floats(-6, 6)] * 4), st.tuples(*[st.floats(-5, 5)] * 2))
def test_units_and_order_play_no_part(seed, exponents, shifts):
    X = design(seed=seed)
    rows, sizes = mixed(X), 10.0 ** np.array(exponents)
    expected = choose_logarithms(X, rows)
    assert list(expected) == [True, False]
    order = np.random.default_rng(seed).permutation(len(X))
    moved = sizes[2:] * (rows + shifts)
    assert np.array_equal(choose_logarithms(X * sizes[:2], moved), expected)
    assert np.array_equal(choose_logarithms(X[order], rows[order]), expected)


def test_repeated_parameters_count_once():
    X = design()
    some = np.vstack([X, X[:5], np.nextafter(X[5:9], 9)])
    rows = mixed(X)
    repeated = np.concatenate([rows, 2 * rows[:5], rows[5:9]])
    with mock.patch("skcolora._snapshots._coordinates.interpolation_error") as error:
        error.side_effect = interpolation_error
        assert list(choose_logarithms(some, repeated)) == [True, False]
    assert all(len(call.args[0]) == len(call.args[1]) == len(X) for call in error.call_args_list)
    assert list(choose_logarithms(X[[0] * 6], rows[[0] * 6])) == [False, False]


def test_a_constant_column_changes_nothing():
    X = design()
    constant = np.column_stack([X, np.full(len(X), 3.0)])
    assert list(choose_logarithms(constant, mixed(X))) == [True, False, False]


def test_scales_that_are_given():
    X = design()
    rows = mixed(X)
    assert list(choose_logarithms(X, None, "linear")) == [False, False]
    assert list(choose_logarithms(X, None, "log")) == [True, True]
    assert list(choose_logarithms(X, None, ["linear", "log"])) == [False, True]
    assert list(choose_logarithms(X, None, np.array(["log", "linear"]))) == [True, False]
    # What is given stays, and the snapshots decide about the other.
    assert list(choose_logarithms(X, rows, ("auto", "log"))) == [True, True]
    assert list(choose_logarithms(X, rows, ("log", "auto"))) == [True, False]
    assert list(choose_logarithms(X, rows, ("auto", "linear"))) == [True, False]
    assert not choose_logarithms(X, rows, ("linear", "auto"))[0]


@pytest.mark.parametrize("scale", ["logarithm", ["log"], ["log"] * 3, ["log", 1], []])
def test_scales_that_do_not_fit(scale):
    with pytest.raises(ValueError, match=r"one of 'auto', 'linear', 'log', or .* the 2 parameters"):
        choose_logarithms(design(), None, scale)


def test_a_logarithm_of_a_value_that_is_not_positive():
    X = design()
    X[3, 1] = -0.25
    for scale in ("log", ["linear", "log"]):
        with pytest.raises(ValueError, match=r"of parameter 1, .* value -0\.25 there.*\"linear\""):
            choose_logarithms(X, mixed(X), scale)
    assert list(choose_logarithms(X, None, ["log", "linear"])) == [True, False]


def test_some_trajectories_decide_but_the_logarithm_exists_at_all():
    X = np.vstack([design(), [[0.0, 1.0]]])
    rows = np.concatenate([mixed(X[:-1]), np.full((1, 5, 24, 2), np.nan)])
    among = np.arange(len(X)) < 36
    assert not choose_logarithms(X, rows, "auto", among)[0]
    X[-1, 0] = 1.0
    assert list(choose_logarithms(X, rows, "auto", among)) == [True, False]


# Snapshots that are stored.


@pytest.mark.parametrize("n", [36, 64])
def test_stored_snapshots_give_the_same_choice(n, tmp_path):
    X = design(n)
    rows = np.repeat(mixed(X), 8, axis=1)  # 40 times
    stored = np.memmap(tmp_path / "y.bin", rows.dtype, "w+", shape=rows.shape)
    stored[:] = rows
    layout = infer_layout(stored.shape, np.arange(40.0), POINTS)
    reader = StoredRows(stored, layout)
    with mock.patch.object(StoredRows, "read", autospec=True, side_effect=StoredRows.read) as read:
        assert list(choose_logarithms(X, reader)) == [True, False]
        assert read.call_count <= 512
    among = np.arange(n) % 4 > 0
    assert list(choose_logarithms(X, reader, "auto", among)) == [True, False]


# The scale of the parameters.


@few
@given(seeds, st.floats(-6, 6))
def test_there_and_back(seed, exponent):
    X = design(seed=seed) * 10.0**exponent
    for logarithmic in ([True, False], [False, True], [True, True], [False, False]):
        scale = ParameterScale.of(X, np.array(logarithmic))
        assert list(scale.logarithmic) == logarithmic
        scaled = scale.apply(X)
        assert np.allclose(scale.invert(scaled), X, rtol=1e-12)
        plain = np.where(logarithmic, np.log(X), X)
        assert np.allclose(scaled * scale.scale + scale.center, plain, rtol=1e-12, atol=1e-12)
        # Arrays of any shape, and the argument remains as it was.
        assert np.array_equal(scale.apply(X.reshape(4, 9, 2)).reshape(-1, 2), scaled)
        assert np.allclose(scale.invert(scaled.reshape(4, 9, 2)).reshape(-1, 2), X, rtol=1e-12)


def test_a_constant_has_no_logarithm():
    X = np.column_stack([design()[:, 0], np.full(36, 0.1)])
    scale = ParameterScale.of(X, np.array([True, True]))
    assert list(scale.logarithmic) == [True, False]
    assert (scale.apply(X)[:, 1] == 0).all()
    assert (scale.apply([[1.0, -5.0]])[:, 1] == 0).all()
    assert (scale.invert(scale.apply(X))[:, 1] == 0.1).all()


@pytest.mark.parametrize("value", [0.0, -0.0, -2.0, np.nan])
def test_values_without_a_logarithm(value):
    scale = ParameterScale.of(design(), np.array([False, True]))
    with pytest.raises(ValueError, match=r'Parameter 1 of X must be positive.*scale="linear"'):
        scale.apply([[1.0, 1.0], [1.0, value]])
    assert np.isfinite(scale.apply([[-1.0, 1.0]])).all()
