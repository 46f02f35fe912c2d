"""EZyRB's autoencoder with splines of its latent coordinates, as an estimator of ``peers.py``."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from typing import Any

import numpy as np
import torch
from peer_reduced import ReducedRegressor


class AutoencoderRegressor(ReducedRegressor):
    """Dense encoder and decoder, and radial basis functions of parameters and time.

    The network sees the coefficients of all POD modes, which are the snapshots without loss in
    another basis and with far fewer entries.  Layers and activation are those of the tutorials of
    EZyRB.  Its trainer counts epochs; a few are timed, and then as many are run as the time allows.

    Parameters
    ----------
    times : ndarray or None
        None: steady fields.
    n_fields, n_latent : int
    seconds : float
        Time limit of the training.
    seed : int
    """

    TIMED_EPOCHS = 20

    def __init__(self, times: Any, n_fields: int, n_latent: int, seconds: float, seed: int) -> None:
        super().__init__(times, n_fields, n_modes=sys.maxsize)
        self.n_latent = n_latent
        self.seconds = seconds
        self.seed = seed

    def _fit(self, X: np.ndarray, values: np.ndarray) -> None:
        import ezyrb

        # The first optimiser imports the compiler of PyTorch, which is no part of the training.
        torch.optim.Adam([torch.zeros(1, requires_grad=True)])
        started = time.perf_counter()
        torch.manual_seed(self.seed)
        rows = values.reshape(-1, values.shape[-1])
        self._size = rows.std()
        # The first run also sets up what the others use.
        self._trained(rows, self.TIMED_EPOCHS)
        begun = time.perf_counter()
        self._trained(rows, self.TIMED_EPOCHS)
        epoch = (time.perf_counter() - begun) / self.TIMED_EPOCHS
        left = self.seconds - (time.perf_counter() - started)
        self._model = self._trained(rows, max(1, int(left / epoch)))
        self._coordinates = ezyrb.RBF()
        self._coordinates.fit(self._inputs(X), self._model.reduce((rows / self._size).T).T)

    def _trained(self, rows: np.ndarray, n_epochs: int) -> Any:
        import ezyrb
        from torch import nn

        model = ezyrb.AE(
            [200, 100, self.n_latent],
            [self.n_latent, 100, 200],
            nn.Tanh(),
            nn.Tanh(),
            n_epochs,
            frequency_print=10**9,
        )
        with contextlib.redirect_stdout(io.StringIO()):
            model.fit((rows / self._size).T)
        return model

    @property
    def n_weights_(self) -> int:
        networks = (self._model.encoder, self._model.decoder)
        return sum(p.numel() for net in networks for p in net.parameters())

    def _predict(self, X: np.ndarray, starts: np.ndarray | None) -> np.ndarray:
        latent = np.asarray(self._coordinates.predict(self._inputs(X)))
        rows = self._model.expand(latent.T).T * self._size
        return rows.reshape(len(X), -1, rows.shape[-1])
