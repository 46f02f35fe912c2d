"""Distillation within a given time, told by a clock that the evaluations of the equation move."""

import time
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._galerkin import _solved_paths
from skcolora._galerkin._projection import Projection
from skcolora._training._spring import SPRING
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error

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
        max_iter=40,
        random_state=2,
    ).fit(DATA.X, DATA.y)
    frozen = FrozenEstimator(network)
    model = CoLoRAGalerkin(DATA.pde, regressor=frozen, rtol=1e-3, fallback=None, random_state=0)
    return model.fit(DATA.X, DATA.y)


@pytest.fixture(autouse=True)
def no_path_is_dropped(monkeypatch):
    monkeypatch.setattr(_solved_paths, "_MAX_RESIDUAL", np.inf)
    monkeypatch.setattr(_solved_paths, "_MAX_OUTSIDE", np.inf)


class Clock:
    """Seconds that pass with each evaluation of the equation, for each of its states."""

    def __init__(self, monkeypatch):
        self.now, self.solved = 0.0, 0
        solve, step = Projection.solve, SPRING.step

        def slow_solve(projection, trajectories, t, latent):
            self.now += 0.01 * len(latent)
            return solve(projection, trajectories, t, latent)

        def slow_step(optimizer, *args, **kwargs):
            self.now += 0.1
            return step(optimizer, *args, **kwargs)

        monkeypatch.setattr(Projection, "solve", slow_solve)
        monkeypatch.setattr(SPRING, "step", slow_step)
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
        return clock.now - 0.1


def test_what_does_not_fit_into_the_time_is_left_out(model, needed, clock, monkeypatch):
    monkeypatch.setattr(_solved_paths, "_FIRST_BATCH", 2)
    max_time = needed
    learnt, late = distil(model, max_time=max_time)
    assert clock.now <= 1.05 * max_time
    assert len(late) == 1
    n_solved = int(late[0].split(" of 6 parameters")[0].split()[-1])
    assert 0 < n_solved < 6
    assert len(learnt._X) == 3 + n_solved
    assert np.isin(DATA.X, learnt._X).all()


def test_enough_time_gives_what_no_limit_gives(model, needed, clock):
    limited, late = distil(model, max_time=100 * needed, max_iter=60)
    assert not late
    free, late = distil(model, max_iter=60)
    assert not late
    assert len(limited._X) == len(free._X) == 9
    assert limited.n_iter_ == free.n_iter_ == 60
    first, second = (found.predict(CANDIDATES) for found in (limited, free))
    assert relative_l2_error(first, second) < 0.1 * relative_l2_error(
        first, model.regressor_.predict(CANDIDATES)
    )


def test_no_time_gives_the_regressor(model, clock):
    learnt, late = distil(model, max_time=1e-3)
    assert "at 0 of 6 parameters" in late[0]
    np.testing.assert_array_equal(learnt.predict(DATA.X), model.regressor_.predict(DATA.X))


def test_the_networks_learn_the_paths_and_keep_the_snapshots(model):
    learnt, _ = distil(model, max_iter=600)
    paths, before, after = (each.predict(CANDIDATES) for each in (model, model.regressor_, learnt))
    assert relative_l2_error(paths, after) < 0.2 * relative_l2_error(paths, before)
    kept = relative_l2_error(DATA.y, learnt.predict(DATA.X))
    assert kept < 1.5 * relative_l2_error(DATA.y, model.regressor_.predict(DATA.X))


@pytest.mark.parametrize(("max_time", "error"), [(0, ValueError), (-1.0, ValueError)])
def test_bad_limits(model, max_time, error):
    with pytest.raises(error, match="max_time"):
        model.distill(CANDIDATES, max_time=max_time)
    with pytest.raises(TypeError, match="max_time"):
        model.refine(CANDIDATES, max_time="short")
