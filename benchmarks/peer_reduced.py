"""Reduced models of other packages on POD coefficients, as estimators of ``peers.py``.

`pyMOR <https://pymor.org>`_ (BSD), `opinf <https://willcox-research-group.github.io/rom-operator-
inference-Python3>`_ (MIT), `PyDMD <https://pydmd.github.io/PyDMD>`_ (MIT) and `EZyRB
<https://mathlab.github.io/EZyRB>`_ (MIT) are not dependencies of this package; ``peers.txt`` names
their versions.

Each estimator takes the number of modes and works on scaled snapshots (`PODCoefficients`), which
these packages leave to their users.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA


class PODCoefficients:
    """POD of scaled snapshots, and parameters scaled to [0, 1].

    Parameters
    ----------
    X : ndarray of shape (n_trajectories, n_parameters)
    y : ndarray of shape (n_trajectories, ...)
    n_times, n_fields, n_modes : int
    """

    def __init__(
        self, X: np.ndarray, y: np.ndarray, n_times: int, n_fields: int, n_modes: int
    ) -> None:
        fields = y.reshape(-1, n_fields).astype(np.float64)
        self._mean, self._std = fields.mean(axis=0), fields.std(axis=0)
        self._std[self._std == 0] = 1.0
        rows = ((fields - self._mean) / self._std).reshape(len(X) * n_times, -1)
        self._pod = PCA(min(n_modes, *rows.shape), svd_solver="full").fit(rows)
        self.values = self._pod.transform(rows).reshape(len(X), n_times, -1)
        """(n_trajectories, n_times, n_modes)"""
        self._low, self._range = X.min(axis=0), np.ptp(X, axis=0)
        self._range[self._range == 0] = 1.0
        self._shape, self._n_times = y.shape[1:], n_times

    def scale(self, X: np.ndarray) -> np.ndarray:
        return (X - self._low) / self._range

    def reduce(self, first: np.ndarray) -> np.ndarray:
        """Coefficients, (n, n_modes), of the fields at one time."""
        scaled = (first.reshape(-1, len(self._mean)) - self._mean) / self._std
        return self._pod.transform(scaled.reshape(len(first), -1))

    def fields(self, values: np.ndarray) -> np.ndarray:
        """Fields in the shape of y for coefficients (n, n_times, n_modes)."""
        rows = self._pod.inverse_transform(values.reshape(-1, values.shape[-1]))
        fields = rows.reshape(-1, len(self._mean)) * self._std + self._mean
        return fields.reshape(len(values), *self._shape)


class ReducedRegressor(BaseEstimator):
    """What the estimators of this file share; a subclass fits and predicts the coefficients.

    Parameters
    ----------
    times : ndarray or None
        None: steady fields.
    n_fields, n_modes : int
    """

    needs_first_field = False

    def __init__(self, times: Any, n_fields: int, n_modes: int) -> None:
        self.times = times
        self.n_fields = n_fields
        self.n_modes = n_modes

    def fit(self, X: np.ndarray, y: np.ndarray) -> ReducedRegressor:
        n_times = 1 if self.times is None else len(self.times)
        self._pod = PODCoefficients(X, y, n_times, self.n_fields, self.n_modes)
        self._fit(self._pod.scale(X), self._pod.values)
        return self

    def predict(self, X: np.ndarray, first: np.ndarray | None = None) -> np.ndarray:
        starts = None if first is None else self._pod.reduce(first)
        return self._pod.fields(self._predict(self._pod.scale(X), starts))

    def _inputs(self, X: np.ndarray) -> np.ndarray:
        """Rows (μ, t), one for each snapshot, with the times scaled to [0, 1]; μ if steady."""
        if self.times is None:
            return X
        times = (self.times - self.times[0]) / (self.times[-1] - self.times[0])
        return np.column_stack([np.repeat(X, len(times), axis=0), np.tile(times, len(X))])

    def _fit(self, X: np.ndarray, values: np.ndarray) -> None:
        """Fit the coefficients (n_trajectories, n_times, n_modes) at scaled parameters."""
        raise NotImplementedError

    def _predict(self, X: np.ndarray, starts: np.ndarray | None) -> np.ndarray:
        """Coefficients at scaled parameters; ``starts`` are those of the first fields, or None."""
        raise NotImplementedError


class PyMORRegressor(ReducedRegressor):
    """pyMOR's data-driven reductor with its greedy kernel regression, time as another input.

    The kernel and the scaling of inputs and outputs are those of pyMOR's demo, with ten times as
    many centres.
    """

    MAX_CENTRES = 300

    def _fit(self, X: np.ndarray, values: np.ndarray) -> None:
        from pymor.algorithms.ml.vkoga import GaussianKernel, VKOGARegressor
        from pymor.core.logger import set_log_levels
        from pymor.parameters.base import Parameters
        from pymor.reductors.data_driven import DataDrivenReductor
        from sklearn.preprocessing import MinMaxScaler

        set_log_levels({"pymor": "ERROR"})
        self._parameters = Parameters(mu=X.shape[1])
        regressor = VKOGARegressor(GaussianKernel(length_scale=1.0), max_centers=self.MAX_CENTRES)
        steady = self.times is None
        self._model = DataDrivenReductor(
            [self._parameters.parse(row) for row in X],
            values.reshape(-1, values.shape[-1]),
            regressor=regressor,
            T=None if steady else 1.0,
            input_scaler=MinMaxScaler(),
            output_scaler=MinMaxScaler(),
        ).reduce()

    def _predict(self, X: np.ndarray, starts: np.ndarray | None) -> np.ndarray:
        solutions = [self._model.solve(self._parameters.parse(row)) for row in X]
        return np.stack([solution.to_numpy().T for solution in solutions])


class OpInfRegressor(ReducedRegressor):
    """Operator inference: a constant, linear and quadratic ordinary differential equation.

    The operators are interpolated between the training parameters.  The regularisation is the best
    of `REGULARISATIONS` at the training trajectories, as in the tutorials of the package.
    """

    needs_first_field = True
    REGULARISATIONS = (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4)

    def _fit(self, X: np.ndarray, values: np.ndarray) -> None:
        import opinf

        states = [each.T for each in values]
        rates = [opinf.ddt.ddt_nonuniform(each, self.times) for each in states]
        parameters = X[:, 0] if X.shape[1] == 1 else X
        best = np.inf
        for regularisation in self.REGULARISATIONS:
            model = opinf.models.InterpContinuousModel(
                "cAH", solver=opinf.lstsq.L2Solver(regularisation)
            )
            model.fit(parameters, states, rates)
            solved = self._solve(model, X, values[:, 0])
            misfit = np.linalg.norm(solved - values)
            if misfit < best:
                best, self._model = misfit, model

    def _predict(self, X: np.ndarray, starts: np.ndarray | None) -> np.ndarray:
        return self._solve(self._model, X, starts)

    def _solve(self, model: Any, X: np.ndarray, starts: Any) -> np.ndarray:
        out = np.full((len(X), len(self.times), starts.shape[1]), np.nan)
        for row, start, values in zip(X, starts, out, strict=True):
            parameter = row[0] if len(row) == 1 else row
            solved = model.predict(parameter, start, self.times, method="LSODA")
            values[: solved.shape[1]] = solved.T
        # Where the equation has no solution until the end, the last state stays.
        return np.where(np.isfinite(out), out, starts[:, None])


class PyDMDRegressor(ReducedRegressor):
    """PyDMD's parametric dynamic mode decomposition, monolithic, between parameters by splines."""

    def _fit(self, X: np.ndarray, values: np.ndarray) -> None:
        from ezyrb import RBF
        from pydmd import DMD, ParametricDMD

        class Identity:
            """The coefficients are those of the POD already."""

            def fit(self, snapshots: np.ndarray) -> Identity:
                return self

            def reduce(self, snapshots: np.ndarray) -> np.ndarray:
                return snapshots

            expand = reduce

        self._model = ParametricDMD(DMD(svd_rank=-1), Identity(), RBF())
        self._model.fit(values.transpose(0, 2, 1), X)

    def _predict(self, X: np.ndarray, starts: np.ndarray | None) -> np.ndarray:
        self._model.parameters = X
        return np.real(self._model.reconstructed_data).transpose(0, 2, 1)


class EZyRBRegressor(ReducedRegressor):
    """EZyRB's regressions of the POD coefficients, time as another input.

    Parameters
    ----------
    times, n_fields, n_modes
        As in `ReducedRegressor`.
    regression : {"GPR", "ANN"}
    """

    def __init__(self, times: Any, n_fields: int, n_modes: int, regression: str) -> None:
        super().__init__(times, n_fields, n_modes)
        self.regression = regression

    def _fit(self, X: np.ndarray, values: np.ndarray) -> None:
        import ezyrb
        from torch import nn

        rows = values.reshape(-1, values.shape[-1])
        self._size = np.abs(rows).max(axis=0)
        if self.regression == "GPR":
            self._model = ezyrb.GPR()
        else:
            # The layers, activation and stopping of the tutorials of the package.
            self._model = ezyrb.ANN([30, 30], nn.Tanh(), [20000, 1e-6], frequency_print=10**9)
        self._model.fit(self._inputs(X), rows / self._size)

    def _predict(self, X: np.ndarray, starts: np.ndarray | None) -> np.ndarray:
        rows = np.asarray(self._model.predict(self._inputs(X)))
        return (rows * self._size).reshape(len(X), -1, rows.shape[-1])
