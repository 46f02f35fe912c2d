"""Snapshots: layout, validation, storage, interpolation and units."""

from skcolora._snapshots._grid import Array, Grid, check_period, check_points, check_times
from skcolora._snapshots._layout import SnapshotLayout, infer_layout, parameter_time_rows
from skcolora._snapshots._regrid import interpolate_in_space, interpolate_in_time
from skcolora._snapshots._stored import MAX_RESIDENT, StoredRows, is_stored
from skcolora._snapshots._units import (
    VARIATION_FLOOR,
    Scale,
    Units,
    column_scale,
    field_scale,
    is_constant,
    merge_close,
    parameter_scale,
    rows_among,
)
from skcolora._snapshots._validation import (
    validate_parameters,
    validate_rows,
    validate_snapshots,
)

__all__ = [
    "MAX_RESIDENT",
    "VARIATION_FLOOR",
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
    "interpolate_in_space",
    "interpolate_in_time",
    "is_constant",
    "is_stored",
    "merge_close",
    "parameter_scale",
    "parameter_time_rows",
    "rows_among",
    "validate_parameters",
    "validate_rows",
    "validate_snapshots",
]
