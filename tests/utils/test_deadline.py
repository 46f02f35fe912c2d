"""Time limits of public calls."""

import math
import time

import pytest

from skcolora.utils._deadline import Deadline


@pytest.fixture
def clock(monkeypatch):
    now = [50.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_a_limit_starts_when_it_is_made(clock):
    deadline = Deadline(10.0)
    clock[0] += 4.0
    assert deadline.limited
    assert deadline.remaining == 6.0
    assert deadline.earlier(2.0).remaining == 4.0
    assert deadline.share(0.5).remaining == 3.0
    assert not deadline.passed
    clock[0] += 6.0
    assert deadline.passed
    assert deadline.share(0.5).remaining == 0.0


def test_without_seconds_there_is_no_limit(clock):
    deadline = Deadline(None)
    for unlimited in (deadline, deadline.earlier(3.0), deadline.share(0.5)):
        assert not unlimited.limited
        assert unlimited.remaining == math.inf
        assert not unlimited.passed
