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
        Root mean squares of ``‖R (h - φ)‖``, at the start and after each iteration.
    """
    parameters = list(hypernetwork.parameters())
    sizes = [p.numel() for p in parameters]

    def put(weights: Tensor) -> None:
        for p, part in zip(parameters, weights.split(sizes), strict=True):
            p.copy_(part.view_as(p))

    def residual() -> Tensor:
        return (metric @ (hypernetwork(inputs) - targets).unsqueeze(2)).flatten()

    weights, r = torch.cat([p.flatten() for p in parameters]), residual()
    loss, damping = float(r @ r), 1e-2
    errors = [(loss / len(inputs)) ** 0.5]
    stalled = 0
    for _ in range(max_iter):
        J = _jacobian(hypernetwork, parameters, inputs, metric)
        # J, which has many rows, is decomposed once for all dampings.
        triangle = _triangle(torch.cat([J, r.unsqueeze(1)], dim=1))
        scale = triangle[:, :-1].norm(dim=0)
        scale = scale.clamp(min=1e-6 * float(scale.max()))
        while damping < 1e8:
            trial = weights + _damped_step(triangle, damping**0.5 * scale)
            put(trial)
            r_new = residual()
            new = float(r_new @ r_new)
            if new < loss:
                break
            damping *= 4
        else:
            break
        gain = 1 - new / loss if loss else 0.0
        weights, r, loss, damping = trial, r_new, new, max(damping / 3, 1e-14)
        errors.append((loss / len(inputs)) ** 0.5)
        stalled = stalled + 1 if gain < _SMALL_GAIN else 0
        if stalled >= 10 or not loss:
            break
    put(weights)
    return errors


def _triangle(matrix: Tensor) -> Tensor:
    """The rows of R, of [A b] = QR, that ``min ‖A x + b‖`` depends on."""
    triangle: Tensor = torch.linalg.qr(matrix, mode="r").R
    return triangle[: matrix.shape[1] - 1]


def _damped_step(triangle: Tensor, damping: Tensor) -> Tensor:
    """``argmin ‖J p + r‖² + ‖damping p‖²``, from the triangle of [J r].

    By QR: normal equations would square J's condition.
    """
    ridge = torch.cat([torch.diag(damping), damping.new_zeros(len(damping), 1)], dim=1)
    both = _triangle(torch.cat([triangle, ridge]))
    return -torch.linalg.solve_triangular(both[:, :-1], both[:, -1:], upper=True).squeeze(1)


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
