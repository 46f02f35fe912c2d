"""The whitened norm counts what even right states violate of an equation less."""

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error
from skcolora.pdes import Advection


class Disturbed(Advection):
    """Advection whose right-hand side is wrong near a point, with a sign that changes."""

    def rhs(self, t, field, mu):
        bump = field.xp.exp(-(((field.points[0] - 0.5) / 0.03) ** 2))
        return super().rhs(t, field, mu) + 5.0 * torch.sin(20.0 * torch.as_tensor(t)) * bump


@pytest.fixture(scope="module")
def trained():
    data = make_advection([0.6, 1.0, 1.4], n_points=64, times=np.linspace(0, 1, 21), width=0.1)
    network = CoLoRARegressor(**data.grid, width=12, depth=4, max_iter=300, random_state=0)
    return data, FrozenEstimator(network.fit(data.X, data.y))


def fitted(data, network, pde, **options):
    options = {"regularization": 1e-8, "fallback": None, "random_state": 0, **options}
    return CoLoRAGalerkin(pde, regressor=network, **options).fit(data.X, data.y)


def test_the_norm_is_the_inverse_of_the_covariance(trained):
    data, network = trained
    equation = fitted(data, network, Disturbed(0.1), norm="whitened")._equation
    F = equation.collocation.functionals
    sizes, directions = torch.linalg.eigh(torch.linalg.inv(F.T @ F))
    direction = directions[:, -1]
    # What the training states violate most is the disturbance.
    bump = torch.exp(-(((equation.collocation.points[:, 0] - 0.5) / 0.03) ** 2))
    assert torch.isclose(sizes.mean(), sizes.new_ones(()))
    assert abs(float(direction @ bump / bump.norm())) > 0.95


def test_paths_ignore_what_right_states_violate(trained):
    data, network = trained
    new = np.array([[0.8], [1.2]])
    exact = make_advection(new, n_points=64, times=data.times, width=0.1).y
    errors = {
        norm: relative_l2_error(
            exact, fitted(data, network, Disturbed(0.1), norm=norm).predict(new)
        )
        for norm in ("L2", "whitened")
    }
    assert errors["whitened"] < 0.2 * errors["L2"]


def test_the_norm_is_chosen_by_the_training_trajectories(trained):
    data, network = trained
    for pde, norm in ((data.pde, "L2"), (Disturbed(0.1), "whitened")):
        model = fitted(data, network, pde, fallback="regressor")
        assert model.norm_ == norm
        assert model._new_equation(model._equation.model, data.X, 1e-3, 0).norm == norm


def test_many_rows_are_refused(trained):
    data, network = trained
    with pytest.raises(ValueError, match="at most 1024"):
        fitted(data, network, data.pde, norm="whitened", collocation="gauss", n_collocation=1025)
