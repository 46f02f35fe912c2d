"""Which points of a snapshot are drawn: neighbours in cells, cells in proportion to |u|.

The number of cells is bounded, so neither memory nor the cost of a draw grows with the
grid.  Within a cell all points are as likely; the probability of each one is known
exactly, and estimates stay unbiased whatever the cells.
"""

from __future__ import annotations

import torch
from torch import Tensor


def space_filling_order(points: Tensor) -> Tensor:
    """Indices of the points along Morton's Z-curve, on which neighbours stay close.

    Parameters
    ----------
    points : Tensor of shape (n_points, n_dims)
    """
    n_dims = points.shape[1]
    n_bits = max(1, min(16, 62 // n_dims))
    low = points.amin(0)
    extent = points.amax(0) - low
    extent = torch.where(extent > 0, extent, 1.0)
    places = ((points - low) / extent * (2**n_bits - 1)).round().long()
    key = torch.zeros(len(points), dtype=torch.long, device=points.device)
    for bit in reversed(range(n_bits)):
        for place in places.unbind(1):
            key = (key << 1) | ((place >> bit) & 1)
    return key.argsort(stable=True)


class PointCells:
    """Cells of neighbouring points.

    Parameters
    ----------
    points : Tensor of shape (n_points, n_dims)
    max_cells : int, default=MAX_CELLS
    """

    # So many that a cell of a fine grid is small beside what moves on it.
    MAX_CELLS = 2**14

    def __init__(self, points: Tensor, *, max_cells: int = MAX_CELLS) -> None:
        self.n_points = len(points)
        self.order = space_filling_order(points)
        self.size = -(-self.n_points // max_cells)
        """Points of each cell but the last, which may have fewer."""
        self.n_cells = -(-self.n_points // self.size)
        self.sizes = torch.full((self.n_cells,), self.size, device=points.device)
        self.sizes[-1] = self.n_points - (self.n_cells - 1) * self.size
        self.of_point = torch.empty_like(self.order)
        """The cell of each point."""
        self.of_point[self.order] = torch.arange(self.n_points, device=points.device) // self.size

    @classmethod
    def bytes_for(cls, n_points: int) -> int:
        """About the memory that the distribution of one snapshot takes."""
        return 4 * min(n_points, cls.MAX_CELLS)

    def distribution(self, magnitude: Tensor, importance: float) -> Tensor:
        """Cumulative probabilities of the cells, in float32.

        Parameters
        ----------
        magnitude : Tensor of shape (n_snapshots, n_points)
            Not negative.
        importance : float
            Share of the points drawn in proportion to it; the others are uniform.

        Returns
        -------
        cdf : Tensor of shape (n_snapshots, n_cells + 1)
            From 0 to 1.
        """
        n = len(magnitude)
        sorted_ = magnitude.new_zeros(n, self.n_cells * self.size)
        sorted_[:, : self.n_points] = magnitude[:, self.order]
        mass = sorted_.view(n, self.n_cells, self.size).sum(-1, dtype=torch.float64)
        total = mass.sum(-1, keepdim=True)
        uniform = self.sizes / self.n_points
        share = torch.where(total > 0, mass / torch.where(total > 0, total, 1.0), uniform)
        cdf = magnitude.new_zeros(n, self.n_cells + 1, dtype=torch.float32)
        cdf[:, 1:] = (importance * share + (1 - importance) * uniform).cumsum(-1)
        cdf[:, -1] = 1.0
        return cdf

    def draw(self, cdf: Tensor, place: Tensor, within: Tensor) -> tuple[Tensor, Tensor]:
        """Points and their probabilities.

        Parameters
        ----------
        cdf : Tensor of shape (n_snapshots, n_cells + 1)
        place, within : Tensor of shape (n_snapshots, n_draws)
            Random numbers in [0, 1): the place in the distribution of the cells, and in
            the cell.

        Returns
        -------
        points, probability : Tensor of shape (n_snapshots, n_draws)
        """
        cells = torch.searchsorted(cdf, place.to(cdf.dtype), right=True) - 1
        cells.clamp_(max=self.n_cells - 1)  # where float32 rounds the place up to 1
        # The probabilities that the rounded distribution has, not those it was made from.
        mass = cdf.gather(1, cells + 1) - cdf.gather(1, cells)
        sizes = self.sizes[cells]
        points = self.order[cells * self.size + (within * sizes).long()]
        return points, mass.double() / sizes
