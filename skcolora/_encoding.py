"""Encoding: the latent states whose decoded fields come closest to given ones."""

from __future__ import annotations

import torch
from torch import Tensor

from skcolora.nn import CoLoRANetwork

# Points on which the search runs; all points take part in the last steps.
_SEARCH_POINTS = 1024
_GUESS_POINTS = 256
_CHUNK = 2**17  # field values linearised at once


def encode_fields(
    network: CoLoRANetwork,
    points: Tensor,
    fields: Tensor,
    candidates: Tensor,
    *,
    max_iter: int = 60,
    polish: int = 4,
) -> Tensor:
    """Latent states minimising ``‖û(·; φ) - u‖`` for each snapshot by itself.

    Levenberg–Marquardt from the candidate whose field is nearest, on a subset of the
    points and then on all of them.

    Parameters
    ----------
    network : CoLoRANetwork
        In float64.
    points : Tensor of shape (n_points, n_dims)
    fields : Tensor of shape (n_snapshots, n_points, n_fields)
    candidates : Tensor of shape (n_candidates, n_latent)
    max_iter, polish : int
        Steps on the subset and on all points.

    Returns
    -------
    latent : Tensor of shape (n_snapshots, n_latent)
    """
    few = _spread(fields, _GUESS_POINTS)
    latent = _nearest(network, points[few], fields[:, few], candidates)
    some = _spread(fields, _SEARCH_POINTS)
    for indices, steps in ((some, max_iter), (slice(None), polish)):
        x, u = points[indices], fields[:, indices]
        per_chunk = max(1, _CHUNK // (len(x) * network.n_fields))
        latent = torch.cat(
            [
                _levenberg_marquardt(network, x, u_chunk, start, steps)
                for u_chunk, start in zip(u.split(per_chunk), latent.split(per_chunk), strict=True)
            ]
        )
    return latent


def _spread(fields: Tensor, n: int) -> Tensor:
    """Indices of about n points, half evenly spread and half where fields are large."""
    n_points = fields.shape[1]
    if n_points <= n:
        return torch.arange(n_points)
    even = torch.linspace(0, n_points - 1, n // 2).long()
    energy = fields.square().sum((0, 2)).cumsum(0)
    levels = torch.linspace(0, 1, n - n // 2, dtype=energy.dtype) * energy[-1]
    heavy = torch.searchsorted(energy, levels).clamp_(max=n_points - 1)
    return torch.cat([even, heavy]).unique()


def _nearest(network: CoLoRANetwork, x: Tensor, u: Tensor, candidates: Tensor) -> Tensor:
    with torch.no_grad():
        guesses = network(x, candidates) / network.u_scale
    distance = torch.cdist((u / network.u_scale).flatten(1), guesses.flatten(1))
    return candidates[distance.argmin(dim=1)]


def _levenberg_marquardt(
    network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor, max_iter: int
) -> Tensor:
    """Steps of ``min ‖J δ + r‖² + λ ‖D δ‖²``, with a damping λ for each snapshot.

    J is reduced to its R factor first, so that its condition number is never squared;
    D holds the norms of its columns.
    """
    damping = latent.new_full((len(latent), 1, 1), 1e-3)
    error = _residual(network, x, u, latent).square().sum(1)
    for _ in range(max_iter):
        R, rotated = _reduced(network, x, u, latent)
        D = torch.diag_embed(R.norm(dim=1)).clamp_(min=1e-300)
        stacked = torch.cat([R, damping.sqrt() * D], dim=1)
        target = torch.cat([rotated, torch.zeros_like(D[:, :, :1])], dim=1)
        Q, triangle = torch.linalg.qr(stacked)
        floor = triangle.diagonal(dim1=1, dim2=2).abs().amax(1) * 1e-15
        safe = triangle + torch.diag_embed(floor.unsqueeze(1).expand(-1, R.shape[2]))
        delta = torch.linalg.solve_triangular(safe, Q.mT @ target, upper=True).squeeze(2)
        trial = latent - delta
        trial_error = _residual(network, x, u, trial).square().sum(1)
        better = trial_error < error
        gain = torch.where(better, error - trial_error, 0.0)
        latent = torch.where(better.unsqueeze(1), trial, latent)
        damping = torch.where(better[:, None, None], damping / 10, damping * 10)
        damping = damping.clamp_(1e-16, 1e8)
        error = torch.where(better, trial_error, error)
        if not (gain > 1e-14 * error).any() and (damping > 1).all():
            break
    return latent


def _residual(network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor) -> Tensor:
    with torch.no_grad():
        difference = (network(x, latent) - u) / network.u_scale
    return difference.permute(0, 2, 1).flatten(1)


def _reduced(network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
    """R and Qᵀr for the residual r and its Jacobian J = QR."""
    scale = (1 / network.u_scale)[:, None, None].expand(-1, len(latent), len(x))
    at = network.linearize(x, latent, scale)
    J = at.latent.transpose(0, 1).flatten(1, 2)
    r = ((at.values - u) / network.u_scale).permute(0, 2, 1).flatten(1)
    Q, R = torch.linalg.qr(J)
    return R, Q.mT @ r.unsqueeze(2)
