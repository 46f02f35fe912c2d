"""The best weights of a training so far."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel


class Best:
    """Best weights so far, by an error that is always computed on the same sample."""

    # Largest number of evaluations after the last step: of the last weights, of the best weights
    # in float64, and of the returned model.
    N_LAST = 3

    def __init__(
        self, model: CoLoRAModel, evaluate: Callable[[], float], target_error: float
    ) -> None:
        self.model, self._evaluate, self._target_error = model, evaluate, target_error
        self._weights = self._copy()
        self.error = math.inf
        self.duration = 0.0
        """Seconds of the last evaluation with its copy of the weights"""

    @property
    def good_enough(self) -> bool:
        """Whether the error has reached its target."""
        return self.error <= self._target_error

    def _copy(self) -> list[Tensor]:
        return [p.detach().clone() for p in self.model.parameters()]

    def update(self) -> float:
        """Evaluate the error, and keep a copy of the weights if it is the smallest one."""
        start = time.perf_counter()
        error = self._evaluate()
        if error < self.error:
            self.error, self._weights = error, self._copy()
        self.duration = time.perf_counter() - start
        return error

    @torch.no_grad()
    def restore(self) -> None:
        """Set the weights of the model to the best ones."""
        for parameter, best in zip(self.model.parameters(), self._weights, strict=True):
            parameter.copy_(best)

    def copied(self) -> CoLoRAModel:
        """A copy of the model with the best weights."""
        out = copy.deepcopy(self.model)
        with torch.no_grad():
            for parameter, best in zip(out.parameters(), self._weights, strict=True):
                parameter.copy_(best)
        return out.requires_grad_(False)

    def finish(self, *, last: bool = False) -> None:
        """Restore the best weights at the end of a phase, and judge them in float64.

        With ``last``, the last weights are the best ones from now on, if their error is finite.
        """
        single = next(self.model.parameters()).dtype != torch.float64
        error = self.update()
        kept = last and math.isfinite(error)
        if not kept:
            self.restore()
        self.model.to(torch.float64)
        if kept or single:
            self.error = math.inf
            self.update()

    def state(self) -> dict[str, Any]:
        """What `resume` needs."""
        return {"error": self.error, "weights": self._weights, "current": self._copy()}

    @torch.no_grad()
    def resume(self, state: dict[str, Any]) -> None:
        """Go on with a state, in the precision in which it was taken."""
        self.error, self._weights = state["error"], state["weights"]
        for parameter, current in zip(self.model.parameters(), state["current"], strict=True):
            parameter.copy_(current)
