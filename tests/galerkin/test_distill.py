"""Distillation within a given time, told by a clock that the evaluations of the equation move."""

import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._galerkin import _distill, _latent_paths
from skcolora._galerkin._projection import Projection
from skcolora._snapshots import Units
from skcolora._training import _latent_fit
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error
from skcolora.utils._deadline import Deadline

DATA = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
CANDIDATES = np.linspace(0.65, 1.35, 6)[:, None]


@pytest.fixture(scope="module")
def model():
    network = CoLoRARegressor(
        **DATA.grid,
        width=12,
        depth=4,
        adapted_layers=range(4),
        rank=1,
        max_iter=100,
        random_state=2,
    ).fit(DATA.X, DATA.y)
    frozen = FrozenEstimator(network)
    model = CoLoRAGalerkin(DATA.pde, regressor=frozen, rtol=1e-3, fallback=None, random_state=0)
    return model.fit(DATA.X, DATA.y)


@pytest.fixture(autouse=True)
def no_path_is_dropped(monkeypatch):
    monkeypatch.setattr(_latent_paths, "_MAX_RESIDUAL", np.inf)
    monkeypatch.setattr(_latent_paths, "_MAX_OUTSIDE", np.inf)


class Clock:
    """Seconds that pass with each evaluation of the equation, for each of its states."""

    def __init__(self, monkeypatch):
        self.now, self.solved = 0.0, 0
        solve, step = Projection.solve, _latent_fit._LatentFit.triangle

        def slow_solve(projection, trajectories, t, latent):
            self.now += 0.01 * len(latent)
            return solve(projection, trajectories, t, latent)

        def slow_step(problem, weights):
            self.now += 1.0
            return step(problem, weights)

        monkeypatch.setattr(Projection, "solve", slow_solve)
        monkeypatch.setattr(_latent_fit._LatentFit, "triangle", slow_step)
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def distil(model, **options):
    """The distilled regressor, and the warnings about the time."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = model.distill(CANDIDATES, **options)
    late = [w for w in caught if "within `max_time`" in str(w.message)]
    assert all(w.category is ConvergenceWarning and w.filename == __file__ for w in late)
    return out, [str(w.message) for w in late]


@pytest.fixture(scope="module")
def needed(model):
    """Seconds of the clock for all solutions."""
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        distil(model, max_time=1e9, max_iter=1)
        return clock.now - 1.0


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_what_does_not_fit_into_the_time_is_left_out(model, needed, clock, share):
    max_time = share * needed / 0.6
    learnt, late = distil(model, max_time=max_time)
    assert clock.now <= 1.05 * max_time
    assert len(late) == 1
    n_solved = int(late[0].split(" of 9 parameters")[0].split()[-1])
    assert 0 < n_solved < 9
    # The training parameters come first; they are kept in any case.
    assert len(learnt._X) == 3 + max(n_solved - 3, 0)
    assert np.isin(DATA.X, learnt._X).all()


def test_more_time_solves_more(model, needed, monkeypatch):
    solved = []
    for share in (0.1, 0.4, 0.9):
        with monkeypatch.context() as patch:
            Clock(patch)
            learnt, _ = distil(model, max_time=share * needed / 0.6, max_iter=1)
        solved.append(len(learnt._X))
    assert solved == sorted(solved)
    assert solved[0] < solved[-1]


def test_enough_time_gives_what_no_limit_gives(model, needed, clock):
    limited, late = distil(model, max_time=100 * needed, max_iter=20)
    assert not late
    free, late = distil(model, max_iter=20)
    assert not late
    error, expected = (
        relative_l2_error(DATA.y, found.predict(DATA.X)) for found in (limited, free)
    )
    assert len(limited._X) == len(free._X) == 9
    assert error < 1.5 * expected


def test_no_time_gives_the_paths_of_the_regressor(model, clock):
    learnt, late = distil(model, max_time=1e-3)
    assert "at 0 of 9 parameters" in late[0]
    assert learnt.n_iter_ == 0
    expected = model.regressor_.predict(DATA.X)
    assert relative_l2_error(expected, learnt.predict(DATA.X)) < 1e-5


@pytest.mark.parametrize("share", [0.5])
def test_choices_one_after_the_other_end_in_time(model, needed, clock, share):
    max_time = share * needed + 5.0
    learnt, late = distil(model, max_time=max_time, n_solves=5)
    assert clock.now <= 1.05 * max_time
    assert len(late) == 1
    assert "of 8 parameters" in late[0]
    assert 3 <= len(learnt._X) < 8


def test_the_metric_at_a_few_times_is_near_the_metric_at_all(model):
    equation = model._equation
    projection = equation.projection(DATA.X[:1])
    path = equation.model.latent(equation.model.inputs[:1], DATA.times)[0]
    exact = _latent_paths._path_metric(projection, path)
    rough = _latent_paths._rough_metric(projection, path)
    assert rough.shape == exact.shape
    np.testing.assert_allclose(rough[0], exact[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(rough[-1], exact[-1], rtol=1e-10, atol=1e-12)


def test_the_rate_of_a_hypernetwork_over_decades():
    """Of the latent state ``c²`` in the scaled time c, in the user's time."""
    times = np.append(0.0, np.geomspace(1e-3, 1e2, 20))
    units = Units.of(DATA.X, times, np.arange(4.0)[:, None], (None,), 1)
    rates = []
    projection = SimpleNamespace(violation=lambda i, t, latent, rate: rates.append(rate) or 1.0)
    model = SimpleNamespace(transform=lambda X: X, layout=SimpleNamespace(times=times), units=units)
    equation = SimpleNamespace(model=model, projection=lambda X: projection)
    _distill._worst_candidate(
        equation, lambda inputs: inputs[:, -1:].square(), DATA.X[:2], Deadline()
    )
    shift, deviation = units.times.coordinate.shift, units.times.affine.scale
    scaled = units.times.apply(times[:, None])[:, 0]
    expected = 2 * scaled / (deviation * np.sqrt(times**2 + shift**2))
    for rate in rates:
        np.testing.assert_allclose(rate[:, 0], expected, rtol=1e-9)
    assert len(rates) == 2
    assert shift > 0


@pytest.mark.parametrize(("max_time", "error"), [(0, ValueError), (-1.0, ValueError)])
def test_bad_limits(model, max_time, error):
    with pytest.raises(error, match="max_time"):
        model.distill(CANDIDATES, max_time=max_time)
    with pytest.raises(TypeError, match="max_time"):
        model.refine(CANDIDATES, max_time="short")
