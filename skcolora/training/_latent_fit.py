"""A hypernetwork fitted to given latent states, by Levenberg–Marquardt."""

from __future__ import annotations

import torch
from torch import Tensor

from skcolora.nn import Hypernetwork

_SMALL_GAIN = 1e-3


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
        R of each state, so that ‖R δ‖ is what a change δ means for the field.
    max_iter : int

    Returns
    -------
    errors : list of float
        Root mean squares of ``‖R (h - φ)‖``, one for each iteration.
    """
    parameters = list(hypernetwork.parameters())

    def residual() -> Tensor:
        return (metric @ (hypernetwork(inputs) - targets).unsqueeze(2)).flatten()

    def shift(step: Tensor) -> None:
        sizes = [p.numel() for p in parameters]
        for p, part in zip(parameters, step.split(sizes), strict=True):
            p.add_(part.view_as(p))

    r = residual()
    loss, damping = float(r @ r), 1e-2
    errors: list[float] = []
    stalled = 0
    for _ in range(max_iter):
        J = _jacobian(hypernetwork, parameters, inputs, metric)
        gram, gradient = J.T @ J, J.T @ r
        scale = gram.diagonal().clamp(min=1e-12 * float(gram.diagonal().max()))
        while damping < 1e8:
            L, info = torch.linalg.cholesky_ex(gram + torch.diag(damping * scale))
            if not int(info):
                step = -torch.cholesky_solve(gradient.unsqueeze(1), L).squeeze(1)
                shift(step)
                r_new = residual()
                new = float(r_new @ r_new)
                if new < loss:
                    break
                shift(-step)
            damping *= 4
        else:
            break
        gain = 1 - new / loss if loss else 0.0
        r, loss, damping = r_new, new, max(damping / 3, 1e-14)
        errors.append((loss / len(inputs)) ** 0.5)
        stalled = stalled + 1 if gain < _SMALL_GAIN else 0
        if stalled >= 10 or not loss:
            break
    return errors


def _jacobian(
    hypernetwork: Hypernetwork, parameters: list[torch.nn.Parameter], inputs: Tensor, R: Tensor
) -> Tensor:
    """∂(R h)/∂ψ, (n_states n_latent, n_weights)."""
    columns: dict[int, Tensor] = {}
    for parameter, left, right in hypernetwork.pullback(inputs, R.unsqueeze(0)):
        assert right is not None
        rows = right if left is None else (left.unsqueeze(-1) * right.unsqueeze(-2)).flatten(-2)
        columns[id(parameter)] = rows.squeeze(0).flatten(0, 1)
    return torch.cat([columns[id(p)] for p in parameters], dim=1)
