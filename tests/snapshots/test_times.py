"""Times as numbers, dates and durations: one instant is one number, in every way of writing it."""

import copy
import datetime
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skcolora._snapshots import check_times, infer_layout, read_times

UNITS = ["h", "m", "s", "ms", "us", "ns"]
SECONDS = np.array([0.0, 1800.0, 5400.0])
T0 = np.datetime64("2024-03-01T12:00:00", "s")
DATES = T0 + SECONDS.astype("timedelta64[s]")


def refused(function, *args):
    with pytest.raises(ValueError, match=r"^.+") as caught:
        function(*args)
    return str(caught.value)


@given(
    st.lists(st.integers(-(10**5), 10**5), min_size=2, max_size=6, unique=True),
    st.sampled_from(UNITS),
    st.sampled_from(UNITS),
)
def test_the_resolution_changes_nothing(hours, unit, other):
    dates = np.sort(np.array(hours)).astype("datetime64[h]")
    one, two = (read_times(dates.astype(f"datetime64[{u}]")) for u in (unit, other))
    assert np.array_equal(one.numbers, two.numbers)
    assert np.array_equal(one.numbers, 3600.0 * (np.sort(hours) - min(hours)))
    # A later call in another resolution counts from the same origin.
    assert np.array_equal(
        one.read(dates[1:].astype(f"datetime64[{other}]")).numbers, one.numbers[1:]
    )


@given(st.lists(st.integers(0, 2**62), min_size=2, max_size=5, unique=True))
def test_seconds_are_rounded_once(ticks):
    ticks = sorted(ticks)
    assume(min(np.diff(ticks)) > 2**12)
    numbers = read_times(np.array(ticks).astype("datetime64[ns]")).numbers
    exact = [(tick - ticks[0]) / 10**9 for tick in ticks]  # of integers: correctly rounded
    assert numbers.tolist() == exact


@pytest.mark.parametrize(
    "times",
    [
        DATES,
        list(DATES),
        pd.DatetimeIndex(DATES),
        pd.Series(DATES, index=[5, 6, 7]),
        [pd.Timestamp(date) for date in DATES],
        DATES.tolist(),
        [DATES[0], pd.Timestamp(DATES[1]), DATES[2].item()],
        np.ma.masked_array(DATES),
    ],
)
def test_every_container_of_dates(times):
    read = read_times(times)
    assert read.kind == "dates"
    assert np.array_equal(read.numbers, SECONDS)
    assert np.array_equal(read.in_user_kind, DATES)


@pytest.mark.parametrize(
    "times",
    [
        pd.DatetimeIndex(DATES).tz_localize("UTC"),
        pd.DatetimeIndex(DATES).tz_localize("UTC").tz_convert("America/New_York"),
        pd.Series(DATES).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
        [date.replace(tzinfo=datetime.timezone.utc) for date in DATES.tolist()],
        [
            date.replace(tzinfo=datetime.timezone.utc).astimezone(
                datetime.timezone(datetime.timedelta(hours=i))
            )
            for i, date in enumerate(DATES.tolist())
        ],
    ],
)
def test_time_zones_become_utc(times):
    read = read_times(times)
    assert read.kind == "dates with a time zone"
    assert np.array_equal(read.in_user_kind, DATES)
    assert np.array_equal(read.numbers, SECONDS)


def test_the_change_of_the_clocks_is_an_hour():
    """At 2024-03-31 01:00 UTC, Berlin goes from 02:00 to 03:00."""
    zoned = pd.DatetimeIndex(["2024-03-31 01:00", "2024-03-31 04:00"]).tz_localize("Europe/Berlin")
    assert read_times(zoned).numbers[1] == 2 * 3600


@pytest.mark.parametrize(
    "times",
    [
        np.array([0, 30, 90], dtype="timedelta64[m]"),
        pd.to_timedelta([0, 30, 90], unit="min"),
        [datetime.timedelta(minutes=m) for m in (0, 30, 90)],
    ],
)
def test_durations_are_seconds(times):
    read = read_times(times)
    assert (read.kind, read.origin) == ("durations", 0)
    assert np.array_equal(read.numbers, SECONDS)
    assert read_times(np.array([1, 2], dtype="timedelta64[h]")).numbers.tolist() == [3600, 7200]


def test_calendar_units_and_days():
    years = read_times(np.array(["2023", "2024", "2025"], dtype="datetime64[Y]"))
    assert (years.numbers / 86400).tolist() == [0, 365, 731]
    days = read_times([datetime.date(2024, 2, 28), datetime.date(2024, 3, 1)])
    assert days.numbers[1] == 2 * 86400
    weeks = read_times(np.array([0, 2], dtype="datetime64[W]"))
    assert weeks.numbers[1] == 14 * 86400
    far = read_times(np.array(["-5000-01-01", "9000-01-01"], dtype="datetime64[s]"))
    assert far.numbers[1] == (far.given[1] - far.given[0]).astype(int)


@pytest.mark.parametrize(
    ("times", "parts"),
    [
        (["NaT", "2024-03-01"], ["times[0] = NaT", "Leave this time out"]),
        (
            ["2024-03-02", "2024-03-01"],
            ["increase strictly", "times[0] = 2024-03-02", "2024-03-01"],
        ),
        (["2024-03-01", "2024-03-01"], ["increase strictly", "times[1] = 2024-03-01"]),
    ],
)
def test_gaps_and_order(times, parts):
    text = refused(read_times, np.array(times, dtype="datetime64[D]"))
    for part in parts:
        assert part in text


def test_what_is_no_series_of_dates():
    naive, zoned = pd.Timestamp("2024-03-01"), pd.Timestamp("2024-03-02", tz="UTC")
    text = refused(read_times, [naive, zoned])
    assert "of one kind; got dates and dates with a time zone" in text
    assert "Give all dates a time zone, or none" in text
    assert "got dates and times[1] = 1.5 of type float" in refused(
        read_times, np.array([naive, 1.5], dtype=object)
    )
    assert "no fixed length" in refused(read_times, np.array([0, 1], dtype="timedelta64[M]"))
    assert "no fixed length" in refused(read_times, np.array([0, 1], dtype="timedelta64"))
    assert "must have shape (n_times,); got shape ()" in refused(read_times, T0)
    assert "got shape (1, 3)" in refused(read_times, DATES[None])
    assert "1 masked of 3" in refused(read_times, np.ma.masked_array(DATES, [0, 1, 0]))
    close = np.array([0, 10**18, 10**18 + 1], dtype="datetime64[ns]")
    assert "rounding of float64 seconds" in refused(read_times, close)
    mixed = [np.datetime64("2024-03-01T00:00:00.000000001", "ns"), np.datetime64("9999", "Y")]
    assert "which does not hold all of them.  Give one resolution" in refused(read_times, mixed)


def test_dates_where_numbers_are_needed():
    assert "`times` must hold numbers; got dates" in refused(check_times, DATES)


def layout_of(times):
    return infer_layout((2, 3, 4), times, None)


def test_layouts_keep_the_kind():
    layout = layout_of(pd.DatetimeIndex(DATES))
    assert np.array_equal(layout.times, SECONDS)
    assert np.array_equal(layout.user_times, DATES)
    later = layout.at([pd.Timestamp("2024-03-01T13:00")], None)
    assert later.times.tolist() == [3600.0]
    assert later.user_times[0] == np.datetime64("2024-03-01T13:00")
    assert later.at(DATES.astype("datetime64[ms]"), None).times.tolist() == SECONDS.tolist()
    earlier = layout.at([T0 - np.timedelta64(1, "h")], None)
    assert earlier.times.tolist() == [-3600.0]
    for twin in (pickle.loads(pickle.dumps(layout)), copy.deepcopy(layout)):
        assert np.array_equal(twin.user_times, DATES)
        assert twin.at(DATES[1:], None).times.tolist() == [1800.0, 5400.0]
    assert np.array_equal(layout_of([0, 1, 2]).user_times, [0, 1, 2])
    assert layout_of(None).calendar is None


def test_numbers_of_the_package_itself():
    layout = layout_of(DATES)
    moved = layout.at_numbers(np.array([60.0, 90.5]))
    expected = T0 + np.array([60000, 90500], dtype="timedelta64[ms]")
    assert np.array_equal(moved.user_times, expected)
    assert np.array_equal(layout.at_numbers(layout.times).user_times, DATES)
    durations = layout_of(np.array([1, 2, 3], dtype="timedelta64[h]"))
    assert durations.at_numbers(np.array([0.5])).user_times[0] == np.timedelta64(500, "ms")
    assert layout_of(None).at_numbers(np.array([0.5]), np.zeros((7, 1))).grid.n_points == 7


@pytest.mark.parametrize(
    ("fitted", "asked", "found", "expected"),
    [
        (DATES, [0.0, 1.0], "numbers", "dates"),
        ([0, 1, 2], DATES, "dates", "numbers"),
        (DATES, DATES - T0, "durations", "dates"),
        (DATES - T0, DATES, "dates", "durations"),
        (DATES, pd.DatetimeIndex(DATES).tz_localize("UTC"), "dates with a time zone", "dates"),
        (None, DATES, "dates", "numbers"),
    ],
)
def test_another_kind_than_that_of_the_fit(fitted, asked, found, expected):
    text = refused(layout_of(fitted).at, asked, None)
    assert f"`times` are {found}, but the model was fitted on {expected}." in text
    assert f"Give {expected}, such as " in text


def test_changes_of_the_users_array_have_no_effect():
    dates = DATES.copy()
    layout = layout_of(dates)
    dates[0] = np.datetime64("NaT")
    assert np.array_equal(layout.user_times, DATES)
