"""Errors during a training."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_advection
from skcolora.inspection import TrainingDisplay

DATA = make_advection(np.linspace(0.5, 1.5, 5), n_points=32, times=np.linspace(0, 1, 6))


@pytest.fixture(scope="module")
def network():
    model = CoLoRARegressor(**DATA.grid, width=8, depth=3, max_iter=60, random_state=0)
    return model.fit(DATA.X, DATA.y)


def test_curves_and_levels(network):
    ax = TrainingDisplay.from_estimator(network).ax_
    each, middle, fitted, unseen = ax.lines
    np.testing.assert_array_equal(each.get_ydata(), network.loss_curve_)
    assert len(middle.get_ydata()) == 60
    assert fitted.get_ydata()[0] == network.best_loss_
    assert unseen.get_ydata()[0] == network.unseen_error_
    assert ax.get_yscale() == "log"


def test_the_median_follows_the_curve():
    losses = np.append(np.full(500, 1.0), np.full(500, 0.1))
    losses[::50] = 9.0
    middle = TrainingDisplay(losses=losses).plot().ax_.lines[1].get_ydata()
    np.testing.assert_array_equal(middle[:480], 1.0)
    np.testing.assert_array_equal(middle[520:], 0.1)


def test_the_network_of_an_equation(network):
    model = CoLoRAGalerkin(DATA.pde, regressor=FrozenEstimator(network)).fit(DATA.X, DATA.y)
    ax = TrainingDisplay.from_estimator(model).ax_
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), network.loss_curve_)


def test_malformed(pod):
    with pytest.raises(TypeError, match="PODRegressor has no `loss_curve_`"):
        TrainingDisplay.from_estimator(pod)
    for losses in ([], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="expected one error for each step"):
            TrainingDisplay(losses=losses)
