"""Encoding: latent states whose decoded fields are closest to given fields."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from skcolora._nn import CoLoRANetwork, Jet, NetworkJet, first_layer
from skcolora._training._levenberg_marquardt import levenberg_marquardt

# Number of points on which the search runs; the last steps use more points.
_SEARCH_POINTS = 512
# Number of points on which the candidates are compared.
_GUESS_POINTS = 256
# Number of field values that are linearised at once, to fit into the processor's cache.
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
    """Latent states that minimise ``‖û(·; φ) - u‖``, for each snapshot separately.

    The Levenberg–Marquardt method starts from the candidate with the nearest field.  It runs on
    a subset of the points first, and then takes a few steps on more points.

    Parameters
    ----------
    network : CoLoRANetwork
        Network in float64.
    points : Tensor of shape (n_points, n_dims)
        Scaled points.
    fields : Tensor of shape (n_snapshots, n_points, n_fields)
        Scaled fields.
    candidates : Tensor of shape (n_candidates, n_latent) or (n_snapshots, n_candidates, n_latent)
        Initial guesses of the latent states.
    max_iter, polish : int
        Maximal numbers of steps on the subset, and on more points after it.
    polish_points : int, optional
        Number of points of the last steps; by default all points.
    tol : float
        Relative decrease of the squared misfit below which the search ends.

    Returns
    -------
    latent : Tensor of shape (n_snapshots, n_latent)
    """
    starts = candidates.expand(len(fields), -1, -1)
    latent = _nearest_candidate(network, *_choose_points(points, fields, _GUESS_POINTS), starts)
    search_sample = _choose_points(points, fields, _SEARCH_POINTS)
    latent = _improve(network, *search_sample, latent, max_iter, tol)
    if len(points) <= _SEARCH_POINTS or not polish:
        return latent
    polish_sample = _choose_points(points, fields, polish_points or len(points))
    return _improve(network, *polish_sample, latent, polish, tol)


def _choose_points(points: Tensor, fields: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Choose about n points for each snapshot; return their coordinates and fields.

    Half of the points are spread evenly, the other half lie where the fields are far from their
    means.
    """
    n_points = fields.shape[1]
    if n_points <= n:
        return points.expand(len(fields), -1, -1), fields
    uniform = torch.linspace(0, n_points - 1, n // 2, device=fields.device).long()
    energy = fields.square().sum(2).cumsum(1)
    shares = torch.linspace(0, 1, n - n // 2, dtype=energy.dtype, device=energy.device)
    levels = shares * energy[:, -1:]
    weighted = torch.searchsorted(energy, levels).clamp_(max=n_points - 1)
    indices = torch.cat([uniform.expand(len(fields), -1), weighted], dim=1)
    field_indices = indices.unsqueeze(2).expand(-1, -1, fields.shape[2])
    return points[indices], fields.gather(1, field_indices)


def _nearest_candidate(network: CoLoRANetwork, x: Tensor, u: Tensor, candidates: Tensor) -> Tensor:
    """Candidate with the smallest misfit for each snapshot.

    The candidates have shape (n_snapshots, n_candidates, n_latent).
    """
    if candidates.shape[1] == 1:
        return candidates[:, 0]
    nearest = []
    for points, fields, states in zip(x, u, candidates, strict=True):
        with torch.no_grad():
            misfit = (network(points, states) - fields).flatten(1).norm(dim=1)
        nearest.append(states[misfit.nan_to_num(nan=torch.inf).argmin()])
    return torch.stack(nearest)


def _improve(
    network: CoLoRANetwork, x: Tensor, u: Tensor, latent: Tensor, max_iter: int, tol: float
) -> Tensor:
    """Run the Levenberg–Marquardt method on blocks of snapshots, to bound the memory."""
    rows = max(1, _BLOCK // (x.shape[1] * network.n_fields))
    latents = []
    for points, fields, start in zip(x.split(rows), u.split(rows), latent.split(rows), strict=True):
        # A first layer without online weights is computed once, not in each step.
        first_jet = None if network.splits[0] else first_layer(network, points, start[:, :0])
        problem = _Encoding(network, points, fields, first_jet)
        latents.append(levenberg_marquardt(problem, start, max_iter=max_iter, tol=tol).x)
    return torch.cat(latents)


class _Encoding(NamedTuple):
    """Least-squares problem of the encoding: misfits of the fields of latent states."""

    network: CoLoRANetwork
    x: Tensor
    """Coordinates of the points, (n, n_points, n_dims)"""
    u: Tensor
    """Target fields at the points, (n, n_points, n_fields)"""
    first_jet: Jet | None
    """Output of the first layer at the points, if it is the same for all states"""

    def residual(self, latent: Tensor) -> Tensor:
        with torch.no_grad():
            difference = self._jet(latent).value - self.u
        return difference.mT.flatten(1)

    def triangle(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            jet = self._jet(latent)
            J = jet.jacobian.transpose(0, 1).flatten(1, 2)
            r = (jet.value - self.u).mT.flatten(1)
        n_latent = latent.shape[1]
        triangle = torch.linalg.qr(torch.cat([J, r.unsqueeze(2)], dim=2), mode="r").R
        return triangle[:, :n_latent, :n_latent], triangle[:, :n_latent, n_latent:]

    def subset(self, chosen: Tensor) -> _Encoding:
        first_jet = None if self.first_jet is None else self.first_jet.of_states(chosen)
        return _Encoding(self.network, self.x[chosen], self.u[chosen], first_jet)

    def _jet(self, latent: Tensor) -> NetworkJet:
        return NetworkJet(self.network, latent, self.x, self.first_jet)
