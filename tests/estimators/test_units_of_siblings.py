"""The siblings of CoLoRARegressor give the same answer in all units and all orders."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skcolora import ParameterInterpolator, PODGalerkin, PODRegressor
from skcolora.pdes import PDE

MU, NEW = np.array([0.5, 0.7, 1.0, 1.3, 1.5])[:, None], np.array([[0.6], [1.2], [1.55]])
TIMES, LATER = np.linspace(0, 1, 7), np.array([0.05, 0.5, 0.93])
POINTS = np.arange(12) / 12
ELSEWHERE = np.array([[0.03], [0.51], [0.97]])


def waves(mu, times=TIMES, points=POINTS):
    """Two fields (n_trajectories, n_times, n_points, 2)."""
    mu, t = mu[:, :1, None], times[:, None]
    angle = 2 * np.pi * (points - 0.3 * mu * t)
    first = np.exp(np.sin(angle)) * (1 + mu * t)
    return np.stack([first, np.cos(angle - mu) + np.sin(2 * angle) * t], axis=-1)


Y = waves(MU)
MODELS = (PODRegressor(n_components=6), ParameterInterpolator())
models = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
sizes = st.floats(1e-3, 1e3)
signed = st.builds(lambda a, sign: a * sign, sizes, st.sampled_from([-1.0, 1.0]))
shifts = st.floats(-100.0, 100.0)  # in shares of the size
few = settings(max_examples=6, deadline=None)


def fitted(model, X=MU, y=Y, times=TIMES, points=POINTS, period=1.0):
    parameters = {**model.get_params(deep=False), "times": times, "points": points}
    # One of the new parameters lies outside the range on purpose.
    parameters |= {"period": period, "on_extrapolation": "ignore"}
    return type(model)(**parameters).fit(X, y)


def predicted(model, **data):
    return fitted(model, **data).predict(NEW, times=LATER, points=ELSEWHERE)


def close(found, wanted, rounding=1e-10):
    """Whether arrays agree, relative to the variation of each field."""
    spread = np.abs(wanted - wanted.mean(axis=(0, 1, 2))).max(axis=(0, 1, 2))
    worst = (np.abs(found - wanted).max(axis=(0, 1, 2)) / spread).max()
    assert worst < rounding, f"{worst:.1e} of the variation apart"


@models
@few
@given(signed, shifts, sizes, shifts)
def test_units_of_parameters_and_times(model, a, b, c, d):
    moved = fitted(model, X=a * (MU + b), times=c * (TIMES + d))
    found = moved.predict(a * (NEW + b), times=c * (LATER + d), points=ELSEWHERE)
    close(found, predicted(model), 1e-9)


@models
@few
@given(signed, shifts)
def test_units_of_points(model, a, b):
    moved = fitted(model, points=a * (POINTS + b), period=abs(a))
    found = moved.predict(NEW, times=LATER, points=a * (ELSEWHERE + b))
    close(found, predicted(model))


@models
@few
@given(st.tuples(signed, signed), st.tuples(shifts, shifts), st.booleans())
def test_units_of_each_field(model, a, b, single):
    unit, offset = np.array(a), np.array(a) * b
    y = unit * Y + offset
    found = predicted(model, y=y.astype(np.float32) if single else y)
    assert found.dtype == (np.float32 if single else np.float64)
    rounding = 1e-5 if single else 1e-11
    close((found - offset) / unit, predicted(model), rounding * (1 + np.abs(b).max()))


@few
@given(signed, shifts)
def test_projection_and_energy_in_other_units(a, b):
    model = PODRegressor(n_components=0.99)
    plain, moved = fitted(model), fitted(model, y=a * (Y + b))
    assert plain.n_components_ == moved.n_components_ < 6
    close(moved.project(a * (Y + b)) / a - b, plain.project(Y))


@models
def test_order_of_trajectories_points_and_fields(model):
    random = np.random.default_rng(0)
    i, j = random.permutation(len(MU)), random.permutation(len(POINTS))
    mixed = Y[i][:, :, j][..., ::-1]
    found = predicted(model, X=MU[i], y=mixed, points=POINTS[j])
    close(found[..., ::-1], predicted(model))


def test_two_copies_of_a_trajectory():
    twice = {"X": np.vstack([MU, MU[:2]]), "y": np.concatenate([Y, Y[:2]])}
    close(predicted(ParameterInterpolator(), **twice), predicted(ParameterInterpolator()))
    # The POD counts them twice; with all modes this makes no difference.
    close(predicted(PODRegressor(n_components=24), **twice), predicted(ParameterInterpolator()))


@models
@pytest.mark.parametrize("constant", [0.1, 0.3, 1e7, 0.0, -1e-9])
def test_a_constant_column_takes_no_part(model, constant):
    X = np.column_stack([MU, np.full(len(MU), constant)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moved = fitted(model, X=X)
        for value in (constant, np.float32(constant)):
            new = np.column_stack([NEW, np.full(len(NEW), value)])
            close(moved.predict(new, times=LATER, points=ELSEWHERE), predicted(model))


@models
def test_a_column_a_last_bit_apart_takes_no_part(model):
    column = np.array([0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2, 0.3])
    for new in (0.3, 0.1 + 0.2):
        found = fitted(model, X=np.column_stack([MU, column])).predict(
            np.column_stack([NEW, np.full(len(NEW), new)]), times=LATER, points=ELSEWHERE
        )
        close(found, predicted(model))


@models
def test_another_value_of_a_constant_parameter_is_reported(model):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"speed": MU[:, 0], "density": 0.1})
    new = pandas.DataFrame({"speed": [0.6], "density": [0.2]})
    message = r"'density' was 0.1 in all .*; the value 0.2 in row 0 of X has no effect"
    with pytest.warns(UserWarning, match=message) as caught:
        found = fitted(model, X=X).predict(new)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert np.array_equal(found, fitted(model, X=X).predict(X[:1].assign(speed=0.6)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constant_fields_are_predicted_exactly(dtype):
    y = Y.astype(dtype)
    y[..., 0] = 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in MODELS:
            assert (predicted(model, y=y)[..., 0] == dtype(0.1)).all()
        for n_components in (3, 0.9):
            model = PODRegressor(n_components=n_components)
            assert (predicted(model, y=np.full_like(y, 0.1)) == dtype(0.1)).all()


class Carried(PDE):
    """Advection and diffusion of a wave, in units of length, time and field."""

    parameter_names = ("speed", "diffusivity")

    def __init__(self, length=1.0, left=0.0, unit=1.0, offset=0.0):
        self.length, self.left, self.unit, self.offset = length, left, unit, offset

    @property
    def domain(self):
        return ((self.left, self.left + self.length),)

    @property
    def period(self):
        return (self.length,)

    def initial(self, points, mu):
        x = (points[0] - self.left) / self.length
        return self.unit * np.exp(np.sin(2 * np.pi * x)) + self.offset

    def rhs(self, t, field, mu):
        return mu[1] * field.laplacian - mu[0] * field.grad[0]


SPEEDS = np.array([[0.2, 0.01], [0.3, 0.01], [0.4, 0.02], [0.3, 0.02]])
X_AXIS = np.arange(24) / 24


@pytest.fixture(scope="module")
def carried():
    return Carried().solve(SPEEDS, TIMES, X_AXIS[:, None])


@pytest.mark.parametrize("n_samples", [None, 8])
@pytest.mark.parametrize("single", [False, True])
@settings(max_examples=3, deadline=None)
@given(sizes, shifts, sizes, signed, shifts)
def test_an_equation_in_other_units(carried, n_samples, single, length, left, time, unit, offset):
    def answer(y, length=1.0, left=0.0, time=1.0, unit=1.0, offset=0.0):
        pde = Carried(length, length * left, unit, unit * offset)
        model = PODGalerkin(
            pde,
            times=time * TIMES,
            points=length * (X_AXIS + left),
            n_components=5,
            n_samples=n_samples,
        )
        y = unit * (y + offset)
        y = y.astype(np.float32) if single else y
        speeds = SPEEDS * [length / time, length**2 / time]
        model.fit(speeds, y)
        at = length * (ELSEWHERE + left)
        found = np.stack(
            [
                model.predict(speeds[:2], times=time * LATER, points=at),
                model.predict(speeds[:2], times=time * LATER, points=at, initial=y[1:3, 3]),
            ]
        )
        assert found.dtype == y.dtype
        return found.astype(float) / unit - offset

    found, wanted = answer(carried, length, left, time, unit, offset), answer(carried)
    rounding = (1e-4 if single else 1e-8) * (1 + abs(offset) / 10)
    assert np.abs(found - wanted).max() < rounding * np.ptp(carried)


def test_a_zero_initial_field_is_not_missed(carried):
    """Nor is one that is the mean of the snapshots; a field outside the modes is."""
    y = np.concatenate([carried, -carried])
    X = np.vstack([SPEEDS, SPEEDS + np.array([0.1, 0.0])])
    model = PODGalerkin(Carried(), times=TIMES, points=X_AXIS, n_components=4).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for start in (0 * y[:1, 0], y.mean(axis=(0, 1))[None]):
            model.predict(X[:1], initial=start)
    with pytest.warns(UserWarning, match=r"miss \d+% of the variation of the initial field"):
        model.predict(X[:1], initial=np.sin(10 * np.pi * X_AXIS)[None])


def test_constant_snapshots_remain_constant():
    y = np.full((4, 7, 24), 0.1)
    model = PODGalerkin(Carried(), times=TIMES, points=X_AXIS).fit(SPEEDS, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (model.predict(SPEEDS[:1], initial=y[:1, 0]) == 0.1).all()
    with pytest.warns(UserWarning, match="miss 97% of the variation"):
        model.predict(SPEEDS[:1], initial=np.full((1, 24), 3.0))


def test_pickles_hold_the_grid_only_in_the_modes(carried):
    model = PODGalerkin(Carried(), times=TIMES, points=X_AXIS, n_components=3, n_samples=6)
    model.fit(SPEEDS, carried)
    before = len(pickle.dumps(model))
    model.predict(SPEEDS, points=ELSEWHERE)
    assert len(pickle.dumps(model)) == before
    state = pickle.loads(pickle.dumps(model))
    assert state.components_ is state._equation.modes
    assert not {"_to_mesh", "_from_mesh"} & set(vars(model))
