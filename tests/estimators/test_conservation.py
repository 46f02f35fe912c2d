"""CoLoRAGalerkin keeps integrals to rounding error."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Dirichlet

DATA = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
NEW = make_advection([0.8, 1.1], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
OPTIONS = {"width": 12, "depth": 4, "adapted_layers": (0, 1, 2, 3), "rank": 1, "random_state": 0}


def integral(y):
    return y.mean(axis=2)


def test_mass_is_conserved_to_rounding_error(galerkin, regressor, model):
    free = integral(model.predict(NEW.X))
    fitted = galerkin(regressor, conserve="mass").fit(DATA.X, DATA.y)
    predicted = fitted.predict(NEW.X)
    kept = integral(predicted)
    assert abs(free / free[:, :1] - 1).max() > 1e-10
    assert abs(kept / kept[:, :1] - 1).max() < 1e-12
    error = relative_l2_error(NEW.y, predicted)
    assert error < 1.5 * relative_l2_error(NEW.y, model.predict(NEW.X))


def test_several_conserved_quantities_of_your_own(galerkin):
    densities = {"mass": lambda f: f.value[0], "energy": lambda f: f.value[0] ** 2}
    # Twelve online weights: there is always a state nearby with both integrals.
    network = CoLoRARegressor(
        **DATA.grid, **{**OPTIONS, "adaptation": "diagonal", "rank": 3}, max_iter=200
    )
    fitted = galerkin(network.fit(DATA.X, DATA.y), conserve=densities).fit(DATA.X, DATA.y)
    predicted = fitted.predict(NEW.X)
    for kept in (integral(predicted), integral(predicted**2)):
        assert abs(kept / kept[:, :1] - 1).max() < 1e-12


def test_quantities_that_the_network_cannot_keep_are_reported(galerkin, regressor):
    """Five for four online weights."""
    densities = {f"moment {k}": lambda f, k=k: f.value[0] ** k for k in (1, 2, 3, 4, 5)}
    fitted = galerkin(regressor, conserve=densities, free_output=False).fit(DATA.X, DATA.y)
    with pytest.warns(ConvergenceWarning, match=r"to `conserve` \(moment 1, moment 2"):
        predicted = fitted.predict(NEW.X)
    assert np.isfinite(predicted).all()


def test_integrals_are_kept_with_fixed_ends():
    """The boundary weighs as much as the domain among the collocation points, not in integrals."""

    class Rod(PDE):
        boundary, conserved = Dirichlet(), {"heat": lambda field: field.value[0]}

        def initial(self, points, mu):
            return np.sin(np.pi * points[0]) ** 2

        def rhs(self, t, field, mu):
            x = field.points[0]
            return mu[0] * (field.xp.cos(2 * np.pi * x) - field.xp.cos(6 * np.pi * x))

    times, points = np.linspace(0, 1, 11), np.linspace(0, 1, 41)[:, None]
    y = Rod().solve([0.1, 0.2, 0.3], times, points)
    network = CoLoRARegressor(times=times, points=points, **OPTIONS, max_iter=200)
    model = CoLoRAGalerkin(Rod(), regressor=network, conserve="heat", random_state=0)
    predicted = model.fit([[0.1], [0.2], [0.3]], y).predict([[0.15]])
    kept = Rod().integrals(predicted, Rod().mesh(41))["heat"]
    assert abs(kept / kept[:, :1] - 1).max() < 1e-12


def test_a_model_that_keeps_a_quantity_pickles(galerkin, regressor):
    fitted = galerkin(regressor, conserve="mass").fit(DATA.X, DATA.y)
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.predict(NEW.X), fitted.predict(NEW.X))
