"""Random choice of the points of a snapshot, with more points where the field is unusual.

Neighbouring points form cells, and a cell is drawn in proportion to the distance of the field from
its usual value.  The number of cells is bounded, so neither memory nor the cost of a draw grows
with the grid.  All points of a cell have the same probability, which is known exactly, so that
weighted estimates are unbiased.
"""

from __future__ import annotations

import torch
from torch import Tensor


def space_filling_order(points: Tensor) -> Tensor:
    """Indices of the points in the order of Morton's Z-curve, which keeps neighbours close.

    Parameters
    ----------
    points : Tensor of shape (n_points, n_dims)
    """
    n_dims = points.shape[1]
    n_bits = max(1, min(16, 62 // n_dims))
    low = points.amin(0)
    extent = points.amax(0) - low
    extent = torch.where(extent > 0, extent, 1.0)
    coordinates = ((points - low) / extent * (2**n_bits - 1)).round().long()
    key = torch.zeros(len(points), dtype=torch.long, device=points.device)
    for bit in reversed(range(n_bits)):
        for coordinate in coordinates.unbind(1):
            key = (key << 1) | ((coordinate >> bit) & 1)
    return key.argsort(stable=True)


class PointCells:
    """Cells of neighbouring points.

    Parameters
    ----------
    points : Tensor of shape (n_points, n_dims)
    max_cells : int, default=MAX_CELLS
    """

    # Number of cells: large enough that a cell is small compared with moving structures.
    MAX_CELLS = 2**14

    def __init__(self, points: Tensor, *, max_cells: int = MAX_CELLS) -> None:
        self.n_points = len(points)
        self.order = space_filling_order(points)
        self.cell_size = -(-self.n_points // max_cells)
        """Number of points of a cell; the last cell may have fewer."""
        self.n_cells = -(-self.n_points // self.cell_size)
        self.sizes = torch.full((self.n_cells,), self.cell_size, device=points.device)
        self.sizes[-1] = self.n_points - (self.n_cells - 1) * self.cell_size
        self.cell_of_point = torch.empty_like(self.order)
        """Index of the cell of each point."""
        self.cell_of_point[self.order] = (
            torch.arange(self.n_points, device=points.device) // self.cell_size
        )

    @classmethod
    def bytes_for(cls, n_points: int) -> int:
        """Approximate memory of the distribution of one snapshot, in bytes."""
        return 4 * min(n_points, cls.MAX_CELLS)

    def distribution(
        self, magnitude: Tensor, importance: float, observed: Tensor | None = None
    ) -> Tensor:
        """Cumulative probabilities of the cells.

        Parameters
        ----------
        magnitude : Tensor of shape (n_snapshots, n_points)
            Non-negative values, such as the distance from the usual value.
        importance : float
            Share of the points that is drawn in proportion to the magnitude; the other points
            are drawn uniformly.
        observed : Tensor of bool of shape (n_snapshots, n_points), optional
            The points that are wanted, where the magnitude of the others is 0.  Cells without any
            are not drawn.  None: all points.

        Returns
        -------
        cdf : Tensor of shape (n_snapshots, n_cells + 1)
            Increasing from 0 to 1, in float32.
        """
        n = len(magnitude)
        mass = self._sums(magnitude)
        total = mass.sum(-1, keepdim=True)
        uniform = self.sizes / self.n_points
        if observed is not None:
            counts = self._sums(observed)
            n_observed = counts.sum(-1, keepdim=True)
            uniform = torch.where(n_observed > 0, counts / n_observed.clamp(min=1.0), uniform)
        share = torch.where(total > 0, mass / torch.where(total > 0, total, 1.0), uniform)
        cdf = magnitude.new_zeros(n, self.n_cells + 1, dtype=torch.float32)
        cdf[:, 1:] = (importance * share + (1 - importance) * uniform).cumsum(-1)
        cdf[:, -1] = 1.0
        return cdf

    def _sums(self, values: Tensor) -> Tensor:
        """Sums over the points of each cell, (n_snapshots, n_cells) in float64."""
        sorted_ = values.new_zeros(len(values), self.n_cells * self.cell_size)
        sorted_[:, : self.n_points] = values[:, self.order]
        return sorted_.view(-1, self.n_cells, self.cell_size).sum(-1, dtype=torch.float64)

    def draw(self, cdf: Tensor, cell_random: Tensor, point_random: Tensor) -> tuple[Tensor, Tensor]:
        """Draw points, and return their indices and probabilities.

        Parameters
        ----------
        cdf : Tensor of shape (n_snapshots, n_cells + 1)
        cell_random, point_random : Tensor of shape (n_snapshots, n_draws)
            Random numbers in [0, 1), which choose the cell and the point in the cell.

        Returns
        -------
        points, probability : Tensor of shape (n_snapshots, n_draws)
        """
        cells = torch.searchsorted(cdf, cell_random.to(cdf.dtype), right=True) - 1
        cells.clamp_(max=self.n_cells - 1)  # float32 may round the number up to 1
        # Probabilities of the distribution after its rounding to float32, so that they are exact.
        mass = cdf.gather(1, cells + 1) - cdf.gather(1, cells)
        sizes = self.sizes[cells]
        points = self.order[cells * self.cell_size + (point_random * sizes).long()]
        return points, mass.double() / sizes
