"""Figures without a screen, closed after each test, and quickly fitted models."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from skcolora import CoLoRARegressor, ParameterInterpolator, PODRegressor
from skcolora.datasets import make_advection, make_vlasov


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def advection():
    return make_advection([0.5, 0.75, 1.0, 1.25, 1.5], n_points=32, times=np.linspace(0, 1, 6))


@pytest.fixture(scope="session")
def vlasov():
    return make_vlasov([0.2, 0.3, 0.4], n_points=9, times=[0.0, 0.5, 1.0])


@pytest.fixture(scope="session")
def pod(advection):
    return PODRegressor(**advection.grid, n_components=20).fit(advection.X, advection.y)


@pytest.fixture(scope="session")
def interpolator(vlasov):
    return ParameterInterpolator(**vlasov.grid).fit(vlasov.X, vlasov.y)


@pytest.fixture(scope="session")
def colora(advection):
    model = CoLoRARegressor(**advection.grid, width=6, depth=4, max_iter=3, random_state=0)
    return model.fit(advection.X, advection.y)
