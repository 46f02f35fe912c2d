"""The number of threads: the fastest one is taken, and the user's is restored."""

import time

import pytest
import torch

from skcolora._nn._model import CoLoRAModel
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._loop import train
from skcolora._training._sampling import SnapshotSampler
from skcolora._training._threads import ThreadChoice, chosen_threads


def make_case():
    model = CoLoRAModel.create(
        0,
        1,
        1,
        width=25,
        depth=4,
        rank=3,
        adaptation="scalar",
        adapted_layers=(1, 2, 3),
        periodic=(True,),
        hyper_width=15,
        hyper_depth=3,
        seed=0,
    )
    x, t = torch.linspace(0, 6.28, 150).double(), torch.linspace(0, 1, 70).double()
    fields = torch.sin(x - 2 * t[:, None])[..., None]
    generator = torch.Generator().manual_seed(0)
    sampler = SnapshotSampler(fields, x[:, None], t[:, None], generator=generator)
    return model.double(), sampler


@pytest.fixture
def restored():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Machine:
    """A machine whose steps, and the work that is measured, take given times."""

    def __init__(self, monkeypatch, n_threads, seconds):
        self.now, self.step, self.seconds, self.n_set, self.n_works = 0.0, 0, seconds, n_threads, 0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(torch, "get_num_threads", lambda: self.n_set)
        monkeypatch.setattr(torch, "set_num_threads", lambda n: setattr(self, "n_set", n))
        self.choice = ThreadChoice(n_threads, self.work)

    def work(self):
        self.n_works += 1
        self.now += 0.3 * self.seconds(self.step)[self.n_set]

    def run(self, n_steps):
        """Total time of some steps, with the measurements."""
        start = self.now
        self.choice.restart()
        for _ in range(n_steps):
            took = self.seconds(self.step)[self.n_set]
            self.now += took
            self.step += 1
            self.choice.record(took)
        return self.now - start


QUIET, BUSY = {1: 1.3, 2: 1.0}, {1: 2.4, 2: 20.0}


def test_a_quiet_machine_loses_nothing(monkeypatch):
    machine = Machine(monkeypatch, 2, lambda n: QUIET)
    assert machine.run(1000) < 1.015 * 1000
    assert machine.n_set == 2
    assert machine.n_works > 10


def test_a_busy_machine_takes_one_thread(monkeypatch):
    machine = Machine(monkeypatch, 2, lambda n: BUSY)
    assert machine.run(1000) < 1.03 * 2400
    assert machine.n_set == 1


def test_load_that_comes_and_goes_is_noticed(monkeypatch):
    machine = Machine(monkeypatch, 2, lambda n: BUSY if 300 <= n < 600 else QUIET)
    machine.run(320)
    assert machine.n_set == 1
    machine.run(580)
    assert machine.n_set == 2
    assert machine.now < 1.15 * (600 + 300 * BUSY[1])


def test_small_differences_change_nothing(monkeypatch):
    machine = Machine(monkeypatch, 2, lambda n: {1: 0.8, 2: 1.0})
    machine.run(300)
    assert machine.n_set == 2
    # Nor the other way round: one thread stays until two are as fast.
    machine = Machine(monkeypatch, 2, lambda n: BUSY if n < 9 else {1: 1.0, 2: 1.2})
    machine.run(300)
    assert machine.n_set == 1


def test_one_slow_measurement_changes_nothing(monkeypatch):
    machine = Machine(monkeypatch, 2, lambda n: QUIET)
    usual = machine.work

    def disturbed():
        usual()
        machine.now += 30.0 * (machine.n_works == 2)

    machine.choice._work = disturbed
    machine.run(3)
    assert machine.n_works > 2
    assert machine.n_set == 2


def test_many_threads_are_halved_until_they_are_fast(monkeypatch):
    machine = Machine(monkeypatch, 12, lambda n: {12: 9.0, 6: 1.0, 3: 1.6, 1: 3.0})
    assert machine.choice.candidates == [12, 6, 3, 1]
    machine.run(5)
    assert machine.n_set == 6


def test_measurements_leave_the_training_as_it_is(restored, monkeypatch):
    def weights(n_threads):
        torch.set_num_threads(n_threads)
        monkeypatch.setattr(ThreadChoice, "_decide", lambda self, times: self.current)
        model, sampler = make_case()
        train(model, sampler, max_iter=8)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    measured = weights(2)
    monkeypatch.setattr(ThreadChoice, "record", lambda self, seconds: None)
    assert torch.equal(weights(2), measured)


def test_one_thread_is_left_alone(monkeypatch):
    def fails(n_threads):
        raise AssertionError("the number of threads was set")

    monkeypatch.setattr(torch, "set_num_threads", fails)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    train(*make_case(), max_iter=8)


def test_other_devices_are_left_alone(restored):
    torch.set_num_threads(2)

    def fails():
        raise AssertionError("threads of the CPU were measured")

    with chosen_threads(torch.device("meta"), fails) as choice:
        choice.record(1.0)
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_number_of_the_user_is_restored(restored, monkeypatch, error):
    torch.set_num_threads(2)
    seen = []

    def step(self, progress, step_factor):
        seen.append(torch.get_num_threads())
        if len(seen) == 3:
            raise error
        return torch.tensor(1.0)

    monkeypatch.setattr(FirstOrderPhase, "step", step)
    monkeypatch.setattr(ThreadChoice, "_decide", lambda self, times: 1)
    expected = (
        pytest.warns(UserWarning, match="interrupted")
        if error is KeyboardInterrupt
        else pytest.raises(error)
    )
    with expected:
        train(*make_case(), max_iter=20)
    assert seen == [1, 1, 1]
    assert torch.get_num_threads() == 2
