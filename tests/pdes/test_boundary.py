"""Boundary conditions: closed forms, orders of convergence, and what is refused."""

import numpy as np
import pytest

from skcolora.pdes import PDE, Dirichlet, Neumann, Outflow, Robin, Surface
from skcolora.pdes._boundary import boundary_sides, fixed_values
from skcolora.pdes._grid_conditions import GridConditions

TIMES = np.array([0.1, 0.5])
MU = np.array([[0.1], [0.3]])


def solution(t, points, mu):
    """A wave that decays, at no time the same at an end: exp(-|k|²μt) Π sin(kx + φ)."""
    waves, phases = (2.0, 3.0)[: len(points)], (0.3, 0.9)[: len(points)]
    decay = np.exp(-sum(k**2 for k in waves) * mu[0] * t)
    parts = zip(waves, points, phases, strict=True)
    return decay * np.prod([np.sin(k * x + phase) for k, x, phase in parts], axis=0)


def slope(axis, sign):
    """The derivative of `solution` along the outward normal of an end."""

    def outward(t, points, mu):
        moved = [np.asarray(x) for x in points]
        k, phase = ((2.0, 0.3), (3.0, 0.9))[axis]
        ratio = np.cos(k * moved[axis] + phase) / np.sin(k * moved[axis] + phase)
        return sign * k * ratio * solution(t, points, mu)

    return outward


def mixed(axis, sign, a, b):
    outward = slope(axis, sign)
    return Robin(a, b, lambda t, p, mu: a * solution(t, p, mu) + b * outward(t, p, mu))


class Heat(PDE):
    parameter_names = ("conductivity",)

    def initial(self, points, mu):
        return solution(0.0, points, mu)

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian


class Heat2D(Heat):
    n_dims, domain, period = 2, ((0.0, 1.0), (0.0, 0.5)), (None, None)


VALUE = Dirichlet(solution)
ENDS = {
    "value": ((VALUE, VALUE),),
    "flux": ((Neumann(slope(0, -1)), Neumann(slope(0, 1))),),
    "mixed": ((mixed(0, -1, 2.0, 0.5), mixed(0, 1, 1.0, 1.0)),),
    "value and flux": ((VALUE, Neumann(slope(0, 1))),),
}
SIDES = {
    "values": VALUE,
    "fluxes": (
        (Neumann(slope(0, -1)), Neumann(slope(0, 1))),
        (Neumann(slope(1, -1)), Neumann(slope(1, 1))),
    ),
    "all": ((VALUE, Neumann(slope(0, 1))), (mixed(1, -1, 1.0, 0.2), VALUE)),
}


def largest_error(pde, n_points):
    u = pde.solve(MU, TIMES, n_points=n_points, rtol=1e-11, atol=1e-11)
    axes = pde.mesh(n_points).axes
    points = np.meshgrid(*axes, indexing="ij")
    exact = [[solution(t, points, mu) for t in TIMES] for mu in MU]
    return np.abs(u - exact).max()


@pytest.mark.parametrize("ends", ENDS)
def test_ends_of_an_interval(ends):
    pde = type("Ends", (Heat,), {"boundary": ENDS[ends]})()
    coarse, fine = largest_error(pde, 25), largest_error(pde, 49)
    assert fine < 1e-6
    assert coarse / fine > 2**3.5


@pytest.mark.parametrize("sides", SIDES)
def test_sides_of_a_rectangle(sides):
    pde = type("Sides", (Heat2D,), {"boundary": SIDES[sides]})()
    coarse, fine = largest_error(pde, (25, 17)), largest_error(pde, (49, 33))
    assert fine < 1e-6
    assert coarse / fine > 2**3.5


def test_a_field_keeps_its_own_condition():
    """u is held at 0 at both ends, v is free: the standing wave u = sin(πx) cos(πt)."""

    class Waves(PDE):
        n_fields, field_names = 2, ("u", "v")
        boundary = ({"u": Dirichlet(0.0)},)

        def initial(self, points, mu):
            x = np.pi * points[0]
            return np.sin(x), 0 * x

        def rhs(self, t, field, mu):
            return -mu[0] * field.grad[0, 1], -mu[0] * field.grad[0, 0]

    u = Waves().solve([1.0], [0.0, 0.5, 1.25], n_points=65)
    x = Waves().mesh(65).axes[0]
    wanted = np.cos(np.pi * np.array([0.0, 0.5, 1.25]))[:, None] * np.sin(np.pi * x)
    assert np.allclose(u[0, :, :, 0], wanted, atol=1e-5)
    assert not np.allclose(u[0, 1, 0, 1], 0.0)


def test_nothing_diffuses_through_a_wall():
    class Insulated(Heat):
        boundary = Neumann(0.0)

        def initial(self, points, mu):
            return np.cos(np.pi * points[0]) + np.cos(2 * np.pi * points[0])

    u = Insulated().solve([0.1], [0.0, 0.7], n_points=49)
    x = Insulated().mesh(49).axes[0]
    wanted = sum(np.exp(-((k * np.pi) ** 2) * 0.07) * np.cos(k * np.pi * x) for k in (1, 2))
    assert np.allclose(u[0, 1], wanted, atol=1e-6)


def test_rates_keep_the_conditions():
    """Completed rates are those of completed values."""

    class Moving(Heat2D):
        boundary = SIDES["all"]

    mesh, rng = Moving().mesh((9, 8)), np.random.default_rng(0)
    conditions = GridConditions(Moving(), mesh, MU[0])
    values, rates = rng.normal(size=(2, 1, 9, 8))
    h = 1e-5
    before, after = (conditions.complete(0.2 + s, values + s * rates) for s in (-h, h))
    found = conditions.complete_rates(0.2, conditions.complete(0.2, values), rates, 1.0)
    assert np.allclose(found, (after - before) / (2 * h), atol=1e-6 * np.abs(found).max())


@pytest.mark.parametrize("t", [0.0, 1e-4, 0.3, np.array([[0.0], [0.5], [0.7]])])
def test_rates_of_given_numbers(t):
    side = boundary_sides(type("Ends", (Heat,), {"boundary": ENDS["mixed"]})())[0]
    points = np.zeros((1, 3, 1) if np.ndim(t) else (1, 1))
    found = side.rates(t, points, MU[0], duration=1.0)
    decay = -4 * MU[0, 0]
    assert np.allclose(found[:2], 0.0, atol=1e-9)
    assert np.allclose(found[2], decay * side.terms(t, points, MU[0])[2], rtol=1e-8)


def test_words_for_two_conditions():
    class Words(Heat):
        boundary = (("fixed", "free"),)

    sides = boundary_sides(Words())
    assert [side.end for side in sides] == [0]
    assert sides[0].conditions == (Dirichlet(),)


def test_points_on_the_boundary():
    class Obstacle(Heat2D):
        boundary = ((Dirichlet(), Outflow()), Neumann())
        surfaces = (
            Surface(Dirichlet(1.0), on=np.array([[0.5, 0.25]])),
            Surface(Neumann(), on=lambda p: p[0] == 0.25, normal=lambda p: 2 * p),
        )

    points = np.array([[0.0, 0.1], [1.0, 0.1], [0.3, 0.5], [0.5, 0.25], [0.25, 0.25]])
    sides = boundary_sides(Obstacle())
    assert len(sides) == 5
    assert fixed_values(sides, points).tolist() == [[True, False, False, True, False]]
    places = [np.flatnonzero(side.on(points)).tolist() for side in sides]
    assert places == [[0], [], [2], [3], [4]]
    assert np.allclose(sides[-1].normals(np.array([[0.3], [0.4]])), [[0.6], [0.8]])
    with pytest.raises(ValueError, match=r"Obstacle has `surfaces`"):
        Obstacle().solve([0.1], [0.1])


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"boundary": (Outflow(), Outflow())}, "boundary has 2 entries; expected one for each"),
        ({"boundary": ((Outflow(),) * 3,)}, "boundary has 3 conditions in dimension 0"),
        ({"boundary": (Dirichlet(),), "period": (1.0,)}, "which has the period 1; give None"),
        ({"boundary": {"w": Dirichlet()}}, r"names the field\(s\) \['w'\], but the fields are"),
        ({"surfaces": (Dirichlet(),)}, "surfaces must hold `Surface` objects"),
        ({"surfaces": (Surface(Neumann(), on=[[0.5]]),)}, "give its `normal`"),
        ({"boundary": Neumann(lambda t, points, mu: np.ones(7))}, "expected a number or shape"),
    ],
)
def test_conditions_that_make_no_sense(attributes, message):
    with pytest.raises(Exception, match=message):
        type("Wrong", (Heat,), attributes)().solve([0.1], [0.1], n_points=16)
