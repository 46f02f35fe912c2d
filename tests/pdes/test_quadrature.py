"""Quadrature rules: exact for polynomials and waves, and of the order that they claim."""

import numpy as np
import pytest

from skcolora.pdes import Mesh
from skcolora.pdes._quadrature import axis_rule, gauss_rule, tensor_rule


def integral(rule, function, length):
    nodes, weights = rule
    return length * (weights @ function(nodes)) / weights.sum()


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("n", [6, 7, 20])
def test_uniform_axes_integrate_cubics_exactly(n, degree):
    rule = axis_rule(np.linspace(1.0, 3.0, n), None)
    exact = (3.0 ** (degree + 1) - 1.0) / (degree + 1)
    assert integral(rule, lambda x: x**degree, 2.0) == pytest.approx(exact, rel=1e-13)


def test_uniform_axes_converge_with_order_four():
    errors = []
    for n in (21, 41, 81):
        found = integral(axis_rule(np.linspace(0.0, 1.0, n), None), np.exp, 1.0)
        errors.append(abs(found - np.expm1(1.0)))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders == pytest.approx(4.0, abs=0.2)


def test_other_axes_converge_with_order_two():
    errors = []
    for n in (21, 41, 81):
        nodes = np.linspace(0.0, 1.0, n) ** 1.5
        errors.append(abs(integral(axis_rule(nodes, None), np.exp, 1.0) - np.expm1(1.0)))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("wave", range(1, 12))
def test_uniform_periodic_axes_integrate_waves_exactly(wave):
    axis = np.linspace(0.0, 2.0, 13)  # the repeated end counts once
    nodes, weights = axis_rule(axis, 2.0)
    assert len(nodes) == 12
    assert weights @ np.cos(np.pi * wave * nodes + 0.3) == pytest.approx(0.0, abs=1e-12)


def test_weights_are_positive_and_do_not_depend_on_the_order_of_the_nodes():
    axis = np.linspace(0.0, 1.0, 9)
    nodes, weights = axis_rule(axis[::-1], None)
    assert (weights > 0).all()
    assert np.array_equal(nodes, axis)
    assert weights == pytest.approx(axis_rule(axis, None)[1])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_gauss_rules_are_exact_up_to_their_degree(n):
    rule = gauss_rule(-1.0, 2.0, None, n)
    degree = 2 * n - 1
    exact = (2.0 ** (degree + 1) - 1.0) / (degree + 1)
    assert integral(rule, lambda x: x**degree, 3.0) == pytest.approx(exact)


def test_tensor_rules_are_products():
    points, weights = tensor_rule([gauss_rule(0.0, 1.0, None, 3), gauss_rule(0.0, 2.0, None, 2)])
    assert points.shape == (6, 2)
    found = 2.0 * (weights @ (points[:, 0] ** 4 * points[:, 1] ** 3))
    assert found == pytest.approx(1 / 5 * 16 / 4)


def test_the_mesh_integrates_by_the_same_rules():
    mesh = Mesh(((0.0, 1.0), (0.0, 2.0)), (None, 2.0), (11, 8))
    x, y = mesh.points
    values = x**3 * (1 + np.cos(np.pi * y))
    assert mesh.integral(values) == pytest.approx(0.5)
