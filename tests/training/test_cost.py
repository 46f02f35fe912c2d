"""What a training will take, said before it begins."""

import copy
import time

import numpy as np
import pytest
import torch

from skcolora import CoLoRARegressor
from skcolora._snapshots import StoredRows
from skcolora._training import _cost, expected_cost, make_sampler
from skcolora.datasets import make_advection
from skcolora.utils._deadline import Deadline

DATA = make_advection(np.linspace(0.5, 1.5, 4), n_points=48, times=np.linspace(0, 1, 11))


@pytest.fixture(scope="module")
def fitted():
    model = CoLoRARegressor(**DATA.grid, width=8, depth=3, max_iter=5, cv=None, random_state=0)
    return model.fit(DATA.X, DATA.y)


def make_case(fitted, rows):
    model = copy.deepcopy(_cost.CoLoRAModel(fitted.network_, fitted.hypernetwork_))
    options = {"device": torch.device("cpu"), "seed": 0}
    return model, make_sampler(DATA.X, rows, fitted._layout, fitted._units, **options)


def in_memory(fitted):
    return fitted._layout.check_rows(DATA.y)


def stored(fitted):
    return StoredRows(DATA.y, fitted._layout)


@pytest.mark.parametrize("rows_of", [in_memory, stored], ids=["in memory", "stored"])
def test_model_and_snapshots_stay_as_they_are(fitted, rows_of):
    model, sampler = make_case(fitted, rows_of(fitted))
    _, twin = make_case(fitted, rows_of(fitted))
    expected_cost(model, sampler)
    for mine, theirs in zip(model.parameters(), fitted.network_.parameters(), strict=False):
        assert torch.equal(mine, theirs)
        assert mine.dtype == theirs.dtype
        assert mine.grad is None
    for _ in range(5):
        drawn, same = (each.draw(16, 8, torch.float64) for each in (sampler, twin))
        assert all(torch.equal(a, b) for a, b in zip(drawn, same, strict=True))
    sampler.close()
    twin.close()


@pytest.fixture
def steps_of_known_length(monkeypatch):
    seconds = {"FirstOrderPhase": 0.1, "NaturalGradientPhase": 0.2}
    monkeypatch.setattr(_cost, "_step_seconds", lambda phase, *rest: seconds[phase.__name__])


@pytest.mark.parametrize(
    ("options", "steps", "seconds"),
    [
        ({"max_iter": 100}, (20, 80), 18.0),
        ({}, (500, 2500), 550.0),
        ({"limit": 100.0}, (100, 450), 100.0),
        ({"limit": 100.0, "max_iter": 50}, (10, 40), 9.0),
        ({"max_iter": 100, "refine_only": True}, (0, 100), 20.0),
    ],
    ids=["steps", "defaults", "time", "both", "warm start"],
)
def test_steps_and_seconds(fitted, steps_of_known_length, options, steps, seconds):
    case = make_case(fitted, in_memory(fitted))
    limit = Deadline(options.pop("limit", None))
    cost = expected_cost(*case, deadline=limit, **options)
    assert cost.n_first == pytest.approx(steps[0], abs=1)
    assert cost.n_second == pytest.approx(steps[1], abs=1)
    assert cost.seconds == pytest.approx(seconds, rel=0.01)
    assert cost.n_weights == sum(
        p.numel() for net in (fitted.network_, fitted.hypernetwork_) for p in net.parameters()
    )


def test_a_step_takes_the_time_of_the_second_one(monkeypatch, fitted):
    class Phase:
        dtype = torch.float64

        def __init__(self, model, sampler):
            self.model = model
            self.durations = iter([0.05, 0.01])

        def restart(self): ...

        def step(self, progress, step_factor):
            time.sleep(next(self.durations))
            return torch.zeros(())

    case = make_case(fitted, in_memory(fitted))
    assert 0.01 <= _cost._step_seconds(Phase, *case) < 0.05


@pytest.mark.parametrize(
    ("seconds", "n_bytes", "words"),
    [
        (0.4, 10, "less than a second on"),
        (59.6, 3e8, "in 60 s on"),
        (600.0, 3e8, "in 10 min on"),
        (9000.0, 2.54e9, "in 2.5 h on"),
        (1.0, 2.54e9, "2.5 GB of memory"),
        (1.0, 3e8, "300 MB of memory"),
    ],
)
def test_the_sentence(seconds, n_bytes, words):
    cost = _cost.TrainingCost(5451, 500, 2500, seconds, int(n_bytes))
    assert words in cost.sentence()
    assert cost.sentence().startswith("Training of 5,451 weights: about 3,000 steps in ")
