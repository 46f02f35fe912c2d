"""Interpolation of snapshots to other points."""

import numpy as np
import pytest

from skcolora._snapshots import check_points, interpolate_in_space, interpolate_in_time


def cubic(x):
    return 1 + x[:, 0] ** 3 - 2 * x[:, -1] ** 2


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_cubic_polynomials_are_reproduced_on_a_tensor_grid(n_dims):
    grid = check_points(tuple(np.linspace(0, 1, 5 + d) ** 1.3 for d in range(n_dims)))
    new = np.random.RandomState(0).rand(30, n_dims)
    values = np.stack([cubic(grid.points), -cubic(grid.points)], axis=1)
    moved = interpolate_in_space(grid, values, new, (None,) * n_dims)
    assert np.allclose(moved, np.stack([cubic(new), -cubic(new)], axis=1))


@pytest.mark.parametrize("both_ends", [True, False])
def test_fourth_order_on_a_periodic_grid(both_ends):
    new = np.random.RandomState(0).uniform(-3, 5, (50, 2))

    def error(n):
        axis = np.linspace(-1, 1, n + both_ends, endpoint=both_ends)
        grid = check_points((axis, axis))
        wave = lambda x: np.sin(np.pi * x[:, 0]) * np.cos(np.pi * x[:, 1])  # noqa: E731
        moved = interpolate_in_space(grid, wave(grid.points)[:, None], new, (2.0, 2.0))
        return np.abs(moved[:, 0] - wave(new)).max()

    assert np.log2(error(16) / error(32)) == pytest.approx(4, abs=0.5)


def test_scattered_points():
    random = np.random.RandomState(0)
    grid = check_points(random.rand(400, 2))
    new = random.uniform(0.2, 0.8, (40, 2))
    moved = interpolate_in_space(grid, np.sin(grid.points @ [2.0, 3.0])[:, None], new, (None, None))
    assert np.abs(moved[:, 0] - np.sin(new @ [2.0, 3.0])).max() < 0.02


def test_points_on_a_line_in_any_order():
    order = np.random.RandomState(0).permutation(20)
    grid = check_points(np.linspace(0, 1, 20)[order])
    moved = interpolate_in_space(grid, grid.points**2, np.array([[0.33]]), (None,))
    assert moved == pytest.approx(0.33**2)


def test_leaving_the_domain_is_an_error():
    grid = check_points(np.linspace(0, 1, 9))
    with pytest.raises(
        ValueError, match=r"must lie in \[0, 1\] in dimension 0, .*; got \[1.2, 1.2\]"
    ):
        interpolate_in_space(grid, grid.points, np.array([[1.2]]), (None,))


@pytest.mark.parametrize("n_times", [1, 2, 3, 6])
def test_interpolate_in_time(n_times):
    times = np.arange(n_times, dtype=float)
    degree = min(3, n_times - 1)
    new = np.array([0.25 * (n_times - 1)])
    assert np.allclose(
        interpolate_in_time(times, times[:, None] ** degree, new), new[:, None] ** degree
    )
