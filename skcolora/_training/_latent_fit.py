"""Fit of a hypernetwork to given latent states."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from skcolora._nn import Hypernetwork
from skcolora._training._levenberg_marquardt import levenberg_marquardt

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

    Returns
    -------
    errors : list of float
        Root mean square of ``‖R (h - φ)‖`` at the start and after each iteration.
    """
    problem = _LatentFit(hypernetwork, list(hypernetwork.parameters()), inputs, targets, metric)
    start = torch.cat([p.flatten() for p in problem.parameters])[None]
    solution = levenberg_marquardt(
        problem,
        start,
        max_iter=max_iter,
        tol=_SMALL_GAIN,
        damping=1e-2,
        max_damping=1e8,
        min_scale=_MIN_SCALE,
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
