"""Snapshots: their layout, their validation, their storage and their units."""

from skcolora._snapshots._grid import Array, Grid, check_period, check_points, check_times
from skcolora._snapshots._layout import SnapshotLayout, infer_layout, parameter_time_rows
from skcolora._snapshots._regrid import in_space, in_time
from skcolora._snapshots._stored import MAX_RESIDENT, StoredRows, is_stored
from skcolora._snapshots._units import input_scale, positive
from skcolora._snapshots._validation import (
    validate_parameters,
    validate_rows,
    validate_snapshots,
)

__all__ = [
    "MAX_RESIDENT",
    "Array",
    "Grid",
    "SnapshotLayout",
    "StoredRows",
    "check_period",
    "check_points",
    "check_times",
    "in_space",
    "in_time",
    "infer_layout",
    "input_scale",
    "is_stored",
    "parameter_time_rows",
    "positive",
    "validate_parameters",
    "validate_rows",
    "validate_snapshots",
]
