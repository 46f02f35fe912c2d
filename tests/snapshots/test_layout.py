"""The data contract: layouts, and what is refused."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skcolora._snapshots import check_period, check_points, check_times, infer_layout

sizes = st.integers(1, 5)


@st.composite
def layouts(draw):
    """Snapshots of any layout, with their times, points, and (n_times, n_points, n_fields)."""
    n, n_times, n_fields = draw(sizes), draw(sizes), draw(sizes)
    axes = tuple(np.arange(k) / k for k in draw(st.lists(sizes, min_size=1, max_size=3)))
    shape = tuple(map(len, axes))
    n_points = int(np.prod(shape))
    tensor = draw(st.booleans())
    points = axes if tensor else np.random.RandomState(0).rand(n_points, 2)
    times = np.cumsum(np.ones(n_times))
    in_space = shape if tensor else (n_points,)
    kinds = ["full", "no field axis", "flattened", "steady", "steady on the grid"]
    kind = draw(st.sampled_from(kinds))
    if kind == "full":
        y_shape = (n, n_times, *in_space, n_fields)
    elif kind == "no field axis":
        n_fields, y_shape = 1, (n, n_times, *in_space)
    elif kind == "flattened":
        y_shape = (n, n_times * n_points * n_fields)
    elif kind == "steady":
        n_times, times, y_shape = 1, None, (n, n_points * n_fields)
    else:
        n_times, times, y_shape = 1, None, (n, *in_space, n_fields)
        # With as many fields as points, the first axis might be that of times.
        assume(y_shape[2:] != in_space)
    y = np.arange(np.prod(y_shape), dtype=float).reshape(y_shape)
    return y, times, points, (n_times, n_points, n_fields)


@given(layouts())
def test_to_rows_and_back_is_the_identity(case):
    y, times, points, expected = case
    layout = infer_layout(y.shape, times, points)
    rows = layout.to_rows(y)
    assert rows.shape == (len(y), *expected)
    assert np.array_equal(layout.from_rows(rows), y)
    assert np.array_equal(layout.check_rows(y), rows)


def test_a_tensor_grid_is_flattened_in_the_order_of_its_points():
    x0, x1 = np.linspace(0, 1, 3), np.linspace(5, 6, 4)
    y = np.broadcast_to(x0[:, None] + 10 * x1, (2, 5, 3, 4))
    layout = infer_layout(y.shape, None, (x0, x1))
    rows = layout.to_rows(y)
    assert np.allclose(rows[1, 2, :, 0], layout.grid.points @ [1, 10])


def test_one_number_a_trajectory():
    layout = infer_layout((4,), None, None)
    assert layout.steady
    assert layout.from_rows(np.zeros((4, 1, 1, 1))).shape == (4,)


def test_defaults_are_uniform_on_the_unit_interval():
    layout = infer_layout((2, 5, 3), None, None)
    assert np.array_equal(layout.times, np.linspace(0, 1, 5))
    assert np.array_equal(layout.grid.points[:, 0], np.linspace(0, 1, 3))


def test_other_times_and_points_keep_the_form():
    layout = infer_layout((2, 15), np.arange(5), np.linspace(0, 1, 3))
    other = layout.at([0.5], np.linspace(0, 1, 7))
    assert other.from_rows(np.zeros((2, 1, 7, 1))).shape == (2, 7)
    grid = infer_layout((2, 5, 3, 3), None, (np.arange(3), np.arange(3)))
    assert grid.at(None, np.zeros((9, 2))).from_rows(np.zeros((2, 5, 9, 1))).shape == (2, 5, 9)


def test_an_image_without_points_is_doubtful():
    with pytest.warns(UserWarning, match="tuple of two 1-D axes"):
        infer_layout((2, 5, 32, 32), None, None)


@pytest.mark.parametrize(
    ("shape", "times", "points", "message"),
    [
        ((2, 6, 3), np.arange(5), None, r"5 entries, but the snapshots have 6 times"),
        ((2, 5, 3), None, np.arange(4.0), r"\(3,\) in space, but `points` have shape \(4,\)"),
        ((2, 5, 12), None, (np.arange(3), np.arange(4)), r"expected \(n_traj.*scattered points"),
        (
            (2, 3, 3),
            None,
            np.arange(3.0),
            r"steady.*3 times.*reshape\(2, -1\)",
        ),
        ((2, 3, 3, 3), None, (np.arange(3), np.arange(3)), r"steady, with 3 fields, or have 3"),
        ((2, 5, 4, 3), None, (np.arange(3), np.arange(4)), r"\(4, 3\) in space.*\(3, 4\)"),
        ((2, 5, 3, 4, 1), None, None, r"give `points` as a tuple"),
        ((2, 16), np.arange(5), None, r"width 16 is not a multiple of 5 times"),
        ((2, 16), np.arange(4), np.arange(3.0), r"not a multiple of 4 times × 3 points"),
        ((2, 5, 3), [0, 1, 1, 2, 3], None, r"times\[1\] = 1 followed by times\[2\] = 1"),
        ((2, 5, 3), [[0, 1, 2, 3, 4]], None, r"`times` must have shape \(n_times,\)"),
        ((2, 5, 3), [0, 1, 2, 3, np.nan], None, r"`times` must be finite"),
        ((2, 5, 3), "soon", None, r"`times` must be numeric"),
        ((2, 5, 3), None, [0, 1, np.nan], r"`points` must be finite"),
        ((2, 5, 3), None, (0.0, 0.5, 1.0), r"one 1-D axis for each dimension"),
        ((2, 5, 3), None, np.zeros((3, 2, 2)), r"array of shape \(3, 2, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused(shape, times, points, message):
    with pytest.raises(ValueError, match=message):
        infer_layout(shape, times, points)


def test_points_of_another_dimension():
    with pytest.raises(ValueError, match=r"2 dimension\(s\), but the estimator was fitted in 1"):
        check_points(np.zeros((3, 2)), 1)


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        ((4, 3), None),
        ((4, 3, 2), np.arange(3.0)),
        ((4, 3, 5), (np.arange(3), np.arange(5))),
        ((4, 3, 5, 2), (np.arange(3), np.arange(5))),
    ],
)
def test_steady_fields_have_no_times(shape, points):
    layout = infer_layout(shape, None, points)
    assert layout.steady
    with pytest.raises(ValueError, match="steady"):
        layout.at([0.0, 1.0], None)


def test_many_times_are_no_fields():
    assert not infer_layout((4, 12, 12), None, np.arange(12.0)).steady
    assert not infer_layout((4, 1, 3), [0.0], np.arange(3.0)).steady


def test_times_are_checked_before_use():
    assert check_times([0, 2, 3]).dtype == float


@pytest.mark.parametrize(
    ("period", "expected"),
    [(None, (None, None)), (2, (2.0, 2.0)), ((1.0, None), (1.0, None)), ([1, 2], (1.0, 2.0))],
)
def test_period_forms(period, expected):
    assert check_period(period, check_points(np.zeros((2, 2)))) == expected


@pytest.mark.parametrize("period", [0, -1.0, np.inf, np.nan, (1, 0), (1, 2, 3), "two", (1, "a")])
def test_bad_periods(period):
    with pytest.raises(ValueError, match="`period`"):
        check_period(period, check_points(np.zeros((2, 2))))
