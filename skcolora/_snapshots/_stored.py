"""Stored snapshots, which are read one by one because they do not fit into memory.

The array may be a `numpy.memmap`, an h5py or zarr dataset or a dask array.  It is recognised
by its attributes: it has a shape and a dtype, and can be sliced.
"""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skcolora._snapshots._gaps import marks_as_nan
from skcolora._snapshots._layout import SnapshotLayout
from skcolora._snapshots._packing import check_packing, fill_values
from skcolora._snapshots._real import Array, check_mask, load

# Size in bytes above which stored snapshots are never loaded as a whole, and default size of the
# pool of snapshots in memory.
MAX_RESIDENT = 2**29


class StoredRows:
    """Rows of snapshots, (n_trajectories, n_times, n_points, n_fields), read one by one.

    Parameters
    ----------
    y : memmap, dataset or dask array
        Stored array, which is not copied and must stay readable.
    layout : SnapshotLayout
    trajectories : ndarray of int or None
        Indices of the trajectories in use, in this order.  None: all trajectories.
    missing : {"error", "ignore"}
        What values mean that are NaN, masked or a fill value: an error, or a gap.
    """

    def __init__(
        self, y: Any, layout: SnapshotLayout, trajectories: Any = None, missing: str = "error"
    ) -> None:
        if y.dtype.kind not in "fiub":
            raise ValueError(f"y must hold real numbers; got dtype {y.dtype}.")
        check_packing(y, "y")
        self._y, self._layout, self._missing = y, layout, missing
        self._fill = fill_values(y)
        self._trajectories = np.arange(y.shape[0]) if trajectories is None else trajectories
        self._mapping = _find_mapping(y)
        single = y.dtype.kind == "f" and y.dtype.itemsize <= 4
        self.dtype = np.dtype(np.float32 if single else np.float64)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        layout = self._layout
        return len(self), layout.n_times, layout.grid.n_points, layout.n_fields

    def __len__(self) -> int:
        return len(self._trajectories)

    def __getitem__(self, trajectories: Any) -> StoredRows:
        """Select trajectories, without reading them."""
        chosen = self._trajectories[trajectories]
        return StoredRows(self._y, self._layout, chosen, self._missing)

    def read(self, snapshot: int) -> Array:
        """Read one snapshot, (n_points, n_fields); they are numbered trajectory by trajectory.

        Raises ValueError if a value is not finite, masked or a fill value; if these are gaps, only
        if there is no other value.
        """
        row, time = divmod(snapshot, self._layout.n_times)
        trajectory = int(self._trajectories[row])
        n_points, n_fields = self.shape[2:]
        if self._layout.flattened:
            width = n_points * n_fields
            part = self._y[trajectory, time * width : (time + 1) * width]
        elif self._layout.steady:
            part = self._y[trajectory]
        else:
            part = self._y[trajectory, time]
        part, name = load(part), f"y[{trajectory}, {time}]"
        if self._missing == "ignore":
            part = marks_as_nan(np.ma.masked_array(part, self._fill.mask(np.ma.getdata(part))))
        else:
            check_mask(part, name)
            self._fill.check(part, name)
        values = np.array(part, dtype=self.dtype).reshape(n_points, n_fields)
        if self._mapping is not None:
            # The pages that were read would otherwise count as memory of this process.
            self._mapping.madvise(mmap.MADV_DONTNEED)
        if self._missing == "ignore" and np.isnan(values).all():
            raise ValueError(
                f"A stored y must have an observed value in each snapshot; got none in {name}.  "
                "Leave out this trajectory, or this time of all trajectories."
            )
        if not (np.isfinite(values) | (self._missing == "ignore") & np.isnan(values)).all():
            raise ValueError(
                f"y must be finite; got NaN or infinity in trajectory {trajectory} at "
                f"times[{time}] = {self._layout.time_text(time)}."
            )
        return values


def is_stored(y: Any) -> bool:
    """Whether y is a memmap, a dataset or a dask array of more than `MAX_RESIDENT` bytes.

    Raises ValueError for a dask array of unknown shape.
    """
    shape, dtype = getattr(y, "shape", None), getattr(y, "dtype", None)
    if not isinstance(shape, tuple) or len(shape) < 2 or not isinstance(dtype, np.dtype):
        return False
    if isinstance(y, np.ndarray) and _find_memmap(y) is None:
        return False
    if issparse(y) or not hasattr(y, "__getitem__"):
        return False
    if any(math.isnan(n) for n in shape):
        raise ValueError(f"y has shape {shape}; call its compute_chunk_sizes() first.")
    return math.prod(shape) * dtype.itemsize > MAX_RESIDENT


def _find_memmap(y: Any) -> np.memmap[Any, Any] | None:
    """The memmap of an array that is a memmap or a view of one; None for other objects."""
    while isinstance(y, np.ndarray):
        if isinstance(y, np.memmap):
            return y
        y = y.base
    return None


def _find_mapping(y: Any) -> mmap.mmap | None:
    """The mapping of a memmap whose pages may be dropped, because the file holds the data.

    None for other objects.
    """
    memmap = _find_memmap(y)
    if memmap is None or memmap.mode == "c" or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    base: Any = memmap
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None
