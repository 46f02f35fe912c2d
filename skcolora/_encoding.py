"""Encoding: the latent states whose decoded fields come closest to given ones."""

from __future__ import annotations

import torch
from torch import Tensor

from skcolora.nn import CoLoRANetwork, NetworkJet

# Points on which the search runs; more take part in the last steps.
_SEARCH_POINTS = 512
_GUESS_POINTS = 256
# Relative decrease of the squared misfit that is not worth a step.
_NO_GAIN = 1e-13
_CHUNK = 2**15  # field values linearised at once


def encode_fields(
    network: CoLoRANetwork,
    points: Tensor,
    fields: Tensor,
    candidates: Tensor,
    *,
    max_iter: int = 60,
    polish: int = 2,
    polish_points: int | None = None,
) -> Tensor:
    """Latent states minimising ``‖û(·; φ) - u‖`` for each snapshot by itself.

    Levenberg–Marquardt from the candidate whose field is nearest, on a subset of the
    points and then on more of them.

    Parameters
    ----------
    network : CoLoRANetwork
        In float64.
    points : Tensor of shape (n_points, n_dims)
    fields : Tensor of shape (n_snapshots, n_points, n_fields)
    candidates : Tensor of shape (n_candidates, n_latent) or (n_snapshots, n_candidates, n_latent)
    max_iter, polish : int
        Steps on the subset, and after it.
    polish_points : int, optional
        How many points take part in the last steps; all by default.

    Returns
    -------
    latent : Tensor of shape (n_snapshots, n_latent)
    """
    parts = []
    size = max(1, _CHUNK // (min(len(points), _SEARCH_POINTS) * network.n_fields))
    shared = candidates.ndim == 2
    for i in range(0, len(fields), size):
        u = fields[i : i + size]
        starts = (candidates if shared else candidates[i : i + size]).expand(len(u), -1, -1)
        latent = _nearest(network, *_chosen(points, u, _GUESS_POINTS), starts)
        latent = _levenberg_marquardt(
            network, *_chosen(points, u, _SEARCH_POINTS), latent, max_iter
        )
        if len(points) > _SEARCH_POINTS and polish:
            x, v = _chosen(points, u, polish_points or len(points))
            rows = max(1, _CHUNK // (x.shape[1] * network.n_fields))
            pieces = zip(x.split(rows), v.split(rows), latent.split(rows), strict=True)
            latent = torch.cat([_levenberg_marquardt(network, *piece, polish) for piece in pieces])
        parts.append(latent)
    return torch.cat(parts)


def _chosen(points: Tensor, fields: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """About n points for each snapshot and the fields there: half evenly spread, half where
    its fields are large."""
    n_points = fields.shape[1]
    if n_points <= n:
        return points.expand(len(fields), -1, -1), fields
    even = torch.linspace(0, n_points - 1, n // 2, device=fields.device).long()
    energy = fields.square().sum(2).cumsum(1)
    levels = torch.linspace(0, 1, n - n // 2).to(energy) * energy[:, -1:]
    heavy = torch.searchsorted(energy, levels).clamp_(max=n_points - 1)
    chosen = torch.cat([even.expand(len(fields), -1), heavy], dim=1)
    at_fields = chosen.unsqueeze(2).expand(-1, -1, fields.shape[2])
    return points[chosen], fields.gather(1, at_fields)


def _nearest(network: CoLoRANetwork, x: Tensor, u: Tensor, candidates: Tensor) -> Tensor:
    """Of the candidates (n_snapshots, n_candidates, n_latent) of each snapshot."""
    if candidates.shape[1] == 1:
        return candidates[:, 0]
    chosen = []
    for points, fields, states in zip(x, u, candidates, strict=True):
        with torch.no_grad():
            misfit = ((network(points, states) - fields) / network.u_scale).flatten(1).norm(dim=1)
        chosen.append(states[misfit.nan_to_num(nan=torch.inf).argmin()])
    return torch.stack(chosen)


def _levenberg_marquardt(
    network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor, max_iter: int
) -> Tensor:
    """Steps of ``min ‖J δ + r‖² + λ ‖D δ‖²``, with a damping λ for each snapshot.

    J is reduced to its R factor first, so that its condition number is never squared;
    D holds the norms of its columns.
    """
    damping = latent.new_full((len(latent), 1, 1), 1e-3)
    error = _residual(network, x, u, latent).square().sum(1)
    # Each snapshot ends by itself, so that none depends on the others.
    running = torch.ones_like(error, dtype=torch.bool)
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
        model = (rotated - R @ delta.unsqueeze(2)).square().sum((1, 2))
        worth = rotated.square().sum((1, 2)) - model > _NO_GAIN * error
        better = running & (trial_error < error)
        gain = torch.where(better, error - trial_error, 0.0)
        latent = torch.where(better.unsqueeze(1), trial, latent)
        damping = torch.where(better[:, None, None], damping / 10, damping * 10)
        damping = damping.clamp_(1e-16, 1e8)
        error = torch.where(better, trial_error, error)
        running &= worth & ((gain > _NO_GAIN * error) | (damping[:, 0, 0] <= 1))
        if not running.any():
            break
    return latent


def _residual(network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor) -> Tensor:
    with torch.no_grad():
        difference = (network(x, latent) - u) / network.u_scale
    return difference.permute(0, 2, 1).flatten(1)


def _reduced(network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
    """R and Qᵀr for the residual r and its Jacobian J = QR."""
    with torch.no_grad():
        jet = NetworkJet(network, latent, x)
        J = (jet.jacobian / network.u_scale[:, None, None, None]).transpose(0, 1).flatten(1, 2)
        r = ((jet.value - u) / network.u_scale).permute(0, 2, 1).flatten(1)
    Q, R = torch.linalg.qr(J)
    return R, Q.mT @ r.unsqueeze(2)
