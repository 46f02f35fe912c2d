"""The regressor answers where the path of the equation is not to be trusted."""

import warnings
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._estimators import _both_halves, _colora_galerkin, _galerkin_trust
from skcolora._galerkin import LatentEquation, Trust, _changed_trust, _distill, error_ratio
from skcolora._snapshots import power_function
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error
from skcolora.pdes import Advection
from skcolora.utils._deadline import Deadline

GRID = {"n_points": 64, "times": np.linspace(0, 1, 21), "width": 0.1}
DATA = make_advection(np.linspace(0.6, 1.4, 5), **GRID)
NEW = make_advection([0.7, 1.1, 1.3], **GRID)


class WrongAdvection(Advection):
    """Twice as fast as the snapshots say."""

    def rhs(self, t, field, mu):
        return 2.0 * super().rhs(t, field, mu)


@pytest.fixture(scope="module")
def regressor():
    options = {"width": 12, "depth": 4, "adapted_layers": range(4), "rank": 1, "random_state": 0}
    return CoLoRARegressor(**DATA.grid, **options, max_iter=400).fit(DATA.X, DATA.y)


def galerkin(regressor, pde=DATA.pde, **options):
    model = CoLoRAGalerkin(pde, regressor=FrozenEstimator(regressor), random_state=0, **options)
    return model.fit(DATA.X, DATA.y)


def test_paths_that_fail_are_replaced(regressor):
    model = galerkin(regressor, max_steps=2)
    with pytest.warns(ConvergenceWarning, match=r"took all of its `max_steps`.*regressor's answer"):
        solution = model.solve(NEW.X)
    assert solution.status.tolist() == ["regressor"] * 3
    np.testing.assert_allclose(solution.predict(), regressor.predict(NEW.X), atol=1e-4)
    with pytest.warns(ConvergenceWarning, match=r"the prediction at later times is NaN"):
        failed = galerkin(regressor, max_steps=2, fallback=None).solve(NEW.X)
    assert failed.status.tolist() == ["max_steps"] * 3


def test_an_equation_that_the_snapshots_contradict(regressor):
    """Its paths end well, but the training trajectories tell that they are wrong."""
    model = galerkin(regressor, WrongAdvection(width=0.1))
    with pytest.warns(UserWarning, match=r"path of the equation is expected to have an error of"):
        predicted = model.predict(NEW.X)
    assert relative_l2_error(NEW.y, predicted) < 1.01 * relative_l2_error(
        NEW.y, regressor.predict(NEW.X)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = galerkin(regressor, WrongAdvection(width=0.1), fallback=None).predict(NEW.X)
    assert relative_l2_error(NEW.y, wrong) > 0.5


def test_the_better_half_is_kept():
    """Three trajectories do not tell what lies between them; the equation does."""
    few = make_advection([0.6, 1.0, 1.4], **GRID)
    options = {"width": 12, "depth": 4, "adapted_layers": range(4), "rank": 1, "random_state": 0}
    network = CoLoRARegressor(**few.grid, **options, max_iter=500).fit(few.X, few.y)
    model = CoLoRAGalerkin(few.pde, regressor=FrozenEstimator(network), random_state=0)
    model.fit(few.X, few.y)
    new = make_advection([0.8, 1.2], **GRID)
    assert model.solve(new.X).status.tolist() == ["success", "success"]
    error = relative_l2_error(new.y, model.predict(new.X))
    assert error < 0.2 * relative_l2_error(new.y, network.predict(new.X))


def test_the_regressor_has_no_answer_to_other_questions(regressor):
    """To initial fields of the user, and beyond the times of the fit."""
    model = galerkin(regressor, max_steps=2)
    with pytest.warns(ConvergenceWarning, match="the prediction at later times is NaN"):
        beyond = model.solve(NEW.X, times=np.linspace(0, 1.2, 13))
    with pytest.warns(ConvergenceWarning, match="the prediction at later times is NaN"):
        other = model.solve(NEW.X, initial=NEW.y[:, 0])
    assert set(beyond.status) == set(other.status) == {"max_steps"}


def test_conserved_quantities_are_worth_more_than_accuracy(regressor):
    pde = WrongAdvection(width=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solution = galerkin(regressor, pde, conserve="mass").solve(NEW.X)
    assert solution.status.tolist() == ["success"] * 3


@pytest.mark.parametrize(("choices", "chosen"), [((0.5, 1e-8), 1e-8), ((1e-8, 0.5), 1e-8)])
def test_the_training_trajectories_choose_the_regularization(
    regressor, monkeypatch, choices, chosen
):
    for module in (_galerkin_trust, _both_halves, _colora_galerkin):
        monkeypatch.setattr(module, "regularizations", lambda free_output: choices, raising=False)
    monkeypatch.setattr(_galerkin_trust, "_GOOD", 3.0)
    assert galerkin(regressor, free_output=False).regularization_ == chosen
    assert galerkin(regressor, regularization=0.5).regularization_ == 0.5


TRUST = Trust(
    ratio=0.2,
    nodes=np.array([[0.0], [1.0], [2.0]]),
    errors=np.array([1e-3, 2e-3, 4e-3]),
    times=np.array([0.0, 1.0]),
    indicators=np.full((3, 2), 0.3),
    learnt=np.array([[0.0], [1.0], [2.0]]),
    known=None,
)


@dataclass(frozen=True)
class Paths:
    """What the trust asks of a `GalerkinSolution`."""

    times: np.ndarray
    error_indicator: np.ndarray
    _sizes: np.ndarray


def paths(*indicators, times=(0.0, 1.0), size=1.0):
    """Paths with an indicator that stays the same."""
    levels = np.array(indicators)[:, None] + np.zeros(len(times))
    return Paths(np.array(times), levels, np.full(levels.shape, size))


def test_expected_errors():
    nodes = np.array([[0.0], [0.5], [2.0]])
    mine, theirs = TRUST.expected(nodes, paths(0.1, np.inf, 0.5), paths(0.2, 0.5, 0.5))
    assert np.allclose(mine, [0.02, np.inf, 0.1])
    rise = 0.2 * np.sqrt(0.5**2 - 0.33**2)
    assert np.allclose(theirs, np.hypot([1e-3, 1.5e-3, 4e-3], [0.0, rise, rise]))


def test_a_path_that_grows_without_bound():
    """Its indicator is relative to its own field, which is far too large."""
    nodes = np.array([[0.0]])
    mine, theirs = TRUST.expected(nodes, paths(0.1, size=300.0), paths(0.2))
    assert np.allclose(mine, 0.2 * 0.1 * 300)
    assert theirs < 0.01
    # A small field tells nothing: it may be right.
    assert np.allclose(TRUST.expected(nodes, paths(0.1, size=0.1), paths(0.2))[0], 0.02)


def test_a_small_excess_of_an_indicator_tells_nothing():
    """Indicators of 2 at the snapshots are no more precise than 2.1 elsewhere is unusual."""
    large = replace(TRUST, indicators=np.full((3, 2), 2.0))
    expected = large.of_regressor(np.array([[0.1], [0.1]]), paths(2.1, 2.5))
    assert np.allclose(expected, np.hypot(1.1e-3, [0.0, 0.2 * np.sqrt(2.5**2 - 2.2**2)]))


def test_what_is_usual_depends_on_the_time():
    """An indicator that grows from 0 to 1 is usual at both ends, whatever times are asked for."""
    growing = replace(TRUST, indicators=np.tile([0.0, 1.0], (3, 1)))
    late = paths(1.0, 1.0, 1.0, times=[1.0])
    assert np.allclose(growing.of_regressor(TRUST.nodes, late), TRUST.errors)
    early = paths(1.0, 1.0, 1.0, times=[0.0])
    assert (growing.of_regressor(TRUST.nodes, early) > 0.19).all()


def test_errors_of_trajectories_that_were_left_out():
    """They are a lower bound beyond the training error, which grows with the distance."""
    nodes = np.array([[0.0], [0.5], [2.0]])
    wrong = replace(TRUST, unseen=0.5)
    expected = wrong.of_regressor(nodes, paths(0.2, 0.2, 0.5))
    power = power_function(TRUST.learnt, nodes)
    assert np.allclose(power[[0, 2]], 0.0, atol=1e-6)
    assert 0.5 * power[1] > 0.05
    rise = 0.2 * np.sqrt(0.5**2 - 0.33**2)
    assert np.allclose(expected, np.hypot([1e-3, 1.5e-3, 4e-3], [0.0, 0.5 * power[1], rise]))


def test_an_equation_all_of_whose_paths_failed_says_nothing_of_the_regressor():
    failed = replace(TRUST, ratio=np.inf)
    mine, theirs = failed.expected(TRUST.nodes, paths(0.1, 0.1, 0.1), paths(9.0, 9.0, 9.0))
    assert np.isinf(mine).all()
    assert np.allclose(theirs, TRUST.errors)


def test_an_interruption_keeps_the_fit(regressor, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skcolora._estimators._both_halves.judge", interrupted)
    with pytest.warns(UserWarning, match="the fit is kept, and only paths that fail are replaced"):
        model = galerkin(regressor, WrongAdvection(width=0.1))
    assert model.solve(NEW.X).status.tolist() == ["success"] * 3


def test_the_ratio_counts_the_times_that_were_reached():
    indicators = np.array([[3.0, 4.0, np.nan, np.nan], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    size = np.sqrt(12.5)
    assert np.isclose(error_ratio(indicators[:1], np.array([0.5])), 0.5 / size)
    assert error_ratio(indicators, np.array([np.inf, np.inf, 0.0])) == np.inf
    assert np.isclose(error_ratio(indicators, np.array([0.5 * size, 0.3, 0.0])), 0.5)


def test_distillation_from_a_wrong_equation(regressor):
    """Where the regressor is to be trusted more, its paths are what is learnt."""
    model = galerkin(regressor, WrongAdvection(width=0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distilled = model.distill(NEW.X, max_iter=30)
    before = regressor.predict(NEW.X)
    assert relative_l2_error(before, distilled.predict(NEW.X)) < 0.05


def test_a_refinement_that_spoils_the_path_is_not_used(regressor, monkeypatch):
    """Although its regressor is as good as before."""
    expected = iter([0.1, 0.12])
    module = "skcolora._estimators._distill_and_refine"
    monkeypatch.setattr(_changed_trust.ComparedPaths, "expected_best", lambda *_: next(expected))
    monkeypatch.setattr(f"{module}.same_weights", lambda *_: False)
    monkeypatch.setattr(CoLoRAGalerkin, "_expected_errors", lambda *_: (0.1, 0.1))
    model = galerkin(regressor)
    with pytest.warns(UserWarning, match=r"would not have made the estimator clearly.*0\.12"):
        refined = model.refine(NEW.X, max_iter=2)
    np.testing.assert_array_equal(refined.predict(NEW.X), model.predict(NEW.X))


def test_a_refinement_that_cannot_be_compared_is_not_used(regressor, monkeypatch):
    """The limit is kept, and what is not known to be better is not returned."""

    def too_long(*_):
        raise _changed_trust.OutOfTime

    module = "skcolora._estimators._distill_and_refine"
    monkeypatch.setattr(f"{module}.same_weights", lambda *_: False)
    monkeypatch.setattr(f"{module}.compared_paths", too_long)
    model = galerkin(regressor)
    with pytest.warns(UserWarning, match=r"`max_time` was not enough.*Give more `max_time`"):
        refined = model.refine(NEW.X, max_iter=2)
    np.testing.assert_array_equal(refined.predict(NEW.X), model.predict(NEW.X))


def test_paths_are_solved_within_the_limit(regressor):
    equation = galerkin(regressor)._equation
    with pytest.raises(_changed_trust.OutOfTime):
        _changed_trust.compared_paths(equation, NEW.X, Deadline(0.0))


def test_a_refinement_without_gain_stands_still(regressor, monkeypatch):
    monkeypatch.setattr("skcolora._estimators._distill_and_refine.same_weights", lambda *_: True)
    model = galerkin(regressor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        refined = model.refine(NEW.X, max_iter=1)
    assert refined is not model
    np.testing.assert_array_equal(refined.predict(NEW.X), model.predict(NEW.X))


@pytest.mark.parametrize("learn", ["distill", "refine"])
def test_what_would_be_worse_is_not_used(regressor, monkeypatch, learn):
    model = galerkin(regressor)
    monkeypatch.setattr(CoLoRAGalerkin, "_expected_errors", lambda *_: (0.1, 0.12))
    monkeypatch.setattr("skcolora._estimators._distill_and_refine.same_weights", lambda *_: False)
    with pytest.warns(UserWarning, match=r"would have made the regressor less accurate.*0\.12"):
        learnt = getattr(model, learn)(NEW.X, max_iter=1)
    kept = learnt if learn == "distill" else learnt.regressor_
    np.testing.assert_array_equal(kept.predict(NEW.X), regressor.predict(NEW.X))


def test_a_distillation_that_forgets_is_worse(regressor, monkeypatch):
    """Expected errors are those of the fields, not of the training."""
    model, train = galerkin(regressor), _distill.train

    def forget(networks, *args, **kwargs):
        result = train(networks, *args, **kwargs)
        for weight in networks.hypernetwork.parameters():
            weight.data.zero_()
        return result

    monkeypatch.setattr(_distill, "train", forget)
    with pytest.warns(UserWarning, match="distillation would have made the regressor less"):
        learnt = model.distill(NEW.X, max_iter=1)
    np.testing.assert_array_equal(learnt.predict(NEW.X), regressor.predict(NEW.X))


def test_a_residual_that_falls_more_than_the_error(regressor):
    """The ratio of error and indicator rises by what the paths at the training parameters say."""
    model = galerkin(regressor, regularization=1e-8, norm="L2", free_output=False)
    before = model._equation
    same = _changed_trust.compared_paths(before, NEW.X, Deadline())
    assert same.ratio == pytest.approx(before.trust.ratio)

    def halved(self, *args):
        found = LatentEquation.diagnose(self, *args)
        return replace(found, error_indicator=0.5 * found.error_indicator)

    class Fawning(LatentEquation):
        diagnose = halved

    fawning = Fawning(**{f.name: getattr(before, f.name) for f in fields(before)})
    flattered = _changed_trust.compared_paths(fawning, NEW.X, Deadline())
    assert flattered.ratio == pytest.approx(2 * before.trust.ratio)
    trust = replace(before.trust, ratio=flattered.ratio)
    assert flattered.expected_best(trust) == pytest.approx(same.expected_best(before.trust))
