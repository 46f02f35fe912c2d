"""Fourier neural operators of the package `neuraloperator`, as estimators of ``peers.py``.

`neuraloperator <https://github.com/neuraloperator/neuraloperator>`_ (MIT licence) is not a
dependency of this package; ``peers.txt`` names the version.
"""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

BATCH = 8


class Operator(NamedTuple):
    """One setting of an operator."""

    modes: int
    """Fourier modes along each axis, as far as the grid has so many"""
    channels: int
    stride: int
    """Which points of the grid are trained on, along each axis; the operator predicts at all"""
    learning_rate: float
    factorization: str | None = None


SEARCH = (
    Operator(modes=16, channels=32, stride=1, learning_rate=5e-3),
    Operator(modes=16, channels=32, stride=2, learning_rate=5e-3),
    Operator(modes=24, channels=24, stride=2, learning_rate=8e-3),
    Operator(modes=12, channels=16, stride=2, learning_rate=8e-3),
)
"""The settings of which the best one counts; 8e-3 is the rate of neuraloperator's examples."""


class FNORegressor(BaseEstimator):
    """A Fourier neural operator whose training ends after a given time.

    The parameters, scaled to [-1, 1], are constant input channels.  The training is that of the
    examples of the package: AdamW with a cosine schedule on the relative error of each snapshot.

    Parameters
    ----------
    times : ndarray or None
        None: steady fields.
    points : ndarray or tuple of ndarray
        A tuple of axes, or the points of a line.
    period : float, tuple or None
        Without a period the fields are padded, as the package recommends.
    n_fields : int
    seconds : float
        Time limit of the training.
    setting : Operator
    stepwise : bool
        False: the operator maps parameters and time to the field.  True: it maps the parameters and
        the field at one time to the field at the next time, from the first field, which it must be
        given.
    seed : int
    """

    def __init__(
        self,
        times: Any,
        points: Any,
        period: Any,
        n_fields: int,
        seconds: float,
        setting: Operator,
        stepwise: bool,
        seed: int,
    ) -> None:
        self.times = times
        self.points = points
        self.period = period
        self.n_fields = n_fields
        self.seconds = seconds
        self.setting = setting
        self.stepwise = stepwise
        self.seed = seed

    @property
    def needs_first_field(self) -> bool:
        return self.stepwise

    @property
    def n_weights_(self) -> int:
        return sum(p.numel() for p in self._model.parameters())

    def fit(self, X: np.ndarray, y: np.ndarray) -> FNORegressor:
        from neuralop.losses import LpLoss
        from neuralop.models import FNO

        # The first optimiser imports the compiler of PyTorch, which is no part of the training.
        torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
        started = time.perf_counter()
        torch.manual_seed(self.seed)
        axes = self.points if isinstance(self.points, tuple) else (np.ravel(self.points),)
        self._shape = y.shape[1:]
        self._n_times = 1 if self.times is None else len(self.times)
        grid = tuple(len(axis) for axis in axes)
        fields = y.reshape(len(X), self._n_times, *grid, self.n_fields)
        over = tuple(range(fields.ndim - 1))
        self._mean, self._std = fields.mean(axis=over), fields.std(axis=over)
        self._std = np.where(self._std > 0, self._std, 1.0)
        self._low, self._high = X.min(axis=0), X.max(axis=0)
        u = self._channels(fields)
        inputs = self._inputs(X)
        if self.stepwise:
            u, target = u[:, :-1], u[:, 1:]
            inputs = inputs[:, :-1]
            constants, before = inputs.flatten(0, 1), u.flatten(0, 1)
        else:
            target, before = u, None
            constants = inputs.flatten(0, 1)
        target = target.flatten(0, 1)
        stride = min(self.setting.stride, min(grid) // 16 or 1)
        coarse = (slice(None), slice(None), *[slice(None, None, stride)] * len(grid))
        target = target[coarse]
        before = None if before is None else before[coarse]
        periodic = np.broadcast_to(np.array(self.period, dtype=object), len(grid))
        padding = None if all(p is not None for p in periodic) else 0.125
        self._model = FNO(
            n_modes=tuple(min(self.setting.modes, n // stride) for n in grid),
            in_channels=constants.shape[1] + (self.n_fields if self.stepwise else 0),
            out_channels=self.n_fields,
            hidden_channels=self.setting.channels,
            domain_padding=padding,
            factorization=self.setting.factorization,
            rank=0.42 if self.setting.factorization else 1.0,
        )
        optimizer = torch.optim.AdamW(self._model.parameters(), weight_decay=1e-4)
        loss = LpLoss(d=len(grid), p=2)
        share = 0.0
        while share < 1.0:
            for batch in torch.randperm(len(target)).split(BATCH):
                rate = self.setting.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
                optimizer.param_groups[0]["lr"] = rate
                optimizer.zero_grad()
                field = None if before is None else before[batch]
                predicted = self._apply(constants[batch], field, target.shape[2:])
                loss(predicted, target[batch]).backward()
                optimizer.step()
                share = (time.perf_counter() - started) / self.seconds
                if share >= 1.0:
                    break
        self._grid = grid
        return self

    @torch.no_grad()
    def predict(self, X: np.ndarray, first: np.ndarray | None = None) -> np.ndarray:
        """The fields; ``first`` are those at the first time, if they are needed."""
        inputs = self._inputs(X)
        if first is None:
            parts = [self._apply(part, None, self._grid) for part in inputs.flatten(0, 1).split(16)]
            u = torch.cat(parts).unflatten(0, inputs.shape[:2])
        else:
            fields = [self._channels(first.reshape(len(X), 1, *self._grid, self.n_fields))[:, 0]]
            for constants in inputs[:, :-1].unbind(1):
                fields.append(self._apply(constants, fields[-1], self._grid))
            u = torch.stack(fields, 1)
        values = u.movedim(2, -1).double().numpy() * self._std + self._mean
        return values.reshape(len(X), *self._shape)

    def _channels(self, fields: np.ndarray) -> Tensor:
        """Scaled fields, (n_trajectories, n_times, n_fields, *grid)."""
        scaled = ((fields - self._mean) / self._std).astype(np.float32)
        return torch.from_numpy(scaled).movedim(-1, 2)

    def _inputs(self, X: np.ndarray) -> Tensor:
        """Scaled parameters and times, (n_trajectories, n_times, n_parameters + 1)."""
        scaled = 2 * (X - self._low) / (self._high - self._low) - 1
        times = np.linspace(-1.0, 1.0, self._n_times)
        rows = np.repeat(scaled[:, None], self._n_times, axis=1)
        each = np.broadcast_to(times[:, None], (*rows.shape[:2], 1))
        return torch.from_numpy(np.concatenate([rows, each], -1).astype(np.float32))

    def _apply(self, constants: Tensor, field: Tensor | None, grid: Any) -> Tensor:
        channels = constants.reshape(*constants.shape, *[1] * len(grid)).expand(-1, -1, *grid)
        out: Tensor = self._model(channels if field is None else torch.cat([channels, field], 1))
        return out
