"""CoLoRA gives the same answer in all units and all orders, as far as rounding allows.

Where units are powers of two and shifts are exact, the scaled numbers are equal to the last bit,
and so are the trained weights.  Otherwise the training amplifies their rounding: after a few
steps to about 1e-10 of the variation, after hundreds of steps to that of the error itself.
"""

import warnings
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skcolora import CoLoRARegressor

# All sums over these numbers are exact in float64, and the fields are exact in float32.
MU, NEW = np.array([0.5, 0.75, 1.0, 1.5])[:, None], np.array([[0.625], [1.25], [1.4375]])
TIMES, LATER = np.array([0, 1, 2, 3, 5, 6, 7, 8]) / 8, np.array([0.0625, 0.5, 0.9375])
POINTS, ELSEWHERE = np.arange(16) / 16, np.array([[0.03125], [0.515625], [0.96875]])


def waves(mu, times=TIMES, points=POINTS):
    """Two fields (n_trajectories, n_times, n_points, 2), with ranges 2 and 4 of the training."""
    mu, t = mu[:, :1, None], times[:, None]
    angle = 2 * np.pi * (points - 0.25 * mu * t)
    first = np.cos(angle) * (1 - 0.25 * mu * t)
    return np.stack([first, 2 * np.cos(angle - 2 * np.pi * mu) * (1 - 0.5 * t)], axis=-1)


Y = np.round(waves(MU) * 2**10) / 2**10
FEW_STEPS = {"max_iter": 12, "width": 8, "depth": 3, "rank": 1, "hyper_width": 6, "hyper_depth": 2}
# A shift moves the zero of a parameter, and changes its logarithm.
FEW_STEPS["parameter_scale"] = "linear"

sizes, shifts = st.floats(1e-3, 1e3), st.floats(-100.0, 100.0)  # shifts in shares of the size
powers, whole = st.integers(-12, 12).map(lambda n: 2.0**n), st.integers(-30, 30).map(float)


def examples(n):
    return settings(max_examples=n, deadline=None, derandomize=True)


def fitted(X=MU, y=Y, times=TIMES, points=POINTS, period=1.0, **options):
    options = {**FEW_STEPS, "random_state": 0, **options}
    model = CoLoRARegressor(times=times, points=points, period=period, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(X, y)


@cache
def plain(single=False, **options):
    return fitted(y=Y.astype(np.float32) if single else Y, **options)


def answer(model, X=NEW, times=LATER, points=ELSEWHERE):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.predict(X, times=times, points=points).astype(float)


def gap(found, wanted):
    """Distance of arrays relative to the variation of each field."""
    spread = np.abs(wanted - wanted.mean(axis=(0, 1, 2))).max(axis=(0, 1, 2))
    return (np.abs(found - wanted).max(axis=(0, 1, 2)) / spread).max()


def in_units(a, b, **options):
    """A fit and its answer with all quantities in other units: sizes a and shifts b."""
    y = options.pop("y", Y)
    unit = np.array(a[3:])
    moved = fitted(
        a[0] * (MU + b[0]),
        (unit * (y + b[3:])).astype(options.pop("kind", float)),
        a[1] * (TIMES + b[1]),
        a[2] * (POINTS + b[2]),
        a[2],
        **options,
    )
    found = answer(moved, a[0] * (NEW + b[0]), a[1] * (LATER + b[1]), a[2] * (ELSEWHERE + b[2]))
    latent = moved.predict_latent(a[0] * (NEW + b[0]), times=a[1] * (LATER + b[1]))
    return moved, found / unit - b[3:], latent


@pytest.mark.parametrize("single", [False, True])
@examples(3)
@given(st.tuples(*[powers] * 5), st.tuples(*[whole] * 5))
def test_exact_units_change_no_bit_of_the_training(single, a, b):
    kind = np.float32 if single else np.float64
    moved, found, latent = in_units(a, b, kind=kind)
    base = plain(single)
    assert moved.loss_curve_ == base.loss_curve_
    assert moved.best_loss_ == base.best_loss_
    for one, other in zip(moved.network_.parameters(), base.network_.parameters(), strict=True):
        assert torch.equal(one, other)
    assert latent.dtype == kind
    assert np.array_equal(latent, base.predict_latent(NEW, times=LATER))
    rounding = np.finfo(kind).eps * (1 + np.abs(b[3:]).max())
    assert gap(found, answer(base)) < 4 * rounding


@pytest.mark.parametrize("what", range(4), ids=["parameters", "times", "points", "fields"])
@examples(2)
@given(st.tuples(sizes, sizes), st.tuples(shifts, shifts))
def test_any_units_after_a_few_steps(what, a, b):
    """Twelve steps amplify rounding by about 1e5, to 6e-11 of the variation."""
    all_a, all_b = [1.0] * 5, [0.0] * 5
    n = 2 if what == 3 else 1
    all_a[what : what + n], all_b[what : what + n] = a[:n], b[:n]
    moved, found, latent = in_units(tuple(all_a), tuple(all_b))
    base = plain()
    assert np.allclose(moved.loss_curve_, base.loss_curve_, rtol=1e-7)
    assert moved.best_loss_ == pytest.approx(base.best_loss_, rel=1e-7)
    assert np.allclose(latent, base.predict_latent(NEW, times=LATER), atol=1e-7)
    assert gap(found, answer(base)) < 1e-7


@examples(2)
@given(st.tuples(*[sizes] * 5), st.tuples(*[shifts] * 5))
def test_any_units_of_single_precision(a, b):
    """Rounding of 6e-8 of the offset becomes about 1e-2 in twelve steps."""
    moved, found, latent = in_units(a, b, kind=np.float32)
    assert latent.dtype == np.float32
    assert np.allclose(moved.loss_curve_, plain(True).loss_curve_, rtol=1e-2)
    assert gap(found, answer(plain(True))) < 0.1


# Enough steps for an error of 1e-2.
SHORT = {"cv": None, "max_iter": 100, "hyper_width": 8, "adapted_layers": (0, 1, 2)}
MANY, GRID = np.linspace(0.5, 1.5, 5)[:, None], np.linspace(0, 1, 9)
BETWEEN = np.array([[0.8], [1.2]])


def wave(mu, times=GRID, points=POINTS):
    mu, t = mu[:, :1, None], times[:, None]
    return (1 + 0.3 * mu * t) * np.sin(2 * np.pi * (points - 0.3 * mu * t))


@cache
def learnt():
    return fitted(MANY, wave(MANY), GRID, **SHORT)


def error(model, X=BETWEEN, unit=1.0, offset=0.0):
    """Relative error of the variation at parameters without snapshots."""
    wanted, found = wave(BETWEEN), (model.predict(X).astype(float) - offset) / unit
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


@pytest.mark.parametrize(
    ("unit", "offset", "kind"),
    [(1e-3, 300.0, np.float64), (1.0, 300.0, np.float32)],
)
def test_offsets_do_not_cost_accuracy(unit, offset, kind):
    """Seconds since 1970, points far from the origin, a temperature in kelvin, ..."""
    assert error(learnt()) < 2e-2
    y = (offset + unit * wave(MANY)).astype(kind)
    assert y.std() < 1e-2 * abs(y.mean())
    model = fitted(1e7 + MANY, y, 1.7e9 + GRID, 1e6 + POINTS, **SHORT)
    # Times of 1970 are rounded to 2e-7, float32 of 300 to 3e-5.
    assert model.best_loss_ == pytest.approx(learnt().best_loss_, rel=1.0)
    assert error(model, 1e7 + BETWEEN, unit, offset) < 3e-2


def test_a_target_error_means_the_variation():
    """The training stops at the same step, whatever the units and the offset."""
    ends = {"max_iter": 120, "target_error": 0.7}
    options = {**SHORT, **ends}
    base = fitted(MANY, wave(MANY), GRID, **options)
    moved = fitted(300 + MANY, 300 + 1e-3 * wave(MANY), 24 * GRID, 1e3 * POINTS, 1e3, **options)
    # A look comes after each 25 steps of the second phase; the first one has 24.
    assert base.n_iter_ % 25 == 24
    assert 25 < base.n_iter_ == moved.n_iter_ < 120
    assert base.best_loss_ <= 0.7
    assert moved.best_loss_ == pytest.approx(base.best_loss_, rel=0.1)
    assert np.allclose(base.loss_curve_[:12], moved.loss_curve_[:12], rtol=1e-7)


def test_order_of_trajectories_and_points():
    random = np.random.default_rng(0)
    i, j = random.permutation(len(MU)), random.permutation(len(POINTS))
    mixed = fitted(X=MU[i], y=Y[i][:, :, j], points=POINTS[j])
    base = plain()
    assert np.allclose(mixed.loss_curve_, base.loss_curve_, rtol=1e-7)
    assert gap(answer(mixed), answer(base)) < 1e-7


def test_order_of_fields():
    """Other initial weights, but the same chances."""
    options = {**SHORT, "max_iter": 60}
    losses = [
        [fitted(y=y, **{**options, "random_state": seed}).best_loss_ for seed in range(4)]
        for y in (Y, Y[..., ::-1])
    ]
    assert 0.5 < np.exp(np.log(losses[0]).mean() - np.log(losses[1]).mean()) < 2


def test_two_copies_of_a_trajectory():
    """Of which one is a last bit apart."""
    X = np.vstack([MANY, np.nextafter(MANY[:2], 2)])
    model = fitted(X, wave(X), GRID, **SHORT)
    assert error(model) < 6e-2


def with_column(values, X=MU):
    return np.column_stack([X, np.broadcast_to(values, len(X))])


@cache
def column_of_ones():
    return fitted(with_column(1.0))


@pytest.mark.parametrize("constant", [0.1, 1e7, 0.0, -1e-9, 1e300])
def test_a_constant_column_takes_no_part(constant):
    reference, moved = column_of_ones(), fitted(with_column(constant))
    assert moved.loss_curve_ == reference.loss_curve_
    wanted = answer(reference, with_column(1.0, NEW))
    assert np.array_equal(answer(moved, with_column(constant, NEW)), wanted)
    if abs(constant) < 1e38:  # the same value, kept in single precision
        assert np.array_equal(answer(moved, with_column(np.float32(constant), NEW)), wanted)


@pytest.mark.parametrize("n", [3, 5, 7, 10])
def test_constant_columns_of_999_values(n):
    """Their mean may differ from them in the last bit."""
    X = np.linspace(0.5, 1.5, n)[:, None]
    values = np.arange(1, 1000) / 100
    assert (np.tile(values, (n, 1)).mean(0) != values).any()
    columns = [np.column_stack([X, np.tile(some, (n, 1))]) for some in (values, values**0)]
    one, other = (fitted(column, waves(X), max_iter=2) for column in columns)
    assert one.loss_curve_ == other.loss_curve_
    assert np.array_equal(answer(one, columns[0]), answer(other, columns[1]))


def test_a_column_a_last_bit_apart_takes_no_part():
    moved = fitted(with_column([0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2]))
    wanted = answer(column_of_ones(), with_column(1.0, NEW))
    for value in (0.3, 0.1 + 0.2):
        assert np.array_equal(answer(moved, with_column(value, NEW)), wanted)


def test_another_value_of_a_constant_parameter_is_reported():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"speed": MU[:, 0], "density": 0.1})
    new = pandas.DataFrame({"speed": [0.6], "density": [0.2]})
    model = fitted(X)
    message = r"'density' was 0.1 in all .*; the value 0.2 in row 0 of X has no effect"
    with pytest.warns(UserWarning, match=message) as caught:
        found = model.predict(new)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert np.array_equal(found, answer(model, new.assign(density=0.1), None, None))


@pytest.mark.parametrize("constant", [0.0, 5.0, 1e7])
def test_a_constant_axis_takes_no_part(constant):
    plane = np.column_stack([POINTS, np.full(16, constant)])
    level = np.column_stack([POINTS, np.ones(16)])
    for period in ((1.0, None), (1.0, 2.0)):
        moved, reference = (fitted(points=p, period=period, max_iter=2) for p in (plane, level))
        assert moved.loss_curve_ == reference.loss_curve_
        found, wanted = answer(moved, points=plane), answer(reference, points=level)
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("constant", [0.0, 0.1, 101325.7])
def test_a_constant_field_is_predicted_exactly(kind, constant):
    y = Y.astype(kind)
    y[..., 1] = constant
    model = fitted(y=y, max_iter=5)
    found = model.predict(NEW, times=LATER, points=ELSEWHERE)
    assert found.dtype == kind
    assert (found[..., 1] == kind(constant)).all()
    y[..., 1] = 1.0
    reference = fitted(y=y, max_iter=5)
    assert model.loss_curve_ == reference.loss_curve_
    assert np.array_equal(
        found[..., 0], reference.predict(NEW, times=LATER, points=ELSEWHERE)[..., 0]
    )


def test_a_zero_field_beside_a_tiny_field():
    y = np.stack([1e-6 * Y[..., 0], 0 * Y[..., 0]], axis=-1)
    model = fitted(y=y)
    assert (model.predict(NEW)[..., 1] == 0).all()
    assert (model.decode(model.encode(y))[..., 1] == 0).all()


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_constant_snapshots_need_no_training(kind):
    y = np.empty(Y.shape, kind)
    y[..., 0], y[..., 1] = 0.1, 300.7
    model = fitted(y=y, max_iter=None)
    assert model.n_iter_ == 0
    assert model.best_loss_ == 0
    assert model.loss_curve_ == []
    found = model.predict(NEW, times=LATER, points=ELSEWHERE)
    assert (found == y[0, 0, 0]).all()
    assert found.dtype == kind


def test_a_warm_start_with_a_column_that_varies_starts_anew():
    """The weights of a constant column have never been trained, and its scale is zero."""
    model = fitted(with_column(0.1), warm_start=True, max_iter=5)
    varying = with_column([0.1, 0.2, 0.3, 0.4])
    reference = fitted(varying, max_iter=5)
    model.fit(varying, Y)
    assert model.loss_curve_ == reference.loss_curve_
    new = with_column([0.145, 0.34, 0.385], NEW)  # within the region of the training
    assert np.array_equal(answer(model, new), answer(reference, new))
    # One that varies as before goes on, in the units of the first fit.
    model.fit(varying, Y)
    assert len(model.loss_curve_) == 2 * len(reference.loss_curve_)


def test_a_warm_start_with_a_field_that_varies_starts_anew():
    y = Y.copy()
    y[..., 1] = 0.1
    model = fitted(y=y, max_iter=5, warm_start=True).fit(MU, Y)
    assert model.loss_curve_ == plain(max_iter=5).loss_curve_
    assert np.array_equal(answer(model), answer(plain(max_iter=5)))


def test_states_of_fields_with_an_offset():
    y = 101325 + 0.1 * Y
    model = fitted(y=y)
    fields = model.predict(MU)
    again = model.decode(model.encode(fields))
    assert gap(again, fields) < 1e-6
    base = plain()
    states, wanted = model.encode(fields[:1, :2]), base.encode((fields[:1, :2] - 101325) / 0.1)
    decoded = (model.decode(states) - 101325) / 0.1
    assert gap(decoded, base.decode(wanted)) < 1e-5


def test_a_coordinate_or_a_time_that_was_constant_warns_and_has_no_effect():
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.random((20, 2)), np.full(20, 5.0)])
    model = CoLoRARegressor(times=[0.5], points=points, max_iter=3, random_state=0)
    model.fit([[1.0], [2.0], [3.0]], rng.random((3, 1, 20)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        usual = model.predict([[1.5]])
    moved = points + np.array([0.0, 0.0, 94.0])
    with pytest.warns(UserWarning, match="Coordinate 2 of the points was 5 .* value 99 has no eff"):
        np.testing.assert_array_equal(model.predict([[1.5]], points=moved), usual)
    with pytest.warns(UserWarning, match=r"The time was 0.5 .* value 0.7 has no effect"):
        np.testing.assert_array_equal(model.predict([[1.5]], times=[0.7]), usual)
