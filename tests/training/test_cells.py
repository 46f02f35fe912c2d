"""Cells of points: compact, and drawn from with the probabilities they report."""

import pytest
import torch

from skcolora._training._cells import PointCells, space_filling_order


def grid(n):
    axis = torch.linspace(0, 1, n).double()
    return torch.cartesian_prod(axis, axis)


def test_order_fills_a_square_grid_quarter_by_quarter():
    points = grid(8)
    order = space_filling_order(points)
    assert torch.equal(order.sort().values, torch.arange(64))
    quarters = points[order].reshape(4, 16, 2)
    assert (quarters.amax(1) - quarters.amin(1)).max() < 0.5


def test_order_in_one_dimension_is_that_of_the_points():
    points = torch.tensor([[0.3], [-1.0], [5.0], [0.2]]).double()
    assert space_filling_order(points).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("n_dims", [1, 3, 40])
def test_order_where_all_points_are_the_same_or_dimensions_many(n_dims):
    assert space_filling_order(torch.ones(5, n_dims).double()).tolist() == list(range(5))


@pytest.mark.parametrize("max_cells", [7, 50, 1000])
def test_points_come_as_often_as_reported(max_cells):
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(50, 2, generator=generator, dtype=torch.float64)
    magnitude = torch.rand(1, 50, generator=generator, dtype=torch.float64) ** 4
    cells = PointCells(points, max_cells=max_cells)
    assert cells.n_cells <= max_cells
    cdf = cells.distribution(magnitude, 0.7)
    place, within = torch.rand(2, 1, 200_000, generator=generator, dtype=torch.float64)
    drawn, probability = cells.draw(cdf, place, within)
    reported = torch.zeros(50).double().scatter_(0, drawn[0], probability[0])
    assert reported.sum() == pytest.approx(1)
    assert torch.allclose(torch.bincount(drawn[0]).double() / 200_000, reported, atol=2e-3)
    if max_cells == 1000:  # a cell for each point
        expected = 0.7 * magnitude[0] / magnitude.sum() + 0.3 / 50
        assert torch.allclose(reported, expected, rtol=1e-4)


def test_both_ends_of_the_distribution_are_points():
    cells = PointCells(grid(10), max_cells=30)
    cdf = cells.distribution(torch.zeros(1, 100).double(), 0.7)
    ends = torch.tensor([[0.0, 1 - 1e-17]]).double()
    points, probability = cells.draw(cdf, ends, torch.tensor([[0.0, 0.999]]).double())
    assert points.tolist() == [[cells.order[0], cells.order[-1]]]
    assert torch.allclose(probability, torch.tensor(0.01).double(), rtol=1e-4)
