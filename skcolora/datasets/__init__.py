"""Readers and generators of snapshots; all return one `SnapshotData`."""

from skcolora.datasets._advection import make_advection
from skcolora.datasets._base import SnapshotData
from skcolora.datasets._hdf5 import SnapshotFileError, load_snapshots
from skcolora.datasets._vlasov import make_vlasov

__all__ = [
    "SnapshotData",
    "SnapshotFileError",
    "load_snapshots",
    "make_advection",
    "make_vlasov",
]
