"""The latent states of a `CoLoRARegressor`: along trajectories, to fields and from fields."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skcolora._estimators._base import SnapshotRegressor
from skcolora._nn import CoLoRAModel, CoLoRANetwork, Hypernetwork, decode_rows, evaluate_latent
from skcolora._snapshots import Array, SnapshotLayout, Units, as_real_floats, validate_parameters
from skcolora._training import encode_fields
from skcolora.utils._torch import (
    any_weight,
    as_tensor,
    resolve_device,
    with_default_torch_settings,
)


class LatentStates(SnapshotRegressor):
    """A regressor with a network û(x; φ) and a hypernetwork φ = h(μ, t), both fitted."""

    network_: CoLoRANetwork
    hypernetwork_: Hypernetwork
    n_latent_: int
    n_weights_: int
    loss_curve_: list[float]
    n_iter_: int
    best_loss_: float
    device: str
    _units: Units
    _X: Array

    @with_default_torch_settings
    def predict_latent(self, X: ArrayLike, *, times: ArrayLike | None = None) -> Array:
        """Latent states φ = h(μ, t) along the trajectories.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing times.  None: the times of ``fit``.

        Returns
        -------
        latent : ndarray of shape (n_trajectories, n_times, n_latent)
            Online weights, layer by layer.
        """
        X = validate_parameters(self, X)
        latent = self._latent(X, self._layout.at(times, None).times)
        return np.asarray(latent.cpu().numpy())

    @with_default_torch_settings
    def decode(self, latent: ArrayLike, *, points: Any = None) -> Array:
        """Fields of given latent states.

        Parameters
        ----------
        latent : array-like of shape (n_trajectories, n_times, n_latent)
            Online weights, as `predict_latent` and `encode` give them.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or a tensor grid.  None: the points of ``fit``.

        Returns
        -------
        y : ndarray
            Fields in the layout that ``fit`` was given.
        """
        check_is_fitted(self)
        states = as_real_floats(latent, "latent")
        if states.ndim != 3 or states.shape[2] != self.n_latent_:
            raise ValueError(
                f"`latent` has shape {states.shape}; expected (n_trajectories, n_times, "
                f"{self.n_latent_})."
            )
        layout = self._layout.at_numbers(np.arange(float(states.shape[1])), points)
        latent_ = as_tensor(states).to(any_weight(self._on_device()[0]))
        rows = self._evaluate(latent_, layout)
        return layout.from_rows(rows)

    @with_default_torch_settings
    def encode(self, y: ArrayLike) -> Array:
        """Latent states whose fields are nearest to given snapshots.

        Solves ``min ‖û(·; φ) - u‖`` for each snapshot separately, by the Levenberg–Marquardt
        method in float64, starting from the nearest training state.

        Parameters
        ----------
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots at the points of ``fit``, in its layout; n_times may differ.

        Returns
        -------
        latent : ndarray of shape (n_trajectories, n_times, n_latent)
            Online weights, in the precision of the fitted network.
        """
        check_is_fitted(self)
        rows = self._layout.check_rows(y)
        network, _ = self._on_device()
        dtype = any_weight(network).dtype
        candidates = self._latent(self._X, self._layout.times).flatten(0, 1).double()
        if len(candidates) > 512:
            spread = torch.linspace(0, len(candidates) - 1, 512).long()
            candidates = candidates[spread.to(candidates.device)]
        latent = encode_fields(
            copy.deepcopy(network).double(),
            as_tensor(self._units.coordinates(self._layout.grid.points)).to(candidates),
            as_tensor(self._units.fields.apply(rows)).flatten(0, 1).to(candidates),
            candidates,
        )
        return np.asarray(latent.to(dtype).reshape(*rows.shape[:2], -1).cpu().numpy())

    def _on_device(self) -> tuple[CoLoRANetwork, Hypernetwork]:
        """The networks, or copies, on the device that ``device`` means on this machine."""
        device = resolve_device(self.device)
        network, hypernetwork = self.network_, self.hypernetwork_
        if any_weight(network).device == device:
            return network, hypernetwork
        # `predict` does not change the estimator, which other threads may be using.
        return copy.deepcopy(network).to(device), copy.deepcopy(hypernetwork).to(device)

    def _latent(self, X: Array, times: Array) -> Tensor:
        """(n_trajectories, n_times, n_latent)"""
        _, hypernetwork = self._on_device()
        inputs = as_tensor(self._units.inputs(X, times)).to(any_weight(hypernetwork))
        return evaluate_latent(hypernetwork, inputs)

    def _evaluate(self, latent: Tensor, layout: SnapshotLayout) -> Array:
        """Rows of fields."""
        return decode_rows(self._on_device()[0], self._units, latent, layout)

    def __getstate__(self) -> dict[str, Any]:
        """Pickled networks are on the CPU, so that any machine can load them."""
        state: dict[str, Any] = super().__getstate__()
        for name in ("network_", "hypernetwork_"):
            if name in state and next(state[name].parameters()).device.type != "cpu":
                state[name] = copy.deepcopy(state[name]).cpu()
        return state

    def _set_model(self, model: CoLoRAModel) -> None:
        model.requires_grad_(False)
        self.network_, self.hypernetwork_ = model.network, model.hypernetwork
        self.n_latent_ = self.network_.n_latent
        self.n_weights_ = sum(p.numel() for p in model.parameters())

    def _set_history(self, loss_curve: list[float], error: float) -> None:
        self.loss_curve_, self.n_iter_, self.best_loss_ = loss_curve, len(loss_curve), error
