"""CoLoRAGalerkin is as good as its manifold, with every method and choice of points."""

import numpy as np
import pytest

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._galerkin import _point_choice
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Advection, Dirichlet

DATA = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
NEW = make_advection([0.8, 1.1], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
OPTIONS = {"width": 12, "depth": 4, "adapted_layers": (0, 1, 2, 3), "rank": 1, "random_state": 0}


def best(regressor, y):
    """Error of the best fit of the decoder."""
    return relative_l2_error(y, regressor.decode(regressor.encode(y)))


def test_nearly_as_good_as_its_manifold_between_the_training_parameters(regressor, model):
    error = relative_l2_error(NEW.y, model.predict(NEW.X))
    assert error < 3 * best(regressor, NEW.y)
    assert error < 0.2 * relative_l2_error(NEW.y, regressor.predict(NEW.X))


@pytest.mark.filterwarnings("ignore::skcolora.ExtrapolationWarning")
def test_speeds_outside_the_training_range(regressor, model):
    far = make_advection([0.3], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
    error = relative_l2_error(far.y, model.predict(far.X))
    assert error < 3 * best(regressor, far.y)
    assert error < 0.2 * relative_l2_error(far.y, regressor.predict(far.X))


def test_methods_agree(galerkin, regressor, model):
    reference = model.predict(NEW.X)
    for options in ({"method": "RK4", "substeps": 4}, {"method": "Rosenbrock", "rtol": 1e-6}):
        other = galerkin(regressor, **options).fit(DATA.X, DATA.y).predict(NEW.X)
        assert relative_l2_error(reference, other) < 1e-3


def test_converges_with_the_tolerance(galerkin):
    # A first layer that moves the field makes the path a straight line, exact at any tolerance.
    curved = CoLoRARegressor(
        **DATA.grid,
        **{**OPTIONS, "adapted_layers": (1, 2, 3), "adaptation": "diagonal", "rank": 2},
        max_iter=300,
    )
    curved.fit(DATA.X, DATA.y)

    def solution(tol):
        options = {"rtol": tol, "collocation": "grid", "fallback": None}
        fitted = galerkin(curved, **options).fit(DATA.X, DATA.y)
        return fitted.predict(NEW.X)

    reference = solution(1e-11)
    errors = [relative_l2_error(reference, solution(tol)) for tol in (1e-5, 1e-7, 1e-9)]
    assert errors[2] < errors[1] < errors[0] < 1e-3


def test_the_tolerance_follows_the_error_of_the_network(galerkin, regressor, model):
    """So that the steps add little to it."""
    assert model.rtol_ == pytest.approx(min(regressor.best_loss_ / 50, 3e-5))
    limit = galerkin(regressor, rtol=1e-11).fit(DATA.X, DATA.y).predict(NEW.X)
    assert relative_l2_error(limit, model.predict(NEW.X)) < 0.3 * regressor.best_loss_
    assert galerkin(regressor, rtol=1e-3).fit(DATA.X, DATA.y).rtol_ == 1e-3


@pytest.mark.parametrize(
    ("collocation", "most_candidates"), [("sample", 64), ("qr", 64), ("qr", 40)]
)
def test_few_points_are_enough(galerkin, regressor, collocation, most_candidates, monkeypatch):
    monkeypatch.setattr(_point_choice, "_MAX_CANDIDATES", most_candidates)
    options = {"collocation": collocation, "n_collocation": 24}
    fitted = galerkin(regressor, **options).fit(DATA.X, DATA.y)
    assert 20 <= len(fitted.collocation_) <= 24
    error = relative_l2_error(NEW.y, fitted.predict(NEW.X))
    assert error < 4 * best(regressor, NEW.y)


class OpenAdvection(Advection):
    """Without a period; the network has one that is longer than the domain."""

    period = (None,)
    domain = ((0.0, 63 / 64),)


@pytest.mark.parametrize("pde", [DATA.pde, OpenAdvection(width=0.1)])
def test_gauss_points_are_as_good_as_the_grid(galerkin, regressor, pde):
    on_grid = galerkin(regressor, collocation="grid").fit(DATA.X, DATA.y).predict(NEW.X)
    fitted = galerkin(regressor, pde, collocation="gauss", n_collocation=51).fit(DATA.X, DATA.y)
    assert len(fitted.collocation_) == 51
    assert not np.isin(fitted.collocation_[1:], DATA.points).any()
    predicted = fitted.predict(NEW.X)
    assert relative_l2_error(on_grid, predicted) < 0.1 * relative_l2_error(NEW.y, on_grid)


class Cooling(PDE):
    """Heat that leaves through ends held at zero."""

    boundary = Dirichlet()

    def initial(self, points, mu):
        return np.sin(np.pi * points[0]) + 0.5 * np.sin(3 * np.pi * points[0])

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian

    def exact(self, t, points, mu):
        waves = ((k, a * np.exp(-mu[0] * (k * np.pi) ** 2 * t)) for k, a in ((1, 1.0), (3, 0.5)))
        return sum(a * np.sin(k * np.pi * points[0]) for k, a in waves)


@pytest.mark.parametrize("collocation", ["grid", "gauss"])
def test_values_that_stay_as_they_are_on_the_boundary(collocation):
    pde, X, new = Cooling(), np.array([[0.05], [0.1], [0.2]]), np.array([[0.07], [0.15]])
    grid = {"times": np.linspace(0, 1, 21), "points": np.linspace(0, 1, 65)}
    # Two sine waves need two online weights; with more of them the path is not determined well.
    network = CoLoRARegressor(
        **grid, width=12, depth=4, rank=2, adapted_layers=(2, 3), max_iter=150, random_state=0
    )
    model = CoLoRAGalerkin(pde, regressor=network, collocation=collocation, n_collocation=20)
    y_new = pde.solve(new, **grid)
    predicted = model.fit(X, pde.solve(X, **grid)).predict(new)
    assert relative_l2_error(y_new, predicted) < 5 * best(model.regressor_, y_new)
    assert abs(predicted[:, :, [0, -1]]).max() < 0.02


def test_the_indicator_bounds_the_error_of_transport(galerkin, regressor):
    """Advection keeps distances, so that the defect adds up and does not grow.

    With all points of the grid the sums are integrals; what is left are the errors of the steps
    and of the trapezoidal rule in time.
    """
    options = {"collocation": "grid", "rtol": 1e-8}
    solution = galerkin(regressor, **options).fit(DATA.X, DATA.y).solve(NEW.X)
    predicted = solution.predict()
    gap = np.linalg.norm(predicted - NEW.y, axis=2) / np.linalg.norm(predicted, axis=2)
    assert (gap < 1.1 * solution.error_indicator + 1e-6).all()
