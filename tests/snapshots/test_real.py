"""Arrays of users: what is masked, complex, dated, written or missing is never read as a number."""

import datetime
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from skcolora._snapshots import as_real_floats, check_mask, check_real

DATES = np.array(["2024-03-01", "2024-03-02"], dtype="datetime64[D]")


def refused(function, *args):
    """The text of the ValueError of a call."""
    with pytest.raises(ValueError, match=r"^.+") as caught:
        function(*args)
    return str(caught.value)


@given(arrays(bool, array_shapes(max_dims=3, max_side=4)), st.sampled_from([float, int, "f4"]))
def test_a_mask_counts_where_it_is_true(mask, dtype):
    array = np.ma.masked_array(np.ones(mask.shape, dtype), mask)
    for values in (array, list(array), np.ma.masked_array(array, mask).astype(object)):
        if mask.any():
            text = refused(check_real, values, "initial")
            assert f"got {mask.sum()} masked of {mask.size}" in text
            assert text.startswith("`initial` must have no masked entries")
            assert "Leave these points or trajectories out" in text
            assert "`initial.filled(value)`" in text
            assert refused(as_real_floats, values, "initial") == text
        else:
            assert np.array_equal(as_real_floats(values, "initial"), np.ones(mask.shape))


def test_masked_entries_inside_lists():
    assert "1 masked of 3" in refused(check_mask, [1.0, np.ma.masked, 2.0], "times")
    nested = [[np.ma.masked_equal([1.0, -9999.0], -9999.0)], [np.ones(2)]]
    assert "1 masked of 4" in refused(check_real, nested, "y")
    check_mask([np.ma.masked_array([1.0, 2.0]), [3.0, 4.0]], "y")


class Lazy:
    """An array that is loaded as a masked one, like a netCDF4 variable or a dask array."""

    def __init__(self, values, **attributes):
        self._values, self.attrs = values, attributes

    def __array__(self, dtype=None, copy=None):
        return self._values


def test_arrays_that_are_loaded_as_masked():
    assert "1 masked of 2" in refused(
        check_real, Lazy(np.ma.masked_array([1, 2], [True, False])), "y"
    )
    dask = pytest.importorskip("dask.array")
    lazy = dask.ma.masked_equal(dask.from_array(np.array([1.0, 2.0, 2.0]), chunks=2), 2.0)
    assert "2 masked of 3" in refused(check_real, lazy, "y")
    assert np.array_equal(check_real(Lazy(np.arange(3.0)), "y"), np.arange(3.0))


@pytest.mark.parametrize("mark", ["_FillValue", "missing_value"])
def test_datasets_with_marks_of_missing_data(mark):
    values = np.array([1.0, 1e20, 1e20], dtype=np.float32)
    text = refused(check_real, Lazy(values, **{mark: 1e20}), "y")
    assert f"`y` must have no missing data; got 2 of 3 values equal to {mark} = 1e+20" in text
    assert "Leave these points or trajectories out" in text
    check_real(Lazy(values, **{mark: -9999}), "y")


def test_packed_datasets():
    text = refused(check_real, Lazy(np.arange(3), scale_factor=0.1, add_offset=300.0), "y")
    assert "packed with scale_factor = 0.1 and add_offset = 300.0" in text
    assert "values * scale_factor + add_offset" in text


@pytest.mark.parametrize("check", [check_real, as_real_floats])
@pytest.mark.parametrize(
    "values",
    [
        np.array([1 + 1j, 2]),
        [1 + 0j, 2.0],
        np.array([1.0, 2 + 1j], dtype=object),
        pd.Series([1j, 2]),
        pd.DataFrame({"a": [1.0], "b": [1j]}),
    ],
)
def test_complex_numbers(check, values):
    text = refused(check, values, "initial")
    assert "Complex data not supported: `initial" in text
    assert "two fields" in text


@pytest.mark.parametrize("check", [check_real, as_real_floats])
@pytest.mark.parametrize(
    "values",
    [
        DATES,
        DATES - DATES[0],
        list(DATES),
        [datetime.date(2024, 3, 1)],
        [[1.0, pd.Timestamp("2024-03-01")]],
        [datetime.timedelta(hours=1)],
        pd.Series(DATES),
        pd.to_datetime(DATES).tz_localize("Europe/Paris"),
        pd.DataFrame({"speed": [1.0, 2.0], "day": DATES}),
        pd.DataFrame({"day": DATES}),
        pd.DataFrame({"speed": [1.0, 2.0], "day": list(DATES)}, dtype=object),
    ],
)
def test_dates_that_are_not_times(check, values):
    text = refused(check, values, "points")
    assert re.search(r"`points(\['day'\])?` must hold numbers; got dates or durations", text)
    assert "numpy.timedelta64(1, 's')" in text


@pytest.mark.parametrize("values", [["0.1", "0.2"], np.array([b"1"]), np.array(["2024-03-01"])])
def test_text(values):
    text = refused(as_real_floats, values, "times")
    assert "`times` must be numeric; got text" in text
    assert "Convert it to numbers" in text


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, pd.NA], dtype="Int64"),
        pd.array([1.0, None], dtype="Float64"),
        pd.DataFrame({"a": pd.array([1.0, None], dtype="Float64")}),
        [1.0, None],
        np.array([np.inf, 1.0]),
    ],
)
def test_missing_and_infinite_values(values):
    assert "`points` must be finite; got NaN or infinity in 1 of 2" in refused(
        as_real_floats, values, "points"
    )


def test_objects_that_are_no_numbers():
    assert "`points` must be numeric; got list" in refused(as_real_floats, [{}], "points")
    assert "`points` must be numeric" in refused(as_real_floats, [[1.0], [1.0, 2.0]], "points")


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        (True, False),
        np.arange(2, dtype=np.int8),
        pd.Series([1, 2], dtype="Int64"),
        [1, 2.0],
    ],
)
def test_real_numbers_become_a_copy_in_float64(values):
    array = as_real_floats(values, "times")
    assert array.dtype == np.float64
    given = np.arange(3.0)
    as_real_floats(given, "times")[0] = 7.0
    assert given[0] == 0.0
