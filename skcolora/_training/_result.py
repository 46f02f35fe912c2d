"""The result of a training, and what there is to say about it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skcolora.utils._stack import caller_stacklevel


@dataclass
class TrainingResult:
    """Result of the training besides the weights."""

    losses: list[Tensor] = field(default_factory=list)
    """Sampled relative error of each step, kept on the device so that no step waits for it."""
    error: float = math.inf
    """Relative error of the returned model on a fixed sample, in the precision of the model."""
    n_setbacks: int = 0
    """Number of times that the best weights were restored because the error had risen."""
    interrupted: bool = False

    def state(self) -> dict[str, Any]:
        """What `resume` needs."""
        losses = torch.tensor(self.loss_curve, dtype=torch.float64)
        return {"losses": losses, "n_setbacks": self.n_setbacks}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with the losses of a state."""
        self.losses, self.n_setbacks = list(state["losses"]), state["n_setbacks"]

    @property
    def loss_curve(self) -> list[float]:
        """Losses as floats."""
        return torch.stack(self.losses).tolist() if self.losses else []


def warn_of_target(result: TrainingResult, target_error: float) -> None:
    """Warn if a training that was not interrupted ended above ``target_error``."""
    if result.error > target_error > 0 and not result.interrupted:
        warnings.warn(
            f"Training ended at a relative error of {result.error:.2g}, above target_error="
            f"{target_error:g}, after {len(result.losses)} steps; raise `max_iter` or `max_time`.",
            ConvergenceWarning,
            stacklevel=caller_stacklevel(),
        )
