"""CoLoRAGalerkin gives the same answer with its equation and snapshots in all units."""

import warnings
from functools import cache

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.pdes import PDE

# All sums over these numbers are exact in float64, and the fields are exact in float32.
TIMES = np.array([0, 1, 2, 3, 5, 6, 7, 8]) / 8
POINTS, ELSEWHERE = np.arange(16) / 16, np.array([[0.03125], [0.515625], [0.96875]])
SIZES = {"width": 8, "depth": 3, "rank": 1, "hyper_width": 6, "hyper_depth": 2}
# A shift moves the zero of a parameter, and changes its logarithm.
SIZES["parameter_scale"] = "linear"


class Carried(PDE):
    """Advection and diffusion of a wave, in units of length, time, field and parameters."""

    parameter_names = ("speed", "diffusivity")

    def __init__(
        self, length=1.0, left=0.0, time=1.0, unit=1.0, offset=0.0, size=1.0, shift=0.0, zero=False
    ):
        self.length, self.left, self.time, self.unit = length, left, time, unit
        self.offset, self.size, self.shift, self.zero = offset, size, shift, zero

    @property
    def domain(self):
        return ((self.length * self.left, self.length * (self.left + 1)),)

    @property
    def period(self):
        return (self.length,)

    @property
    def conserved(self):
        return {"mass": lambda field: field.value[0]}

    def initial(self, points, mu):
        x = points[0] / self.length - self.left
        return self.unit * (self.offset + (0 * x if self.zero else np.cos(2 * np.pi * x)))

    def rhs(self, t, field, mu):
        speed, diffusivity = (mu[i] / self.size - self.shift for i in range(2))
        rate = diffusivity * self.length**2 * field.laplacian - speed * self.length * field.grad[0]
        if self.zero:
            x = field.points[0] / self.length - self.left
            rate = rate + self.unit * speed * field.xp.sin(2 * np.pi * x)
        return rate / self.time

    def describe(self, mu):
        return "a row"

    def parameters(self, X):
        return self.size * (X + self.shift)

    def times(self, times):
        return self.time * times

    def points(self, points):
        return self.length * (points + self.left)

    def fields(self, y):
        return self.unit * (y + self.offset)

    def plain(self, y):
        return y.astype(float) / self.unit - self.offset


SPEEDS = np.array([[0.25, 0.0], [0.5, 0.0078125], [0.75, 0.0], [1.0, 0.0078125]])
OTHER_SPEEDS = np.array([[0.375, 0.00390625], [0.875, 0.0078125]])
BEYOND = np.array([0.125, 0.5, 0.9375, 1.25])
PLAIN, EXACT = Carried(), Carried(64.0, 3.0, 0.125, 16.0, 5.0, 4.0, 2.0)
ANY = Carried(23.9, -46.0, 407.8, 1.3e-3, 62.7, 962.2, -93.3)
DIAGNOSES = ("residual", "error_indicator", "condition", "outside", "initial_error")


@cache
def snapshots(zero=False):
    return np.round(Carried(zero=zero).solve(SPEEDS, TIMES, POINTS[:, None]) * 2**10) / 2**10


@cache
def network(pde, single=False, max_iter=100):
    y = pde.fields(snapshots(pde.zero)).astype(np.float32 if single else np.float64)
    options = {"max_iter": max_iter, "hyper_width": 8, "adapted_layers": (0, 1, 2)}
    X, times, points = pde.parameters(SPEEDS), pde.times(TIMES), pde.points(POINTS)
    options = {**SIZES, "random_state": 0, **options}
    model = CoLoRARegressor(times=times, points=points, period=pde.length, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(X, y)


def galerkin(pde, single=False, max_iter=100, **options):
    frozen = FrozenEstimator(network(pde, single, max_iter))
    model = CoLoRAGalerkin(pde, regressor=frozen, random_state=0, **options)
    return model.fit(pde.parameters(SPEEDS), pde.fields(snapshots(pde.zero)))


def solved(model, initial=None):
    """The solution, its fields in the plain units, and the warnings."""
    pde = model.pde
    initial = None if initial is None else pde.fields(initial)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        X, times = pde.parameters(OTHER_SPEEDS), pde.times(BEYOND)
        solution = model.solve(X, times=times, initial=initial)
    fields = pde.plain(solution.predict(pde.points(ELSEWHERE)))
    return solution, fields, sorted({str(warning.message) for warning in caught})


def agree(one, other, rounding):
    """Whether solutions, fields and warnings agree; fields relative to their range of 2."""
    worst = np.abs(one[1] - other[1]).max()
    assert worst < rounding, f"{worst:.1e} apart"
    assert one[2] == other[2]
    assert np.array_equal(one[0].n_steps, other[0].n_steps)
    assert np.array_equal(one[0].n_rejected, other[0].n_rejected)
    assert np.allclose(one[0].latent, other[0].latent, rtol=0, atol=10 * rounding)
    for name in DIAGNOSES:
        pair = getattr(one[0], name), getattr(other[0], name)
        assert np.allclose(*pair, rtol=10 * rounding, atol=10 * rounding), name


@pytest.mark.parametrize(
    "options",
    [{}, {"method": "RK4"}, {"method": "Rosenbrock"}, {"norm": "H-1"}, {"conserve": "mass"}],
    ids=str,
)
def test_the_equation_in_exact_units(options):
    """After twelve steps of training the rounding of the fields is amplified to 1e-9 at most."""
    one, other = (galerkin(pde, max_iter=12, **options) for pde in (PLAIN, EXACT))
    assert one.rtol_ == other.rtol_
    assert np.array_equal(EXACT.points(one.collocation_), other.collocation_)
    agree(solved(one), solved(other), 1e-7)


@pytest.mark.parametrize("options", [{}, {"conserve": "mass"}], ids=str)
def test_the_equation_in_any_units(options):
    """After twelve steps of training all differ by about 1e-10."""
    one, other = (galerkin(pde, max_iter=12, **options) for pde in (PLAIN, ANY))
    assert one.rtol_ == pytest.approx(other.rtol_, rel=1e-6)
    if not options:
        given, other_given = (solved(model, snapshots()[1:3, 4]) for model in (one, other))
        agree(given, other_given, 1e-6)
    agree(solved(one), solved(other), 1e-6)


def test_the_equation_with_snapshots_of_single_precision():
    one, other = (galerkin(pde, single=True, max_iter=12) for pde in (PLAIN, EXACT))
    assert one.regressor_.best_loss_ == other.regressor_.best_loss_
    # Fields in single precision, of about 1: some units in the last place.
    agree(solved(one), solved(other), 5e-7)


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin", "ignore:.torch.jit")
def test_refinement_in_any_units():
    """Two steps leave the rounding of the training at 1e-11."""
    models = [galerkin(pde, max_iter=12) for pde in (PLAIN, ANY)]
    refined = [model.refine(model.pde.parameters(OTHER_SPEEDS), max_iter=2) for model in models]
    curves = [model.regressor_.loss_curve_ for model in refined]
    assert np.allclose(*curves, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin", "ignore::skcolora.ExtrapolationWarning")
def test_distillation_in_exact_units():
    found, losses = [], []
    for pde in (PLAIN, EXACT):
        model, X = galerkin(pde, max_iter=30), pde.parameters(OTHER_SPEEDS)
        distilled = model.distill(X, max_iter=10)
        fields = distilled.predict(X, times=pde.times(BEYOND), points=pde.points(ELSEWHERE))
        found.append(pde.plain(fields))
        losses.append(distilled.loss_curve_)
    assert len(losses[0]) == 10
    assert all(1e-5 < loss < 1 for loss in losses[0])
    assert np.allclose(*losses, rtol=1e-5)
    assert np.abs(found[0] - found[1]).max() < 1e-5


def test_a_zero_initial_field_is_not_missed():
    """Its error is relative to the variation of the snapshots."""
    model = galerkin(Carried(zero=True))
    solution, _, messages = solved(model)
    assert solution.initial_error.max() < 0.05
    assert not any("initial field" in message for message in messages)
    moved = galerkin(Carried(unit=16.0, offset=5.0, zero=True), max_iter=12)
    solution, _, messages = solved(moved)
    assert 0.05 < solution.initial_error.max() < 1
    assert any("initial field (error 0" in message for message in messages)
