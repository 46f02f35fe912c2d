"""The loop: budgets, the best weights, interruption, recovery."""

import math

import pytest
import torch

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._model import CoLoRAModel
from skcolora._nn._network import CoLoRANetwork
from skcolora._training import _loop
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._loop import train
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._phase import batch_shape
from skcolora._training._sampling import SnapshotSampler


def make_case(device="cpu"):
    generator = torch.Generator().manual_seed(0)
    network = CoLoRANetwork(
        1,
        1,
        width=8,
        depth=3,
        rank=2,
        adaptation="scalar",
        adapted_layers=(0, 1, 2),
        periodic=(True,),
        generator=generator,
    )
    hypernetwork = Hypernetwork(1, network.n_latent, width=6, depth=2, generator=generator)
    x, t = 2 * torch.pi * torch.linspace(0, 0.95, 20).double(), torch.linspace(0, 1, 8).double()
    fields = torch.sin(x - 2 * torch.pi * 0.3 * t[:, None])[..., None]
    if device != "cpu":
        generator = torch.Generator(device).manual_seed(0)
    data = (fields.to(device), x[:, None].to(device), t[:, None].to(device))
    sampler = SnapshotSampler(*data, generator=generator)
    return CoLoRAModel(network, hypernetwork).double().to(device), sampler


def error_of(model, sampler):
    with torch.no_grad():
        scaled = sampler._scaled(sampler.fields)
        difference = model(sampler.points, sampler.inputs) - scaled
    return (difference.norm(dim=(1, 2)) / scaled.norm(dim=(1, 2))).mean().item()


def test_second_phase_reaches_what_the_first_does_not():
    model, sampler = make_case()
    result = train(model, sampler, max_iter=400)
    assert len(result.losses) == 400
    assert next(model.parameters()).dtype == torch.float64
    assert error_of(model, sampler) < 0.2 * min(result.losses[:320])


def test_time_is_kept_and_the_schedule_runs_to_its_end(monkeypatch):
    model, sampler = make_case()
    clock = iter(range(10**6))
    monkeypatch.setattr(_loop.time, "perf_counter", lambda: next(clock) * 0.01)
    progress = []
    step = NaturalGradientPhase.step

    def spy(self, share, step_factor):
        progress.append(share)
        return step(self, share, step_factor)

    monkeypatch.setattr(NaturalGradientPhase, "step", spy)
    result = train(model, sampler, max_iter=10**6, max_time=2.0)
    assert 50 < len(result.losses) < 200
    assert progress[0] < 0.1
    assert progress[-1] > 0.9


def test_interruption_keeps_the_best_weights_and_warns(monkeypatch):
    model, sampler = make_case()
    step, calls = FirstOrderPhase.step, []

    def interrupted(self, progress, step_factor):
        calls.append(progress)
        if len(calls) == 700:
            raise KeyboardInterrupt
        return step(self, progress, step_factor)

    monkeypatch.setattr(FirstOrderPhase, "step", interrupted)
    before = error_of(model, sampler)
    with pytest.warns(UserWarning, match="interrupted after 699 steps"):
        result = train(model, sampler, max_iter=1000)
    assert result.interrupted
    assert error_of(model, sampler) < 0.7 * before


def test_interruption_in_the_first_step_is_no_failure(monkeypatch):
    def interrupted(self, progress, step_factor):
        raise KeyboardInterrupt

    monkeypatch.setattr(FirstOrderPhase, "step", interrupted)
    model, sampler = make_case()
    before = error_of(model, sampler)
    with pytest.warns(UserWarning, match="interrupted after 0 steps"):
        train(model, sampler, max_iter=1000)
    assert error_of(model, sampler) == pytest.approx(before)


def test_not_a_number_is_stepped_back_from(monkeypatch):
    model, sampler = make_case()
    step, calls = NaturalGradientPhase.step, []

    def broken(self, progress, step_factor):
        calls.append(step_factor)
        loss = step(self, progress, step_factor)
        if len(calls) == 30:
            with torch.no_grad():
                next(model.parameters()).fill_(math.nan)
            return loss * math.nan
        return loss

    monkeypatch.setattr(NaturalGradientPhase, "step", broken)
    result = train(model, sampler, max_iter=500)
    assert result.n_setbacks >= 1
    assert calls[50] < calls[48]
    assert error_of(model, sampler) < 0.05


def test_a_loss_that_is_never_finite_is_an_error():
    model, sampler = make_case()
    sampler.fields = sampler.fields + math.inf
    with pytest.raises(FloatingPointError, match="rescale y"):
        train(model, sampler, max_iter=20)


def test_steps_that_are_never_finite_are_an_error_though_the_first_weights_are_good(monkeypatch):
    model, sampler = make_case()
    judge, draw = 256, sampler.draw

    def broken(n_snapshots, *args, **options):
        batch = draw(n_snapshots, *args, **options)
        return batch if n_snapshots == judge else batch._replace(u=batch.u * math.nan)

    monkeypatch.setattr(sampler, "draw", broken)
    with pytest.raises(FloatingPointError, match="not finite in any step"):
        train(model, sampler, max_iter=20)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_step_of_the_first_phase_does_not_wait_for_the_device():
    model, sampler = make_case("cuda")
    phase = FirstOrderPhase(model.float(), sampler)
    phase.restart()
    for _ in range(3):
        phase.step(0.0, 1.0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        phase.step(0.5, 1.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_batches_are_no_larger_than_the_data():
    _, sampler = make_case()
    assert batch_shape(sampler, 8192, 128) == (8, 20)
    assert batch_shape(sampler, 1024, 16) == (64, 16)
