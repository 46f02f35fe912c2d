"""Random (trajectory, time, point) samples of the training snapshots.

The cost of a training step must not depend on the grid, so a step sees a few
snapshots at a few points each.  Both are stratified; points are drawn where the
field is large (`PointCells`), later also where the network has been wrong, and weighted
so that every estimate stays unbiased.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from skcolora._training._cells import PointCells

# Field values taken at once in a pass over the snapshots; they stay in the cache.
_BLOCK = 2**18


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
    cells: Tensor
    """Of the points, (n_snapshots, n_points); see `PointCells`."""


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

    Attributes
    ----------
    mean, std : Tensor of shape (n_fields,)
        Of each field over all snapshots and points, in float64.
    """

    # The relative error of a snapshot of norm zero is measured against this share of
    # the root mean square norm of all snapshots.
    NORM_FLOOR = 0.1
    # Share of the points drawn where the network has been wrong, once it is known, and how
    # much of what is known of a cell remains when a point of it is seen.
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
        # Each field counts equally, whatever its unit.
        power = self.mean.square() + self.std.square()
        self._unit = torch.where(power > 0, power, 1.0).sqrt()

        self._cells = PointCells(points)
        self._norms = fields.new_empty(self.n_snapshots, dtype=torch.float64)
        self._cdf = fields.new_empty(self.n_snapshots, self._cells.n_cells + 1, dtype=torch.float32)
        for rows in _blocks(fields):
            self._observe(rows)
        floor = self.NORM_FLOOR * self._norms.square().mean().sqrt()
        self._floor = torch.where(floor > 0, floor, 1.0)
        self._in_time = inputs[:, -1].argsort(stable=True)
        self._times = inputs[self._in_time, -1].tolist()
        self._misfit: Tensor | None = None

    def _observe(self, rows: slice) -> None:
        """Norms of some snapshots, and where they are large."""
        squared = (self.fields[rows] / self._unit).square().sum(-1)
        self._norms[rows] = squared.sum(-1).sqrt()
        self._cdf[rows] = self._cells.distribution(squared.sqrt_(), self.importance)

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
        points, probability = self._cells.draw(
            self._distribution(snapshots),
            self._strata((n_snapshots,), n_points),
            self._random(n_snapshots, n_points),
        )
        flat = points + snapshots.unsqueeze(-1) * self.n_points
        u = self.fields.reshape(-1, self.n_fields)[flat]
        norms = torch.clamp(self._norms[snapshots], min=self._floor)
        scale = 1 / (norms.unsqueeze(-1) * self._unit)
        weights = scale.unsqueeze(1) / (n_points * probability).sqrt().unsqueeze(-1)
        return Batch(
            self.points[points].to(dtype),
            u.to(dtype),
            self.inputs[snapshots].to(dtype),
            weights.to(dtype),
            self._cells.of_point[points],
        )

    def learn(self, batch: Batch, misfit: Tensor) -> None:
        """Where the network was wrong on a batch: more points are drawn there from now on.

        A network may be off at a single point of the grid, a needle, which points drawn by |u|
        meet too rarely to mend.

        Parameters
        ----------
        batch : Batch
        misfit : Tensor of shape (n_snapshots, n_points, n_fields)
            What the network's fields were off by.
        """
        squared = (misfit / self._unit).square().sum(-1).flatten()
        if self._misfit is None:
            self._misfit = squared.new_zeros(self._cells.n_cells)
        cells, zero = batch.cells.flatten(), torch.zeros_like(self._misfit)
        count = zero.index_add(0, cells, torch.ones_like(squared))
        mean = zero.index_add(0, cells, squared) / count.clamp(min=1.0)
        remains = self.MISFIT_MEMORY**count
        self._misfit = remains * self._misfit + (1 - remains) * mean

    def _distribution(self, snapshots: Tensor) -> Tensor:
        """Cumulative probabilities of the cells, (n_snapshots, n_cells + 1)."""
        cdf = self._cdf[snapshots]
        if self._misfit is None:
            return cdf
        mass = self._misfit * self._cells.sizes
        total = mass.sum()
        wrong = (mass / torch.where(total > 0, total, 1.0)).cumsum(0).to(cdf.dtype)
        cdf[:, 1:] += torch.where(total > 0, self.MISFIT_SHARE, 0.0) * (wrong - cdf[:, 1:])
        cdf[:, -1] = 1.0
        return cdf

    def close(self) -> None:
        """Let go of what is being read; nothing where the snapshots are resident."""

    def _random(self, *shape: int) -> Tensor:
        device = self.fields.device
        return torch.rand(*shape, dtype=torch.float64, device=device, generator=self.generator)

    def _strata(self, shape: tuple[int, ...], n: int) -> Tensor:
        """One random number in each of the n equal parts of [0, 1)."""
        parts = torch.arange(n, dtype=torch.float64, device=self.fields.device)
        return (parts + self._random(*shape, n)) / n


def _blocks(fields: Tensor) -> Iterator[slice]:
    """Runs of snapshots of about `_BLOCK` values each."""
    n_rows = max(1, _BLOCK // fields[0].numel())
    return (slice(first, first + n_rows) for first in range(0, len(fields), n_rows))


def field_moments(fields: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each field, in float64 and in blocks.

    Parameters
    ----------
    fields : Tensor of shape (n_snapshots, n_points, n_fields)
    """
    count = 0
    mean, spread = fields.new_zeros(2, fields.shape[2], dtype=torch.float64)
    for rows in _blocks(fields):
        # Chan, Golub and LeVeque's update: no cancellation where the mean is large.
        block = fields[rows].double().flatten(0, 1)
        n, block_mean = len(block), block.mean(0)
        total, change = count + n, block_mean - mean
        spread = spread + (block - block_mean).square_().sum(0)
        spread = spread + change.square() * (count * n / total)
        mean, count = mean + change * (n / total), total
    return mean, (spread / count).sqrt()
