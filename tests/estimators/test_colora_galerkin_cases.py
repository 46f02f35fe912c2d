"""CoLoRAGalerkin from end to end, on the kinds of problem that people have.

The networks are small and trained for a moment.  What is asked is that the equation moves the
fields: from one trajectory set to parameters between, at least as well as the network holds them.
"""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE

OPTIONS = {"width": 12, "depth": 4, "adapted_layers": (0, 1, 2, 3), "random_state": 0}
TIMES = np.linspace(0, 1, 11)


class Drift(PDE):
    """A bump that drifts along the diagonal of the periodic unit square."""

    n_dims = 2
    parameter_names = ("speed",)
    domain = ((0.0, 1.0), (0.0, 1.0))
    period = (1.0, 1.0)

    def rhs(self, t, field, mu):
        return -mu[0] * (field.grad[0] + field.grad[1])

    def initial(self, points, mu):
        return self.exact(0.0, points, mu)

    def exact(self, t, points, mu):
        x, y = points
        along = np.cos(2 * np.pi * (x - 0.3 - mu[0] * t)) + np.cos(
            2 * np.pi * (y - 0.3 - mu[0] * t)
        )
        return np.exp(along - 2)


class Acoustics(PDE):
    """``∂ₜp = -c ∂ₓv, ∂ₜv = -c ∂ₓp``: two pulses that move apart."""

    n_fields = 2
    parameter_names = ("speed",)
    period = (1.0,)

    def rhs(self, t, field, mu):
        p, v = field.grad[0]
        return -mu[0] * v, -mu[0] * p

    def initial(self, points, mu):
        return self.exact(0.0, points, mu)

    def exact(self, t, points, mu):
        right, left = (
            np.exp(2 * np.cos(2 * np.pi * (points[0] - 0.5 - sign * mu[0] * t)) - 2)
            for sign in (1, -1)
        )
        return right + 0.5 * left, right - 0.5 * left


class DriftAndDecay(PDE):
    parameter_names = ("speed", "diffusivity")
    period = (1.0,)

    def rhs(self, t, field, mu):
        return mu[1] * field.laplacian - mu[0] * field.grad[0]

    def initial(self, points, mu):
        return self.exact(0.0, points, mu)

    def exact(self, t, points, mu):
        decay = np.exp(-mu[1] * (2 * np.pi) ** 2 * t)
        return 1.0 + decay * np.sin(2 * np.pi * (points[0] - mu[0] * t))


def fitted(pde, X, points, dtype=np.float64, **options):
    y = pde.solve(X, TIMES, points).astype(dtype)
    network = CoLoRARegressor(
        times=TIMES, points=points, period=pde.period, **{**OPTIONS, "max_iter": 250, **options}
    )
    model = CoLoRAGalerkin(pde, regressor=network, random_state=0)
    return model.fit(X, y), y


def errors(model, pde, X, points):
    """Of the equation, and of the best fit of the decoder."""
    truth = pde.solve(X, TIMES, points)
    inner = model.regressor_
    manifold = inner.decode(inner.encode(truth))
    return relative_l2_error(truth, model.predict(X)), relative_l2_error(truth, manifold)


SPEEDS, BETWEEN = np.array([[0.2], [0.4], [0.6]]), np.array([[0.3], [0.5]])
SQUARE = (np.arange(16) / 16, np.arange(16) / 16)
LINE = (np.arange(32) / 32,)


def test_two_dimensions():
    model, _ = fitted(Drift(), SPEEDS, SQUARE)
    equation, manifold = errors(model, Drift(), BETWEEN, SQUARE)
    assert model.collocation_.shape[1] == 2
    assert equation < 3 * manifold + 1e-3
    anywhere = np.random.default_rng(0).random((5, 2))
    found = model.predict(BETWEEN, points=anywhere)
    assert found.shape == (2, 11, 5)
    truth = Drift().solve(BETWEEN, TIMES, anywhere)
    assert relative_l2_error(truth, found) < 3 * manifold + 1e-2


def test_two_fields():
    model, _ = fitted(Acoustics(), SPEEDS, LINE, adaptation="diagonal", max_iter=500)
    equation, manifold = errors(model, Acoustics(), BETWEEN, LINE)
    assert model.predict(BETWEEN).shape == (2, 11, 32, 2)
    assert equation < 3 * manifold + 1e-3


def test_snapshots_in_single_precision():
    model, y = fitted(Drift(), SPEEDS, SQUARE, dtype=np.float32)
    single = model.regressor_.predict(BETWEEN)
    assert single.dtype == y.dtype == np.float32
    predicted = model.predict(BETWEEN)
    assert predicted.dtype == np.float32
    # Where integrals are kept to rounding, single precision would lose them.
    model._equation = replace(model._equation, conserve={"mass": lambda u: u.value[0]})
    assert model.predict(BETWEEN).dtype == np.float64
    equation, manifold = errors(model, Drift(), BETWEEN, SQUARE)
    assert equation < 3 * manifold + 1e-3


def test_columns_by_their_names():
    pde = DriftAndDecay()
    X = np.array([[0.2, 0.002], [0.4, 0.002], [0.2, 0.02], [0.4, 0.02], [0.3, 0.006]])
    frame = pd.DataFrame(X, columns=list(pde.parameter_names))
    y = pde.solve(X, TIMES, LINE)
    transform = make_column_transformer(
        (FunctionTransformer(np.log, feature_names_out="one-to-one"), ["diffusivity"]),
        remainder="passthrough",
    )
    network = CoLoRARegressor(times=TIMES, points=LINE, period=1.0, **OPTIONS, max_iter=200)
    model = CoLoRAGalerkin(pde, regressor=make_pipeline(transform, network), random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*feature names")
        model.fit(frame, y)
        new = pd.DataFrame([[0.25, 0.004]], columns=frame.columns)
        predicted = model.predict(new)
        model.regressor_.predict(new)
    assert list(model.feature_names_in_) == list(frame.columns)
    # The transform puts the diffusivity first, in its logarithm.
    np.testing.assert_allclose(model.regressor_[-1]._X[:, 0], np.log(X[:, 1]))
    truth = pde.solve(new.to_numpy(), TIMES, LINE)
    assert relative_l2_error(truth, predicted) < 0.05


def test_a_search_is_a_regressor():
    y = Drift().solve(SPEEDS, TIMES, SQUARE)
    network = CoLoRARegressor(times=TIMES, points=SQUARE, period=1.0, **{**OPTIONS, "max_iter": 20})
    search = GridSearchCV(network, {"width": [6, 8]}, cv=3, scoring="r2")
    model = CoLoRAGalerkin(Drift(), regressor=search, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too little training
        model.fit(SPEEDS, y.reshape(3, -1))
        learnt = model.distill(BETWEEN, max_iter=2)
    assert model.regressor_.best_params_["width"] in (6, 8)
    assert isinstance(learnt, CoLoRARegressor)


def test_an_estimator_that_changes_the_fields_is_refused():
    from sklearn.compose import TransformedTargetRegressor

    network = TransformedTargetRegressor(CoLoRARegressor(times=TIMES, points=SQUARE))
    with pytest.raises(ValueError, match="`regressor` must be a CoLoRARegressor"):
        CoLoRAGalerkin(Drift(), regressor=network).fit(SPEEDS, np.zeros((3, 11, 16, 16)))
