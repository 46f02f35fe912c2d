"""Units: numbers of order one, whatever the units, offsets, rounding and order of the data."""

import warnings
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skcolora._snapshots import Scale, Units, field_scale, merge_close, rows_among
from skcolora._snapshots import _units as module
from skcolora._snapshots._units import column_scale, is_constant, parameter_scale

EPS = np.finfo(float).eps
few = settings(max_examples=30, deadline=None, derandomize=True)
sizes = st.floats(1e-3, 1e3)
signed = st.builds(lambda a, sign: a * sign, sizes, st.sampled_from([-1.0, 1.0]))
shifts = st.floats(-1e4, 1e4)  # in shares of the size
seeds = st.integers(0, 2**32 - 1)


def columns(seed, n=7, n_columns=3):
    return np.random.default_rng(seed).uniform(-1, 1, (n, n_columns))


@few
@given(seeds, signed, shifts)
def test_there_and_back(seed, a, b):
    values = a * (columns(seed) + b)
    scale = column_scale(values)
    scaled = scale.apply(values)
    assert np.allclose(scaled.mean(0), 0, atol=1e-15 * (10 + abs(b)) * 10)
    assert np.allclose(scaled.std(0), 1, atol=1e-15 * (10 + abs(b)) * 10)
    back = scale.invert(scaled)
    assert (np.abs(back - values) <= 4 * EPS * np.abs(values).max(0)).all()
    assert np.allclose(scale.apply(scale.center + scale.scale), 1, atol=1e-11)
    assert np.array_equal(scale.slope, 1 / scale.scale)


@few
@given(seeds, sizes, shifts)
def test_scaled_columns_do_not_depend_on_the_units(seed, a, b):
    values = columns(seed)
    moved = a * (values + b)
    rounding = 1e-14 * (1 + abs(b))
    for of in (column_scale, parameter_scale):
        assert np.allclose(of(moved).apply(moved), of(values).apply(values), atol=rounding)
        mirrored = -moved
        assert np.allclose(of(mirrored).apply(mirrored), -of(moved).apply(moved), atol=rounding)


@given(seeds, st.integers(-900, 900))
@few
def test_powers_of_two_change_no_bit(seed, power):
    values = columns(seed)
    moved = values * 2.0**power
    for of in (column_scale, parameter_scale):
        assert np.array_equal(of(moved).apply(moved), of(values).apply(values))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 10])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constants_of_any_value(n, dtype):
    """The sum of equal values rounds; the constant must not."""
    values = np.concatenate([np.arange(1000) / 100, [-0.1, 1e7 + 0.1, 1e-300, 1e300, 101325.7]])
    with np.errstate(over="ignore"):
        columns = np.tile(values.astype(dtype), (n, 1))
    columns = columns[:, np.isfinite(columns[0])]
    for scale in (column_scale(columns), parameter_scale(columns), field_scale(columns[:, None])):
        assert not scale.varies.any()
        assert (scale.slope == 0).all()
        assert np.array_equal(scale.center, columns[0].astype(float))
        for other in (columns, columns + 1, np.full_like(columns, np.nan)):
            assert (scale.apply(other) == 0).all()
        assert np.array_equal(scale.invert(columns[:1])[0], columns[0].astype(float))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("value", [0.3, 1.0, 7e6, -2e-7, 1e30])
def test_a_spread_of_ten_roundings_is_none(dtype, value):
    eps = float(np.finfo(dtype).eps)
    for roundings, constant in ((1, True), (5, True), (40, False), (1000, False)):
        column = np.full((5, 1), value, dtype)
        column[1] = value * (1 + roundings * eps)
        assert is_constant(column.min(), column.max(), eps) == constant
        scale = field_scale(column[:, None])
        assert scale.varies.tolist() == [not constant]
        if constant:
            assert scale.center == column.min()
            assert (scale.apply(column) == 0).all()
        else:
            assert scale.apply(column).std() == pytest.approx(1)


def test_a_last_bit_is_no_spread():
    column = np.array([0.3, 0.1 + 0.2, 0.3])[:, None]
    assert np.ptp(column) > 0
    assert not column_scale(column).varies
    assert column_scale(column.astype(np.float32)).varies.tolist() == [False]


def test_zero_and_one_ulp_beside_zero():
    assert not column_scale(np.zeros((4, 1))).varies
    assert column_scale(np.array([[0.0], [1e-300]])).varies
    assert is_constant(0.0, 0.0)
    assert is_constant(-0.0, 0.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("block", [1, 60, 2**20])
@few
@given(seeds, sizes, st.floats(-1e3, 1e3))
def test_fields_in_blocks(dtype, block, seed, a, b):
    """Against long double, with blocks of one snapshot, of several and of all."""
    fields = (a * (np.random.default_rng(seed).standard_normal((11, 10, 2)) + b)).astype(dtype)
    with mock.patch.object(module, "_BLOCK", block):
        scale = field_scale(fields)
    exact = fields.astype(np.longdouble)
    mean, deviation = exact.mean((0, 1)), exact.std((0, 1))
    assert np.allclose(scale.center.astype(np.longdouble), mean, rtol=4 * EPS, atol=1e-14 * a)
    assert np.allclose(scale.scale.astype(np.longdouble), deviation, rtol=1e-14)
    assert scale.center.dtype == scale.scale.dtype == np.float64


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_squares_neither_overflow_nor_vanish(size):
    values = columns(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for of in (column_scale, parameter_scale):
            moved = of(size * values)
            assert np.allclose(moved.scale / size, of(values).scale, rtol=1e-13)
            assert np.allclose(moved.apply(size * values), of(values).apply(values), atol=1e-13)


@pytest.mark.parametrize("size", [1e-38, 1e38])
def test_single_precision_is_scaled_in_double(size):
    values = (size * columns(0)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scale = field_scale(values[:, None])
    assert np.allclose(scale.scale / size, values.astype(float).std(0) / size, rtol=1e-13)
    assert scale.apply(values).dtype == np.float64


def test_a_tiny_variation_of_a_large_value():
    variation = np.linspace(-1, 1, 9)[:, None]
    for offset, size in ((300.0, 1e-3), (101325.0, 1e-1), (1.7e9, 1.0), (1e7, 1e-2)):
        values = offset + size * variation
        scaled = column_scale(values).apply(values)
        assert np.allclose(scaled, variation / variation.std(), atol=4 * EPS * offset / size)


def test_neighbouring_parameters_are_near():
    line = np.linspace(3, 8, 6)[:, None]
    scaled = parameter_scale(line).apply(line)
    assert np.allclose(np.diff(scaled[:, 0]), module._PARAMETER_SPACING)
    dense = np.linspace(3, 8, 200)[:, None]
    assert np.array_equal(parameter_scale(dense).scale, column_scale(dense).scale)
    # Copies, and parameters a last bit apart, count once.
    twice = np.vstack([line, line, np.nextafter(line, 9)])
    assert np.allclose(parameter_scale(twice).scale, parameter_scale(line).scale)
    # Nor does a constant column change anything.
    wide = np.column_stack([line, np.full(6, 0.1)])
    assert np.array_equal(parameter_scale(wide).apply(wide)[:, :1], scaled)


few_values = st.lists(
    st.sampled_from([0.0, 0.3, 0.1 + 0.2, 1.0, 1 + 5 * EPS, -2.5, 7e3, np.inf, -np.inf, np.nan]),
    min_size=1,
    max_size=9,
)


def same(a, b):
    return np.array_equal(a, b, equal_nan=True)


@few
@given(few_values, seeds)
def test_merged_values(values, seed):
    column = np.array(values)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        merged = merge_close(column)
    assert same(merge_close(merged), merged)
    assert np.isin(merged[~np.isnan(merged)], column).all()
    assert np.array_equal(np.isnan(merged), np.isnan(column))
    finite = np.isfinite(column)
    assert np.array_equal(merged[~finite], column[~finite], equal_nan=True)
    # By the size of the values, or by their range.
    some = column[finite] if finite.any() else np.zeros(1)
    gap = max(10 * EPS * np.abs(some).max(), 1e-10 * np.ptp(some))
    assert (column[finite] - merged[finite] <= len(values) * gap).all()
    assert (merged[finite] <= column[finite]).all()
    order = np.random.default_rng(seed).permutation(len(column))
    assert same(merge_close(column[order]), merged[order])


@few
@given(seeds, sizes, shifts)
def test_merging_commutes_with_units(seed, a, b):
    """All that matters is which values become equal."""
    values = np.random.default_rng(seed).integers(0, 4, (8, 2)) / 3
    noisy = a * (values + b) * (1 + EPS * np.random.default_rng(seed).integers(-1, 2, (8, 2)))
    merged = merge_close(noisy)
    for columns_ in zip(values.T, merged.T, strict=True):
        plain, found = (np.unique(column, return_inverse=True)[1] for column in columns_)
        assert np.array_equal(plain, found)


def test_merging_leaves_its_argument():
    X = np.array([[0.3], [0.1 + 0.2]])
    before = X.copy()
    assert np.ptp(merge_close(X)) == 0
    assert np.array_equal(X, before)
    assert merge_close(np.array([[1], [2]])).dtype == np.float64
    assert merge_close(np.empty((3, 0))).shape == (3, 0)


def test_rows_among_known_rows():
    known = np.array([[0.3, 1.0], [0.6, 1e7], [np.inf, 0.0]])
    X = np.array(
        [
            [0.1 + 0.2, 1.0],
            [0.3, 1e7],
            [0.6, 1e7 * (1 + EPS)],
            [np.nan, 1.0],
            [0.3, np.nan],
            [np.inf, 0.0],
            [-np.inf, 0.0],
            [0.3 + 1e-6, 1.0],
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rows_among(X, known)
    assert found.tolist() == [True, False, True, False, False, True, False, False]
    assert rows_among(X[:0], known).tolist() == []
    assert not rows_among(np.array([[np.nan, 1.0]]), np.array([[np.nan, 1.0]])).any()


@few
@given(arrays(float, (5, 2), elements=st.sampled_from([0.0, 0.1, 0.2, 0.3])), sizes, shifts)
def test_rows_among_in_other_units(rows, a, b):
    known, X = rows[:2], rows[2:]
    expected = [any((row == other).all() for other in known) for row in X]
    assert rows_among(X, known).tolist() == expected
    assert rows_among(a * (X + b), a * (known + b)).tolist() == expected


X, TIMES = np.array([[0.5, 3.0], [0.7, 3.0], [1.0, 3.0]]), np.linspace(0, 1, 5)
POINTS = np.column_stack([np.arange(8) / 8, np.linspace(-1, 3, 8) ** 2, np.full(8, 5.0)])
PERIOD = (1.0, None, None)


def units(a=(1.0, 1.0, 1.0), b=(0.0, 0.0, 0.0)):
    """Of parameters, times and points in other units."""
    period = tuple(None if length is None else a[2] * length for length in PERIOD)
    moved = a[0] * (X + b[0]), a[1] * (TIMES + b[1]), a[2] * (POINTS + b[2])
    return Units.of(*moved, period, 2), moved


@few
@given(st.tuples(sizes, sizes, sizes), st.tuples(shifts, shifts, shifts))
def test_inputs_and_coordinates_do_not_depend_on_the_units(a, b):
    plain, (mu, times, points) = units()
    moved, (new_mu, new_times, new_points) = units(a, b)
    assert moved.varying == plain.varying
    rounding = 1e-14 * (1 + np.abs(b).max())
    found, wanted = moved.inputs(new_mu, new_times), plain.inputs(mu, times)
    assert found.shape == (3, 5, 3)
    assert np.allclose(found, wanted, atol=rounding)
    assert np.allclose(moved.coordinates(new_points), plain.coordinates(points), atol=rounding)


def test_ranges_of_coordinates():
    plain, (_, times, points) = units()
    angle, x, z = plain.coordinates(points).T
    assert np.allclose(angle, np.arange(8) * np.pi / 4)
    assert np.allclose([x.min(), x.max()], [-1, 1], rtol=1e-15)
    assert (z == 0).all()
    # Angles of points in other periods; a constant axis has no effect.
    shift = np.array([[3.0, 0.0, 7.0], [-2.0, 0.0, -1.0]])
    for other in points + shift[:, None]:
        around = plain.coordinates(other)
        assert np.allclose(np.exp(1j * around[:, 0]), np.exp(1j * angle))
        assert ((around[:, 0] >= 0) & (around[:, 0] <= 2 * np.pi)).all()
        assert np.allclose(around[:, 1:], np.column_stack([x, z]))
    assert np.array_equal(plain.inputs(X, times)[0, :, 1], np.zeros(5))


def test_what_varies():
    plain, _ = units()
    assert plain.varying == (True, False, True, True, True, False, True, True)
    others = [
        (np.column_stack([X[:, 0], [3.0, 4.0, 3.0]]), TIMES, POINTS),
        (X, TIMES[:1], POINTS),
        (X, TIMES, np.column_stack([POINTS[:, :2], np.arange(8)])),
    ]
    for data, changed in zip(others, (1, 2, 5), strict=True):
        varying = Units.of(*data, PERIOD, 2).varying
        assert np.flatnonzero(np.array(varying) != plain.varying).tolist() == [changed]
    one_time = Units.of(*others[1], PERIOD, 2)
    assert (one_time.inputs(X, TIMES)[..., -1] == 0).all()


def test_least_variation_counts_the_fields_that_vary():
    plain, _ = units()
    scale = field_scale(np.stack([np.random.default_rng(0).random((3, 8)), np.full((3, 8), 7)], -1))
    fitted = plain.with_fields(scale)
    assert fitted.varying[-2:] == (True, False)
    assert fitted.points is plain.points
    assert plain.least_variation == pytest.approx(module.VARIATION_FLOOR * 2**0.5)
    assert fitted.least_variation == module.VARIATION_FLOOR


def test_a_period_of_huge_and_tiny_length():
    for length in (1e-300, 1e-9, 1e9, 1e300):
        points = np.arange(8)[:, None] / 8 * length
        scale = Units.of(X, TIMES, points, (length,), 1)
        assert np.allclose(scale.coordinates(points)[:, 0], np.arange(8) * np.pi / 4)
        line = Units.of(X, TIMES, points, (None,), 1).coordinates(points)[:, 0]
        assert np.allclose(line, np.linspace(-1, 1, 8))


def test_a_scale_of_no_quantities():
    empty = Scale(np.empty(0), np.empty(0))
    assert empty.apply(np.empty((4, 0))).shape == empty.invert(np.empty((4, 0))).shape == (4, 0)
