"""Q-DEIM: points that determine functions."""

import numpy as np
import pytest

from skcolora._galerkin._qdeim import qdeim_points


def orthonormal(n_functions, n_points, seed=0):
    matrix = np.random.default_rng(seed).standard_normal((n_points, n_functions))
    return np.linalg.qr(matrix)[0].T


@pytest.mark.parametrize("n_points", [5, 8, 13, 40])
def test_points_are_distinct_and_sorted(n_points):
    chosen = qdeim_points(orthonormal(5, 40), n_points)
    assert len(chosen) == n_points
    assert (np.diff(chosen) > 0).all()


def test_the_functions_follow_from_their_values_at_the_points():
    basis = orthonormal(6, 50)
    values = np.random.default_rng(1).standard_normal(6) @ basis
    chosen = qdeim_points(basis, 6)
    coefficients = np.linalg.solve(basis[:, chosen].T, values[chosen])
    assert coefficients @ basis == pytest.approx(values)


def test_a_single_peak_is_found():
    basis = np.full((1, 30), 0.01)
    basis[0, 17] = 1.0
    assert qdeim_points(basis, 1) == [17]


def test_without_functions_the_points_are_spread_evenly():
    assert list(qdeim_points(np.empty((0, 11)), 3)) == [0, 5, 10]
