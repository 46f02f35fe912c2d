"""Sampling of snapshots that do not fit into memory, from a pool that is exchanged in turn."""

from __future__ import annotations

import math
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skcolora._snapshots import (
    MAX_RESIDENT,
    Array,
    Scale,
    SnapshotLayout,
    StoredRows,
    Units,
)
from skcolora._training._cells import PointCells
from skcolora._training._sampling import Batch, SnapshotSampler
from skcolora.utils._torch import as_tensor


class SnapshotSource(Protocol):
    """Snapshots that can be read one at a time."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n_trajectories, n_times, n_points, n_fields)"""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def read(self, snapshot: int) -> NDArray[np.floating[Any]]:
        """Read one snapshot, as a new array (n_points, n_fields).

        Snapshots are numbered trajectory by trajectory.
        """


class _Pending(NamedTuple):
    """A snapshot that is being read, and the slot of the pool that it will fill."""

    slot: int
    snapshot: int
    values: Future[NDArray[np.floating[Any]]]


class PooledSampler(SnapshotSampler):
    """Sampler that draws batches from a pool of snapshots in memory.

    The snapshots, ordered in time, are divided into equal parts, one for each slot of the pool.  A
    slot holds one random snapshot of its part, so that the pool is always stratified and all
    snapshots have the same probability.  A thread reads the next snapshot during the training.
    The snapshot is exchanged after a fixed number of draws, so that the batches depend on the seed
    but not on the speed of the disk.

    Parameters
    ----------
    source : SnapshotSource
    points : Tensor of shape (n_points, n_dims)
    parameters : Tensor of shape (n_trajectories, n_parameters)
    times : Tensor of shape (n_times,)
        Scaled points, parameters and times.
    scale : Scale or None
        See `SnapshotSampler`.
    weights : Tensor of shape (n_trajectories,) or None
        Weights of the trajectories; see `SnapshotSampler`.
    generator : torch.Generator
    max_bytes : int
        Memory of the pool and of the distributions of its points.  The pool has at least
        `MIN_SLOTS` snapshots, and at most `MAX_SLOTS`, since each is read separately.
    """

    MIN_SLOTS, MAX_SLOTS = 16, 2**14
    # Bytes read for each draw, on average: even a slow disk reads them during one step.
    BYTES_PER_DRAW = 2**20

    def __init__(
        self,
        source: SnapshotSource,
        points: Tensor,
        parameters: Tensor,
        times: Tensor,
        *,
        generator: torch.Generator,
        max_bytes: int,
        scale: Scale | None = None,
        weights: Tensor | None = None,
    ) -> None:
        n_trajectories, n_times, n_points, n_fields = source.shape
        self._source, self._parameters, self._all_times = source, parameters, times
        self._time_values = times.tolist()
        self._rng = np.random.default_rng(generator.initial_seed())
        size = n_points * n_fields * source.dtype.itemsize
        n_slots = min(
            max(max_bytes // (size + PointCells.bytes_for(n_points)), self.MIN_SLOTS),
            self.MAX_SLOTS,
        )
        n_slots = min(n_slots, n_trajectories * n_times)
        self._draws_per_exchange = math.ceil(size / self.BYTES_PER_DRAW)
        self._n_draws = 0

        snapshots = [self._pick_snapshot(slot, n_slots) for slot in range(n_slots)]
        like = torch.from_numpy(np.empty(0, source.dtype))
        fields = torch.empty(n_slots, n_points, n_fields, dtype=like.dtype, device=points.device)
        for slot in np.argsort(snapshots, kind="stable").tolist():  # in the order of the file
            fields[slot].copy_(torch.from_numpy(source.read(snapshots[slot])))
        inputs = torch.stack([self._snapshot_inputs(snapshot) for snapshot in snapshots])
        every = parameters.new_ones(n_trajectories, dtype=torch.float64)
        self._trajectory_weights = every if weights is None else weights
        owners = as_tensor(np.array(snapshots) // n_times, device=points.device)
        super().__init__(
            fields,
            points,
            inputs,
            generator=generator,
            scale=scale,
            weights=self._trajectory_weights[owners],
        )

        self._slot_order = self._rng.permutation(n_slots)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="skcolora-reader")
        self._pending = self._request(0)

    def draw(self, n_snapshots: int, n_points: int, dtype: torch.dtype, **options: float) -> Batch:
        self._n_draws += 1
        n_exchanges, remainder = divmod(self._n_draws, self._draws_per_exchange)
        if not remainder:
            self._receive(self._pending)
            self._pending = self._request(n_exchanges)
        return super().draw(n_snapshots, n_points, dtype, **options)

    def preview(self) -> PooledSampler:
        other = cast(PooledSampler, super().preview())
        other._n_draws, other._draws_per_exchange = 0, sys.maxsize
        return other

    @property
    def n_bytes(self) -> int:
        return super().n_bytes + self.fields.nbytes

    def close(self) -> None:
        self._reader.shutdown(cancel_futures=True)

    def _pick_snapshot(self, slot: int, n_slots: int) -> int:
        """Random snapshot of the part of a slot; one on a border belongs to two parts."""
        n_trajectories, n_times = len(self._parameters), len(self._all_times)
        n_all = n_trajectories * n_times
        position = min(int((slot + self._rng.random()) * (n_all / n_slots)), n_all - 1)
        time, trajectory = divmod(position, n_trajectories)
        return trajectory * n_times + time

    def _snapshot_inputs(self, snapshot: int) -> Tensor:
        trajectory, time = divmod(snapshot, len(self._all_times))
        return torch.cat([self._parameters[trajectory], self._all_times[time : time + 1]])

    def _request(self, n: int) -> _Pending:
        slot = int(self._slot_order[n % self.n_snapshots])
        snapshot = self._pick_snapshot(slot, self.n_snapshots)
        return _Pending(slot, snapshot, self._reader.submit(self._source.read, snapshot))

    def _receive(self, pending: _Pending) -> None:
        slot, snapshot, values = pending
        self.fields[slot].copy_(torch.from_numpy(values.result()))
        self.inputs[slot] = self._snapshot_inputs(snapshot)
        # The slots stay ordered in time, because each takes snapshots only from its own part.
        self._times[slot] = self._time_values[snapshot % len(self._time_values)]
        self._weights[slot] = self._trajectory_weights[snapshot // len(self._time_values)]
        share = float(self._shares[slot])
        self._update_distribution(slice(slot, slot + 1))
        if float(self._shares[slot]) != share:
            self._update_probabilities()


def make_sampler(
    X: Array,
    rows: Array | StoredRows,
    layout: SnapshotLayout,
    units: Units,
    *,
    device: torch.device,
    seed: int,
    scale: Scale | None = None,
    max_bytes: int | None = None,
    weights: Array | None = None,
) -> SnapshotSampler:
    """Sampler of snapshots in memory, or of stored ones with a pool of ``max_bytes``.

    ``scale`` is as in `SnapshotSampler`, and ``weights`` (n_trajectories,) are those of all
    snapshots of a trajectory.
    """
    points = as_tensor(units.coordinates(layout.grid.points), device=device)
    inputs = units.inputs(X, layout.times)
    generator = torch.Generator(device=device).manual_seed(seed)
    if isinstance(rows, StoredRows):
        return PooledSampler(
            rows,
            points,
            as_tensor(inputs[:, 0, :-1], device=device),
            as_tensor(inputs[0, :, -1], device=device),
            generator=generator,
            max_bytes=MAX_RESIDENT if max_bytes is None else max_bytes,
            scale=scale,
            weights=None if weights is None else as_tensor(weights, device=device),
        )
    fields = as_tensor(rows.reshape(-1, *rows.shape[2:]), device=device)
    rows_of_inputs = as_tensor(inputs.reshape(len(fields), -1), device=device)
    each = None if weights is None else as_tensor(np.repeat(weights, rows.shape[1]), device=device)
    return SnapshotSampler(
        fields, points, rows_of_inputs, generator=generator, scale=scale, weights=each
    )
