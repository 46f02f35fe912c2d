"""Errors at snapshots that are kept after the fit."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._estimators._unwrap import trained_model
from skcolora._galerkin._known_snapshots import known_snapshots
from skcolora._snapshots import StoredRows, trajectory_errors
from skcolora.datasets import make_advection

DATA = make_advection([0.5, 0.8, 1.1], n_points=32, times=np.linspace(0, 1, 11), width=0.1)
ROWS = DATA.y[..., None]
SOME = np.array([0, 2])


@pytest.fixture(scope="module")
def fitted():
    """A regressor with an error of some percent."""
    options = {"width": 12, "depth": 4, "adapted_layers": range(4), "rank": 1, "random_state": 0}
    regressor = CoLoRARegressor(**DATA.grid, **options, max_iter=60).fit(DATA.X, DATA.y)
    galerkin = CoLoRAGalerkin(DATA.pde, regressor=FrozenEstimator(regressor), random_state=0)
    return galerkin.fit(DATA.X, DATA.y)


def test_errors_are_those_of_the_snapshots(fitted):
    equation = fitted._equation
    known = known_snapshots(equation.model, DATA.X, ROWS, SOME, error=0.5)
    paths = equation.regressor_solution(DATA.X[SOME], equation.model.layout.times, None)
    found = known.errors(equation.model, paths)
    predicted = fitted.regressor_.predict(DATA.X[SOME])[..., None]
    expected = trajectory_errors(equation.model.units, ROWS[SOME], predicted)
    # The network of the regressor is evaluated in single precision.
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_paths_that_end_early(fitted):
    equation = fitted._equation
    known = known_snapshots(equation.model, DATA.X, ROWS, SOME, error=0.5)
    paths = equation.regressor_solution(DATA.X[SOME], equation.model.layout.times, None)
    paths.latent[0, 5:] = np.nan
    paths.latent[1, 1:] = np.nan
    assert np.isinf(known.errors(equation.model, paths)).all()
    paths.status[:] = "max_time"
    first, second = known.errors(equation.model, paths)
    whole = trajectory_errors(
        equation.model.units,
        ROWS[SOME][:, :5],
        fitted.regressor_.predict(DATA.X[SOME])[:, :5, :, None],
    )
    assert first == pytest.approx(whole[0], rel=1e-3)
    assert np.isnan(second)


def test_fields_of_a_regressor_in_place_of_stored_snapshots(fitted):
    """A distance from them that is below their own error tells nothing."""
    model = trained_model(fitted.regressor_, None)
    stored = StoredRows(DATA.y, model.layout)
    known = known_snapshots(model, DATA.X, stored, SOME, error=0.01)
    times = model.layout.times
    same = fitted._equation.regressor_solution(DATA.X[SOME], times, None)
    np.testing.assert_allclose(known.errors(model, same), 0.01)
    others = fitted._equation.regressor_solution(DATA.X[SOME[::-1]], times, None)
    assert (known.errors(model, others) > 0.1).all()
