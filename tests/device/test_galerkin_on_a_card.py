"""`CoLoRAGalerkin` computes on the CPU, and takes and gives regressors of another device."""

import numpy as np
import pytest

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_advection
from skcolora.utils._torch import any_weight

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def galerkin(card):
    data = make_advection([0.5, 0.8, 1.0], n_points=16, times=np.linspace(0, 0.5, 4))
    regressor = CoLoRARegressor(
        **data.grid, width=6, depth=3, max_iter=10, cv=None, device="card", random_state=0
    )
    return CoLoRAGalerkin(data.pde, regressor=regressor, random_state=0).fit(data.X, data.y)


def test_the_equation_starts_from_a_network_of_the_card(galerkin):
    assert any_weight(galerkin.regressor_.network_).device.type == "card"
    solution = galerkin.solve([[0.9]])
    assert solution.latent.shape == (1, 4, galerkin.regressor_.n_latent_)
    assert np.isfinite(galerkin.predict([[0.9]])).all()


# `refine` is not here: a gradient through vmap does not run in a mode such as the simulated card.
def test_what_the_equation_teaches_predicts_on_the_card(galerkin, card):
    distilled = galerkin.distill([[0.9]], max_iter=4)
    before = card.n_operations
    assert np.isfinite(distilled.predict([[0.9]])).all()
    assert card.n_operations > before
