"""Snapshots, network and equation belong together, or an error says so."""

from typing import ClassVar

import numpy as np
import pytest

from skcolora import CoLoRAGalerkin, CoLoRARegressor, PODGalerkin
from skcolora._galerkin import check_agreement, check_network_period, parameter_order
from skcolora._galerkin._checks import check_rate
from skcolora._galerkin._collocation import grid_quadrature
from skcolora._snapshots import check_points, infer_layout
from skcolora.pdes import PDE, Dirichlet


class Carried(PDE):
    parameter_names = ("speed", "diffusivity")
    domain: ClassVar = ((0.0, 10.0),)
    period: ClassVar = (10.0,)

    def initial(self, points, mu):
        return np.sin(2 * np.pi * points[0] / 10)

    def rhs(self, t, field, mu):
        return mu[1] * field.laplacian - mu[0] * field.grad[0]


class Ends(Carried):
    period: ClassVar = (None,)
    boundary = Dirichlet()


X = np.array([[0.2, 1e-3], [0.3, 2e-3]])


def agree(points, pde=None):
    layout = infer_layout((2, 3, len(points)), [0.0, 0.5, 1.0], points)
    check_agreement(pde or Carried(), X, layout)


@pytest.mark.parametrize("pde", [Carried(), Ends()])
@pytest.mark.parametrize(
    "points",
    [
        np.arange(64) * 10 / 64,
        np.linspace(0, 10, 65),
        np.linspace(0, 10, 65).astype(np.float32) * np.float32(1 + 1e-7),
        np.linspace(3, 7, 20),
    ],
)
def test_points_in_the_domain(pde, points):
    agree(points, pde)


@pytest.mark.parametrize("pde", [Carried(), Ends()])
@pytest.mark.parametrize(
    ("points", "message"),
    [
        (1000 * np.arange(64) * 10 / 64, r"range over \[0, 9843.75\] in dimension 0, outside the"),
        (np.arange(64) * 10 / 64 - 5, r"outside the domain \[0, 10\] .* set `domain`"),
        (1e-3 * np.arange(64) * 10 / 64, r"which is 0.00098 of the domain .* in the unit"),
    ],
)
def test_points_in_other_units_than_the_domain(pde, points, message):
    with pytest.raises(ValueError, match=message):
        agree(points, pde)


def test_named_columns_are_put_in_order():
    pde = Carried()
    assert parameter_order(pde, None) is None
    assert parameter_order(pde, ["a", "b"]) is None
    assert parameter_order(pde, ["diffusivity", "speed"]) == [1, 0]
    with pytest.raises(ValueError, match=r"columns \['speed', 'mu'\], but Carried has the param"):
        parameter_order(pde, ["speed", "mu"])


def test_periods():
    check_network_period(Carried(), (10.0,))
    check_network_period(Carried(), (10.0 * (1 + 1e-7),))
    check_network_period(Ends(), (None,))
    check_network_period(Ends(), (20.0,))
    for pde, period, message in [
        (Carried(), (None,), "has no period; give the regressor period="),
        (Carried(), (20.0,), "has the period 20; give the regressor period="),
        (Ends(), (10.0,), "not periodic in dimension 0, but the regressor has the period 10"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_network_period(pde, period)


def test_times_and_points_must_be_given():
    y = np.zeros((2, 3, 64))
    points = (np.arange(64) * 10 / 64)[:, None]
    for estimator, missing in [
        (CoLoRAGalerkin(Carried()), "times and points"),
        (CoLoRAGalerkin(Carried(), regressor=CoLoRARegressor(points=points)), "times of"),
        (PODGalerkin(Carried(), times=[0, 1, 2]), "points of"),
    ]:
        with pytest.raises(ValueError, match=f"{missing}.* must be given to solve Carried; give"):
            estimator.fit(X, y)


def test_the_right_hand_side_is_tried_at_the_parameters_of_the_snapshots():
    seen = []

    class Picky(Carried):
        def rhs(self, t, field, mu):
            seen.append((float(mu[0].min()), float(mu[0].max())))
            if (mu[0] >= 1).any():
                raise ValueError("speeds must be less than 1")
            return super().rhs(t, field, mu)

    points = grid_quadrature(Picky(), check_points(np.arange(64) * 10 / 64)).points
    check_rate(Picky(), points[:5], X)
    assert seen == [(0.2, 0.3)]
    with pytest.raises(ValueError, match=r"Picky.rhs failed .* speeds must be less than 1"):
        check_rate(Picky(), points[:5], X + 1)
