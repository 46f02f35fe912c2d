"""A trained network and hypernetwork with their training inputs and layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from skcolora._nn import CoLoRANetwork, Hypernetwork, evaluate_latent
from skcolora._snapshots import Array, SnapshotLayout, Units, rows_among
from skcolora.utils._torch import any_weight, as_tensor


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network and its hypernetwork, on the CPU, with the layout of the training snapshots.

    The *parameters* of a trajectory are those of the equation.  Transformers in front of the
    regressor map them to the *inputs* of the hypernetwork.
    """

    network: CoLoRANetwork
    """Network û in float64"""
    units: Units
    hypernetwork: Hypernetwork
    """Hypernetwork h in the precision of the fitted regressor"""
    layout: SnapshotLayout
    inputs: Array
    """Training inputs, (n, n_inputs)"""
    transform: Callable[[Array], Array]
    """Map from parameters (n, n_parameters) to inputs (n, n_inputs)"""

    def latent(self, inputs: Array, times: Array) -> Tensor:
        """Latent states h at inputs (n, n_inputs) and times, (n, n_times, n_latent) in float64."""
        rows = as_tensor(self.units.inputs(inputs, times)).to(any_weight(self.hypernetwork))
        return evaluate_latent(self.hypernetwork, rows).double()

    @cached_property
    def states(self) -> Tensor:
        """Latent states at the training inputs and times, (n_states, n_latent)."""
        return self.latent(self.inputs, self.layout.times).flatten(0, 1)

    def was_trained_on(self, inputs: Array) -> NDArray[np.bool_]:
        """Mask (n,) of the rows of inputs that are training inputs."""
        return rows_among(inputs, self.inputs)
