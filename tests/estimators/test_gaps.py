"""Values of snapshots that were not observed: NaN with ``missing="ignore"``."""

import numpy as np
import pytest
from sklearn.base import clone

from skcolora import CoLoRAGalerkin, CoLoRARegressor, ParameterInterpolator, PODRegressor
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error

DATA = make_advection(
    [0.5, 0.75, 1.0, 1.25, 1.5], n_points=48, times=np.linspace(0, 1, 21), width=0.15
)
NEW = make_advection([0.9], n_points=48, times=DATA.times, width=0.15)
NETWORK = CoLoRARegressor(
    **DATA.grid, width=12, depth=4, rank=2, max_iter=400, missing="ignore", random_state=0
)


def with_gaps(gaps):
    y = DATA.y.copy()
    y[gaps] = np.nan
    return y


def error(y, network=NETWORK):
    model = clone(network).fit(DATA.X, y)
    return relative_l2_error(NEW.y, model.predict(NEW.X), centered=True)


@pytest.fixture(scope="module")
def complete():
    return error(DATA.y)


def gaps_at(name):
    gaps = np.zeros(DATA.y.shape, dtype=bool)
    rng = np.random.default_rng(0)
    if name == "half of all values":
        gaps[rng.random(gaps.shape) < 0.5] = True
    elif name == "own times":
        for i, run in enumerate(gaps):
            run[i % 2 :: 2] = True
    elif name == "runs that end early":
        gaps[0, 12:] = gaps[3, 16:] = True
    elif name == "sensors":
        gaps[:, :, rng.permutation(48)[16:]] = True
    return gaps


@pytest.mark.parametrize(
    "name", ["half of all values", "own times", "runs that end early", "sensors"]
)
def test_gaps_cost_little(name, complete):
    assert error(with_gaps(gaps_at(name))) < 2 * complete + 5e-3


def test_complete_snapshots_do_not_know_of_the_option():
    fits = [clone(NETWORK).set_params(missing=m).fit(DATA.X, DATA.y) for m in ("error", "ignore")]
    assert np.array_equal(*(fit.predict(NEW.X) for fit in fits))


def test_nothing_is_filled_in():
    """What stands in the gaps of a masked array has no influence on anything."""
    gaps = gaps_at("half of all values")
    network = clone(NETWORK).set_params(max_iter=30)
    found = [
        clone(network).fit(DATA.X, np.ma.masked_array(np.where(gaps, junk, DATA.y), gaps))
        for junk in (0.0, 1e6)
    ]
    found.append(clone(network).fit(DATA.X, with_gaps(gaps)))
    for other in found[1:]:
        assert np.array_equal(found[0].predict(NEW.X), other.predict(NEW.X))
        assert found[0].unseen_error_ == other.unseen_error_


def test_a_run_without_a_time_is_a_run_of_its_own_times():
    """A time at which no run was observed changes nothing but the times of the prediction."""
    network = clone(NETWORK).set_params(max_iter=30)
    y = with_gaps(gaps_at("own times"))
    first = clone(network).fit(DATA.X, y)
    times = np.insert(DATA.times, 5, 0.5 * (DATA.times[4] + DATA.times[5]))
    more = clone(network).set_params(times=times).fit(DATA.X, np.insert(y, 5, np.nan, axis=1))
    assert more.predict(NEW.X).shape[1] == len(times)
    assert more.best_loss_ < 10 * first.best_loss_


def test_score_counts_what_was_observed():
    network = clone(NETWORK).set_params(max_iter=30)
    y = with_gaps(gaps_at("half of all values"))
    model = clone(network).fit(DATA.X, y)
    seen = ~np.isnan(y)
    predicted = model.predict(DATA.X)
    true, found = y[seen], predicted[seen]
    expected = 1 - np.sum((true - found) ** 2) / np.sum((true - true.mean()) ** 2)
    assert np.isclose(model.score(DATA.X, y), expected)
    counts = seen.reshape(len(y), -1).sum(axis=1)
    weights = np.arange(1.0, 6.0)
    w = np.repeat(weights, counts)
    mean = np.average(true, weights=w)
    expected = 1 - np.sum(w * (true - found) ** 2) / np.sum(w * (true - mean) ** 2)
    assert np.isclose(model.score(DATA.X, y, sample_weight=weights), expected)


@pytest.mark.parametrize(
    "estimator",
    [clone(NETWORK).set_params(missing="error"), PODRegressor(), ParameterInterpolator()],
    ids=lambda each: type(each).__name__,
)
def test_gaps_are_an_error_unless_asked_for(estimator):
    y = with_gaps(gaps_at("own times"))
    with pytest.raises(ValueError, match=r'NaN in \d+ of 5040 values.*missing="ignore"'):
        estimator.fit(DATA.X, y)


def test_what_must_be_observed():
    y = DATA.y.copy()
    y[2] = np.nan
    with pytest.raises(ValueError, match="NaN only in trajectory 2"):
        clone(NETWORK).fit(DATA.X, y)
    two = np.stack([DATA.y, np.full_like(DATA.y, np.nan)], axis=-1)
    with pytest.raises(ValueError, match="NaN only in field 1"):
        clone(NETWORK).fit(DATA.X, two)
    infinite = with_gaps(gaps_at("own times"))
    infinite[0, 1, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        clone(NETWORK).fit(DATA.X, infinite)


def test_the_equation_moves_a_network_that_was_trained_on_gaps():
    y = with_gaps(gaps_at("own times"))
    model = CoLoRAGalerkin(DATA.pde, regressor=NETWORK, random_state=0).fit(DATA.X, y)
    assert relative_l2_error(NEW.y, model.predict(NEW.X), centered=True) < 0.05
