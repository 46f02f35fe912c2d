"""Points and periods: forms, size in pickles, and what is doubtful or refused."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skcolora._snapshots import Grid, check_period, check_points, infer_layout

axis_lists = st.lists(st.integers(1, 6), min_size=1, max_size=3).map(
    lambda sizes: tuple(np.cumsum(np.ones(n)) + i for i, n in enumerate(sizes))
)


@given(axis_lists, st.booleans())
def test_grids_survive_pickling_and_copies(axes, tensor):
    mesh = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], -1)
    grid = check_points(axes) if tensor else Grid(mesh, (len(mesh),))
    assert np.array_equal(grid.points, mesh)
    assert grid.points is grid.points
    for twin in (pickle.loads(pickle.dumps(grid)), copy.deepcopy(grid), copy.copy(grid)):
        assert np.array_equal(twin.points, mesh)
        assert twin.shape == grid.shape
        assert (twin.n_points, twin.n_dims) == (len(mesh), len(axes))
        assert (twin.axes is None) != tensor
    assert grid.ranges == [(axis[0], axis[-1]) for axis in axes]


def test_a_tensor_grid_is_as_small_as_its_axes():
    axis = np.linspace(0, 1, 401)
    grid = check_points((axis, axis.copy()))
    assert grid.n_points == len(grid.points) == 401**2
    assert len(pickle.dumps(grid)) < 8000
    assert "tensor grid, shape=(401, 401), n_dims=2" in repr(grid)
    assert "scattered points" in repr(check_points(axis))


def test_points_given_with_axes_are_not_kept():
    grid = Grid(np.empty((0, 1)), (3,), (np.arange(3.0),))
    assert np.array_equal(grid.points, [[0], [1], [2]])
    with pytest.raises(TypeError, match="needs its points"):
        Grid(None, (3,))


AXIS = np.linspace(0, 1, 16)


@pytest.mark.parametrize(
    ("points", "found"),
    [
        ([AXIS, AXIS[:9]], r"lengths \[16, 9\]"),
        ([AXIS, AXIS], "2 entries of length 16, which would be 2 point.s. in 16 dimensions"),
        ([AXIS], "1 entries of length 16"),
        ([AXIS.tolist(), AXIS.tolist()], "2 entries of length 16"),
        ([AXIS[:i] for i in range(1, 7)], r"lengths \[1, 2, 3, 4, \.\.\.\]"),
    ],
)
def test_a_list_of_axes(points, found):
    for n_dims in (None, 2):
        with pytest.raises(ValueError, match=found) as caught:
            check_points(points, n_dims)
        assert "`points` is a list" in str(caught.value)
        assert "give a tensor grid as a tuple of 1-D axes, that is tuple(points)" in str(
            caught.value
        )
        assert "scattered points are an array (n_points, n_dims)" in str(caught.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("points", [[[0.5, 0.3]], [[0, 0], [0, 1], [1, 1]], [0.1, 0.2], AXIS[:1]])
def test_lists_of_points(points):
    check_points(points)


def test_more_dimensions_than_points():
    with pytest.warns(UserWarning, match=r"shape \(2, 16\) would be 2 point.*give points\.T") as w:
        check_points(np.zeros((2, 16)))
    assert w[0].filename == __file__
    with pytest.raises(ValueError, match=r"16 dimension\(s\), but .* fitted in 2.*tuple of 1-D"):
        check_points(np.zeros((2, 16)), 2)


def test_masked_points_and_axes():
    masked = np.ma.masked_array(AXIS, AXIS > 0.9)
    with pytest.raises(ValueError, match=r"`points` must have no masked entries; got 2 masked"):
        check_points(masked)
    with pytest.raises(ValueError, match=r"`points\[1\]` must have no masked entries"):
        check_points((AXIS, masked))
    with pytest.raises(ValueError, match=r"`points\[0\]` must hold numbers; got dates"):
        check_points((np.array(["2024", "2025"], "datetime64[Y]"), AXIS))


@pytest.mark.parametrize(
    ("axis", "period"),
    [
        (np.linspace(0, 1, 64, endpoint=False), 1.0),
        (np.linspace(0, 1, 64), 1.0),
        (np.linspace(0, 0.3, 64, dtype=np.float32), 0.3),
        (1e6 + np.linspace(0, 0.1, 8, dtype=np.float32), 0.1),
        ((1e6 + np.linspace(0, 0.3, 64)).astype(np.float32), 0.3),
        (1e9 + np.linspace(0, 0.1, 8), 0.1),
        (np.arange(11) * 0.1, 1.0),
        (AXIS, None),
    ],
)
def test_points_within_a_period(axis, period):
    assert check_period(period, check_points(axis)) == (period,)


def test_points_beyond_a_period():
    grid = check_points((AXIS, 3 + 2 * AXIS))
    with pytest.raises(ValueError, match=r"`period` is 0\.5 in dimension 0") as caught:
        check_period((0.5, 2.0), grid)
    assert "the points range over 1, from 0 to 1" in str(caught.value)
    assert "Give the period in the unit of the points" in str(caught.value)
    with pytest.raises(ValueError, match=r"`period` is 1 in dimension 1.*over 2, from 3 to 5"):
        check_period(1.0, grid)
    scattered = check_points(np.random.RandomState(0).rand(20, 2))
    with pytest.raises(ValueError, match=r"`period` is 0\.5 in dimension 1"):
        check_period((None, 0.5), scattered)
    assert check_period((0.5, 2.0), check_points(np.zeros((2, 2)))) == (0.5, 2.0)


def test_a_flattened_array_with_implausibly_many_fields():
    with pytest.warns(UserWarning, match="5 time.s., 4 point.s. and 16 fields") as w:
        layout = infer_layout((2, 5 * 64), np.arange(5), np.arange(4.0))
    assert layout.n_fields == 16
    for cure in ("give all `times` and all `points`", "(n_trajectories, 5, 4, 16)"):
        assert cure in str(w[0].message)


@pytest.mark.filterwarnings("error")
def test_a_flattened_array_of_ten_fields_or_of_points_alone():
    infer_layout((2, 5 * 40), np.arange(5), np.arange(4.0))
    infer_layout((2, 5 * 64), np.arange(5), None)
    infer_layout((2, 64), None, None)
    infer_layout((2, 5, 4, 16), np.arange(5), np.arange(4.0))
