"""The coordinate of time: chosen by the times alone, smooth, and the same in all units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skcolora._snapshots import Units, check_times, column_scale, read_times
from skcolora._snapshots import _time_coordinate as module
from skcolora._snapshots._time_coordinate import TimeCoordinate
from skcolora._snapshots._units import TimeScale

few = settings(max_examples=30, deadline=None, derandomize=True)
UNIFORM = np.linspace(0, 1, 41)
DECADES = np.geomspace(1e-3, 1e2, 41)
FROM_ZERO = np.append(0, DECADES)
LOGARITHMIC = {
    "five decades": DECADES,
    "from zero": FROM_ZERO,
    "three decades": np.geomspace(1, 1e3, 30),
    "few": np.append(0, np.geomspace(1e-3, 1e2, 5)),
    "a late one": np.append(UNIFORM, 30.0),
    "two decades": np.geomspace(1, 100, 41),
    "fourth power": UNIFORM**4,
}
LINEAR = {
    "uniform": UNIFORM,
    "random": np.sort(np.random.default_rng(0).uniform(size=30)),
    "squares": UNIFORM**2,
    "cubes": UNIFORM**3,
    "a decade and a half": np.geomspace(1, 30, 41),
    "two rates": np.append(np.linspace(0, 1, 21), np.linspace(1.1, 9, 20)),
    # Half the times before a hundredth of the range is not half of them at its start.
    "late": 100 - FROM_ZERO[::-1],
    "both ends": np.append(DECADES[:-1], 200 - DECADES[::-1]),
    "a tiny step": np.append([0, 1e-9], UNIFORM[1:]),
    "two": np.array([0.0, 1e9]),
    "one": np.array([3.0]),
}
each = pytest.mark.parametrize("name", LOGARITHMIC)


def scaled(times):
    return TimeScale.of(times).apply(times[:, None])[:, 0]


@each
def test_times_over_decades_have_a_logarithm(name):
    assert TimeCoordinate.of(LOGARITHMIC[name]).logarithmic


@pytest.mark.parametrize("name", LINEAR)
def test_other_times_are_scaled_as_they_are_to_the_last_bit(name):
    times, scale = LINEAR[name], TimeScale.of(LINEAR[name])
    assert not scale.coordinate.logarithmic
    plain = column_scale(times[:, None])
    later = np.linspace(-1, 7, 50)[:, None]
    assert np.array_equal(scale.apply(later), plain.apply(later))
    assert np.array_equal(scale.invert(later), plain.invert(later))
    assert np.array_equal(scale.slope(later), np.broadcast_to(plain.slope, later.shape))
    spaced = scale.coordinate.spaced(0.3, 7.1, 23)
    assert np.array_equal(spaced, np.linspace(0.3, 7.1, 23))


@pytest.mark.parametrize("n", [5, 41])
def test_the_border_is_a_tenth_of_the_range(n):
    """The other times play no part, only the median and both ends."""
    for share, logarithmic in ((0.099, True), (0.101, False)):
        times = np.append(np.linspace(0, share, n // 2 + 1), np.linspace(0.9, 1, n // 2))
        assert TimeCoordinate.of(times).logarithmic == logarithmic
    assert module._CROWDED == 1 / 10


@each
def test_the_median_is_in_the_middle_of_the_coordinate(name):
    times = LOGARITHMIC[name]
    coordinate = TimeCoordinate.of(times)
    first, middle, last = coordinate.apply([times[0], np.median(times), times[-1]])
    assert first == 0
    assert middle == pytest.approx(last / 2, rel=1e-12)


@pytest.mark.parametrize("name", ["five decades", "three decades", "from zero"])
def test_geometric_times_are_nearly_even(name):
    """In the time itself the largest step is a fifth to a quarter of the range."""
    times = LOGARITHMIC[name]
    steps = np.diff(scaled(times)) / np.ptp(scaled(times))
    assert steps.max() < 2.5 / len(steps)
    assert np.diff(times).max() > 0.2 * np.ptp(times)
    assert np.median(steps) > 0.9 / len(steps)


@each
def test_there_and_back_at_all_times(name):
    times, scale = LOGARITHMIC[name], TimeScale.of(LOGARITHMIC[name])
    span, shift = np.ptp(times), scale.coordinate.shift
    # Before the first time, between the times, and beyond the last one.
    steps = np.append(-np.geomspace(10 * span, 1e-3 * shift, 60), 0)
    around = times[0] + np.append(steps, -2 * steps[:-1][::-1])
    coordinates = scale.apply(around[:, None])[:, 0]
    assert np.isfinite(coordinates).all()
    assert (np.diff(coordinates) > 0).all()
    back = scale.invert(coordinates[:, None])[:, 0]
    assert np.allclose(back, around, rtol=1e-11, atol=1e-12 * shift)


@each
def test_the_slope_is_the_derivative(name):
    times, scale = LOGARITHMIC[name], TimeScale.of(LOGARITHMIC[name])
    elapsed = np.array([-2.0, -0.3, 0.0, 0.1, 1.0, 30.0, 1e3])
    at = times[0] + scale.coordinate.shift * elapsed
    h = 1e-5 * scale.coordinate.shift * (1 + np.abs(elapsed))
    after, before = (scale.apply((at + s * h)[:, None])[:, 0] for s in (1, -1))
    assert np.allclose(scale.slope(at), (after - before) / (2 * h), rtol=1e-7)
    # The closed form: the logarithm of late times.
    late = times[0] + 1e9 * scale.coordinate.shift
    deviation = 1 / scale.affine.scale[0]
    assert scale.slope(late) * (late - times[0]) == pytest.approx(deviation, rel=1e-9)


@few
@given(st.sampled_from(list(LOGARITHMIC)), st.integers(-900, 900))
def test_powers_of_two_change_no_bit(name, power):
    times = LOGARITHMIC[name] - LOGARITHMIC[name][0]
    assert np.array_equal(scaled(times * 2.0**power), scaled(times))


@few
@given(
    st.sampled_from(["three decades", "a late one", "fourth power"]),
    st.floats(1e-3, 1e3),
    st.floats(-1e3, 1e3),
)
def test_unit_and_origin_play_no_part(name, unit, origin):
    times = LOGARITHMIC[name]
    moved = unit * (times + origin * np.ptp(times))
    assert TimeCoordinate.of(moved).logarithmic
    assert np.allclose(scaled(moved), scaled(times), atol=1e-7)
    assert np.allclose(scaled(unit * times), scaled(times), atol=1e-12)


def test_dates_are_like_the_numbers():
    seconds = np.append(0, 2 ** np.arange(20))
    dates = np.datetime64("2024-03-01T00:00:00") + seconds.astype("timedelta64[s]")
    assert np.array_equal(scaled(read_times(dates).numbers), scaled(check_times(seconds)))


@pytest.mark.parametrize("roundings", [[0], [0, 1], [0, 1, 16], [0, 1, 2, 3, 16]])
def test_a_constant_time_stays_one(roundings):
    """Also if the times differ by rounding only, and crowd."""
    times = 1e9 + np.array(roundings) * np.spacing(1e9)
    units = Units.of(np.ones((2, 1)), times, np.zeros((4, 1)), (None,), 1)
    assert not units.times.affine.varies.any()
    assert not units.times.coordinate.logarithmic
    assert (units.inputs(np.ones((2, 1)), np.array([0.0, 1e9, 3e9]))[..., -1] == 0).all()
    assert (units.times.slope(times) == 0).all()


@each
def test_evenly_spaced_times(name):
    coordinate = TimeCoordinate.of(LOGARITHMIC[name])
    last = float(LOGARITHMIC[name][-1])
    times = coordinate.spaced(0.0, last, 17)
    assert times[0] == 0
    assert times[-1] == last
    steps = np.diff(coordinate.apply(times))
    assert np.allclose(steps, steps.mean(), rtol=1e-9)
