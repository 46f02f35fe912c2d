"""Random samples of the training snapshots: trajectories, times and points.

The cost of a training step must not depend on the grid, so a batch consists of a few
snapshots with a few points each.  Snapshots and points are stratified.  Points are drawn more
often where the field is far from its usual value (`PointCells`) and where the network has had large
errors.  The weights of the points keep the estimate of each snapshot's error unbiased.
"""

from __future__ import annotations

import bisect
import copy
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skcolora._snapshots import VARIATION_FLOOR, Scale, field_scale
from skcolora._training._cells import PointCells
from skcolora.utils._torch import as_tensor

# Number of field values that are processed at once, to fit into the cache.
_BLOCK = 2**18
# Number of values, evenly spread, whose median is the usual value of a field.
_MEDIAN_OF = 2**16


class Batch(NamedTuple):
    """Samples of a training step: ``n_points`` points in each of ``n_snapshots`` snapshots."""

    x: Tensor
    """Scaled coordinates of the points, (n_snapshots, n_points, n_dims)."""
    u: Tensor
    """Scaled fields at the points, (n_snapshots, n_points, n_fields)."""
    inputs: Tensor
    """Scaled physics parameters and time, (n_snapshots, n_parameters + 1)."""
    weights: Tensor
    """Weights of the errors, (n_snapshots, n_points, n_fields).

    ``(weights * (û - u)).square().sum((1, 2))`` estimates the squared error of each snapshot
    relative to its variation about the mean.  The weight of a constant field is 0.
    """
    cells: Tensor
    """Indices of the cells of the points (`PointCells`), (n_snapshots, n_points)."""


class SnapshotSampler:
    """Sampler that draws batches from snapshots in the memory of the device.

    Parameters
    ----------
    fields : Tensor of shape (n_snapshots, n_points, n_fields)
        Fields in the user's units, NaN where they were not observed.  They are scaled when they
        are drawn.
    points : Tensor of shape (n_points, n_dims)
        Scaled points, see `skcolora._snapshots.Units`.
    inputs : Tensor of shape (n_snapshots, n_parameters + 1)
        Scaled parameters and times.
    generator : torch.Generator
    importance : float, default=0.7
        Share of the points that is drawn in proportion to the distance of the scaled field from
        its median; the others are drawn uniformly.
    scale : Scale, optional
        Scale of the fields.  None: that of these snapshots.
    weights : Tensor of shape (n_snapshots,), optional
        Positive numbers in float64 with mean 1, by which the squared errors are multiplied.

    Attributes
    ----------
    scale : Scale
        Scale of the fields.
    n_snapshots : int
        Number of snapshots that are drawn from.
    rounding : float
        Root mean square of the rounding errors of the snapshots, relative to their variation.

    Notes
    -----
    The error of a snapshot is relative to its variation ``‖(u - ū) / σ‖``, with the mean ū and
    the standard deviation σ of each field over all snapshots and points.  Thus it does not depend
    on the units, and all fields count equally.  Points are drawn by the distance from the median:
    around a narrow structure the field differs from its mean, but hardly from its median.

    Values that were not observed have no weight in any sum, and a snapshot is drawn in proportion
    to the share of its values that was observed.
    """

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
        scale: Scale | None = None,
        weights: Tensor | None = None,
    ) -> None:
        self.fields, self.points, self.inputs = fields, points, inputs
        self._weights = fields.new_ones(len(fields)).double() if weights is None else weights
        self.generator, self.importance = generator, importance
        _, self.n_points, self.n_fields = fields.shape
        self.scale = field_scale(fields.cpu().numpy()) if scale is None else scale
        self._center = as_tensor(self.scale.center, device=fields.device)
        # The slope of a constant field is 0, and so is its weight.
        self._slope = as_tensor(self.scale.slope, device=fields.device)
        self._varies = as_tensor(self.scale.varies.astype(np.float64), device=fields.device)
        varies = self.scale.varies
        sizes = (np.abs(self.scale.center) + self.scale.scale)[varies] * self.scale.slope[varies]
        # Rounding errors are uniform in a unit of the last place.
        unit = torch.finfo(fields.dtype).eps / math.sqrt(12)
        self.rounding = unit * float(np.sqrt(np.mean(sizes**2))) if varies.any() else 0.0
        some = self.fields.reshape(-1, self.n_fields)
        some = some[:: -(-len(some) // _MEDIAN_OF)]
        self._median = self._scaled(some).nanmedian(0).values.nan_to_num()

        self._cells = PointCells(points)
        self._norms = fields.new_empty(len(fields), dtype=torch.float64)
        self._shares = fields.new_ones(len(fields), dtype=torch.float64)
        self._cdf = fields.new_empty(len(fields), self._cells.n_cells + 1, dtype=torch.float32)
        for rows in _blocks(fields):
            self._update_distribution(rows)
        seen = self._shares > 0
        floor = VARIATION_FLOOR * (self._norms.square()[seen] / self._shares[seen]).mean().sqrt()
        self._norm_floor = torch.where(floor > 0, floor, 1.0)
        self._misfit: Tensor | None = None
        self.restrict(None)

    def restrict(self, chosen: NDArray[np.bool_] | None) -> None:
        """Draw only some of the snapshots from now on; None: all of them.

        Norms and scale are still those of all snapshots.
        """
        inputs = self.inputs.cpu().numpy()
        # Ordered in time, and then in the parameters: the order of the trajectories is irrelevant.
        order = np.lexsort(inputs.T)
        if chosen is not None:
            order = order[chosen[order]]
        order = order[self._shares.cpu().numpy()[order] > 0]
        self.n_snapshots = len(order)
        self._time_order = as_tensor(order, device=self.fields.device)
        self._times = inputs[order, -1].tolist()
        self._update_probabilities()

    def _update_probabilities(self) -> None:
        """Update the cumulative probabilities of the snapshots; None: all have the same."""
        shares = self._shares[self._time_order]
        alike = bool((shares == shares[0]).all())
        self._cumulative = None if alike else shares.cumsum(0) / shares.sum()

    def _update_distribution(self, rows: slice) -> None:
        """Update the norms, the observed shares and the point distributions of some snapshots."""
        scaled = self._scaled(self.fields[rows])
        gaps = scaled.isnan()
        seen = ~gaps.all(-1) if gaps.any() else None
        self._shares[rows] = 1 - gaps.double().mean((1, 2))
        self._norms[rows] = scaled.square().nansum((1, 2)).sqrt()
        distance = scaled.sub_(self._median).square_().nansum(-1).sqrt_()
        self._cdf[rows] = self._cells.distribution(distance, self.importance, seen)

    def _scaled(self, fields: Tensor) -> Tensor:
        """Scaled fields in float64."""
        return (fields.double() - self._center) * self._slope

    def draw(
        self,
        n_snapshots: int,
        n_points: int,
        dtype: torch.dtype,
        *,
        time_share: float = 1.0,
        emphasis: float = 0.0,
    ) -> Batch:
        """Draw a batch, stratified over the times and over the points of each snapshot.

        The first and the last times are drawn ``1 / (1 - emphasis)`` times as often as on average,
        the middle ones ``1 / (1 + emphasis)`` times.

        Only times in the first ``time_share`` of the range of the scaled times are drawn.
        """
        first, last = self._times[0], self._times[-1]
        n_eligible = bisect.bisect_right(self._times, first + time_share * (last - first))
        n_eligible = self.n_snapshots if time_share >= 1 else n_eligible
        position = self._strata((), n_snapshots)
        if first < last:
            position = position - emphasis / (2 * math.pi) * torch.sin(2 * math.pi * position)
        if self._cumulative is None:
            place = (position * n_eligible).long()
        else:
            reached = self._cumulative[n_eligible - 1]
            place = torch.searchsorted(self._cumulative, position * reached, right=True)
        snapshots = self._time_order[place.clamp_(max=n_eligible - 1)]
        points, probability = self._cells.draw(
            self._distribution(snapshots),
            self._strata((n_snapshots,), n_points),
            self._random(n_snapshots, n_points),
        )
        flat = points + snapshots.unsqueeze(-1) * self.n_points
        u = self._scaled(self.fields.reshape(-1, self.n_fields)[flat])
        floor = self._norm_floor * self._shares[snapshots].sqrt()
        norms = torch.maximum(self._norms[snapshots], floor)
        factors = self._varies * (self._weights[snapshots].sqrt() / norms).unsqueeze(-1)
        weights = factors.unsqueeze(1) / (n_points * probability).sqrt().unsqueeze(-1)
        gaps = u.isnan()
        return Batch(
            self.points[points].to(dtype),
            u.masked_fill(gaps, 0.0).to(dtype),
            self.inputs[snapshots].to(dtype),
            weights.masked_fill(gaps, 0.0).to(dtype),
            self._cells.cell_of_point[points],
        )

    def learn(self, batch: Batch, misfit: Tensor) -> None:
        """Record the errors of the network on a batch, to draw more points where they are large.

        Otherwise an error at a single grid point persists: it is rarely sampled.

        Parameters
        ----------
        batch : Batch
        misfit : Tensor of shape (n_snapshots, n_points, n_fields)
            Differences between the scaled fields of the network and of the snapshots.  Those that
            are not finite tell nothing.
        """
        seen = (batch.weights > 0) & misfit.isfinite()
        squared = misfit.masked_fill(~seen, 0.0).square().sum(-1).flatten()
        if self._misfit is None:
            self._misfit = squared.new_zeros(self._cells.n_cells)
        cells, zero = batch.cells.flatten(), torch.zeros_like(self._misfit)
        count = zero.index_add(0, cells, seen.any(-1).flatten().to(squared.dtype))
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

    def preview(self) -> SnapshotSampler:
        """A sampler of the same snapshots, whose draws change nothing in this one."""
        other = copy.copy(self)
        other.generator = torch.Generator(device=self.fields.device)
        other.generator.set_state(self.generator.get_state())
        return other

    @property
    def n_bytes(self) -> int:
        """Memory of what is kept beside the snapshots."""
        return self._cdf.nbytes + self._norms.nbytes + self._shares.nbytes

    def state(self) -> dict[str, Any]:
        """Random numbers to come, and the misfits so far."""
        return {"generator": self.generator.get_state(), "misfit": self._misfit}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with a state; snapshots that are not in memory may be others."""
        self.generator.set_state(state["generator"])
        misfit = state["misfit"]
        self._misfit = None if misfit is None else misfit.to(self.fields.device)

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
