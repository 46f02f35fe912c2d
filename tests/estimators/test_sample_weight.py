"""Weights of the trajectories."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from skcolora import CoLoRARegressor
from skcolora._snapshots import SnapshotLayout, StoredRows
from skcolora._training import make_sampler
from skcolora.datasets import make_advection
from skcolora.metrics import relative_l2_error

DATA = make_advection(np.linspace(0.5, 1.5, 6), n_points=32, times=np.linspace(0, 1, 11))
OPTIONS = {"width": 8, "depth": 3, "hyper_width": 6, "max_iter": 60, "random_state": 0, "cv": None}


def fit(data=DATA, weights=None, **options):
    model = CoLoRARegressor(**DATA.grid, **{**OPTIONS, **options})
    return model.fit(data.X, data.y, sample_weight=weights)


def test_equal_weights_change_nothing():
    np.testing.assert_array_equal(
        fit(weights=np.full(6, 3.0)).predict(DATA.X), fit().predict(DATA.X)
    )


def test_no_weight_is_no_trajectory():
    weights = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    some = DATA.X[weights > 0], DATA.y[weights > 0]
    alone = CoLoRARegressor(**DATA.grid, **OPTIONS).fit(*some)
    np.testing.assert_array_equal(fit(weights=weights).predict(DATA.X), alone.predict(DATA.X))


@pytest.mark.parametrize("stored", [False, True])
def test_squared_errors_are_multiplied(stored):
    weights = np.array([1.0, 2.0, 5.0, 1.0, 1.0, 10.0])
    model = fit()
    layout: SnapshotLayout = model._layout
    rows = StoredRows(DATA.y, layout) if stored else DATA.y[..., None]

    def drawn(weights):
        sampler = make_sampler(
            DATA.X, rows, layout, model._units, device="cpu", seed=0, weights=weights
        )
        # A pool exchanges its snapshots.
        batches = [sampler.draw(64, 4, sampler.inputs.dtype) for _ in range(20)]
        sampler.close()
        return batches

    scaled = model._units.parameters.apply(DATA.X)[:, 0]
    for plain, weighted in zip(drawn(None), drawn(weights), strict=True):
        owners = np.searchsorted(scaled, plain.inputs[:, 0].numpy() - 1e-9)
        ratio = (weighted.weights / plain.weights).square().numpy()
        np.testing.assert_allclose(ratio, weights[owners][:, None, None] + np.zeros(ratio.shape))


def test_a_heavy_trajectory_is_learnt_better():
    """Where the network is too small for all of them; on average, as its training is a lottery."""
    options = {"width": 6, "depth": 3, "rank": 1, "adapted_layers": (0,), "hyper_width": 2}
    options |= {"hyper_depth": 1, "max_iter": 400}

    def error(weight):
        weights = np.array([1.0, 1.0, 1.0, 1.0, 1.0, weight])
        networks = [fit(weights=weights, random_state=seed, **options) for seed in range(3)]
        predicted = [network.predict(DATA.X) for network in networks]
        return np.mean([relative_l2_error(DATA.y, y, average=False)[-1] for y in predicted])

    assert error(100.0) < 0.8 * error(0.01)


def test_malformed_weights():
    with pytest.raises(ValueError, match="at least one non-zero"):
        fit(weights=np.zeros(6))
    with pytest.raises(ValueError, match=r"Negative values in data passed to `sample_weight`"):
        fit(weights=-np.ones(6))
    with pytest.raises(ValueError, match=r"sample_weight\.shape"):
        fit(weights=np.ones(5))


def test_weights_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        model = CoLoRARegressor(**DATA.grid, **OPTIONS).set_fit_request(sample_weight=True)
        seen = []

        class Spy(CoLoRARegressor):
            def fit(self, X, y, sample_weight=None):
                seen.append(sample_weight)
                return super().fit(X, y, sample_weight)

        spy = Spy(**model.get_params()).set_fit_request(sample_weight=True)
        spy.set_score_request(sample_weight=False)
        weights = np.arange(1.0, 7.0)
        cross_val_score(clone(spy), DATA.X, DATA.y, cv=2, params={"sample_weight": weights})
    assert [list(each) for each in seen] == [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]
