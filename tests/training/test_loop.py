"""The loop: budgets, the best weights, interruption, recovery."""

import itertools
import math
import time
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import BaggingRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._model import CoLoRAModel
from skcolora._nn._network import CoLoRANetwork
from skcolora._training import Progress, _loop
from skcolora._training._best import Best
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._loop import train
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._phase import batch_shape
from skcolora._training._sampling import SnapshotSampler
from skcolora.utils._deadline import Deadline
from skcolora.utils._torch import default_torch_settings


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


class Clock:
    """A clock that goes on only where the test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def slow(self, function, seconds):
        """The function, which takes some seconds of this clock."""

        def slow(*args, **options):
            self.now += seconds
            return function(*args, **options)

        return slow


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


@pytest.fixture
def slow_training(monkeypatch, clock):
    """Sets what the steps of both phases and an evaluation take."""

    def set_seconds(first=0.1, second=0.4, evaluation=0.2):
        for owner, name, seconds in (
            (FirstOrderPhase, "step", first),
            (NaturalGradientPhase, "step", second),
            (_loop, "_relative_error", evaluation),
        ):
            monkeypatch.setattr(owner, name, clock.slow(getattr(owner, name), seconds))

    return set_seconds


def test_schedule_runs_to_its_end_within_the_time_that_is_left(monkeypatch, clock, slow_training):
    slow_training()
    progress = []
    step = NaturalGradientPhase.step

    def spy(self, share, step_factor):
        progress.append(share)
        return step(self, share, step_factor)

    monkeypatch.setattr(NaturalGradientPhase, "step", spy)
    model, sampler = make_case()
    deadline = Deadline(30.0)
    clock.now += 10.0  # other work of the same call
    result = train(model, sampler, max_iter=10**6, deadline=deadline)
    assert 0 <= deadline.remaining < 1.5
    assert 15 < len(result.losses) - len(progress) < 25  # a tenth of the 20 seconds
    assert progress[0] < 0.1
    assert progress[-1] > 0.85


@pytest.mark.parametrize(("step", "evaluation"), [(1.7, 0.1), (0.1, 1.1), (1.3, 0.7)])
def test_long_steps_and_evaluations_keep_the_time_limit(clock, slow_training, step, evaluation):
    slow_training(step, step, evaluation)
    model, sampler = make_case()
    deadline = Deadline(12.0)
    result = train(model, sampler, max_iter=10**6, deadline=deadline)
    assert deadline.remaining >= -1e-6
    assert len(result.losses) >= 2


def test_time_for_later_work_is_reserved(clock, slow_training):
    slow_training()
    model, sampler = make_case()
    deadline = Deadline(10.0)
    train(model, sampler, max_iter=10**6, deadline=deadline.earlier(4.0))
    assert 4.0 <= deadline.remaining < 5.5


def test_no_step_is_taken_when_the_time_has_passed(clock):
    model, sampler = make_case()
    before = error_of(model, sampler)
    deadline = Deadline(1.0)
    clock.now += 2.0
    result = train(model, sampler, deadline=deadline)
    assert result.loss_curve == []
    assert error_of(model, sampler) == pytest.approx(before)


def test_interruption_keeps_the_best_weights_and_warns(monkeypatch):
    model, sampler = make_case()
    step, calls = NaturalGradientPhase.step, []

    def interrupted(self, progress, step_factor):
        calls.append(progress)
        if len(calls) == 500:
            raise KeyboardInterrupt
        return step(self, progress, step_factor)

    monkeypatch.setattr(NaturalGradientPhase, "step", interrupted)
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
    with pytest.raises(FloatingPointError, match="look for outliers"):
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


def test_early_times_come_first(monkeypatch):
    """The first phase sees the first tenth of the times, and the second one more and more."""
    model, sampler = make_case()
    seen, draw = [], SnapshotSampler.draw

    def record(self, *args, **options):
        batch = draw(self, *args, **options)
        seen.append(batch.inputs[:, -1].max().item())
        return batch

    phases = FirstOrderPhase(model.float(), sampler), NaturalGradientPhase(model, sampler)
    monkeypatch.setattr(SnapshotSampler, "draw", record)
    latest = []
    for phase in phases:
        phase.model.to(phase.dtype)
        phase.restart()
        for progress in (0.0, 0.15, 0.3, 1.0):
            phase.step(progress, 1e-3)
            latest.append(seen[-1])
            sees_all = phase is phases[1] and progress >= 0.3
            assert math.isfinite(phase.max_rise) == sees_all
    # The eight times of the snapshots are k/7.
    np.testing.assert_allclose(np.multiply(latest, 7), [0, 0, 0, 0, 0, 3, 7, 7], atol=1e-6)
    trained = NaturalGradientPhase(model.double(), sampler, all_times=True)
    trained.restart()
    trained.step(0.0, 1e-3)
    assert seen[-1] == 1
    assert math.isfinite(trained.max_rise)


@pytest.mark.parametrize("last_error", [0.5, np.nan])
def test_a_phase_hands_on_its_last_weights(last_error):
    model, _ = make_case()
    errors = iter([0.1, last_error, last_error, last_error])
    best = Best(model, lambda: next(errors), 0.0)
    best.update()
    good = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    best.finish(last=True)
    kept = np.isfinite(last_error)
    for parameter, before in zip(model.parameters(), good, strict=True):
        assert torch.equal(parameter, before + 1.0 if kept else before)
    assert best.error == (0.5 if kept else 0.1)


def test_a_training_that_ends_in_its_first_phase_keeps_the_best_weights(monkeypatch):
    model, sampler = make_case()
    start = [p.detach().clone() for p in model.parameters()]
    errors = itertools.count(1.0)
    monkeypatch.setattr(_loop, "_relative_error", lambda sample, model: next(errors))
    progress = Progress(1000, Deadline(), watch=lambda share, best: True)
    result = train(model, sampler, max_iter=1000, progress=progress)
    assert len(result.losses) == 25
    for parameter, before in zip(model.parameters(), start, strict=True):
        torch.testing.assert_close(parameter.detach(), before, rtol=1e-6, atol=1e-6)


def test_early_stopping_waits_until_all_times_are_seen(monkeypatch):
    """The error at all times hardly falls before."""
    model, sampler = make_case()
    _, validation = make_case()
    monkeypatch.setattr(_loop, "_relative_error", lambda sample, model: 1.0)
    options = {"validation": validation, "max_iter": 500, "n_iter_no_change": 25}
    result = train(model, sampler, **options)
    # A look comes after each 25 of the 400 steps of the second phase, of which 120 are too early.
    assert len(result.losses) == 100 + 125


class Interrupted(RegressorMixin, BaseEstimator):
    """An estimator whose training the user interrupts."""

    def __init__(self, width=1):
        self.width = width

    def fit(self, X, y):
        self.result_ = train(*make_case(), max_iter=20)
        return self

    def predict(self, X):
        return np.zeros(len(X))


@pytest.fixture
def interruptions(monkeypatch):
    """The number of trainings that were interrupted, each in its third step."""
    calls = []

    def interrupted(self, progress, step_factor):
        calls.append(progress)
        if len(calls) % 3 == 0:
            raise KeyboardInterrupt
        return torch.tensor(1.0)

    monkeypatch.setattr(FirstOrderPhase, "step", interrupted)
    return lambda: len(calls) / 3


X, y = np.arange(6.0)[:, None], np.arange(6.0)


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: make_pipeline(StandardScaler(), e)])
def test_an_interrupted_fit_by_hand_warns_at_the_line_of_the_user(interruptions, wrap):
    with pytest.warns(UserWarning, match="interrupted after 2 steps") as caught:
        wrap(Interrupted()).fit(X, y)
    # The estimator of this test is the first code outside the package.
    assert caught[0].filename == __file__
    assert interruptions() == 1


SEARCHES = {
    "grid": lambda e: GridSearchCV(e, {"width": [1, 2]}, cv=2).fit(X, y),
    "pipeline": lambda e: GridSearchCV(
        make_pipeline(StandardScaler(), e), {"interrupted__width": [1, 2]}, cv=2
    ).fit(X, y),
    "validation": lambda e: cross_val_score(e, X, y, cv=3),
    "nested": lambda e: cross_val_score(GridSearchCV(e, {"width": [1, 2]}, cv=2), X, y, cv=2),
    "ensemble": lambda e: BaggingRegressor(e, n_estimators=3).fit(X, y),
}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_an_interruption_ends_a_search(interruptions, search):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(KeyboardInterrupt):
            search(Interrupted())
    assert interruptions() == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_error_is_that_of_the_returned_model(dtype):
    model, sampler = make_case()
    sample = {}
    draw = sampler.draw

    def spy(n_snapshots, *args, **options):
        batch = draw(n_snapshots, *args, **options)
        if n_snapshots == 256:
            sample["batch"] = batch
        return batch

    sampler.draw = spy
    result = train(model, sampler, max_iter=300, dtype=dtype)
    assert next(model.parameters()).dtype == dtype
    batch = sample["batch"]
    with torch.no_grad():
        u = model(batch.x.to(dtype), batch.inputs.to(dtype)).double()
    error = (batch.weights * (u - batch.u)).square().sum((1, 2)).sqrt().mean().item()
    assert result.error == pytest.approx(error, rel=1e-12)


def test_an_error_of_float32_is_no_bar_for_the_phase_in_float64(monkeypatch):
    """An evaluation that is too low in float32 must not keep the weights of the first phase."""
    judge = _loop._relative_error

    def flattering(sample, model):
        single = next(model.parameters()).dtype == torch.float32
        return judge(sample, model) * (1e-3 if single else 1.0)

    monkeypatch.setattr(_loop, "_relative_error", flattering)
    model, sampler = make_case()
    before_second = []
    restart = NaturalGradientPhase.restart

    def spy(self):
        before_second.append(error_of(self.model, sampler))
        restart(self)

    monkeypatch.setattr(NaturalGradientPhase, "restart", spy)
    train(model, sampler, max_iter=200)
    assert error_of(model, sampler) < 0.8 * before_second[0]


@pytest.mark.parametrize("of_judge_only", [False, True])
def test_training_without_anything_to_learn_ends(of_judge_only):
    model, sampler = make_case()
    draw = sampler.draw

    def weightless(n_snapshots, *args, **options):
        batch = draw(n_snapshots, *args, **options)
        if of_judge_only and n_snapshots == 256:
            return batch
        return batch._replace(weights=torch.zeros_like(batch.weights))

    sampler.draw = weightless
    before = error_of(model, sampler)
    result = train(model, sampler, max_iter=60)
    assert error_of(model, sampler) == pytest.approx(before)
    if not of_judge_only:
        assert result.error == 0
        assert result.loss_curve == []


def test_default_dtype_and_device_of_the_user_change_nothing():
    def trained():
        model, sampler = make_case()
        with default_torch_settings():
            train(model, sampler, max_iter=40)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    expected = trained()
    model, sampler = make_case()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode(), default_torch_settings():
            train(model, sampler, max_iter=40)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert torch.equal(torch.cat([p.detach().flatten() for p in model.parameters()]), expected)
