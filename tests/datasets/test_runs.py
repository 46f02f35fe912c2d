"""Runs with times of their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skcolora.datasets import SnapshotData

POINTS = np.linspace(0.0, 1.0, 6)


def field(t, x=POINTS):
    return np.sin(np.asarray(t)[:, None] + x)


@given(
    st.lists(st.sets(st.integers(0, 20), min_size=1), min_size=1, max_size=5),
    st.sampled_from([1.0, 1e-9, 1e12]),
)
def test_every_snapshot_is_kept_and_nothing_else(ticks, unit):
    times = [unit * np.array(sorted(run), dtype=float) for run in ticks]
    runs = [field(t) for t in times]
    X = np.arange(len(runs))[:, None]
    data = SnapshotData.from_runs(X, times, runs, points=POINTS)
    assert (np.diff(data.times) > 0).all()
    assert set(data.times) == set(np.concatenate(times))
    for row, t, run in zip(data.y, times, runs, strict=True):
        here = np.isin(data.times, t)
        assert np.array_equal(row[here], run)
        assert np.isnan(row[~here]).all()


def test_equal_times_leave_no_gap():
    t = np.linspace(0, 1, 4)
    rounded = t * (1 + 1e-13)
    data = SnapshotData.from_runs([[0], [1]], [t, rounded], [field(t), field(t)], points=POINTS)
    assert data.y.shape == (2, 4, 6)
    assert np.isfinite(data.y).all()


def test_dates():
    days = np.array(["2024-01-01", "2024-01-03", "2024-01-04"], dtype="datetime64[D]")
    runs = [np.ones((2, 6)), np.ones((2, 6))]
    data = SnapshotData.from_runs([[0], [1]], [days[:2], days[[0, 2]]], runs, points=POINTS)
    assert np.array_equal(data.times, days)
    assert np.array_equal(np.isnan(data.y[:, :, 0]), [[False, False, True], [False, True, False]])


def test_precision_and_fields_stay():
    runs = [np.ones((2, 3, 4, 2), dtype=np.float32)] * 2
    axes = np.arange(3.0), np.arange(4.0)
    data = SnapshotData.from_runs([[0], [1]], [[0, 1], [0, 2]], runs, points=axes, period=(3, None))
    assert data.y.shape == (2, 3, 3, 4, 2)
    assert data.y.dtype == np.float32
    assert data.grid["period"] == (3, None)


@pytest.mark.parametrize(
    ("times", "runs", "message"),
    [
        ([[0, 1]], [np.ones((2, 6)), np.ones((2, 6))], "an entry for each run; got 1 and 2"),
        ([[0, 1], [0, 1, 2]], [np.ones((2, 6)), np.ones((2, 6))], r"y\[1\].*expected \(3 times"),
        ([[0, 1], [0, 1]], [np.ones((2, 6)), np.ones((2, 7))], r"y\[1\] has shape \(2, 7\)"),
        ([[0, 1], [1, 0]], [np.ones((2, 6)), np.ones((2, 6))], "times of run 1.*increase"),
        ([[0, 1, 1 + 1e-13]], [np.ones((3, 6))], r"times\[0\] has times closer"),
        (
            [[0.0], np.array(["2024-01-01"], dtype="datetime64[D]")],
            [np.ones((1, 6))] * 2,
            "numbers in all runs",
        ),
        ([], [], "for each run"),
    ],
)
def test_what_does_not_fit(times, runs, message):
    with pytest.raises(ValueError, match=message):
        SnapshotData.from_runs(np.zeros((len(runs), 1)), times, runs, points=POINTS)


def test_parameters_of_each_run():
    with pytest.raises(ValueError, match=r"one row for each of the 1 runs; got shape \(2, 1\)"):
        SnapshotData.from_runs([[0], [1]], [[0.0]], [np.ones((1, 6))], points=POINTS)
