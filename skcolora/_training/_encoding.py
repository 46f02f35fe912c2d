"""Encoding: the latent states whose decoded fields come closest to given ones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from skcolora._nn import CoLoRANetwork, Jet, NetworkJet, first_layer
from skcolora._training._levenberg_marquardt import levenberg_marquardt

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
    """Levenberg–Marquardt for some snapshots at a time, in bounded memory."""
    rows = max(1, _BLOCK // (x.shape[1] * network.n_fields))
    found = []
    for points, fields, start in zip(x.split(rows), u.split(rows), latent.split(rows), strict=True):
        # Where nothing adapts the first layer, it is computed once.
        first = None if network.splits[0] else first_layer(network, points, start[:, :0])
        problem = _Encoding(network, points, fields, first)
        found.append(levenberg_marquardt(problem, start, max_iter=max_iter, tol=tol).x)
    return torch.cat(found)


class _Encoding(NamedTuple):
    """The misfits of the fields of latent states, as a `LeastSquaresProblem`."""

    network: CoLoRANetwork
    x: Tensor
    """Points, (n, n_points, n_dims)"""
    u: Tensor
    """Fields to be met there, (n, n_points, n_fields)"""
    first: Jet | None
    """The first layer at the points, where it is the same for all states"""

    def residual(self, latent: Tensor) -> Tensor:
        with torch.no_grad():
            difference = (self._jet(latent).value - self.u) / self.network.u_scale
        return difference.mT.flatten(1)

    def triangle(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        scale = self.network.u_scale
        with torch.no_grad():
            jet = self._jet(latent)
            J = (jet.jacobian / scale[:, None, None, None]).transpose(0, 1).flatten(1, 2)
            r = ((jet.value - self.u) / scale).mT.flatten(1)
        n_latent = latent.shape[1]
        triangle = torch.linalg.qr(torch.cat([J, r.unsqueeze(2)], dim=2), mode="r").R
        return triangle[:, :n_latent, :n_latent], triangle[:, :n_latent, n_latent:]

    def subset(self, chosen: Tensor) -> _Encoding:
        first = None if self.first is None else self.first.of_states(chosen)
        return _Encoding(self.network, self.x[chosen], self.u[chosen], first)

    def _jet(self, latent: Tensor) -> NetworkJet:
        return NetworkJet(self.network, latent, self.x, self.first)
