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


def hills(points):
    return np.sin(2 * np.pi * points[:, :1]) * np.cos(2 * np.pi * points[:, 1:2])


@pytest.mark.parametrize("box", [[1.0, 1.0], [10.0, 1.0], [1e-3, 1.0], [1e6, 1e-6]])
def test_scattered_points_in_a_box_of_any_shape(box):
    random = np.random.default_rng(0)
    points, new = random.random((500, 2)), random.uniform(0.1, 0.9, (50, 2))
    moved = interpolate_in_space(check_points(points * box), hills(points), new * box, (None,) * 2)
    assert np.linalg.norm(moved - hills(new)) < 5e-3 * np.linalg.norm(hills(new))


@pytest.mark.parametrize("shape", [(100, 10), (10, 100), (200, 10)])
def test_points_denser_along_an_axis(shape):
    axes = [np.linspace(0, 1, n) for n in shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    new = np.random.default_rng(0).uniform(0.1, 0.9, (50, 2))
    moved = interpolate_in_space(check_points(points), hills(points / 2), new, (None,) * 2)
    assert np.linalg.norm(moved - hills(new / 2)) < 2e-2 * np.linalg.norm(hills(new / 2))


def test_scattered_neighbours_across_the_period():
    random = np.random.default_rng(0)
    points, seam = random.random((500, 2)), random.uniform(-0.05, 0.05, (50, 2))
    seam = np.column_stack([seam[:, 0] + 3, seam[:, 1]])
    moved = interpolate_in_space(check_points(points), hills(points), seam, (1.0, 1.0))
    assert np.linalg.norm(moved - hills(seam)) < 5e-3 * np.linalg.norm(hills(seam))


def test_double_nodes_have_the_mean_of_their_values():
    random = np.random.default_rng(0)
    points, new = random.random((60, 2)), random.uniform(0.3, 0.7, (5, 2))
    twice = np.vstack([points, points[:9], points[:4] + np.array([1.0, 0.0])])
    spread = np.concatenate([np.full(9, 1.0), np.zeros(51), np.full(9, -1.0), np.zeros(4)])
    spread[:4] += 1.0
    spread[60:64] -= 1.0
    values = np.vstack([hills(points), hills(points[:9]), hills(points[:4])])
    wanted = interpolate_in_space(check_points(points), hills(points), new, (1.0, None))
    found = interpolate_in_space(check_points(twice), values + spread[:, None], new, (1.0, None))
    assert np.allclose(found, wanted)


@pytest.mark.parametrize("period", [None, 1.0])
def test_double_nodes_on_a_line_in_any_order(period):
    x = np.random.default_rng(0).permutation(np.append(np.arange(32) / 32, [0.25, 0.25 + 1e-16]))
    wave = np.cos(2 * np.pi * x)[:, None]
    moved = interpolate_in_space(check_points(x), wave, np.array([[0.3], [0.77]]), (period,))
    assert np.allclose(moved[:, 0], np.cos(2 * np.pi * np.array([0.3, 0.77])), atol=1e-4)


def test_a_flat_axis_takes_no_part():
    random = np.random.default_rng(0)
    points, new = random.random((300, 2)), random.uniform(0.2, 0.8, (9, 2))
    flat = check_points(np.column_stack([points, np.full(300, 0.3)]))
    wanted = interpolate_in_space(check_points(points), hills(points), new, (None,) * 2)
    new = np.column_stack([new, np.full(9, 0.1 + 0.2)])
    assert np.allclose(interpolate_in_space(flat, hills(points), new, (None,) * 3), wanted)
    with pytest.raises(ValueError, match=r"\[0.3, 0.3\] in dimension 2, .*; got \[0.5, 0.5\]"):
        interpolate_in_space(flat, hills(points), new + np.array([0, 0, 0.2]), (None,) * 3)


def test_points_on_a_slanted_line():
    s, new = np.linspace(0, 1, 50), np.random.default_rng(0).random(20)
    points, there = np.outer(s, [1.0, 0.7]), np.outer(new, [1.0, 0.7])
    moved = interpolate_in_space(check_points(points), s[:, None] ** 2, there, (None,) * 2)
    assert np.allclose(moved[:, 0], new**2, atol=1e-2)


def test_a_hole_is_no_place_for_a_prediction():
    points = np.random.default_rng(0).random((500, 2))
    ring = points[np.hypot(*(points - 0.5).T) > 0.4]
    with pytest.raises(ValueError, match=r"points\[0\] = \[0.5, 0.5\] is far from all of them"):
        interpolate_in_space(check_points(ring), hills(ring), np.full((1, 2), 0.5), (None,) * 2)
