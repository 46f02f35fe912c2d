"""Derivatives, quadrature, filter and evaluation on grids, against closed forms."""

import itertools

import numpy as np
import pytest

from skcolora._snapshots import check_points
from skcolora.pdes import GridField, Mesh
from skcolora.pdes._derivatives import StencilDerivative, finite_difference_weights
from skcolora.pdes._interpolant import MeshInterpolant


def periodic_mesh(*shape):
    return Mesh(((0.0, 2 * np.pi),) * len(shape), (2 * np.pi,) * len(shape), shape)


@pytest.mark.parametrize("n", [24, 25])
def test_fourier_derivatives_are_exact_for_resolved_waves(n):
    mesh = periodic_mesh(n, n + 3)
    x, y = mesh.points
    field = GridField(mesh, np.stack([np.sin(3 * x) * np.cos(5 * y), np.cos(2 * x + y)]))
    assert np.allclose(field.grad[0, 0], 3 * np.cos(3 * x) * np.cos(5 * y), atol=1e-12)
    assert np.allclose(field.grad[1, 1], -np.sin(2 * x + y), atol=1e-12)
    assert np.allclose(field.laplacian[0], -34 * field.value[0], atol=1e-11)
    assert np.allclose(field.laplacian[1], -5 * field.value[1], atol=1e-11)


def test_the_fourier_derivative_is_skew_symmetric():
    mesh = periodic_mesh(16)
    u = np.random.RandomState(0).randn(1, 16)
    assert abs((u * GridField(mesh, u).grad[0]).sum()) < 1e-12


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_stencils_are_of_fourth_order_up_to_the_ends(order):
    errors = []
    for n in (40, 80):
        x = np.linspace(0.0, 1.0, n + 1) ** 1.2 + np.linspace(0.0, 1.0, n + 1)
        derivative = StencilDerivative(x).apply(np.sin(2 * x), 0, order)
        exact = 2**order * np.sin(2 * x + order * np.pi / 2)
        errors.append(abs(derivative - exact).max())
    # On a uniform grid 4, and one less for even orders where the spacing varies.
    assert np.log2(errors[0] / errors[1]) > (3.7 if order % 2 else 2.7)


@pytest.mark.parametrize("orders", list(itertools.product(range(5), repeat=2))[1:])
def test_derivatives_of_any_order(orders):
    mesh = Mesh(((0.0, 2 * np.pi), (0.0, 2.0)), (2 * np.pi, None), (24, 41))
    x, y = mesh.points
    field = GridField(mesh, (np.sin(2 * x) * np.exp(y))[None])
    if sum(orders) > 4:
        with pytest.raises(ValueError, match="sum is from 1 to 4"):
            field.derivative(*orders)
        return
    exact = 2.0 ** orders[0] * np.sin(2 * x + orders[0] * np.pi / 2) * np.exp(y)
    assert np.allclose(field.derivative(*orders)[0], exact, atol=1e-2 * 2.0 ** orders[0])
    if orders[1] == 0:
        assert np.allclose(field.derivative(*orders)[0], exact, atol=1e-10)


def test_derivatives_of_odd_order_are_skew_symmetric():
    mesh = periodic_mesh(16)
    u = np.random.RandomState(0).randn(1, 16)
    field = GridField(mesh, u)
    assert np.array_equal(field.derivative(1), field.grad[0])
    assert abs((u * field.derivative(3)).sum()) < 1e-10
    assert np.allclose(field.derivative(2), field.laplacian)


@pytest.mark.parametrize(
    "orders", [(), (1, 0, 0), (0, 0), (-1, 2), (1.0, 1), ("x", 1), (3, 2), (True, "1")]
)
def test_orders_that_make_no_sense(orders):
    field = GridField(periodic_mesh(8, 8), np.zeros((1, 8, 8)))
    with pytest.raises(
        ValueError, match=r"for each of the 2 dimension.*such as derivative\(2, 0\)"
    ):
        field.derivative(*orders)


def test_axes_that_are_too_short_for_an_order():
    field = GridField(Mesh(((0.0, 1.0),), (None,), (7,)), np.zeros((1, 7)))
    assert field.derivative(3).shape == (1, 7)
    with pytest.raises(ValueError, match="at least 8 points for finite differences of order 4"):
        field.derivative(4)


def test_known_finite_difference_weights():
    weights = finite_difference_weights(np.arange(-2.0, 3.0), 1)
    assert np.allclose(weights, np.array([1, -8, 0, 8, -1]) / 12)


def test_mixed_axes():
    mesh = Mesh(((0.0, 1.0), (0.0, 2 * np.pi)), (None, 2 * np.pi), (61, 16))
    x, y = mesh.points
    field = GridField(mesh, (np.exp(x) * np.sin(y))[None])
    assert np.allclose(field.grad[0, 0], field.value[0], atol=1e-6)
    assert np.allclose(field.laplacian, 0.0, atol=1e-4)
    assert np.isclose(mesh.integral(np.exp(x) * np.sin(y) ** 2), (np.e - 1) * np.pi, rtol=1e-7)


def test_too_few_points_for_stencils():
    with pytest.raises(ValueError, match="at least 6 points"):
        StencilDerivative(np.arange(5.0))


def test_the_filter_removes_the_highest_third_only():
    mesh = periodic_mesh(24)
    (x,) = mesh.points
    kept = 1 + np.sin(8 * x)
    assert np.allclose(mesh.filtered((kept + np.cos(9 * x))[None])[0], kept)


def test_tails_are_root_mean_squares_of_the_highest_waves():
    mesh = periodic_mesh(48)
    (x,) = mesh.points
    values = np.stack([np.cos(x) + 0.1 * np.sin(14 * x), np.cos(3 * x)])
    assert np.allclose(mesh.tails(values, 2 / 3), [0.1 / np.sqrt(2), 0.0])


@pytest.mark.parametrize("n", [24, 25])
def test_trigonometric_evaluation_on_axes_and_scattered_points(n):
    mesh = periodic_mesh(n, n + 1)
    at = np.random.RandomState(0).uniform(-7, 7, size=(30, 2))

    def wave(x, y):
        return np.stack([np.sin(4 * x - 3 * y), np.cos(5 * y)])

    scattered = MeshInterpolant(mesh, check_points(at))(wave(*mesh.points))
    assert np.allclose(scattered, wave(*at.T), atol=1e-12)
    axes = (at[:9, 0], at[:7, 1])
    tensor = MeshInterpolant(mesh, check_points(axes))(wave(*mesh.points))
    assert np.allclose(tensor, wave(*np.meshgrid(*axes, indexing="ij")), atol=1e-12)


def test_evaluation_at_the_ends_of_a_period_is_the_same_to_the_last_digit():
    mesh = Mesh(((0.0, 1.0),), (1.0,), (16,))
    u = np.random.RandomState(0).randn(1, 16)
    start, end = MeshInterpolant(mesh, check_points(np.array([0.0, 1.0])))(u)[0]
    assert start == end
    assert np.isclose(start, u[0, 0])


def test_evaluation_off_periodic_axes_is_of_sixth_order():
    errors = []
    at = np.linspace(0.0, 1.0, 37)
    for n in (15, 29):
        mesh = Mesh(((0.0, 1.0),), (None,), (n,))
        values = MeshInterpolant(mesh, check_points(at))(np.sin(5 * mesh.points))
        errors.append(abs(values[0] - np.sin(5 * at)).max())
    assert np.log2(errors[0] / errors[1]) > 5
