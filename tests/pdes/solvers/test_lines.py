"""The full-order solver: what it accepts, how it fails, and users' own equations."""

import numpy as np
import pytest

from skcolora.pdes import (
    PDE,
    Advection,
    Burgers,
    Dirichlet,
    InviscidBurgers,
    SolverError,
    Wave,
)


class Heat(PDE):
    """With the closed form exp(-4π²μt) sin(2πx)."""

    parameter_names = ("conductivity",)
    period = (1.0,)

    def initial(self, points, mu):
        return np.sin(2 * np.pi * points[0])

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian


class HeldHeat(Heat):
    """On a domain with ends held at their values, closed form exp(-π²μt) sin(πx)."""

    period = (None,)
    boundary = Dirichlet()
    resolution = 48

    def initial(self, points, mu):
        return np.sin(np.pi * points[0])


def test_an_equation_in_five_lines():
    times = [0.1, 0.3]
    u = Heat().solve([0.1, 0.2], times, np.array([[0.25], [1.25], [0.6]]))
    assert u.shape == (2, 2, 3)
    decay = np.exp(-4 * np.pi**2 * np.array([[0.1], [0.2]]) * times)
    assert np.allclose(u[..., 0], decay, atol=1e-8)
    assert np.array_equal(u[..., 0], u[..., 1])


@pytest.mark.parametrize("method", ["DOP853", "RK45", "BDF"])
def test_every_integrator_with_fixed_ends(method):
    u = HeldHeat().solve([0.1], [0.0, 0.5], method=method, rtol=1e-7, atol=1e-7, n_points=24)
    x = HeldHeat().mesh(24).axes[0]
    assert np.allclose(u[0, 1], np.exp(-0.05 * np.pi**2) * np.sin(np.pi * x), atol=2e-5)


def test_fixed_ends_converge_with_fourth_order():
    errors = []
    for n in (17, 33):
        u = HeldHeat().solve([0.1], [0.5], n_points=n)
        x = HeldHeat().mesh(n).axes[0]
        errors.append(abs(u[0, 0] - np.exp(-0.05 * np.pi**2) * np.sin(np.pi * x)).max())
    assert np.log2(errors[0] / errors[1]) > 3.7


def test_parallel_runs_give_the_same():
    mu = [0.05, 0.1, 0.2]
    serial = Burgers().solve(mu, [0.2])
    assert np.array_equal(serial, Burgers().solve(mu, [0.2], n_jobs=2))
    assert np.array_equal(serial[1:2], Burgers().solve(mu[1:2], [0.2]))


def test_a_progress_bar(capsys):
    Burgers().solve([0.1], [0.01], verbose=1)
    assert "Burgers()" in capsys.readouterr().err


def test_the_grid_is_refined_where_a_front_forms():
    fine = Burgers().solve([0.005], [0.4], n_points=1024)
    chosen = Burgers().solve([0.005], [0.4], Burgers().mesh(1024).axes)
    assert np.linalg.norm(fine - chosen) < 1e-6 * np.linalg.norm(fine)


def test_a_grid_too_coarse_is_refused_and_the_others_are_kept():
    with pytest.raises(SolverError, match=r"Burgers\(\): 1 of 2 traj.*") as caught:
        Burgers().solve([0.1, 0.001], [0.0, 0.5], n_points=64)
    message = str(caught.value)
    assert "viscosity = 0.001, t = 0." in message
    assert "64 points is too coarse" in message
    assert "Raise `n_points`" in message
    assert caught.value.failed == (1,)
    assert np.isfinite(caught.value.solutions[0]).all()
    assert np.isnan(caught.value.solutions[1]).all()


def test_rhs_that_becomes_nan():
    class Root(Heat):
        def rhs(self, t, field, mu):
            return np.sqrt(0.1 - t) * field.value

    with pytest.raises(SolverError, match=r"conductivity = 1, t = 0\.(1|09)"):
        Root().solve([1.0], [0.5])


def test_rhs_that_is_nan_at_once():
    class Nan(Heat):
        def rhs(self, t, field, mu):
            return np.nan * field.value if mu[0] > 1 else 0 * field.value

    with pytest.raises(SolverError, match=r"conductivity = 2, t = 0: `rhs` returned NaN") as caught:
        Nan().solve([1.0, 2.0], [0.5])
    assert np.isfinite(caught.value.solutions[0]).all()


def test_initial_that_is_nan():
    class Nan(Heat):
        def initial(self, points, mu):
            return np.nan * points[0]

    with pytest.raises(SolverError, match="`initial` returned NaN"):
        Nan().solve([1.0], [0.5])


def test_a_solution_that_blows_up():
    class Blowup(Heat):
        def initial(self, points, mu):
            return 1.0 + 0 * points[0]

        def rhs(self, t, field, mu):
            return field.value**2

    with pytest.raises(SolverError, match=r"t = (1|0\.99\d*): .*blows up"):
        Blowup().solve([1.0], [0.5, 2.0])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda f: f.value[..., :-1], r"rhs returned shape \(1, 31\); expected \(1, 32\)"),
        (lambda f: (f.value[0], f.value[0]), r"rhs returned shape \(2, 32\)"),
        (lambda f: (f.value[0], f.value), r"rhs returned fields of shapes"),
        (lambda f: 0.0, r"rhs returned shape \(\); expected \(1, 32\)"),
    ],
)
def test_rhs_of_the_wrong_shape(returned, message):
    class Wrong(Heat):
        def rhs(self, t, field, mu):
            return returned(field)

    with pytest.raises(
        SolverError, match=r"conductivity = 3, t = 0: ValueError: Wrong\." + message
    ):
        Wrong().solve([3.0], [0.5])


def test_an_error_inside_rhs_is_named_and_chained():
    class Broken(Heat):
        def rhs(self, t, field, mu):
            return field.slope

    with pytest.raises(SolverError, match=r"t = 0: AttributeError.*slope") as caught:
        Broken().solve([3.0], [0.5])
    assert isinstance(caught.value.__cause__.__cause__, AttributeError)


def test_an_equation_without_rhs():
    class Empty(PDE):
        def initial(self, points, mu):
            return points[0]

    with pytest.raises(SolverError, match="Empty does not define `rhs`"):
        Empty().solve([1.0], [1.0])


@pytest.mark.parametrize(
    ("pde", "arguments", "message"),
    [
        (Wave(), {"mu": [1.0, 0.0, 0.0, 0.1]}, r"4 parameter\(s\), amplitude.*\(n, 4\).*\(4,\)"),
        (Burgers(), {"mu": [[1.0, 2.0]]}, r"1 parameter\(s\), viscosity; `mu` must have"),
        (Burgers(), {"mu": 0.1}, r"has shape \(\)"),
        (Burgers(), {"mu": [np.nan]}, "`mu` must be finite"),
        (Burgers(), {"times": [0.2, 0.1]}, "`times` must increase strictly"),
        (Burgers(), {"times": [-0.1, 0.1]}, "got -0.1.  Burgers starts at t = 0"),
        (Burgers(), {"points": np.zeros((3, 2))}, r"2 dimension\(s\), but Burgers has 1"),
        (
            InviscidBurgers(),
            {"mu": [[5, 0.02]], "points": [[-1.0]]},
            r"outside the domain \[0, 100",
        ),
        (Burgers(), {"method": "exact"}, r"for Burgers, one of \['DOP853'"),
        (Burgers(), {"method": "finite_volume"}, "`method` must be 'auto' or"),
        (Burgers(), {"n_points": 3}, "n_points == 3, must be >= 6"),
        (Burgers(), {"n_points": (32, 32)}, "`n_points` must have 1 entries"),
        (Burgers(), {"rtol": 0.0}, "rtol == 0.0, must be >= 1e-13"),
        (Wave(), {"mu": [[1.0, 0.0, 0.0, 0.0]]}, "`radius` must be positive"),
    ],
)
def test_bad_arguments(pde, arguments, message):
    defaults = {"mu": [0.1], "times": [0.1], "points": None}
    with pytest.raises((ValueError, TypeError), match=message):
        pde.solve(**{**defaults, **arguments})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"n_dims": 2}, "`domain` and `period` must have 2 entries each"),
        ({"period": (2.0,)}, "the period must be None or high - low"),
        ({"domain": ((1.0, 0.0),), "period": (None,)}, "must be an interval"),
        ({"boundary": "open", "period": (None,)}, "boundary holds 'open'; expected `Dirichlet`"),
    ],
)
def test_equations_that_contradict_themselves(attributes, message):
    wrong = type("Wrong", (Heat,), attributes)
    with pytest.raises(ValueError, match=message):
        wrong().solve([0.1], [0.1])


def test_repr_shows_the_constants():
    assert repr(Advection(width=0.1)) == "Advection(width=0.1)"


@pytest.mark.parametrize(("amplitude", "offset"), [(1e-12, 0.0), (1e8, 0.0), (1e-3, 300.0)])
def test_tolerances_do_not_depend_on_the_unit_of_the_field(amplitude, offset):
    class Carried(PDE):
        period = (1.0,)

        def initial(self, points, mu):
            return offset + amplitude * np.sin(2 * np.pi * points[0])

        def rhs(self, t, field, mu):
            return -mu[0] * field.grad[0]

    x = np.linspace(0, 1, 20)[:, None]
    found = (Carried().solve([1.0], [3.25], x)[0, 0] - offset) / amplitude
    assert np.abs(found + np.cos(2 * np.pi * x[:, 0])).max() < 1e-7


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_a_field_that_starts_from_zero_is_solved_in_any_unit(unit):
    class Driven(PDE):
        period = (1.0,)

        def initial(self, points, mu):
            return 0 * points[0]

        def rhs(self, t, field, mu):
            return unit * np.cos(t) * field.xp.sin(2 * np.pi * field.points[0])

    x = np.linspace(0, 1, 20)[:, None]
    found = Driven().solve([1.0], [2.0], x)[0, 0] / unit
    assert np.abs(found - np.sin(2.0) * np.sin(2 * np.pi * x[:, 0])).max() < 1e-8
