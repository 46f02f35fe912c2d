"""Encoding: the latent states whose decoded fields come closest to given ones."""

from __future__ import annotations

import torch
from torch import Tensor

from skcolora.nn import CoLoRANetwork, Jet, NetworkJet, first_layer

# Points on which the search runs; more take part in the last steps.
_SEARCH_POINTS = 512
_GUESS_POINTS = 256
# Field values linearised at once: few enough for the processor's cache.
_BLOCK = 2**13


def encode_fields(
    network: CoLoRANetwork,
    points: Tensor,
    fields: Tensor,
    candidates: Tensor,
    *,
    max_iter: int = 60,
    polish: int = 2,
    polish_points: int | None = None,
    tol: float = 1e-13,
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
    tol : float
        Relative decrease of the squared misfit that is not worth a step.

    Returns
    -------
    latent : Tensor of shape (n_snapshots, n_latent)
    """
    starts = candidates.expand(len(fields), -1, -1)
    latent = _nearest(network, *_chosen(points, fields, _GUESS_POINTS), starts)
    searched = _chosen(points, fields, _SEARCH_POINTS)
    latent = _improved(network, *searched, latent, max_iter, tol)
    if len(points) <= _SEARCH_POINTS or not polish:
        return latent
    polished = _chosen(points, fields, polish_points or len(points))
    return _improved(network, *polished, latent, polish, tol)


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


def _improved(
    network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor, max_iter: int, tol: float
) -> Tensor:
    """`_levenberg_marquardt` for some snapshots at a time, in bounded memory."""
    rows = max(1, _BLOCK // (x.shape[1] * network.n_fields))
    blocks = zip(x.split(rows), u.split(rows), latent.split(rows), strict=True)
    return torch.cat([_levenberg_marquardt(network, *block, max_iter, tol) for block in blocks])


def _levenberg_marquardt(
    network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor, max_iter: int, tol: float
) -> Tensor:
    """Steps of ``min ‖J δ + r‖² + λ ‖D δ‖²``, with a damping λ for each snapshot [1]_.

    J is reduced to its R factor first, so that its condition number is never squared;
    D holds the norms of its columns.  λ follows the ratio of the gain to the expected one, and
    falls to a tenth at most.

    References
    ----------
    .. [1] H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05,
       Technical University of Denmark (1999).
    """
    latent = latent.clone()
    damping = latent.new_full((len(latent),), 1e-3)
    growth = torch.full_like(damping, 2.0)
    # Where nothing adapts the first layer, it is computed once.
    first = None if network.splits[0] else first_layer(network, x, latent[:, :0])
    error = _residual(network, x, u, latent, first).square().sum(1)
    # Each snapshot ends by itself, so that none depends on the others.
    at = torch.arange(len(latent), device=latent.device)
    for _ in range(max_iter):
        R, rotated = _reduced(network, x, u, latent[at], first)
        D = torch.diag_embed(R.norm(dim=1)).clamp_(min=1e-300)
        stacked = torch.cat([R, damping[at, None, None].sqrt() * D], dim=1)
        target = torch.cat([rotated, torch.zeros_like(D[:, :, :1])], dim=1)
        Q, triangle = torch.linalg.qr(stacked)
        floor = triangle.diagonal(dim1=1, dim2=2).abs().amax(1) * 1e-15
        safe = triangle + torch.diag_embed(floor.unsqueeze(1).expand(-1, R.shape[2]))
        delta = torch.linalg.solve_triangular(safe, Q.mT @ target, upper=True).squeeze(2)
        trial = latent[at] - delta
        gain = error[at] - _residual(network, x, u, trial, first).square().sum(1)
        left = rotated - R @ delta.unsqueeze(2)
        expected = rotated.square().sum((1, 2)) - left.square().sum((1, 2))
        better = gain > 0
        latent[at[better]] = trial[better]
        worth = expected > tol * error[at]
        worth &= (gain > tol * error[at]) | (damping[at] <= 1)
        error[at[better]] -= gain[better]
        cubed = (2 * gain / expected.clamp(min=1e-300) - 1).pow(3)
        factor = torch.where(better, (1 - cubed).clamp(min=0.1), growth[at])
        growth[at] = torch.where(better, 2.0, 2 * growth[at])
        damping[at] = (factor * damping[at]).clamp_(1e-16, 1e8)
        if not worth.any():
            break
        if not worth.all():
            at, x, u = at[worth], x[worth], u[worth]
            first = None if first is None else first.of_states(worth)
    return latent


def _residual(
    network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor, first: Jet | None
) -> Tensor:
    with torch.no_grad():
        difference = (NetworkJet(network, latent, x, first).value - u) / network.u_scale
    return difference.mT.flatten(1)


def _reduced(
    network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor, first: Jet | None
) -> tuple[Tensor, Tensor]:
    """R and Qᵀr for the residual r and its Jacobian J = QR."""
    with torch.no_grad():
        jet = NetworkJet(network, latent, x, first)
        J = (jet.jacobian / network.u_scale[:, None, None, None]).transpose(0, 1).flatten(1, 2)
        r = ((jet.value - u) / network.u_scale).mT.flatten(1)
    n_latent = latent.shape[1]
    triangle = torch.linalg.qr(torch.cat([J, r.unsqueeze(2)], dim=2), mode="r").R
    return triangle[:, :n_latent, :n_latent], triangle[:, :n_latent, n_latent:]
