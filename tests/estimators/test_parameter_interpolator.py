"""ParameterInterpolator reproduces what its formulas are exact for."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skcolora import ExtrapolationWarning, ParameterInterpolator


def polynomial_fields(mu, degree, n_times=3, n_points=4):
    coefficients = np.random.RandomState(0).randn(degree + 1, n_times, n_points)
    return np.tensordot(mu ** np.arange(degree + 1), coefficients, axes=1)


@given(st.integers(1, 8))
def test_polynomials_in_the_parameter_are_reproduced(degree):
    X = np.linspace(2, 3, degree + 1)[:, None]
    model = ParameterInterpolator().fit(X, polynomial_fields(X, degree))
    new = np.array([[2.05], [2.9]])
    assert model.method_ == "polynomial"
    expected = polynomial_fields(new, degree)
    assert np.allclose(model.predict(new), expected, rtol=1e-10)


@pytest.mark.parametrize(("method", "degree"), [("spline", 3), ("linear", 1)])
def test_splines_reproduce_their_degree(method, degree):
    X = np.random.RandomState(1).rand(9, 1)
    model = ParameterInterpolator(method=method).fit(X, polynomial_fields(X, degree))
    new = np.array([[0.4], [0.6]])
    assert np.allclose(model.predict(new), polynomial_fields(new, degree))


def test_many_values_take_a_spline():
    X = np.linspace(-1, 1, 31)[:, None]
    y = 1 / (1 + 25 * X**2)
    model = ParameterInterpolator().fit(X, y)
    assert model.method_ == "spline"
    assert abs(model.predict([[0.97]]) - 1 / (1 + 25 * 0.97**2)).max() < 1e-3


@pytest.mark.parametrize("n_parameters", [2, 4])
def test_several_parameters(n_parameters):
    """Thin-plate splines reproduce affine functions and pass through the data."""
    X = np.random.RandomState(0).rand(20, n_parameters) * 10.0 ** np.arange(n_parameters)
    slopes = np.random.RandomState(1).randn(n_parameters, 6)
    model = ParameterInterpolator().fit(X, X @ slopes + 3)
    assert model.method_ == "rbf"
    new = X.mean(axis=0, keepdims=True)
    assert np.allclose(model.predict(new), new @ slopes + 3)
    rough = np.random.RandomState(2).randn(20, 6)
    assert np.allclose(model.fit(X, rough).predict(X), rough)


def test_parameters_on_a_line_are_one_parameter():
    s = np.linspace(0, 1, 4)[:, None]
    model = ParameterInterpolator().fit(np.hstack([s, 2 * s, 0 * s]), polynomial_fields(s, 3))
    assert model.method_ == "polynomial"
    assert np.allclose(model.predict([[0.3, 0.6, 0]]), polynomial_fields(np.array([[0.3]]), 3))


def test_repeated_parameters_are_averaged():
    X, y = np.array([[0.0], [1.0], [1.0]]), np.array([[0.0], [1.0], [3.0]])
    assert np.allclose(ParameterInterpolator().fit(X, y).predict([[1.0], [0.5]]), [[2], [1]])
    assert np.allclose(ParameterInterpolator().fit(X[1:], y[1:]).predict([[1.0]]), 2)


def test_other_times_and_points():
    times, x = np.linspace(0, 1, 21), np.linspace(0, 1, 40, endpoint=False)

    def exact(mu, times, x):
        return mu[:, :, None] * np.sin(2 * np.pi * (x - times[:, None]))

    X = np.array([[1.0], [2.0]])
    model = ParameterInterpolator(times=times, points=x, period=1.0).fit(X, exact(X, times, x))
    new_times, new_x = np.array([0.11, 0.52]), np.array([0.013, 0.99, 1.4])
    given = model.predict([[1.5]], times=new_times, points=new_x)
    assert np.allclose(given, exact(np.array([[1.5]]), new_times, new_x), atol=1e-4)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], .*; got \[0.5, 1.1\]"):
        model.predict([[1.5]], times=[0.5, 1.1])


def test_refuses():
    y = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"1 sample\(s\)"):
        ParameterInterpolator().fit([[1.0]], y[:1])
    with pytest.raises(ValueError, match="`method` must be 'auto' or 'rbf'"):
        ParameterInterpolator(method="spline").fit(np.random.RandomState(0).rand(4, 2), y)
    with pytest.raises(ValueError, match="'method' parameter"):
        ParameterInterpolator(method="cubic").fit([[0], [1], [2], [3]], y)


def test_changing_the_snapshots_after_fit_changes_nothing():
    X, y, points = (
        np.arange(3.0)[:, None],
        np.random.default_rng(0).random((3, 2, 4)),
        np.arange(4.0),
    )
    model = ParameterInterpolator(points=points).fit(X, y)
    before = model.predict([[0.5]], points=[[0.5]])
    X[:], y[:], points[:] = 7.0, 0.0, np.arange(4.0) * 3
    assert np.array_equal(model.predict([[0.5]], points=[[0.5]]), before)


def test_parameters_a_last_bit_apart_are_averaged():
    X = np.append(np.linspace(0.1, 0.7, 7), [0.1 * 3, 0.1 * 6, 0.2 + 1e-12])[:, None]
    y = np.sin(X) + np.append(np.zeros(7), [1e-3, 1e-3, 1e-3])[:, None]
    once = np.sin(X[:7]) + np.array([0, 0.5e-3, 0.5e-3, 0, 0, 0.5e-3, 0])[:, None]
    for method in ("polynomial", "spline", "linear", "rbf"):
        model = ParameterInterpolator(method=method)
        expected = model.fit(X[:7], once).predict([[0.33]])
        assert np.allclose(model.fit(X, y).predict([[0.33]]), expected, rtol=1e-9)


def test_a_prediction_that_amplifies_errors_is_reported_with_its_cure():
    X = np.append(np.linspace(0, 1, 7), 0.5 + 1e-7)[:, None]
    random = np.random.RandomState(0)
    y = np.sin(X + np.arange(3)) + 1e-6 * random.randn(8, 3)
    with pytest.warns(UserWarning, match=r"\[0.58\].*\[0.5\] and \[0.5000001\] are nearly equal"):
        bad = ParameterInterpolator().fit(X, y).predict([[0.58]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cured = ParameterInterpolator().fit(X.round(4), y).predict([[0.58]])
    exact = np.sin(0.58 + np.arange(3))
    assert np.abs(bad - exact).max() > 1e-2
    assert np.abs(cured - exact).max() < 1e-4
    far = np.linspace(0, 1, 7)[:, None]
    with pytest.warns(UserWarning, match=r"far outside the range .*method='linear'"):
        ParameterInterpolator(on_extrapolation="ignore").fit(far, y[:7]).predict([[3.0]])
    many = np.linspace(0, 1, 31)[:, None]
    with pytest.warns(UserWarning, match=r"oscillates .*method='spline'"):
        ParameterInterpolator(method="polynomial").fit(many, many).predict([[0.01]])


@pytest.mark.parametrize("n", [2, 7, 12, 40])
def test_no_warning_in_normal_use(n):
    X = np.linspace(0, 1, n)[:, None]
    plane = np.random.RandomState(0).rand(n + 3, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = ParameterInterpolator(on_extrapolation="ignore")
        model.fit(X, X).predict(np.linspace(-0.1, 1.1, 25)[:, None])
        model.fit(plane, plane).predict([[0.5, 0.5], [1.2, -0.2]])
        ParameterInterpolator().fit(X, X).predict(np.linspace(0, 1, 25)[:, None])


def test_leaving_the_line_of_the_training_parameters_is_reported():
    s = np.linspace(0, 1, 4)[:, None]
    model = ParameterInterpolator().fit(np.hstack([s, 2 * s]), s)
    with pytest.warns(ExtrapolationWarning, match=r"\[0.3, 0.9\], does not follow") as caught:
        found = model.predict([[0.3, 0.9]])
    assert len(caught) == 1
    # Only the projection counts: in shares of the ranges it lies in the middle of 0.3 and 0.45.
    assert np.allclose(found, 0.375)
