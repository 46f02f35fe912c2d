"""A small network of a bump that moves, and models that solve its equation with it.

A file with another network has fixtures of its own under these names.
"""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_advection

DATA = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
OPTIONS = {"width": 12, "depth": 4, "adapted_layers": (0, 1, 2, 3), "rank": 1, "random_state": 0}


@pytest.fixture(scope="session")
def regressor():
    # Enough steps that explicit time steps are limited by accuracy, not by stability.
    return CoLoRARegressor(**DATA.grid, **OPTIONS, max_iter=150).fit(DATA.X, DATA.y)


@pytest.fixture(scope="session")
def galerkin():
    """Makes a model of a fitted regressor, which it does not train again."""

    def make(regressor, pde=DATA.pde, random_state=0, **options):
        frozen = FrozenEstimator(regressor)
        return CoLoRAGalerkin(pde, regressor=frozen, random_state=random_state, **options)

    return make


@pytest.fixture(scope="session")
def model(galerkin, regressor):
    return galerkin(regressor).fit(DATA.X, DATA.y)
