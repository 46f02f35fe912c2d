"""The power function against its definition and its known properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator
from scipy.spatial.distance import cdist

from skcolora._snapshots import leave_one_out_power, power_function

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_it_is_zero_at_the_nodes_alone(d):
    nodes = RNG.normal(size=(12, d))
    assert power_function(nodes, nodes).max() < 1e-6
    assert power_function(nodes, RNG.normal(size=(30, d))).min() > 1e-4


@pytest.mark.parametrize("d", [1, 2])
def test_it_bounds_the_error_of_the_interpolant(d):
    """For ``f = Σ cⱼ φ(‖x - zⱼ‖)`` with vanishing moments the norm is ``sqrt(cᵀ Φ c)``."""
    nodes, points = RNG.normal(size=(10, d)), RNG.normal(size=(40, d))
    power = power_function(nodes, points)
    for _ in range(20):
        centers = RNG.normal(size=(8, d))
        moments = np.hstack([np.ones((8, 1)), centers])
        free = np.linalg.svd(moments.T)[2][d + 1 :]
        c = free.T @ RNG.normal(size=len(free))
        norm = np.sqrt(c @ cdist(centers, centers) ** 3 @ c)
        true, known = (cdist(some, centers) ** 3 @ c for some in (points, nodes))
        found = RBFInterpolator(nodes, known, kernel="cubic", degree=1)(points)
        assert (np.abs(found - true) <= power * norm * (1 + 1e-6) + 1e-9).all()


def test_it_is_the_norm_of_the_error():
    """``P² = φ(x, x) - 2 Σ uᵢ φ(x, xᵢ) + Σ uᵢ uⱼ φ(xᵢ, xⱼ)`` with the weights u of the nodes."""
    nodes, point = np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([[1.7]])
    weights = RBFInterpolator(nodes, np.eye(4), kernel="cubic", degree=1)(point)[0]
    to_point, between = cdist(nodes, point)[:, 0] ** 3, cdist(nodes, nodes) ** 3
    squared = -2 * weights @ to_point + weights @ between @ weights
    assert power_function(nodes, point)[0] == pytest.approx(np.sqrt(squared), rel=1e-6)


@given(st.integers(0, 2**31 - 1), st.floats(0.01, 100.0))
def test_more_nodes_never_increase_it_and_units_are_powers(seed, unit):
    rng = np.random.default_rng(seed)
    nodes, points = rng.uniform(size=(9, 2)), rng.uniform(size=(5, 2))
    all_nodes, fewer = power_function(nodes, points), power_function(nodes[:6], points)
    assert (all_nodes <= fewer * (1 + 1e-6) + 1e-6).all()
    np.testing.assert_allclose(
        power_function(unit * nodes, unit * points), unit**1.5 * all_nodes, rtol=1e-4, atol=1e-6
    )


def test_it_is_larger_outside():
    nodes = np.linspace(0, 1, 6)[:, None]
    inside, outside = power_function(nodes, np.array([[0.5], [1.2]]))
    assert outside > 5 * inside


@pytest.mark.parametrize(
    "nodes", [np.zeros((1, 2)), np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])], ids=["one", "line"]
)
def test_nodes_that_determine_no_plane(nodes):
    near, far = power_function(nodes, np.array([[0.1, -0.1], [1.0, -1.0]]))
    assert 0 < near < far
    assert power_function(nodes, nodes).max() < 1e-6


def test_repeated_nodes_count_once():
    nodes = RNG.normal(size=(5, 2))
    points = RNG.normal(size=(4, 2))
    np.testing.assert_allclose(
        power_function(np.vstack([nodes, nodes]), points), power_function(nodes, points), rtol=1e-6
    )


@pytest.mark.parametrize("d", [1, 2, 4])
def test_leaving_out_one_node_after_the_other(d):
    nodes = RNG.normal(size=(15, d))
    kept = np.arange(15)
    wanted = [power_function(nodes[kept != i], nodes[[i]])[0] for i in kept]
    np.testing.assert_allclose(leave_one_out_power(nodes), wanted, rtol=1e-6)


def test_a_node_that_the_others_do_not_determine_lies_farthest():
    """Without the last node the others lie on a line."""
    nodes = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [1.0, 2.0]])
    power = leave_one_out_power(nodes)
    assert np.argmax(power) == 4
    assert np.isfinite(power[:4]).all()


def test_of_many_nodes_the_nearest_count():
    nodes, points = RNG.uniform(size=(600, 2)), RNG.uniform(0.1, 0.9, size=(20, 2))
    # As many as still count all together, around the points.
    near = nodes[np.argsort(cdist(points, nodes).min(axis=0))[:500]]
    np.testing.assert_allclose(
        power_function(nodes, points), power_function(near, points), rtol=0.05
    )
