"""Both reduced models obey boundary conditions: closed forms of heat in one and two dimensions."""

import numpy as np
import pytest

from skcolora import CoLoRAGalerkin, CoLoRARegressor, PODGalerkin
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Dirichlet, Neumann, Robin, Surface

X, NEW = np.array([[0.05], [0.1], [0.2]]), np.array([[0.07], [0.15]])
TIMES = np.linspace(0, 1, 21)
# Wave numbers along the axes, and amplitudes, of two waves that decay at different rates.
WAVES = ((1.0, (2.0, 1.0), (0.3, 0.9)), (0.4, (4.0, 3.0), (1.1, 0.2)))


def waves(t, points, mu, derivative=None):
    """``Σ A exp(-|k|²μt) Π sin(kx + φ)``, or its derivative along an axis."""
    total = 0.0
    for amplitude, numbers, phases in WAVES:
        term = amplitude
        for d, (x, k, phase) in enumerate(zip(points, numbers, phases, strict=False)):
            wave = k * np.cos(k * x + phase) if d == derivative else np.sin(k * x + phase)
            term = term * wave * np.exp(-(k**2) * mu[0] * t)
        total = total + term
    return total


VALUE = Dirichlet(waves)


def flux(axis, sign):
    return Neumann(lambda t, points, mu: sign * waves(t, points, mu, axis))


def mixed(axis, sign):
    def g(t, points, mu):
        return 2.0 * waves(t, points, mu) + 0.5 * sign * waves(t, points, mu, axis)

    return Robin(2.0, 0.5, g)


class Heat(PDE):
    parameter_names = ("conductivity",)

    def initial(self, points, mu):
        return waves(0.0, points, mu)

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian


class Plate(Heat):
    n_dims, domain, period = 2, ((0.0, 1.0), (0.0, 1.0)), (None, None)


LINE = (np.linspace(0, 1, 65),)
SQUARE = (np.linspace(0, 1, 25), np.linspace(0, 1, 25))
PROBLEMS = {
    "values": (Heat, LINE, ((VALUE, VALUE),)),
    "fluxes": (Heat, LINE, ((flux(0, -1), flux(0, 1)),)),
    "mixed": (Heat, LINE, ((mixed(0, -1), mixed(0, 1)),)),
    "plate": (Plate, SQUARE, ((VALUE, flux(0, 1)), (mixed(1, -1), VALUE))),
}


def snapshots(parameters, axes):
    points = np.meshgrid(*axes, indexing="ij")
    return np.array([[waves(t, points, mu) for t in TIMES] for mu in parameters])


@pytest.fixture(params=PROBLEMS)
def problem(request):
    base, axes, boundary = PROBLEMS[request.param]
    return type("Cooling", (base,), {"boundary": boundary})(), axes


def test_modes_obey_the_conditions(problem):
    pde, axes = problem
    model = PODGalerkin(pde, times=TIMES, points=axes, n_components=2, rtol=1e-8)
    model.fit(X, snapshots(X, axes))
    predicted = model.predict(NEW)
    exact = snapshots(NEW, axes)
    assert relative_l2_error(exact, predicted) < 1e-4
    halves = tuple(axis[:-1] + np.diff(axis) / 2 for axis in axes)
    between = model.predict(NEW, points=halves)
    assert relative_l2_error(snapshots(NEW, halves), between) < 1e-4


def network(axes, **options):
    chosen = {"width": 12, "depth": 4, "rank": 2, "max_iter": 400, "random_state": 0, **options}
    return CoLoRARegressor(times=TIMES, points=axes, **chosen)


def test_the_latent_state_obeys_the_conditions(problem):
    pde, axes = problem
    model = CoLoRAGalerkin(pde, regressor=network(axes), random_state=0)
    model.fit(X, snapshots(X, axes))
    assert relative_l2_error(snapshots(NEW, axes), model.predict(NEW)) < 1e-3


def test_an_equation_without_its_condition_is_refused():
    for model in (
        PODGalerkin(Heat(), times=TIMES, points=LINE),
        CoLoRAGalerkin(Heat(), regressor=network(LINE)),
    ):
        with pytest.raises(ValueError, match=r"Heat has second or higher derivatives at the free"):
            model.fit(X, snapshots(X, LINE))


def test_what_moves_the_ends_moves_the_field():
    """Only the condition knows the period of the parameter."""

    class Wall(PDE):
        parameter_names = ("period",)
        boundary = ((Dirichlet(lambda t, x, mu: np.sin(2 * np.pi * t / mu[0])), Dirichlet(0.0)),)

        def initial(self, points, mu):
            return 0.0 * points[0]

        def rhs(self, t, field, mu):
            return 0.2 * field.laplacian

    periods, new = np.array([[0.7], [1.0], [1.5]]), np.array([[0.85], [1.2]])
    pde, grid = Wall(), {"times": TIMES, "points": LINE}
    y, y_new = (pde.solve(mu, TIMES, LINE, n_points=65) for mu in (periods, new))
    modes = PODGalerkin(pde, **grid, n_components=6).fit(periods, y)
    assert relative_l2_error(y_new, modes.predict(new), centered=True) < 2e-2
    assert np.allclose(modes.predict(new)[:, :, 0], np.sin(2 * np.pi * TIMES / new), atol=1e-6)
    with pytest.raises(ValueError, match=r"depend on the time or the parameters.*n_samples=None"):
        PODGalerkin(pde, **grid, n_samples=20).fit(periods, y)
    longer = network(LINE, max_iter=600)
    model = CoLoRAGalerkin(pde, regressor=longer, random_state=0).fit(periods, y)
    path = relative_l2_error(y_new, model.predict(new), centered=True)
    assert path < 0.3 * relative_l2_error(y_new, model.regressor_.predict(new), centered=True)


def test_boundary_nodes_on_scattered_points():
    """Heat in a square with a hole: without its condition the path leaves the solution."""
    angle, rng = np.linspace(0, 2 * np.pi, 24, endpoint=False), np.random.default_rng(0)
    rim = 0.5 + 0.2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    inner = rng.uniform(size=(700, 2))
    inner = inner[np.hypot(*(inner - 0.5).T) > 0.2]
    t = np.linspace(0, 1, 17)
    sides = [np.stack([t, 0 * t + e], 1) for e in (0, 1)]
    points = np.vstack([rim, inner, *sides, *(side[1:-1, ::-1] for side in sides)])

    def outward(points):
        return 0.5 - points

    def slope(t, points, mu):
        normal = outward(points) / np.linalg.norm(outward(points), axis=0)
        return sum(n * waves(t, points, mu, d) for d, n in enumerate(normal))

    class Ring(Plate):
        boundary = VALUE
        surfaces = (Surface(Neumann(slope), on=rim, normal=outward),)

    def at_nodes(parameters):
        return np.array([[waves(t, points.T, mu) for t in TIMES] for mu in parameters])

    model = CoLoRAGalerkin(Ring(), regressor=network(points), random_state=0)
    model.fit(X, at_nodes(X))
    assert relative_l2_error(at_nodes(NEW), model.predict(NEW)) < 1e-3


def test_surfaces_need_points_and_a_network():
    class Hole(Plate):
        boundary = VALUE
        surfaces = (Surface(VALUE, on=np.array([[0.31, 0.47]])),)

    y = snapshots(X, SQUARE)
    with pytest.raises(ValueError, match=r"No point of the snapshots lies on a Surface of Hole"):
        CoLoRAGalerkin(Hole(), regressor=network(SQUARE, max_iter=5)).fit(X, y)
    with pytest.raises(ValueError, match=r"Hole has `surfaces`.*give CoLoRAGalerkin"):
        PODGalerkin(Hole(), times=TIMES, points=SQUARE).fit(X, y)


def test_snapshots_that_do_not_reach_the_boundary():
    pde = type("Cooling", (Heat,), {"boundary": VALUE})()
    inside = (np.linspace(0.1, 1.0, 30),)
    model = CoLoRAGalerkin(pde, regressor=network(inside, max_iter=5))
    with pytest.warns(UserWarning, match=r"lies at the end 0 of dimension 0, where Cooling has"):
        model.fit(X, snapshots(X, inside))
