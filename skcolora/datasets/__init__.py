"""Readers and generators of snapshots; each returns a `SnapshotData`."""

from skcolora.datasets._advection import make_advection
from skcolora.datasets._base import SnapshotData
from skcolora.datasets._burgers import make_burgers
from skcolora.datasets._hdf5 import SnapshotFileError, load_snapshots
from skcolora.datasets._meshes import read_meshes, write_vtk
from skcolora.datasets._pdebench import read_pdebench
from skcolora.datasets._rotating_detonation import make_rotating_detonation
from skcolora.datasets._vlasov import make_vlasov
from skcolora.datasets._wave import make_wave
from skcolora.datasets._well import read_well
from skcolora.datasets._xarray import read_xarray, to_xarray

__all__ = [
    "SnapshotData",
    "SnapshotFileError",
    "load_snapshots",
    "make_advection",
    "make_burgers",
    "make_rotating_detonation",
    "make_vlasov",
    "make_wave",
    "read_meshes",
    "read_pdebench",
    "read_well",
    "read_xarray",
    "to_xarray",
    "write_vtk",
]
