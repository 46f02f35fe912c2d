"""The number of threads: steps do not depend on it, and the fastest one is taken."""

import pytest
import torch

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._model import CoLoRAModel
from skcolora._nn._network import CoLoRANetwork
from skcolora._training import _threads
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._loop import train
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._sampling import SnapshotSampler
from skcolora._training._threads import ThreadChoice, chosen_threads


def make_case():
    generator = torch.Generator().manual_seed(0)
    network = CoLoRANetwork(
        1,
        1,
        width=25,
        depth=4,
        rank=3,
        adaptation="scalar",
        adapted_layers=(1, 2, 3),
        period=(1.0,),
        generator=generator,
    )
    hypernetwork = Hypernetwork(1, network.n_latent, width=15, depth=3, generator=generator)
    x, t = torch.linspace(0, 1, 150).double(), torch.linspace(0, 1, 70).double()
    fields = torch.sin(2 * torch.pi * (x - 0.3 * t[:, None]))[..., None]
    sampler = SnapshotSampler(fields, x[:, None], t[:, None], generator=generator)
    return CoLoRAModel(network, hypernetwork).double(), sampler


@pytest.fixture
def restored():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("kind", [FirstOrderPhase, NaturalGradientPhase])
def test_steps_do_not_depend_on_the_number_of_threads(restored, kind):
    def weights(n_threads):
        torch.set_num_threads(1)
        model, sampler = make_case()
        phase = kind(model.to(kind.dtype), sampler)
        phase.restart()
        torch.set_num_threads(n_threads)
        for _ in range(3):
            phase.step(0.5, 1.0)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    one = weights(1)
    assert torch.equal(weights(2), one)
    assert torch.equal(weights(3), one)


def run(choice, n_steps, seconds):
    """Total time of some steps; ``seconds`` maps step and number of threads to a duration."""
    total = 0.0
    for n in range(n_steps):
        number = choice.next()
        choice.record(number, seconds(n, number))
        total += seconds(n, number)
    return total


QUIET, BUSY = {1: 1.3, 2: 1.0}, {1: 2.4, 2: 20.0}


def test_a_quiet_machine_loses_nothing():
    choice = ThreadChoice(2)
    assert run(choice, 1000, lambda n, number: QUIET[number]) < 1.02 * 1000
    assert choice.current == 2


def test_a_busy_machine_takes_one_thread():
    choice = ThreadChoice(2)
    assert run(choice, 1000, lambda n, number: BUSY[number]) < 1.06 * 2400
    assert choice.current == 1


def test_load_that_comes_and_goes_is_noticed():
    choice = ThreadChoice(2)

    def seconds(n, number):
        return (BUSY if 300 <= n < 600 else QUIET)[number]

    total = run(choice, 900, seconds)
    assert choice.current == 2
    assert total < 1.15 * (600 + 300 * BUSY[1])


def test_small_differences_change_nothing():
    choice = ThreadChoice(2)
    numbers = []

    def seconds(n, number):
        numbers.append(choice.current)
        return {1: 0.9, 2: 1.0}[number]

    run(choice, 500, seconds)
    assert set(numbers) == {2}


def test_many_threads_are_halved_until_they_are_fast():
    choice = ThreadChoice(12)
    assert choice.candidates == [12, 6, 3, 1]
    durations = {12: 9.0, 6: 1.0, 3: 1.6, 1: 3.0}
    run(choice, 100, lambda n, number: durations[number])
    assert choice.current == 6


def test_one_thread_is_left_alone(monkeypatch):
    def fails(n_threads):
        raise AssertionError("the number of threads was set")

    monkeypatch.setattr(torch, "set_num_threads", fails)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    train(*make_case(), max_iter=8)


def test_other_devices_are_left_alone(restored):
    torch.set_num_threads(2)
    with chosen_threads(torch.device("meta")) as choice:
        for _ in range(10):
            with choice.step():
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
    monkeypatch.setattr(_threads.ThreadChoice, "next", lambda self: 1)
    expected = pytest.warns(UserWarning) if error is KeyboardInterrupt else pytest.raises(error)
    with expected:
        train(*make_case(), max_iter=20)
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2
