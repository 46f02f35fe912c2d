"""Snapshots: layout, validation, storage, interpolation and units."""

from skcolora._snapshots._grid import Array, Grid, check_period, check_points, check_times
from skcolora._snapshots._layout import SnapshotLayout, infer_layout, parameter_time_rows
from skcolora._snapshots._regrid import interpolate_in_space, interpolate_in_time
from skcolora._snapshots._stored import MAX_RESIDENT, StoredRows, is_stored
from skcolora._snapshots._units import (
    Scale,
    Units,
    column_scale,
    field_scale,
    input_scale,
    is_constant,
    merge_close,
    nonzero_scale,
    parameter_scale,
)
from skcolora._snapshots._validation import (
    validate_parameters,
    validate_rows,
    validate_snapshots,
)

__all__ = [
    "MAX_RESIDENT",
    "Array",
    "Grid",
    "Scale",
    "SnapshotLayout",
    "StoredRows",
    "Units",
    "check_period",
    "check_points",
    "check_times",
    "column_scale",
    "field_scale",
    "infer_layout",
    "input_scale",
    "interpolate_in_space",
    "interpolate_in_time",
    "is_constant",
    "is_stored",
    "merge_close",
    "nonzero_scale",
    "parameter_scale",
    "parameter_time_rows",
    "validate_parameters",
    "validate_rows",
    "validate_snapshots",
]
