"""Random (trajectory, time, point) samples of the training snapshots.

The cost of a training step must not depend on the grid, so a step sees a few
snapshots at a few points each.  Both are stratified; points are drawn where the
field is large and weighted so that every estimate stays unbiased.
"""

from __future__ import annotations

import bisect
from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Samples of a training step, ``n_points`` of them in each of ``n_snapshots``."""

    x: Tensor
    """Coordinates, (n_snapshots, n_points, n_dims)."""
    u: Tensor
    """Fields there, (n_snapshots, n_points, n_fields)."""
    inputs: Tensor
    """Physics parameters and time, (n_snapshots, n_parameters + 1)."""
    weights: Tensor
    """Such that ``(weights * (û - u)).square().sum((1, 2))`` estimates the squared
    relative error of each snapshot, (n_snapshots, n_points, n_fields)."""


class SnapshotSampler:
    """Draws batches from snapshots that are resident on the device.

    Parameters
    ----------
    fields : Tensor of shape (n_snapshots, n_points, n_fields)
    points : Tensor of shape (n_points, n_dims)
    inputs : Tensor of shape (n_snapshots, n_parameters + 1)
    generator : torch.Generator
    importance : float, default=0.7
        Share of the points that is drawn in proportion to |u|; the others are uniform.
    """

    # The relative error of a snapshot of norm zero is measured against this share of
    # the root mean square norm of all snapshots.
    NORM_FLOOR = 0.1

    def __init__(
        self,
        fields: Tensor,
        points: Tensor,
        inputs: Tensor,
        *,
        generator: torch.Generator,
        importance: float = 0.7,
    ) -> None:
        self.fields, self.points, self.inputs = fields, points, inputs
        self.generator = generator
        self.n_snapshots, self.n_points, self.n_fields = fields.shape
        # Each field counts equally, whatever its unit.
        squared = fields.double().square()
        power = squared.mean((0, 1))
        power = torch.where(power > 0, power, 1.0)
        squared = (squared / power).sum(-1)
        norms = squared.sum(-1)
        floor = self.NORM_FLOOR**2 * norms.mean()
        norms = torch.clamp(norms, min=floor if floor > 0 else 1.0)
        self._scale = 1 / (norms.unsqueeze(-1) * power).sqrt()

        magnitude = squared.sqrt()
        total = magnitude.sum(-1, keepdim=True)
        uniform = 1 / self.n_points
        share = torch.where(total > 0, magnitude / torch.where(total > 0, total, 1.0), uniform)
        self._density = importance * share + (1 - importance) * uniform
        # Snapshot s owns the interval [s, s + 1) of one long distribution function.
        cdf = self._density.cumsum(-1)
        cdf = cdf / cdf[:, -1:] + torch.arange(len(cdf), device=cdf.device).unsqueeze(-1)
        self._cdf = cdf.flatten()
        self._in_time = inputs[:, -1].argsort(stable=True)
        self._times = inputs[self._in_time, -1].tolist()

    def draw(
        self, n_snapshots: int, n_points: int, dtype: torch.dtype, *, reach: float = 1.0
    ) -> Batch:
        """A stratified batch: snapshots spread over time, points over each one's mass.

        Only times within the first ``reach`` of the whole range take part.
        """
        first, last = self._times[0], self._times[-1]
        n_within = bisect.bisect_right(self._times, first + reach * (last - first))
        n_within = self.n_snapshots if reach >= 1 else n_within
        place = self._strata((), n_snapshots) * n_within
        snapshots = self._in_time[place.long().clamp_(max=n_within - 1)]
        place = self._strata((n_snapshots,), n_points) + snapshots.unsqueeze(-1)
        flat = torch.searchsorted(self._cdf, place)
        flat = torch.minimum(flat, (snapshots.unsqueeze(-1) + 1) * self.n_points - 1)
        points = flat - snapshots.unsqueeze(-1) * self.n_points
        u = self.fields.reshape(-1, self.n_fields)[flat]
        density = self._density.flatten()[flat]
        weights = self._scale[snapshots].unsqueeze(1) / (n_points * density).sqrt().unsqueeze(-1)
        return Batch(
            self.points[points].to(dtype),
            u.to(dtype),
            self.inputs[snapshots].to(dtype),
            weights.to(dtype),
        )

    def _strata(self, shape: tuple[int, ...], n: int) -> Tensor:
        """One random number in each of the n equal parts of [0, 1)."""
        device = self.fields.device
        jitter = torch.rand(*shape, n, dtype=torch.float64, device=device, generator=self.generator)
        return (torch.arange(n, dtype=torch.float64, device=device) + jitter) / n
