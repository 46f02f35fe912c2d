"""Snapshots: layout, validation, storage, interpolation and units."""

from skcolora._snapshots._constants import warn_of_constant_parameters, warn_of_constants
from skcolora._snapshots._coordinates import PARAMETER_SCALES, choose_logarithms, spread_evenly
from skcolora._snapshots._extrapolation import (
    ON_EXTRAPOLATION,
    ExtrapolationWarning,
    check_extrapolation,
)
from skcolora._snapshots._gaps import (
    MISSING,
    has_gaps,
    interpolate_gaps,
    marks_as_nan,
    observed_times,
)
from skcolora._snapshots._grid import Grid, check_period, check_points
from skcolora._snapshots._layout import SnapshotLayout, infer_layout, parameter_time_rows
from skcolora._snapshots._packing import LEAVE_OUT, fill_values, packing
from skcolora._snapshots._power_function import leave_one_out_power, power_function
from skcolora._snapshots._real import Array, as_real_floats, check_mask, check_real
from skcolora._snapshots._regrid import interpolate_in_space, interpolate_in_time
from skcolora._snapshots._stored import MAX_RESIDENT, StoredRows, is_stored
from skcolora._snapshots._times import Times, check_times, read_times
from skcolora._snapshots._trajectory_errors import trajectory_errors
from skcolora._snapshots._units import (
    VARIATION_FLOOR,
    ParameterScale,
    Scale,
    Units,
    column_scale,
    field_scale,
    inverse_scale,
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
    "LEAVE_OUT",
    "MAX_RESIDENT",
    "MISSING",
    "ON_EXTRAPOLATION",
    "PARAMETER_SCALES",
    "VARIATION_FLOOR",
    "Array",
    "ExtrapolationWarning",
    "Grid",
    "ParameterScale",
    "Scale",
    "SnapshotLayout",
    "StoredRows",
    "Times",
    "Units",
    "as_real_floats",
    "check_extrapolation",
    "check_mask",
    "check_period",
    "check_points",
    "check_real",
    "check_times",
    "choose_logarithms",
    "column_scale",
    "field_scale",
    "fill_values",
    "has_gaps",
    "infer_layout",
    "interpolate_gaps",
    "interpolate_in_space",
    "interpolate_in_time",
    "inverse_scale",
    "is_constant",
    "is_stored",
    "leave_one_out_power",
    "marks_as_nan",
    "merge_close",
    "observed_times",
    "packing",
    "parameter_scale",
    "parameter_time_rows",
    "power_function",
    "read_times",
    "rows_among",
    "spread_evenly",
    "trajectory_errors",
    "validate_parameters",
    "validate_rows",
    "validate_snapshots",
    "warn_of_constant_parameters",
    "warn_of_constants",
]
