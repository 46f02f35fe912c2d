"""CoLoRAGalerkin warns of parameters outside those of ``fit``, and integrates beyond its times."""

import warnings

import numpy as np
import pytest

from skcolora import CoLoRAGalerkin, CoLoRARegressor, ExtrapolationWarning
from skcolora._estimators import _distill_and_refine
from skcolora.datasets import make_advection
from skcolora.pdes import PDE

DATA = make_advection([0.5, 0.75, 1.0], n_points=32, times=np.linspace(0, 1, 6), width=0.2)
SMALL = {"width": 6, "depth": 3, "rank": 1, "adapted_layers": range(3), "max_iter": 30}
# A network that is hardly trained gives other warnings as well.
pytestmark = pytest.mark.filterwarnings("ignore:CoLoRAGalerkin")
MESSAGE = r"row 1 of X, .* = 1\.125 is 0\.125 beyond the largest training value 1, 25 %"
OUTSIDE = np.array([[0.8], [1.125]])


def fitted(**options):
    network = CoLoRARegressor(**DATA.grid, **SMALL, random_state=0)
    model = CoLoRAGalerkin(DATA.pde, regressor=network, random_state=0, **options)
    return model.fit(DATA.X, DATA.y)


@pytest.fixture
def model(shared):
    return shared.set_params(on_extrapolation="warn")


@pytest.fixture(scope="module")
def shared():
    return fitted()


def of_extrapolation(caught):
    return [w for w in caught if w.category is ExtrapolationWarning]


def test_one_warning_for_each_call(model):
    for method in (model.solve, model.predict):
        with pytest.warns(ExtrapolationWarning, match=MESSAGE) as caught:
            method(OUTSIDE)
        (warning,) = of_extrapolation(caught)
        assert warning.filename == __file__


def test_no_warning_inside_nor_at_later_times(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ExtrapolationWarning)
        model.predict([[0.5], [0.8], [1.0]], times=[0.0, 0.5, 1.5])
        model.set_params(on_extrapolation="raise").solve([[0.8]], times=[0.0, 1.5])


def test_the_word_may_change_after_fit_and_the_values_stay(model):
    with pytest.warns(ExtrapolationWarning):
        found = model.predict(OUTSIDE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ExtrapolationWarning)
        silent = model.set_params(on_extrapolation="ignore").predict(OUTSIDE)
    assert np.array_equal(found, silent, equal_nan=True)
    model.set_params(on_extrapolation="raise")
    for method in (model.solve, model.predict):
        with pytest.raises(ValueError, match=MESSAGE):
            method(OUTSIDE)
    with pytest.raises(ValueError, match="must be 'warn', 'raise' or 'ignore'; got 'silent'"):
        model.set_params(on_extrapolation="silent").predict(OUTSIDE)
    with pytest.raises(ValueError, match="'on_extrapolation' parameter"):
        fitted(on_extrapolation="silent")


def test_the_error_comes_before_any_other_work(model, monkeypatch):
    monkeypatch.delattr(type(model._equation), "integrate")
    with pytest.raises(ValueError, match=MESSAGE):
        model.set_params(on_extrapolation="raise").predict(OUTSIDE)


def test_refinement_widens_the_region(model, monkeypatch):
    # Few steps gain hardly anything; what counts here is where they were taken.
    monkeypatch.setattr(_distill_and_refine, "_WORSE", np.inf)
    monkeypatch.setattr(_distill_and_refine, "_GAINED", np.inf)
    refined = model.set_params(on_extrapolation="raise").refine([[1.25]], max_iter=40)
    refined.predict(OUTSIDE)
    with pytest.raises(ValueError, match=r"0\.25 beyond the largest training value 1\.25"):
        refined.predict([[1.5]])
    with pytest.raises(ValueError, match=MESSAGE):
        model.predict(OUTSIDE)
    # The network of the refined model has seen the parameter as well.
    with warnings.catch_warnings():
        warnings.simplefilter("error", ExtrapolationWarning)
        refined.regressor_.predict(OUTSIDE)


class Drift(PDE):
    """Advection with a constant source."""

    domain, period, parameter_names = ((0.0, 1.0),), (1.0,), ("speed", "source")

    def rhs(self, t, field, mu):
        return mu[1] - mu[0] * field.grad[0]

    def initial(self, points, mu):
        return np.sin(2 * np.pi * points[0])

    def exact(self, t, points, mu):
        return np.sin(2 * np.pi * (points[0] - mu[0] * t)) + mu[1] * t


def test_the_names_of_the_equation_and_a_parameter_that_was_constant():
    """In the equation a constant parameter has an effect, so that it counts."""
    pandas = pytest.importorskip("pandas")
    pde, times, points = Drift(), np.linspace(0, 1, 5), np.arange(16) / 16
    X = np.array([[0.25, 0.5], [0.5, 0.5], [0.75, 0.5]])
    y = pde.solve(X, times, points)
    network = CoLoRARegressor(times=times, points=points, period=1.0, **SMALL, random_state=0)
    model = CoLoRAGalerkin(pde, regressor=network, random_state=0, on_extrapolation="raise")
    # The columns are in another order than the parameters of the equation.
    frame = pandas.DataFrame(X[:, ::-1], columns=["source", "speed"])
    model.fit(frame, y)
    with pytest.raises(ValueError, match=r"'speed' = 1 is 0\.25 beyond the largest"):
        model.predict(pandas.DataFrame({"source": [0.5], "speed": [1.0]}))
    with pytest.raises(ValueError, match=r"'source' = 0\.75 differs from 0\.5, its value in all"):
        model.predict(pandas.DataFrame({"source": [0.75], "speed": [0.5]}))
    assert np.isfinite(model.predict(frame[:1])).all()
