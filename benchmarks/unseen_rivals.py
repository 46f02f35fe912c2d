"""The simple rivals of ``unseen.py``: interpolation of the snapshots, POD, and EZyRB's POD + RBF.

EZyRB (https://github.com/mathLab/EZyRB, MIT licence) is not a dependency of this package:
``pip install ezyrb``, version 1.3 or later, adds its rivals to the benchmark.
"""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcolora import ParameterInterpolator, PODRegressor

RANKS = (5, 10, 20, 40)
LOGARITHM = ", of log μ"
EZYRB = {"EZyRB, (μ, t)": True, "EZyRB, trajectories": False}


def rivals_of(X: np.ndarray, X_new: np.ndarray, n_snapshots: int, n_values: int) -> list[str]:
    """The names of all rivals that suit the samples.

    Parameters
    ----------
    X, X_new : ndarray of shape (n, n_parameters)
        Parameters to train on and to predict at.
    n_snapshots, n_values : int
        Number of training snapshots, and of the values of one.
    """
    methods = ("polynomial", "spline", "linear") if X.shape[1] == 1 else ("rbf",)
    names = [f"interpolation, {method}" for method in methods]
    if positive(X, X_new).any():
        names += [name + LOGARITHM for name in names]
    names += [f"POD, {rank} modes" for rank in RANKS if rank < min(n_snapshots, n_values)]
    if has_ezyrb():
        # A steady field has no time.
        names += [name for name, in_time in EZYRB.items() if n_snapshots > len(X) or not in_time]
    return names


def has_ezyrb() -> bool:
    return importlib.util.find_spec("ezyrb") is not None


def positive(X: np.ndarray, X_new: np.ndarray) -> np.ndarray:
    """Which parameters are positive, so that they have a logarithm."""
    return (X > 0).all(axis=0) & (X_new > 0).all(axis=0)


def make_rival(name: str, grid: dict[str, Any], n_fields: int, logarithmic: np.ndarray) -> Any:
    """The estimator of a name from `rivals_of`; some take the logarithm of marked parameters."""
    if name in EZYRB:
        return EzyrbRegressor(times=grid["times"], n_fields=n_fields, time_is_input=EZYRB[name])
    kind, setting = name.removesuffix(LOGARITHM).split(", ")
    if kind == "POD":
        return PODRegressor(**grid, n_components=int(setting.split()[0]))
    model = ParameterInterpolator(**grid, method=setting)
    if name.endswith(LOGARITHM):
        return make_pipeline(FunctionTransformer(partial(some_logarithms, logarithmic)), model)
    return model


def some_logarithms(chosen: np.ndarray, X: np.ndarray) -> np.ndarray:
    return np.where(chosen, np.log(np.where(chosen, X, 1.0)), X)


class EzyrbRegressor(BaseEstimator):
    """EZyRB's reduced-order model, POD without truncation and thin-plate splines, both defaults.

    Parameters and times are scaled to [0, 1], and fields to mean 0 and standard deviation 1, which
    EZyRB leaves to its user.

    Parameters
    ----------
    times : ndarray or None
        None: steady fields.
    n_fields : int
        Length of the last axis of y, or 1 where that axis is not one of fields.
    time_is_input : bool
        True: each snapshot is a sample, with its time as another parameter.  False: each
        trajectory is one.
    """

    def __init__(self, times: Any, n_fields: int, time_is_input: bool) -> None:
        self.times = times
        self.n_fields = n_fields
        self.time_is_input = time_is_input

    def fit(self, X: np.ndarray, y: np.ndarray) -> EzyrbRegressor:
        from ezyrb import POD, RBF, Database, ReducedOrderModel

        fields = y.reshape(-1, self.n_fields).astype(np.float64)
        self._mean, self._std = fields.mean(axis=0), fields.std(axis=0)
        self._std[self._std == 0] = 1.0
        self._low, self._range = X.min(axis=0), np.ptp(X, axis=0)
        self._range[self._range == 0] = 1.0
        self._shape = y.shape[1:]
        inputs = self._inputs(X)
        samples = ((fields - self._mean) / self._std).reshape(len(inputs), -1)
        self._model = ReducedOrderModel(Database(inputs, samples), POD(), RBF()).fit()
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        predicted = self._model.predict(self._inputs(X))
        predicted = getattr(predicted, "snapshots_matrix", predicted)
        fields = np.reshape(predicted, (-1, self.n_fields)) * self._std + self._mean
        return fields.reshape(len(X), *self._shape)

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        """A row for each sample."""
        scaled = (X - self._low) / self._range
        if self.times is None or not self.time_is_input:
            return scaled
        times = (self.times - self.times[0]) / (self.times[-1] - self.times[0])
        return np.column_stack([np.repeat(scaled, len(times), axis=0), np.tile(times, len(scaled))])
