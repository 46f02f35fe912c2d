"""Samples: unbiased, stratified, finite for zero snapshots."""

import numpy as np
import pytest
import torch

from skcolora._snapshots import Units, infer_layout
from skcolora._training import make_sampler as make_snapshot_sampler
from skcolora._training._sampling import SnapshotSampler


def make_sampler(fields, importance=0.7):
    n_snapshots, n_points, _ = fields.shape
    return SnapshotSampler(
        fields,
        torch.linspace(0, 1, n_points).double()[:, None],
        torch.arange(n_snapshots).double()[:, None],
        generator=torch.Generator().manual_seed(0),
        importance=importance,
    )


@pytest.mark.parametrize("importance", [0.0, 0.7, 0.95])
def test_estimates_the_relative_error_without_bias(importance):
    x = torch.linspace(0, 1, 200).double()
    centers = torch.linspace(0.2, 0.8, 6).double()
    fields = torch.exp(-(((x - centers[:, None]) / 0.05) ** 2))[..., None]
    error = torch.sin(7 * x)[:, None]
    sampler = make_sampler(fields, importance)
    estimates = torch.zeros(6).double()
    for _ in range(400):
        batch = sampler.draw(6, 16, torch.float64)
        sampled = torch.sin(7 * batch.x)
        estimates += (batch.weights * sampled).square().sum((1, 2)) / 400
    variation = (fields - fields.mean()).square().sum((1, 2)) / fields.var(correction=0)
    exact = error.square().sum() / variation
    assert torch.allclose(estimates, exact, rtol=0.1)


def test_every_snapshot_is_drawn_as_often():
    sampler = make_sampler(torch.rand(5, 30, 1).double() ** 8)
    drawn = [sampler.draw(5, 4, torch.float64).inputs[:, 0] for _ in range(20)]
    assert all(torch.equal(d, torch.arange(5).double()) for d in drawn)


def test_values_belong_to_their_points_and_snapshots():
    x = torch.linspace(0, 1, 40).double()
    fields = torch.stack([x + k for k in range(3)])[..., None]
    batch = make_sampler(fields).draw(12, 8, torch.float32)
    expected = batch.x + batch.inputs[:, None, :]
    assert batch.u.dtype == torch.float32
    scaled = (expected - fields.mean()) / fields.std(correction=0)
    assert torch.allclose(batch.u, scaled.float(), atol=1e-6)


def test_fields_of_any_unit_count_equally():
    fields = 300 + torch.rand(4, 50, 2).double() * torch.tensor([1e-3, 1e20])
    batch = make_sampler(fields).draw(4, 50, torch.float64)
    shares = (batch.weights * batch.u).square().sum((0, 1)).tolist()
    assert shares[0] == pytest.approx(shares[1], rel=0.2)


@pytest.mark.parametrize("all_zero", [False, True])
def test_zero_snapshots_have_finite_weights(all_zero):
    fields = torch.linspace(-1, 1, 10).double().repeat(4, 1)[..., None]
    fields[0 if not all_zero else slice(None)] = 0
    batch = make_sampler(fields).draw(4, 10, torch.float64)
    assert torch.isfinite(batch.weights).all()
    error = (batch.weights * (batch.u + 0.01)).square().sum((1, 2)).sqrt()
    assert error.max() < 10


def test_reach_bounds_the_times_and_leaves_steady_fields_alone():
    sampler = make_sampler(torch.rand(10, 5, 1).double())
    assert sampler.draw(64, 2, torch.float64, time_share=0.5).inputs.max() == 4
    assert sampler.draw(64, 2, torch.float64, time_share=0.0).inputs.max() == 0
    sampler = SnapshotSampler(
        torch.rand(10, 5, 1).double(),
        torch.rand(5, 1).double(),
        torch.stack([torch.arange(10.0), torch.zeros(10)], dim=1).double(),
        generator=torch.Generator().manual_seed(0),
    )
    assert sampler.draw(64, 2, torch.float64, time_share=0.0).inputs[:, 0].max() == 9


def test_reach_is_a_share_of_the_time_that_the_network_sees():
    """Half of it ends at the median of times that span decades, not at half of the last time."""
    times = np.append(0.0, np.geomspace(1e-3, 1e2, 20))
    layout = infer_layout((3, 21, 8), times, np.arange(8.0))
    X, rows = np.arange(3.0)[:, None], np.random.default_rng(0).random((3, 21, 8, 1))
    units = Units.of(X, layout.times, layout.grid.points, (None,), 1)
    sampler = make_snapshot_sampler(X, rows, layout, units, device=torch.device("cpu"), seed=0)
    for share, reached in ((0.0, times[0]), (0.501, times[10]), (1.0, times[-1])):
        drawn = sampler.draw(300, 1, torch.float64, time_share=share).inputs[:, -1:]
        assert units.times.invert(drawn.max().numpy()) == pytest.approx(reached, rel=1e-9)


def test_a_constant_field_takes_no_part():
    fields = torch.rand(4, 50, 2).double()
    fields[..., 1] = 0.1
    sampler = make_sampler(fields)
    batch = sampler.draw(4, 20, torch.float64)
    assert (batch.weights[..., 1] == 0).all()
    assert (batch.u[..., 1] == 0).all()
    alone = make_sampler(fields[..., :1]).draw(4, 20, torch.float64)
    torch.testing.assert_close(batch.weights[..., :1], alone.weights)


def test_the_order_of_the_trajectories_is_irrelevant():
    fields = torch.rand(6, 50, 1).double()
    inputs = torch.tensor([[0.1, 0], [0.1, 1], [0.3, 0], [0.3, 1], [0.2, 0], [0.2, 1]]).double()
    points = torch.linspace(0, 1, 50).double()[:, None]

    def draw(order):
        generator = torch.Generator().manual_seed(0)
        sampler = SnapshotSampler(fields[order], points, inputs[order], generator=generator)
        return sampler.draw(12, 8, torch.float64)

    one, other = draw([0, 1, 2, 3, 4, 5]), draw([4, 5, 0, 1, 2, 3])
    for ours, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


def test_memory_beside_the_snapshots_does_not_grow_with_the_grid():
    sampler = make_sampler(torch.rand(2, 50_000, 1))
    extra = [t for t in vars(sampler).values() if torch.is_tensor(t) and t.shape[:1] == (2,)]
    assert sum(t.nbytes for t in extra if t is not sampler.fields) < 2**18


def test_points_are_drawn_where_the_network_was_wrong_still_without_bias():
    fields = torch.where(torch.arange(200) % 2 == 0, 1.0, -1.0).double().repeat(4, 1)[..., None]
    needle = torch.where(torch.arange(200) == 57, 30.0, 0.1).double()
    sampler = make_sampler(fields)

    def misses(batch):
        return needle[(batch.x[..., 0] * 199).round().long()].unsqueeze(-1)

    def share_at_needle(n):
        batches = [sampler.draw(4, 50, torch.float64) for _ in range(n)]
        return torch.stack([(misses(batch) > 1).double().mean() for batch in batches]).mean()

    assert share_at_needle(50) < 0.02
    for _ in range(100):
        batch = sampler.draw(4, 50, torch.float64)
        sampler.learn(batch, misses(batch))
    assert share_at_needle(50) == pytest.approx(sampler.MISFIT_SHARE, abs=0.05)
    estimate = 0.0
    for _ in range(200):
        batch = sampler.draw(4, 50, torch.float64)
        estimate += float((batch.weights * misses(batch)).square().sum((1, 2)).mean()) / 200
    assert estimate == pytest.approx(float(needle.square().sum()) / 200, rel=0.05)


def test_a_network_that_was_never_wrong_changes_nothing():
    sampler, other = (make_sampler(torch.rand(3, 40, 1).double()) for _ in range(2))
    other.fields = sampler.fields
    other._cdf = sampler._cdf
    batch = sampler.draw(3, 8, torch.float64)
    other.draw(3, 8, torch.float64)
    sampler.learn(batch, torch.zeros_like(batch.u))
    again, same = sampler.draw(3, 8, torch.float64), other.draw(3, 8, torch.float64)
    assert torch.equal(again.x, same.x)


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_rounding_of_the_snapshots_relative_to_their_variation(offset):
    generator = torch.Generator().manual_seed(0)
    exact = torch.randn(20, 500, 1, generator=generator, dtype=torch.float64) + offset
    sampler = make_sampler(exact.float())
    rounding = (exact.float().double() - exact).square().mean().sqrt() / exact.std()
    assert 0.3 < sampler.rounding / float(rounding) < 3
    assert make_sampler(exact).rounding < 1e-8 * sampler.rounding


def grid_sampler(n_trajectories, n_times):
    """Snapshots whose inputs are the numbers of their trajectory and of their time."""
    generator = torch.Generator().manual_seed(0)
    fields = torch.rand(n_trajectories * n_times, 2, 1, generator=generator).double()
    pairs = [[float(i), float(k)] for i in range(n_trajectories) for k in range(n_times)]
    points = torch.linspace(0, 1, 2).double()[:, None]
    return SnapshotSampler(fields, points, torch.tensor(pairs).double(), generator=generator)


def test_the_first_and_the_last_times_are_drawn_more_often():
    """The density of the positions is ``1 / (1 - a cos 2πu)`` for the emphasis a."""
    sampler = grid_sampler(1, 100)
    drawn = torch.cat(
        [sampler.draw(200, 1, torch.float64, emphasis=0.5).inputs[:, -1].long() for _ in range(200)]
    )
    share = torch.bincount(drawn, minlength=100) / len(drawn) * 100
    expected = {0: 2.0, 99: 2.0, 50: 2 / 3}
    for time, density in expected.items():
        near = share[max(time - 1, 0) : time + 2].mean()
        assert near == pytest.approx(density, rel=0.05), time


def test_steady_fields_have_no_ends():
    sampler = grid_sampler(8, 1)
    for seed in (0, 1):
        sampler.generator.manual_seed(seed)
        plain = sampler.draw(8, 1, torch.float64).inputs
        sampler.generator.manual_seed(seed)
        assert torch.equal(sampler.draw(8, 1, torch.float64, emphasis=0.5).inputs, plain)


def test_only_chosen_snapshots_are_drawn():
    sampler = grid_sampler(3, 4)
    everything = sampler.draw(12, 1, torch.float64).inputs
    chosen = np.arange(12) // 4 != 1
    sampler.restrict(chosen)
    assert sampler.n_snapshots == 8
    drawn = sampler.draw(200, 1, torch.float64).inputs
    middle = sampler.inputs[~chosen]
    assert not any(torch.equal(row, other) for row in drawn for other in middle)
    assert len(torch.unique(drawn, dim=0)) == 8
    sampler.restrict(None)
    assert len(torch.unique(sampler.draw(200, 1, torch.float64).inputs, dim=0)) == 12
    assert len(everything) == 12


def test_gaps_have_no_part_in_any_sum():
    """Estimates are those of the observed values alone, and junk in the gaps changes nothing."""
    x = torch.linspace(0, 1, 120).double()
    fields = torch.stack([torch.sin(5 * x + k) for k in range(3)])[..., None]
    gaps = torch.rand(3, 120, 1, generator=torch.Generator().manual_seed(1)) < 0.4
    fields[gaps] = torch.nan
    sampler = make_sampler(fields)
    estimates, counts = torch.zeros(3).double(), torch.zeros(3).double()
    for _ in range(1500):
        batch = sampler.draw(3, 16, torch.float64)
        assert torch.isfinite(batch.u).all()
        sampled = (batch.weights * torch.cos(3 * batch.x)).square().sum((1, 2))
        which = batch.inputs[:, 0].long()
        estimates.index_add_(0, which, sampled)
        counts.index_add_(0, which, torch.ones(3).double())
    seen = ~gaps
    mean, deviation = fields[seen].mean(), fields[seen].std(correction=0)
    scaled = ((fields - mean) / deviation).square().masked_fill(gaps, 0).sum((1, 2))
    exact = (torch.cos(3 * x)[:, None].square() * seen).sum((1, 2)) / scaled
    assert torch.allclose(estimates / counts, exact, rtol=0.1)


def test_a_snapshot_is_drawn_as_often_as_it_was_observed():
    fields = torch.rand(4, 100, 1).double()
    fields[1] = torch.nan
    fields[2, :75] = torch.nan
    sampler = make_sampler(fields)
    assert sampler.n_snapshots == 3
    drawn = torch.cat([sampler.draw(9, 2, torch.float64).inputs[:, 0] for _ in range(200)])
    shares = torch.bincount(drawn.long(), minlength=4) / len(drawn)
    assert shares.tolist() == pytest.approx([4 / 9, 0, 1 / 9, 4 / 9], abs=0.01)


def test_misfits_are_learnt_where_something_was_observed():
    fields = torch.rand(2, 8, 1).double()
    fields[:, 4:] = torch.nan
    sampler = make_sampler(fields, importance=0.0)
    for _ in range(50):
        batch = sampler.draw(2, 8, torch.float64)
        sampler.learn(batch, torch.full_like(batch.u, 3.0))
    misfit = sampler._misfit[sampler._cells.cell_of_point]
    assert (misfit[:4] > 1).all()
    assert (misfit[4:] == 0).all()
