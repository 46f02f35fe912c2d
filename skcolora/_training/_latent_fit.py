"""Fit of a hypernetwork to given latent states."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch
from torch import Tensor, nn

from skcolora._nn import Hypernetwork
from skcolora._training._levenberg_marquardt import levenberg_marquardt
from skcolora.utils._deadline import Deadline

# Relative decrease of the squared misfit below which the fit ends.
_SMALL_GAIN = 1e-4
# Smallest damping scale of a weight relative to the largest one, for weights that hardly change
# the latent states.
_MIN_SCALE = 1e-6


@torch.no_grad()
def fit_latent(
    hypernetwork: Hypernetwork,
    inputs: Tensor,
    targets: Tensor,
    metric: Tensor,
    *,
    max_iter: int = 200,
    deadline: Deadline | None = None,
) -> list[float]:
    """Minimise ``Σ ‖R (h(μ, t) - φ)‖²`` over the weights of h.

    The hypernetwork is small, so the Jacobian of all states fits into memory.  Second-order steps
    then reach in about a hundred iterations an error that first-order training does not reach.

    Parameters
    ----------
    hypernetwork : Hypernetwork
        Hypernetwork in float64; its weights are changed in place.
    inputs : Tensor of shape (n_states, n_parameters + 1)
    targets : Tensor of shape (n_states, n_latent)
    metric : Tensor of shape (n_states, n_latent, n_latent)
        Matrix R of each state: ‖R δ‖ is the change of the field for a change δ of the state.
    max_iter : int
        Maximal number of steps, including rejected steps.
    deadline : Deadline, optional
        Time limit of the fit.

    Returns
    -------
    errors : list of float
        Root mean square of ``‖R (h - φ)‖`` at the start and after each iteration.
    """
    problem = _LatentFit(hypernetwork, list(hypernetwork.parameters()), inputs, targets, metric)
    start = torch.cat([p.flatten() for p in problem.parameters])[None]
    if deadline is not None and deadline.limited and deadline.remaining < problem.step_seconds():
        max_iter = 0
    solution = levenberg_marquardt(
        problem,
        start,
        max_iter=max_iter,
        tol=_SMALL_GAIN,
        damping=1e-2,
        max_damping=1e8,
        min_scale=_MIN_SCALE,
        deadline=deadline,
    )
    problem.set_weights(solution.x)
    return [(float(squared) / len(inputs)) ** 0.5 for squared in solution.history]


class _LatentFit(NamedTuple):
    """Misfit of all latent states, as one `LeastSquaresProblem` for all weights."""

    hypernetwork: Hypernetwork
    parameters: list[nn.Parameter]
    inputs: Tensor
    targets: Tensor
    metric: Tensor

    def set_weights(self, weights: Tensor) -> None:
        """Set the weights of the hypernetwork, given as an array (1, n_weights)."""
        parts = weights[0].split([p.numel() for p in self.parameters])
        for parameter, part in zip(self.parameters, parts, strict=True):
            parameter.copy_(part.view_as(parameter))

    def step_seconds(self) -> float:
        """Estimated seconds of a step, from those of a QR decomposition with few rows."""
        n = sum(p.numel() for p in self.parameters)
        n_few = max(n // 4, 1)
        few = self.targets.new_ones(n_few, n)
        started = time.perf_counter()
        torch.linalg.qr(few, mode="r")
        seconds = time.perf_counter() - started
        # A step decomposes the Jacobian, and its triangular factor with the damping below it.
        rows = self.targets.numel() + 4 * n
        return seconds * _qr_cost(rows, n) / _qr_cost(n_few, n)

    def residual(self, weights: Tensor) -> Tensor:
        self.set_weights(weights)
        difference = self.hypernetwork(self.inputs) - self.targets
        return (self.metric @ difference.unsqueeze(2)).view(1, -1)

    def triangle(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        r = self.residual(weights)
        columns: dict[nn.Parameter, Tensor] = {}
        for parameter, left, right in self.hypernetwork.pullback(
            self.inputs, self.metric.unsqueeze(0)
        ):
            assert right is not None
            rows = right if left is None else (left.unsqueeze(-1) * right.unsqueeze(-2)).flatten(-2)
            columns[parameter] = rows.squeeze(0).flatten(0, 1)
        J = torch.cat([columns[p] for p in self.parameters], dim=1)
        triangle = torch.linalg.qr(torch.cat([J, r.T], dim=1), mode="r").R[None]
        n = J.shape[1]
        return triangle[:, :n, :n], triangle[:, :n, n:]

    def subset(self, chosen: Tensor) -> _LatentFit:
        return self


def _qr_cost(n_rows: int, n_columns: int) -> float:
    """Number of operations of a QR decomposition, up to a factor."""
    small = min(n_rows, n_columns)
    return small**2 * (max(n_rows, n_columns) - small / 3)
