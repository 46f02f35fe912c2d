"""CoLoRAGalerkin.distill: a regressor that has learnt the solutions of the equation."""

import numpy as np
import pytest

from skcolora import CoLoRARegressor
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error

DATA = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
NEW = make_advection([0.8, 1.1], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
OPTIONS = {"width": 12, "depth": 4, "adapted_layers": (0, 1, 2, 3), "rank": 1, "random_state": 0}


@pytest.fixture(scope="module")
def unchecked(galerkin, regressor):
    """A model that uses what it learns from the equation, better or not."""
    return galerkin(regressor, fallback=None).fit(DATA.X, DATA.y)


def test_distilled_regressor_is_nearly_as_good(galerkin):
    # With other seeds the latent paths leave the training states, and the map does not follow.
    regressor = CoLoRARegressor(**DATA.grid, **(OPTIONS | {"random_state": 2}), max_iter=150)
    model = galerkin(regressor.fit(DATA.X, DATA.y)).fit(DATA.X, DATA.y)
    learnt = model.distill(np.linspace(0.65, 1.35, 6)[:, None])
    assert isinstance(learnt, CoLoRARegressor)
    own = relative_l2_error(NEW.y, model.predict(NEW.X))
    before = relative_l2_error(NEW.y, regressor.predict(NEW.X))
    error = relative_l2_error(NEW.y, learnt.predict(NEW.X))
    assert error - own < 0.1 * (before - own)


def test_distillation_leaves_out_where_the_equation_is_not_followed(unchecked, monkeypatch):
    """But keeps the paths that were trained on."""
    candidates = np.array([[0.4], [0.9]])
    ends = unchecked.solve(np.vstack([DATA.X, candidates]), times=[0.0, 1.0]).latent[:, -1, 0]
    limit = np.sort(ends)[1:3].mean()
    monkeypatch.setattr(
        "skcolora._galerkin._solved_paths._follows_equation",
        lambda solution: solution.latent[:, -1, 0] > limit,
    )
    learnt = unchecked.distill(candidates, max_iter=5)
    kept = set(learnt._X.ravel())
    assert set(DATA.X.ravel()) <= kept
    dropped = {
        float(x) for x, end in zip(candidates.ravel(), ends[-2:], strict=True) if end < limit
    }
    assert kept == set(DATA.X.ravel()) | (set(candidates.ravel()) - dropped)
    limit = np.inf
    none = unchecked.distill(candidates, max_iter=5)
    assert set(none._X.ravel()) == set(DATA.X.ravel())
    np.testing.assert_allclose(none.predict(NEW.X), unchecked.regressor_.predict(NEW.X), atol=1e-3)


def test_the_history_is_that_of_the_last_training(regressor, unchecked, monkeypatch):
    # As if five steps had reduced the error.
    monkeypatch.setattr("skcolora._estimators._distill_and_refine.same_weights", lambda *_: False)
    learnt = unchecked.distill(NEW.X, max_iter=7)
    assert learnt.n_iter_ == len(learnt.loss_curve_) == 7
    assert learnt.best_loss_ != regressor.best_loss_
    assert learnt.n_weights_ == sum(
        p.numel() for net in (learnt.network_, learnt.hypernetwork_) for p in net.parameters()
    )
    refined = unchecked.refine(NEW.X, max_iter=5).regressor_
    assert refined.n_iter_ == len(refined.loss_curve_) == 5
    assert refined.best_loss_ != regressor.best_loss_
    assert regressor.n_iter_ == 150
