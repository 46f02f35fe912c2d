"""Candidates that are spread evenly."""

import numpy as np
from scipy.spatial.distance import cdist

from skcolora.model_selection._farthest import farthest_points, ranks

NONE = np.empty((0, 2))


def test_a_grid_gives_its_corners_and_then_its_middle():
    axis = np.linspace(0, 1, 5)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    chosen = points[farthest_points(points, 5, NONE)]
    assert {tuple(row) for row in chosen[:4]} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert tuple(chosen[4]) == (0.5, 0.5)


def test_designs_are_nested_and_never_repeat():
    points = np.random.default_rng(0).uniform(size=(60, 3))
    whole = farthest_points(points, 60, np.empty((0, 3)))
    assert sorted(whole) == list(range(60))
    assert farthest_points(points, 17, np.empty((0, 3))) == whole[:17]
    rest = np.setdiff1d(np.arange(60), whole[:17])
    after = farthest_points(points[rest], 10, points[whole[:17]])
    assert list(rest[after]) == whole[17:27]


def test_each_choice_is_the_farthest():
    points = np.random.default_rng(1).uniform(size=(80, 2))
    known = np.array([[0.5, 0.5]])
    for i in farthest_points(points, 12, known):
        gaps = cdist(points, known).min(axis=1)
        assert gaps[i] >= gaps.max() - 1e-9
        known = np.vstack([known, points[i]])


def test_ranks_follow_the_spacing_of_the_candidates():
    among = np.column_stack([np.geomspace(1e-4, 1.0, 9), np.linspace(-3, 5, 9), np.ones(9)])
    expected = np.linspace(0, 1, 9)
    found = ranks(among, among)
    np.testing.assert_allclose(found[:, 0], expected)
    np.testing.assert_allclose(found[:, 1], expected)
    np.testing.assert_array_equal(found[:, 2], 0.0)
    beyond = ranks(np.array([[1e-9, 9.0, 1.0]]), among)
    np.testing.assert_array_equal(beyond, [[0.0, 1.0, 0.0]])
