"""Random samples of the training snapshots: trajectories, times and points.

The cost of a training step must not depend on the grid, so a batch consists of a few
snapshots with a few points each.  Snapshots and points are stratified.  Points are drawn more often
where the field is large (`PointCells`) and where the network has had large errors.  The weights
of the samples keep all estimates unbiased.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from skcolora._training._cells import PointCells

# Number of field values that are processed at once, to fit into the cache.
_BLOCK = 2**18


class Batch(NamedTuple):
    """Samples of a training step: ``n_points`` points in each of ``n_snapshots`` snapshots."""

    x: Tensor
    """Coordinates of the points, (n_snapshots, n_points, n_dims)."""
    u: Tensor
    """Fields at the points, (n_snapshots, n_points, n_fields)."""
    inputs: Tensor
    """Physics parameters and time, (n_snapshots, n_parameters + 1)."""
    weights: Tensor
    """Weights of the errors, (n_snapshots, n_points, n_fields).

    ``(weights * (û - u)).square().sum((1, 2))`` estimates the squared relative error of each
    snapshot.
    """
    cells: Tensor
    """Indices of the cells of the points (`PointCells`), (n_snapshots, n_points)."""


class SnapshotSampler:
    """Sampler that draws batches from snapshots in the memory of the device.

    Parameters
    ----------
    fields : Tensor of shape (n_snapshots, n_points, n_fields)
    points : Tensor of shape (n_points, n_dims)
    inputs : Tensor of shape (n_snapshots, n_parameters + 1)
    generator : torch.Generator
    importance : float, default=0.7
        Share of the points that is drawn in proportion to |u|; the others are drawn uniformly.

    Attributes
    ----------
    mean, std : Tensor of shape (n_fields,)
        Mean and standard deviation of each field over all snapshots and points, in float64.
    """

    # Smallest norm in relative errors, as a share of the root mean square norm of all snapshots:
    # a snapshot of norm zero has no relative error of its own.
    NORM_FLOOR = 0.1
    # Share of the points that is drawn in proportion to recorded misfits, and weight of the old
    # misfit of a cell when a point of the cell is drawn again.
    MISFIT_SHARE, MISFIT_MEMORY = 0.3, 0.95

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
        self.generator, self.importance = generator, importance
        self.n_snapshots, self.n_points, self.n_fields = fields.shape
        self.mean, self.std = field_moments(fields)
        # Fields are divided by their root mean square, so that all fields count equally.
        power = self.mean.square() + self.std.square()
        self._field_rms = torch.where(power > 0, power, 1.0).sqrt()

        self._cells = PointCells(points)
        self._norms = fields.new_empty(self.n_snapshots, dtype=torch.float64)
        self._cdf = fields.new_empty(self.n_snapshots, self._cells.n_cells + 1, dtype=torch.float32)
        for rows in _blocks(fields):
            self._update_distribution(rows)
        floor = self.NORM_FLOOR * self._norms.square().mean().sqrt()
        self._norm_floor = torch.where(floor > 0, floor, 1.0)
        self._time_order = inputs[:, -1].argsort(stable=True)
        self._times = inputs[self._time_order, -1].tolist()
        self._misfit: Tensor | None = None

    def _update_distribution(self, rows: slice) -> None:
        """Update the norms and the point distributions of some snapshots."""
        squared = (self.fields[rows] / self._field_rms).square().sum(-1)
        self._norms[rows] = squared.sum(-1).sqrt()
        self._cdf[rows] = self._cells.distribution(squared.sqrt_(), self.importance)

    def draw(
        self, n_snapshots: int, n_points: int, dtype: torch.dtype, *, time_share: float = 1.0
    ) -> Batch:
        """Draw a batch, stratified over the times and over the points of each snapshot.

        Only times in the first ``time_share`` of the time range are drawn.
        """
        first, last = self._times[0], self._times[-1]
        n_eligible = bisect.bisect_right(self._times, first + time_share * (last - first))
        n_eligible = self.n_snapshots if time_share >= 1 else n_eligible
        position = self._strata((), n_snapshots) * n_eligible
        snapshots = self._time_order[position.long().clamp_(max=n_eligible - 1)]
        points, probability = self._cells.draw(
            self._distribution(snapshots),
            self._strata((n_snapshots,), n_points),
            self._random(n_snapshots, n_points),
        )
        flat = points + snapshots.unsqueeze(-1) * self.n_points
        u = self.fields.reshape(-1, self.n_fields)[flat]
        norms = torch.clamp(self._norms[snapshots], min=self._norm_floor)
        scale = 1 / (norms.unsqueeze(-1) * self._field_rms)
        weights = scale.unsqueeze(1) / (n_points * probability).sqrt().unsqueeze(-1)
        return Batch(
            self.points[points].to(dtype),
            u.to(dtype),
            self.inputs[snapshots].to(dtype),
            weights.to(dtype),
            self._cells.cell_of_point[points],
        )

    def learn(self, batch: Batch, misfit: Tensor) -> None:
        """Record the errors of the network on a batch, to draw more points where they are large.

        Otherwise an error at a single grid point persists: it is rarely sampled.

        Parameters
        ----------
        batch : Batch
        misfit : Tensor of shape (n_snapshots, n_points, n_fields)
            Differences between the fields of the network and the snapshots.
        """
        squared = (misfit / self._field_rms).square().sum(-1).flatten()
        if self._misfit is None:
            self._misfit = squared.new_zeros(self._cells.n_cells)
        cells, zero = batch.cells.flatten(), torch.zeros_like(self._misfit)
        count = zero.index_add(0, cells, torch.ones_like(squared))
        mean = zero.index_add(0, cells, squared) / count.clamp(min=1.0)
        memory = self.MISFIT_MEMORY**count
        self._misfit = memory * self._misfit + (1 - memory) * mean

    def _distribution(self, snapshots: Tensor) -> Tensor:
        """Cumulative probabilities of the cells, (n_snapshots, n_cells + 1)."""
        cdf = self._cdf[snapshots]
        if self._misfit is None:
            return cdf
        mass = self._misfit * self._cells.sizes
        total = mass.sum()
        misfit_cdf = (mass / torch.where(total > 0, total, 1.0)).cumsum(0).to(cdf.dtype)
        cdf[:, 1:] += torch.where(total > 0, self.MISFIT_SHARE, 0.0) * (misfit_cdf - cdf[:, 1:])
        cdf[:, -1] = 1.0
        return cdf

    def close(self) -> None:
        """Stop reading stored snapshots; nothing to do for snapshots in memory."""

    def _random(self, *shape: int) -> Tensor:
        device = self.fields.device
        return torch.rand(*shape, dtype=torch.float64, device=device, generator=self.generator)

    def _strata(self, shape: tuple[int, ...], n: int) -> Tensor:
        """Random numbers (*shape, n), one in each of n equal parts of [0, 1)."""
        parts = torch.arange(n, dtype=torch.float64, device=self.fields.device)
        return (parts + self._random(*shape, n)) / n


def _blocks(fields: Tensor) -> Iterator[slice]:
    """Slices of snapshots with about `_BLOCK` values each."""
    n_rows = max(1, _BLOCK // fields[0].numel())
    return (slice(start, start + n_rows) for start in range(0, len(fields), n_rows))


def field_moments(fields: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each field, computed in float64 and in blocks.

    Parameters
    ----------
    fields : Tensor of shape (n_snapshots, n_points, n_fields)
    """
    count = 0
    mean, spread = fields.new_zeros(2, fields.shape[2], dtype=torch.float64)
    for rows in _blocks(fields):
        # Update of Chan, Golub and LeVeque, which avoids cancellation if the mean is large.
        block = fields[rows].double().flatten(0, 1)
        n, block_mean = len(block), block.mean(0)
        total, change = count + n, block_mean - mean
        spread = spread + (block - block_mean).square_().sum(0)
        spread = spread + change.square() * (count * n / total)
        mean, count = mean + change * (n / total), total
    return mean, (spread / count).sqrt()
