"""A trained network and hypernetwork with their training inputs and layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skcolora._nn import CoLoRAModel, CoLoRANetwork, Hypernetwork, evaluate_latent, free_output
from skcolora._snapshots import Array, SnapshotLayout, Units, rows_among
from skcolora.utils._torch import any_weight, as_tensor

# Step of differences in time, relative to the last time of the snapshots.
_RATE_STEP = 1e-4


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

    def moving(self, inputs: Array, times: Array) -> tuple[Tensor, Tensor]:
        """Latent states and their rates at inputs (n, n_inputs) and times (n_times,).

        The rates, by central differences of h in time, have the shape of the states,
        (n, n_times, n_latent).  Near time 0 they are one-sided.
        """
        step = _RATE_STEP * float(self.layout.times[-1])
        first, last = np.maximum(times - step, 0.0), times + step
        change = self.latent(inputs, last) - self.latent(inputs, first)
        return self.latent(inputs, times), change / as_tensor(last - first)[:, None]

    @cached_property
    def states(self) -> Tensor:
        """Latent states at the training inputs and times, (n_states, n_latent)."""
        return self.latent(self.inputs, self.layout.times).flatten(0, 1)

    def with_free_output(self) -> TrainedModel:
        """The same model with all weights of the last layer among the online weights."""
        network, hypernetwork = free_output(self.network, self.hypernetwork)
        network.mute(~self.units.fields.varies)
        return replace(self, network=network, hypernetwork=hypernetwork)

    def was_trained_on(self, inputs: Array) -> NDArray[np.bool_]:
        """Mask (n,) of the rows of inputs that are training inputs."""
        return rows_among(inputs, self.inputs)


@torch.no_grad()
def same_weights(networks: CoLoRAModel, model: TrainedModel) -> bool:
    """Whether networks have the weights of a model."""
    weights = [*model.network.parameters(), *model.hypernetwork.parameters()]
    return all(
        torch.equal(mine, theirs.to(mine))
        for mine, theirs in zip(networks.parameters(), weights, strict=True)
    )
