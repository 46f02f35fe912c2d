"""Checks of users' equations: complex results, masks, and Laplacians at ends without condition."""

import numpy as np
import pytest
import torch

from skcolora.pdes import PDE, Advection, Burgers, Dirichlet, InviscidBurgers, SolverError, Wave
from skcolora.pdes._checks import check_well_posed, stack_fields

MU, TIMES = np.array([[0.1], [0.2]]), np.array([0.0, 1.0])


class Heat(PDE):
    """On a bounded domain, whose ends are free unless a subclass says otherwise."""

    parameter_names = ("conductivity",)

    def initial(self, points, mu):
        return np.exp(-(((points[0] - 0.3) / 0.1) ** 2))

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian


class FixedHeat(Heat):
    boundary = Dirichlet()


class PeriodicHeat(Heat):
    period = (1.0,)


class Transport(Heat):
    def rhs(self, t, field, mu):
        return -mu[0] * field.grad[0]


class Degenerate(Heat):
    """The coefficient vanishes at both ends, where the equation needs no condition."""

    def rhs(self, t, field, mu):
        x = field.points[0]
        return mu[0] * x * (1 - x) * field.laplacian


class Strip(Heat):
    """Periodic along the first axis, with free ends of the second."""

    n_dims, domain, period = 2, ((0.0, 1.0), (0.0, 2.0)), (1.0, None)


class Later(Heat):
    """Without Laplacian at the first time."""

    def rhs(self, t, field, mu):
        return t * field.laplacian


class Nonlinear(Heat):
    def rhs(self, t, field, mu):
        u = field.value
        return mu[0] * ((1 + u**2) * field.laplacian + 2 * u * (field.grad**2).sum(0))


class NoInitial(PDE):
    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian


class String(Heat):
    """Waves, whose Laplacian acts on the displacement by way of the velocity."""

    n_fields, field_names = 2, ("u", "v")

    def initial(self, points, mu):
        return np.sin(points[0]), 0 * points[0]

    def rhs(self, t, field, mu):
        return field.value[1], field.laplacian[0]


class Schroedinger(String):
    def rhs(self, t, field, mu):
        return -field.laplacian[1], field.laplacian[0]


class Driven(String):
    """The Laplacian of one field drives another that does not act on it."""

    def rhs(self, t, field, mu):
        return -field.value[0], mu[0] * field.laplacian[0]


class Failing(Heat):
    def rhs(self, t, field, mu):
        raise RuntimeError("not today")


ILL_POSED = [Heat, Strip, Later, Nonlinear, NoInitial, String, Schroedinger]
WELL_POSED = [FixedHeat, PeriodicHeat, Transport, Degenerate, Driven, Failing, InviscidBurgers]


@pytest.mark.parametrize("pde", ILL_POSED)
def test_a_laplacian_at_free_ends_is_refused(pde):
    with pytest.raises(
        ValueError, match=f"{pde.__name__} has second or higher derivatives at the free ends"
    ) as c:
        check_well_posed(pde(), MU, TIMES)
    text, dimension = str(c.value), pde.n_dims - 1
    for part in (
        f"of dimension(s) {dimension}, at {pde.parameter_names[0]} = 0.1",
        "`boundary` is `Outflow()` there",
        "`Neumann(0.0)`",
        "`Dirichlet(value)`",
        "give a `period`",
    ):
        assert part in text


@pytest.mark.parametrize("pde", WELL_POSED)
def test_what_is_well_posed_passes(pde):
    check_well_posed(pde(), np.tile(MU, len(pde.parameter_names)), TIMES)


@pytest.mark.parametrize("pde", [Advection(), Burgers(), Wave()])
def test_equations_of_the_package_pass(pde):
    check_well_posed(pde, np.full((1, len(pde.parameter_names)), 0.1), TIMES)


def test_the_parameter_decides():
    check_well_posed(Heat(), np.zeros((2, 1)), TIMES)
    with pytest.raises(ValueError, match=r"conductivity = 0\.2"):
        check_well_posed(Heat(), np.array([[0.0], [0.2]]), TIMES)


def test_the_solver_refuses_before_it_solves():
    with pytest.raises(ValueError, match="Heat has second or higher derivatives at the free ends"):
        Heat().solve([0.05], [0.0, 2.0])
    u = FixedHeat().solve([0.05], [0.0, 2.0], n_points=32)
    assert np.abs(u).max() <= 1.0


def test_fields_that_need_no_condition_stay_bounded():
    u = Degenerate().solve([0.1], [0.0, 5.0], n_points=48)
    assert np.abs(u[0, 1]).max() <= np.abs(u[0, 0]).max()


def test_an_exact_solution_needs_no_solver():
    class Exact(Heat):
        def exact(self, t, points, mu):
            return np.exp(-mu[0] * np.pi**2 * t) * np.cos(np.pi * points[0])

    assert np.isfinite(Exact().solve([0.1], [0.0, 1.0])).all()
    with pytest.raises(ValueError, match="Exact has second or higher derivatives at the free ends"):
        Exact().solve([0.1], [0.0, 1.0], method="DOP853")


class Complex(PeriodicHeat):
    """Complex values from the method that is named."""

    def __init__(self, where):
        self.where = where

    def initial(self, points, mu):
        u = np.sin(2 * np.pi * points[0])
        return u + 1j * u if self.where == "initial" else u

    def rhs(self, t, field, mu):
        rate = -field.value
        return rate * (1 + 1j) if self.where == "rhs" else rate


@pytest.mark.parametrize("where", ["initial", "rhs"])
def test_complex_values_of_the_equation(where):
    with pytest.raises(SolverError, match=rf"Complex\.{where} returned complex values") as caught:
        Complex(where).solve([1.0], [0.5], n_points=32)
    assert "Return `.real`" in str(caught.value)
    assert "two fields" in str(caught.value)


def test_complex_exact_solutions():
    class Wrong(PeriodicHeat):
        def exact(self, t, points, mu):
            return np.exp(2j * np.pi * (points[0] - mu[0] * t))

    with pytest.raises(ValueError, match=r"Wrong\.exact returned complex values \(complex128\)"):
        Wrong().solve([1.0], [0.5])


@pytest.mark.parametrize(
    ("values", "xp", "message"),
    [
        (np.ones((1, 3)) + 0j, np, "returned complex values"),
        ((np.ones(3), np.ones(3) + 0j), np, "returned complex values"),
        (torch.ones(1, 3, dtype=torch.complex128), torch, "returned complex values"),
        ((torch.ones(3), 1j * torch.ones(3)), torch, "returned complex values"),
        (np.ma.masked_array(np.ones((1, 3)), [[0, 1, 0]]), np, "no masked entries; got 1 masked"),
        ((np.ma.masked_array(np.ones(3), [0, 1, 0]),), np, "no masked entries; got 1 masked"),
        (np.ones((1, 3)).astype("datetime64[s]"), np, r"returned dtype datetime64\[s\]"),
        (np.array([["a", "b", "c"]]), np, "returned dtype <U1; expected real numbers"),
    ],
)
def test_results_that_are_no_real_numbers(values, xp, message):
    n_fields = len(values)
    with pytest.raises(ValueError, match=r"Heat\.rhs.*" + message):
        stack_fields(values, (n_fields, 3), xp, Heat(), "rhs")


def test_real_results_are_stacked():
    shape = (2, 3)
    assert stack_fields((np.ones(3), np.zeros(3)), shape, np, Heat(), "rhs").shape == shape
    assert stack_fields(torch.ones(2, 3), shape, torch, Heat(), "rhs").shape == shape


def test_parameters_and_times_of_solve():
    with pytest.raises(ValueError, match="`mu` must have no masked entries; got 1 masked of 2"):
        PeriodicHeat().solve(np.ma.masked_array([0.1, 0.2], [True, False]), [0.1])
    with pytest.raises(ValueError, match="Complex data not supported: `mu`"):
        PeriodicHeat().solve([0.1 + 1j], [0.1])
    with pytest.raises(ValueError, match="`times` must hold numbers; got dates"):
        PeriodicHeat().solve([0.1], np.array(["2024-03-01"], dtype="datetime64[D]"))
    with pytest.raises(ValueError, match="`y` must have no masked entries"):
        Advection().integrals(np.ma.masked_equal(np.zeros((1, 1, 8)), 0.0), Advection().mesh(8))
