"""Refinement: the equation teaches the network where there are no snapshots."""

import itertools
import pickle
import time
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._galerkin import _refine
from skcolora._galerkin._refine import _fields
from skcolora._nn import SpaceTimeJet
from skcolora._nn._model import CoLoRAModel
from skcolora._training._equation import EquationPhase, Sample
from skcolora.datasets import make_advection, make_rotating_detonation
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Advection, Dirichlet, Neumann

GRID = {"n_points": 64, "times": np.linspace(0, 1, 21), "width": 0.1}
DATA = make_advection([0.6, 1.4], **GRID)
NEW = make_advection([0.8, 1.0, 1.2], **GRID)
CANDIDATES = np.linspace(0.6, 1.4, 6)[:, None]
OPTIONS = {"width": 12, "depth": 4, "adapted_layers": (0, 1, 2, 3), "rank": 1, "random_state": 2}


class Cooling(PDE):
    """exp(-4μt) sin(2x + 0.3): the value is given at the low end, the slope at the high end."""

    parameter_names = ("conductivity",)
    boundary = (
        (
            Dirichlet(lambda t, points, mu: np.exp(-4 * mu[0] * t) * np.sin(0.3)),
            Neumann(lambda t, points, mu: 2 * np.exp(-4 * mu[0] * t) * np.cos(2.3)),
        ),
    )

    def initial(self, points, mu):
        return np.sin(2 * points[0] + 0.3)

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian


COOLING = SimpleNamespace(
    pde=Cooling(),
    X=np.array([[0.1], [0.3]]),
    grid={"times": np.linspace(0, 1, 11), "points": np.linspace(0, 1, 33)},
)
COOLING.y = Cooling().solve(COOLING.X, **COOLING.grid)


@pytest.fixture(scope="module")
def regressor():
    return CoLoRARegressor(**DATA.grid, **OPTIONS, max_iter=45).fit(DATA.X, DATA.y)


@pytest.fixture(scope="module")
def model(regressor):
    frozen = FrozenEstimator(regressor)
    # What is learnt is used, better or not.
    options = {"fallback": None, "random_state": 0}
    return CoLoRAGalerkin(DATA.pde, regressor=frozen, **options).fit(DATA.X, DATA.y)


@pytest.fixture(scope="module")
def refined(model):
    return model.refine(CANDIDATES, max_iter=150)


def errors(model):
    return relative_l2_error(NEW.y, model.regressor_.predict(NEW.X)), relative_l2_error(
        NEW.y, model.predict(NEW.X)
    )


def test_both_halves_become_more_accurate(model, refined):
    """Judged at parameters that were neither trained on nor refined at."""
    hypernetwork, equation = errors(model)
    hypernetwork_refined, equation_refined = errors(refined)
    assert hypernetwork_refined < 0.1 * hypernetwork
    assert equation_refined < 0.7 * equation


def test_what_was_learnt_from_snapshots_stays(model, refined):
    before = relative_l2_error(DATA.y, model.regressor_.predict(DATA.X))
    after = relative_l2_error(DATA.y, refined.regressor_.predict(DATA.X))
    assert after < max(3 * before, 1e-2)


def test_the_estimator_itself_does_not_change(model, refined):
    assert refined is not model
    states = [pickle.dumps(model)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.refine(CANDIDATES, max_iter=2)
    states.append(pickle.dumps(model))
    assert states[0] == states[1]


def test_the_same_seed_gives_the_same_network(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one, two = (model.refine(CANDIDATES, max_iter=5) for _ in range(2))
    assert np.array_equal(one.regressor_.predict(NEW.X), two.regressor_.predict(NEW.X))


def test_parameters_inside_a_pipeline():
    logarithm = FunctionTransformer(np.log)
    network = CoLoRARegressor(**DATA.grid, **{**OPTIONS, "max_iter": 20, "random_state": 0})
    model = CoLoRAGalerkin(DATA.pde, regressor=make_pipeline(logarithm, network), random_state=0)
    model.fit(DATA.X, DATA.y)
    before = relative_l2_error(NEW.y, model.regressor_.predict(NEW.X))
    with pytest.warns(ConvergenceWarning, match="violates"):
        refined = model.refine(CANDIDATES, max_iter=60)
    assert relative_l2_error(NEW.y, refined.regressor_.predict(NEW.X)) < 0.5 * before
    assert np.allclose(refined.regressor_[-1]._X, np.log(refined._X))


def test_distillation_and_a_second_refine_go_on_from_there(refined):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again = refined.refine(np.vstack([CANDIDATES, [[1.3]]]), max_iter=2)
        learnt = refined.distill(CANDIDATES, max_iter=300)
    assert errors(again)[1] < 1.5 * errors(refined)[1]
    assert relative_l2_error(NEW.y, learnt.predict(NEW.X)) < 3 * errors(refined)[1]


def make_phase(data, candidates, **changes):
    options = {**OPTIONS, "max_iter": 5, **changes}
    regressor = CoLoRARegressor(**data.grid, **options).fit(data.X, data.y)
    model = CoLoRAModel(regressor.network_, regressor.hypernetwork_).double().requires_grad_(True)
    X = np.vstack([data.X, candidates])
    generator = torch.Generator().manual_seed(0)
    trained_model = SimpleNamespace(layout=regressor._layout, units=regressor._units)
    fields, trained = _fields(model, trained_model, X, len(data.X), generator)
    units = regressor._units
    return EquationPhase(model, data.pde, units, X, X, fields=fields, trained=trained)


@pytest.fixture(scope="module", params=["one field", "two fields", "ends"])
def phase(request):
    if request.param == "one field":
        return make_phase(DATA, [[1.0]])
    if request.param == "ends":
        return make_phase(COOLING, [[0.2]])
    data = make_rotating_detonation([2.2, 2.8], times=np.linspace(0, 1, 5), n_points=65)
    return make_phase(data, [[2.5]])


def test_the_jacobian_of_a_step(phase):
    sample = phase.draw()
    r, factors, violation = phase.linearize(sample)
    assert torch.equal(r, phase.residual(sample))
    assert violation.shape == sample.collocation.weights.shape
    weights = [p.detach().clone() for p in phase.model.parameters()]
    generator = torch.Generator().manual_seed(1)
    directions = {
        p: torch.randn(p.shape, generator=generator, dtype=p.dtype)
        for p in phase.model.parameters()
    }

    def moved(h):
        with torch.no_grad():
            for p, start in zip(phase.model.parameters(), weights, strict=True):
                p.copy_(start + h * directions[p])
        return phase.residual(sample)

    difference = (moved(1e-6) - moved(-1e-6)) / 2e-6
    moved(0.0)
    slope = sum(f.left @ directions[f.parameter].flatten() for f in factors)
    assert torch.allclose(slope, difference, rtol=1e-5, atol=1e-6 * float(difference.abs().max()))


def test_a_sample_estimates_the_same_as_many(phase):
    """The squares sum up to a mean over all points: however many are drawn."""
    few = np.mean([float(phase.residual(phase.draw()).square().sum()) for _ in range(60)])
    many = np.mean([float(phase.residual(phase.draw(8)).square().sum()) for _ in range(8)])
    assert few == pytest.approx(many, rel=0.15)


def test_a_solution_leaves_no_residual():
    """Where nothing moves, every field that stays as it is."""

    class Still(Advection):
        def rhs(self, t, field, mu):
            return 0.0 * field.value

    phase = make_phase(replace(DATA, pde=Still()), [[1.0]])
    with torch.no_grad():
        phase.model.hypernetwork.weights[-1].zero_()
    sample = phase.draw()
    free = phase.residual(sample)[len(sample.known.u) :]
    assert free.abs().max() < 1e-14


def test_the_equation_where_times_span_decades(monkeypatch):
    """The residual is zero of a right-hand side that is the model's rate in the user's time."""
    times = np.append(0.0, np.geomspace(1e-3, 1e2, 20))
    phase = make_phase(make_advection([0.6, 1.4], **{**GRID, "times": times}), [[1.0]])
    scale, (known, points, boundary) = phase._units.times, phase.draw()
    assert scale.coordinate.logarithmic
    assert (points.t.min() < 0.01) & (points.t.max() > 10)
    assert phase._fields.inputs[:, 1].unique().diff().std() < 1e-12
    # The initial fields are those of the time zero.
    start = torch.from_numpy(scale.apply(np.zeros((1, 1))))
    assert torch.equal(known.inputs[-1, -1], start[0, 0])

    @torch.no_grad()
    def value(t):
        scaled = torch.from_numpy(scale.apply(t.numpy()[:, None]))
        inputs = torch.cat([points.inputs[:, :-1], scaled], 1)
        return phase.model(points.x.unsqueeze(1), inputs).squeeze(1)

    h = 1e-4 * (scale.coordinate.shift + points.t)
    rate = (value(points.t + h) - value(points.t - h)) / (2 * h).unsqueeze(1)
    assert rate.abs().max() > 0
    rhs = phase._field_scale * rate
    monkeypatch.setattr(phase.pde, "rate", lambda t, field, mu: rhs.T)
    sample = Sample(known, points, boundary)
    gap = phase.residual(sample)[len(known.u) :]
    monkeypatch.setattr(phase.pde, "rate", lambda t, field, mu: 0.0 * rhs.T)
    size = phase.residual(sample)[len(known.u) :]
    assert gap.abs().max() < 1e-6 * size.abs().max()
    # Early and late times count alike: the rate itself is a thousand times smaller at the end.
    early = points.t < points.t.median()
    assert 0.1 < size[early].norm() / size[~early].norm() < 10


def test_boundary_conditions_are_minimised():
    """The rows of a condition are 0 for fields that obey it, and not for others."""
    phase = make_phase(COOLING, [[0.2]])
    phase._boundary.factor = 1.0
    sample = phase.draw()
    assert len(sample.boundary.x) == phase.N_BOUNDARY
    low, high = (sample.boundary.x[:, 0] < 0), (sample.boundary.x[:, 0] > 0)
    points = phase._units.points.invert(sample.boundary.x.numpy())
    t = phase._units.times.invert(sample.boundary.inputs[:, -1:].numpy())
    mu = phase._units.parameters.invert(sample.boundary.inputs[:, :-1].numpy())
    decay = np.exp(-4 * mu * t)
    value, grad = decay * np.sin(2 * points + 0.3), 2 * decay * np.cos(2 * points + 0.3)
    slope, center = phase._units.fields.slope, phase._units.fields.center
    zero = torch.zeros(0)
    exact = SpaceTimeJet(
        torch.from_numpy(slope * (value - center)),
        zero,
        torch.from_numpy(slope * grad).unsqueeze(1),
        zero,
        zero,
    )
    assert sample.boundary.residual(exact).abs().max() < 1e-12
    shifted = sample.boundary.residual(exact._replace(value=exact.value + 1.0)).squeeze(1)
    assert torch.allclose(shifted[low], torch.tensor(64**-0.5).double())
    assert (shifted[high].abs() < 1e-12).all()
    steeper = sample.boundary.residual(exact._replace(grad=exact.grad + 1.0)).squeeze(1)
    assert (steeper[low].abs() < 1e-12).all()
    assert torch.allclose(steeper[high], torch.tensor(0.5 * 64**-0.5).double())


@pytest.mark.parametrize(
    ("most", "shape"), [(2**25, (48, 64)), (3 * 64 * 10, (10, 64)), (60, (4, 5))]
)
def test_the_memory_for_the_fields_is_bounded(monkeypatch, most, shape):
    """Times and points of each of the three parameters."""
    monkeypatch.setattr(_refine, "_MAX_VALUES", most)
    phase = make_phase(DATA, [[1.0]])
    n_times, n_points = shape
    assert phase._fields.fields.shape == (3 * n_times, n_points, 1)
    assert phase._trained.fields.shape == (2 * n_times, n_points, 1)
    assert len(torch.unique(phase._fields.points)) == n_points
    assert phase._units.times.invert(phase._fields.inputs[-1, 1])[0] == DATA.times[-1]
    phase.restart()
    assert torch.isfinite(phase.step(0.0, 1.0))


def test_interruption_keeps_what_was_learnt(model, monkeypatch):
    step, calls = EquationPhase.step, []

    def interrupted(self, progress, step_factor):
        calls.append(progress)
        if len(calls) == 60:
            raise KeyboardInterrupt
        return step(self, progress, step_factor)

    monkeypatch.setattr(EquationPhase, "step", interrupted)
    with pytest.warns(UserWarning, match="interrupted after 59 steps"):
        refined = model.refine(CANDIDATES, max_iter=100)
    assert errors(refined)[0] < errors(model)[0]


def test_an_equation_that_is_still_violated_warns(model, monkeypatch):
    monkeypatch.setattr(_refine, "_LARGE_ERROR", 0.0)
    with pytest.warns(ConvergenceWarning, match="still violates the equation"):
        model.refine(CANDIDATES, max_iter=1)


def test_an_equation_without_initial_field(regressor):
    class NoStart(PDE):
        parameter_names = ("speed",)
        period = (1.0,)

        def rhs(self, t, field, mu):
            return -mu[0] * field.grad[0]

    frozen = FrozenEstimator(regressor)
    model = CoLoRAGalerkin(NoStart(), regressor=frozen).fit(DATA.X, DATA.y)
    with pytest.raises(ValueError, match="NoStart defines no `initial`"):
        model.refine(CANDIDATES)


def test_a_right_hand_side_that_is_not_finite(regressor):
    class Broken(Advection):
        def rhs(self, t, field, mu):
            rate = super().rhs(t, field, mu)
            return rate if field.xp is np else rate + 0.0 / (mu[0] - 1.0)

    frozen = FrozenEstimator(regressor)
    model = CoLoRAGalerkin(Broken(), regressor=frozen).fit(DATA.X, DATA.y)
    with pytest.raises(ValueError, match="not finite"):
        model.refine([[1.0]])


@pytest.mark.parametrize(
    ("X", "message"),
    [([[0.7, 0.1]], "2 features"), ([["a"]], "must be numeric"), ([0.7], "2D array")],
)
def test_bad_parameters(model, X, message):
    with pytest.raises(ValueError, match=message):
        model.refine(X)


@pytest.mark.parametrize(
    ("limits", "error"),
    [({"max_iter": 0}, ValueError), ({"max_iter": 1.5}, TypeError), ({"max_time": 0}, ValueError)],
)
def test_bad_limits(model, limits, error):
    with pytest.raises(error, match=next(iter(limits))):
        model.refine(CANDIDATES, **limits)


def test_a_short_time_reduces_samples_and_keeps_the_points(model, monkeypatch):
    """A clock that each look moves by a hundredth of a second."""
    clock = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: 0.01 * next(clock))
    monkeypatch.setattr(model, "_equation_seconds", 100.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        refined = model.refine(CANDIDATES, max_time=2.0)
    assert 0.01 * next(clock) < 2.1
    assert refined._equation.collocation is model._equation.collocation
    # The time of a whole equation is not known better than before.
    assert refined._equation_seconds == 100.0
    assert len(refined._equation.trained_starts.inputs) == len(refined._X)
