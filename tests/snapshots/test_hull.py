"""The hull of training parameters: what lies outside, and how far, in all units and orders."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from skcolora._snapshots import _hull as module
from skcolora._snapshots._hull import Hull

few = settings(max_examples=30, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
dims = st.integers(1, 10)
sizes = st.floats(1e-3, 1e3)


def outside(X_train, X):
    """Whether each row lies outside the box, the plane or the hull."""
    hull = Hull(X_train)
    return hull.excess(X).any(axis=1) | (np.add(*hull.distances(X)) > 0)


def data(seed, n_dims, kind):
    """Training parameters: in general position, on a line, with a constant, few, on a lattice."""
    random = np.random.default_rng(seed)
    if kind == "line":
        return random.random((12, 1)) * random.uniform(0.5, 2, n_dims) + 3
    if kind == "lattice":
        return random.integers(0, 3, (40, n_dims)).astype(float)
    X = random.random((max(2, n_dims // 2) if kind == "few" else 40, n_dims))
    if kind == "constant":
        X[:, 0] = 0.1
    return X


KINDS = ("general", "line", "constant", "few", "lattice")
kinds = st.sampled_from(KINDS)


@few
@given(seeds, dims, kinds, st.floats(0.02, 5))
def test_convex_combinations_and_training_rows_are_inside(seed, n_dims, kind, concentration):
    X = data(seed, n_dims, kind)
    weights = np.random.default_rng(seed).dirichlet(np.full(len(X), concentration), 50)
    assert not outside(X, weights @ X).any()
    assert not outside(X, X).any()
    edges = (X[:-1] + X[1:]) / 2
    assert not outside(X, edges).any()


@few
@given(seeds, dims, kinds, st.floats(1e-6, 10))
def test_a_row_beyond_the_box_lies_as_far_as_it_was_moved(seed, n_dims, kind, share):
    X = data(seed, n_dims, kind)
    hull, random = Hull(X), np.random.default_rng(seed)
    j = int(random.choice(np.flatnonzero(hull.width))) if hull.width.any() else None
    if j is None:
        return
    for end, sign in ((hull.high, 1), (hull.low, -1)):
        row = X[:1].copy()
        row[0, j] = end[j] + sign * share * hull.width[j]
        excess = hull.excess(row)
        assert np.flatnonzero(excess[0]).tolist() == [j]
        assert excess[0, j] == pytest.approx(sign * share * hull.width[j], rel=1e-5)
        assert hull.shares(excess)[0, j] == pytest.approx(share, rel=1e-5)


@few
@given(seeds, st.integers(2, 8))
def test_the_distance_from_the_corner_of_a_simplex(seed, n_dims):
    """The hull of 0 and the unit vectors; the nearest point to c·(1, …, 1) is the centre."""
    X = np.vstack([np.zeros(n_dims), np.eye(n_dims)])
    X = X[np.random.default_rng(seed).permutation(len(X))]
    for c in (1 / n_dims + 1e-5, 0.6, 1.0):
        from_plane, from_hull = Hull(X).distances(np.full((1, n_dims), c))
        assert from_plane == 0
        assert from_hull == pytest.approx((c - 1 / n_dims) * np.sqrt(n_dims), rel=1e-3)
    assert not outside(X, np.full((1, n_dims), 1 / n_dims)).any()


@few
@given(seeds, st.integers(2, 6))
def test_the_verdict_is_that_of_a_linear_programme(seed, n_dims):
    random = np.random.default_rng(seed)
    X, new = random.random((25, n_dims)), random.random((15, n_dims))
    system = np.vstack([X.T, np.ones(len(X))])
    solved = [linprog(np.zeros(len(X)), A_eq=system, b_eq=np.append(row, 1)) for row in new]
    assert outside(X, new).tolist() == [not result.success for result in solved]


@few
@given(seeds, dims, kinds, sizes, st.booleans(), st.floats(-100, 100))
def test_units_and_orders_change_nothing(seed, n_dims, kind, size, mirror, shift):
    X, random = data(seed, n_dims, kind), np.random.default_rng(seed)
    new = np.vstack([X[:5] + 0.3 * random.standard_normal((min(5, len(X)), n_dims)), X[:3]])
    unit = size * random.uniform(0.5, 2, n_dims) * (-1 if mirror else 1)
    moved, moved_new = unit * (X + shift), unit * (new + shift)
    plain, other = Hull(X), Hull(moved)
    varies = plain.width > 0
    expected = plain.shares(plain.excess(new))[:, varies]
    assert np.allclose(other.shares(other.excess(moved_new))[:, varies], expected, atol=1e-9)
    for found, wanted in zip(other.distances(moved_new), plain.distances(new), strict=True):
        assert np.allclose(found, wanted, atol=1e-9)
    i, j, k = (random.permutation(n) for n in (len(X), len(new), n_dims))
    mixed = Hull(X[i][:, k]).distances(new[j][:, k])
    for found, wanted in zip(mixed, plain.distances(new), strict=True):
        assert np.allclose(found, wanted[j], atol=1e-9)


def test_leaving_the_line_of_the_training_parameters():
    s = np.linspace(0, 1, 4)[:, None]
    hull = Hull(np.hstack([s, 2 * s]))
    from_plane, from_hull = hull.distances(np.array([[0.3, 0.9], [0.3, 0.6], [0.333333, 0.666667]]))
    # In shares of the ranges (0.3, 0.45), from the diagonal.
    assert from_plane == pytest.approx([0.15 / np.sqrt(2), 0, 0])
    assert (from_hull == 0).all()


@pytest.mark.parametrize("value", [0.1, 0.3, 1e7 + 0.1])
def test_single_precision_is_rounding(value):
    """Training values in one precision and new values in the other are the same."""
    X = value * np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 2.0]])
    single = X.astype(np.float32).astype(float)
    assert not outside(X, single).any()
    assert not outside(single, X).any()
    middle = (X[1:2] + X[2:]) / 2
    assert not outside(single, middle).any()
    assert outside(X, X * (1 + 1e-6)).all() == outside(single, X * (1 + 1e-6)).all()
    assert outside(X, X[1:] * (1 + 1e-6)).all()


def test_the_tolerance_is_a_billionth_of_the_range():
    X = np.array([[0.1], [0.3]])
    found = outside(X, np.array([[0.3 + 1e-10], [0.3 + 1e-9], [0.1 - 1e-10], [0.1 - 1e-9]]))
    assert found.tolist() == [False, True, False, True]


def test_a_constant_has_no_range():
    hull = Hull(np.array([[0.3, 0.0], [0.1 + 0.2, 1.0]]))
    assert hull.width.tolist() == [0.0, 1.0]
    excess = hull.excess(np.array([[0.5, 0.5], [0.3, 0.5]]))
    assert excess[0] == pytest.approx([0.2, 0])
    assert hull.shares(excess).tolist() == [[np.inf, 0.0], [0.0, 0.0]]
    assert (np.add(*hull.distances(np.array([[9.0, 0.5]]))) == 0).all()
    assert Hull(np.array([[1.0, 2.0]])).distances(np.array([[3.0, 4.0]]))[1].tolist() == [0.0]


def test_a_solver_that_stops_early_takes_no_row_out():
    X = np.random.default_rng(0).random((20, 3))
    row = X.mean(axis=0, keepdims=True)
    with mock.patch.object(module, "nnls", return_value=(np.eye(20)[0], 0.0)):
        assert not outside(X, row).any()
    with mock.patch.object(module, "nnls", side_effect=RuntimeError):
        assert not outside(X, row).any()
