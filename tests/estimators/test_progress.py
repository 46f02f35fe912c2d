"""What a user sees of a long fit, and how it may be ended."""

import re

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._training import Progress
from skcolora.datasets import make_advection
from skcolora.utils._deadline import Deadline

DATA = make_advection(np.linspace(0.5, 1.5, 6), n_points=32, times=np.linspace(0, 1, 11))
OPTIONS = {"width": 8, "depth": 3, "hyper_width": 6, "max_iter": 100, "random_state": 0}


def test_lines_in_a_log(capsys):
    CoLoRARegressor(**DATA.grid, **OPTIONS, verbose=1, cv=None).fit(DATA.X, DATA.y)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("100 %, 100 steps, error ")
    CoLoRARegressor(**DATA.grid, **OPTIONS, verbose=1).fit(DATA.X, DATA.y)
    cost, *lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"Training of [\d,]+ weights: about 100 steps in (\d+ s|less than a second) on "
        r"(one thread|\d+ threads), and \d+ MB of memory beside the snapshots\.",
        cost,
    )
    assert lines[0].startswith("without 1 of 6 trajectories: 20 %, 20 steps, error ")
    assert " s left" in lines[0]
    assert lines[-1].startswith("all trajectories: 100 %, 100 steps, error ")
    assert len(lines) <= 4
    CoLoRARegressor(**DATA.grid, **OPTIONS).fit(DATA.X, DATA.y)
    assert capsys.readouterr() == ("", "")


def test_a_bar_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    CoLoRARegressor(**DATA.grid, **OPTIONS, verbose=1, cv=None).fit(DATA.X, DATA.y)
    shown = capsys.readouterr().err
    assert "100 %|" in shown
    assert "100 steps, error " in shown


def test_what_is_shown_does_not_change_the_fit(capsys):
    silent, told = (
        CoLoRARegressor(**DATA.grid, **OPTIONS, verbose=verbose).fit(DATA.X, DATA.y)
        for verbose in (0, 1)
    )
    np.testing.assert_array_equal(silent.predict(DATA.X), told.predict(DATA.X))
    assert silent.unseen_error_ == told.unseen_error_


def test_the_share_is_that_of_steps_or_time():
    progress = Progress(10, Deadline())
    assert progress.share == 0
    progress.step(4)
    assert progress.share == 0.4
    progress = Progress(None, Deadline(1e-9))
    assert progress.share == 1
    assert Progress(None, Deadline()).share == 0


needs_callbacks = pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9),
    reason="callbacks begin with scikit-learn 1.9",
)


class Listener:
    """Keeps what it is told, and ends a training after some parts."""

    def __init__(self, last=np.inf):
        self.last, self.parts, self.tasks, self.errors = last, 0, [], []

    def setup(self, estimator, context):
        self.tasks.append("setup")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.tasks.append(context.task_name)
        predicted = fitted_estimator.predict(X)
        assert predicted.shape == y.shape
        self.errors.append(np.linalg.norm(predicted - y))
        self.parts += context.task_name == "training"
        return self.parts >= self.last

    def teardown(self, estimator, context):
        self.tasks.append("teardown")


@needs_callbacks
def test_a_callback_sees_the_training():
    listener, options = Listener(), {**OPTIONS, "max_iter": 400}
    model = CoLoRARegressor(**DATA.grid, **options).set_callbacks(listener)
    model.fit(DATA.X, DATA.y)
    assert listener.tasks[0] == "setup"
    assert listener.tasks[-2:] == ["fit", "teardown"]
    assert 35 <= listener.parts < 50
    assert listener.errors[-1] < 0.8 * listener.errors[0]
    # It changes nothing.
    alone = CoLoRARegressor(**DATA.grid, **options).fit(DATA.X, DATA.y)
    np.testing.assert_array_equal(model.predict(DATA.X), alone.predict(DATA.X))


@needs_callbacks
def test_a_callback_ends_the_training():
    model = CoLoRARegressor(**DATA.grid, **OPTIONS, cv=None).set_callbacks(Listener(last=20))
    model.fit(DATA.X, DATA.y)
    # After 20 steps of the first phase, it looks for the first time after 25 of the second one.
    assert model.n_iter_ == 45
    assert np.isfinite(model.predict(DATA.X)).all()


class Once(Listener):
    """Asks for the end in one part only."""

    def on_fit_task_end(self, estimator, context):
        self.parts += context.task_name == "training"
        return self.parts == self.last


@needs_callbacks
def test_an_end_holds_for_the_trajectories_that_were_left_out():
    """They are trained on until the first look, and not to the end of the schedule."""
    model = CoLoRARegressor(**DATA.grid, **{**OPTIONS, "max_iter": 400})
    model.set_callbacks(Once(last=5)).fit(DATA.X, DATA.y)
    assert model.n_iter_ == 75


@needs_callbacks
def test_the_callbacks_of_a_pipeline_and_of_an_equation():
    listener = Listener()
    model = CoLoRARegressor(**DATA.grid, **OPTIONS).set_callbacks(listener)
    make_pipeline(StandardScaler(), model).fit(DATA.X, DATA.y)
    assert listener.parts >= 35
    assert listener.tasks.count("fit") == 1
    listener = Listener()
    regressor = CoLoRARegressor(**DATA.grid, **OPTIONS).set_callbacks(listener)
    CoLoRAGalerkin(DATA.pde, regressor=regressor).fit(DATA.X, DATA.y)
    assert listener.parts >= 35


@needs_callbacks
def test_one_bar_of_a_search():
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    model = CoLoRARegressor(**DATA.grid, **{**OPTIONS, "max_iter": 8})
    search = GridSearchCV(model, {"rank": [1, 2]}, cv=2).set_callbacks(ProgressBar())
    search.fit(DATA.X, DATA.y)
    assert search.best_params_["rank"] in (1, 2)
