"""A hypernetwork fitted to given latent states."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from skcolora._nn import Hypernetwork
from skcolora._training._levenberg_marquardt import levenberg_marquardt

# Relative decrease of the squared misfit at which the fit ends.
_SMALL_GAIN = 1e-4
# Weights that hardly change the states are damped by no less than this share of the others.
_LEAST_SCALE = 1e-6


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

    There are so few weights that the Jacobian of all states fits into memory, and steps of
    second order converge in some hundred iterations to what first-order training
    does not reach.

    Parameters
    ----------
    hypernetwork : Hypernetwork
        In float64; changed in place.
    inputs : Tensor of shape (n_states, n_parameters + 1)
    targets : Tensor of shape (n_states, n_latent)
    metric : Tensor of shape (n_states, n_latent, n_latent)
        R of each state, so that ‖R δ‖ is the change of the field that δ makes.
    max_iter : int

    Returns
    -------
    errors : list of float
        Root mean squares of ``‖R (h - φ)‖``, at the start and after each iteration.
    """
    problem = _LatentFit(hypernetwork, list(hypernetwork.parameters()), inputs, targets, metric)
    start = torch.cat([p.flatten() for p in problem.parameters])[None]
    found = levenberg_marquardt(
        problem,
        start,
        max_iter=max_iter,
        tol=_SMALL_GAIN,
        damping=1e-2,
        most_damping=1e8,
        least_scale=_LEAST_SCALE,
    )
    problem.put(found.x)
    return [(float(squared) / len(inputs)) ** 0.5 for squared in found.history]


class _LatentFit(NamedTuple):
    """The misfit of all latent states, as a single `LeastSquaresProblem` in the weights."""

    hypernetwork: Hypernetwork
    parameters: list[nn.Parameter]
    inputs: Tensor
    targets: Tensor
    metric: Tensor

    def put(self, weights: Tensor) -> None:
        """Set the weights of the hypernetwork, (1, n_weights)."""
        parts = weights[0].split([p.numel() for p in self.parameters])
        for parameter, part in zip(self.parameters, parts, strict=True):
            parameter.copy_(part.view_as(parameter))

    def residual(self, weights: Tensor) -> Tensor:
        self.put(weights)
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
