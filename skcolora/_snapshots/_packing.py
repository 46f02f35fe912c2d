"""Attributes of files that say which values are no data, and how values are packed.

These are the conventions of netCDF (CF), which HDF5 and zarr datasets carry as attributes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_FILLS = ("_FillValue", "missing_value")
_PACKING = ("scale_factor", "add_offset")


# How to mend a dataset with missing data.
LEAVE_OUT = (
    "Leave these points or trajectories out of all arrays, or fill the gaps first.  If the values "
    "are real data, remove the mark from the dataset."
)


class FillValues(NamedTuple):
    """Values of a dataset that stand for missing data."""

    marks: dict[str, list[Any]]
    """The values, for each attribute that names them"""

    def find(self, values: NDArray[Any]) -> tuple[int, str]:
        """Number of values that are missing data, and a description of their mark."""
        for name, marks in self.marks.items():
            for mark in marks:
                n = int(np.count_nonzero(_equal(values, mark)))
                if n:
                    return n, f"{name} = {mark:g}"
        return 0, ""

    def mask(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of the values that are missing data."""
        out = np.zeros(values.shape, dtype=bool)
        for marks in self.marks.values():
            for mark in marks:
                out |= _equal(values, mark)
        return out

    def check(self, values: NDArray[Any], name: str) -> None:
        """Raise a ValueError if a value stands for missing data."""
        n, mark = self.find(values)
        if n:
            raise ValueError(
                f"`{name}` must have no missing data; got {n} of {values.size} values equal to "
                f"{mark}, which marks missing data.  {LEAVE_OUT}"
            )


def _equal(values: NDArray[Any], mark: Any) -> NDArray[np.bool_]:
    # Attributes often have another precision than the values.
    with np.errstate(over="ignore"):
        same = np.asarray(mark, values.dtype if values.dtype.kind == "f" else None)
    return np.asarray(values == same)


def fill_values(dataset: Any) -> FillValues:
    """Values that stand for missing data in an HDF5, netCDF or zarr dataset.

    The fill value of the file format counts only where it is not 0, its default.
    """
    if isinstance(dataset, np.ndarray):  # The fill value of a masked array marks nothing.
        return FillValues({})
    marks = {name: _numbers(_attribute(dataset, name)) for name in _FILLS}
    for name in ("fillvalue", "fill_value"):
        marks[name] = [mark for mark in _numbers(getattr(dataset, name, None)) if mark]
    return FillValues({name: found for name, found in marks.items() if found})


def packing(dataset: Any) -> dict[str, Any]:
    """The attributes scale_factor and add_offset of a dataset that is packed; else empty."""
    found = {name: _attribute(dataset, name) for name in _PACKING}
    return {name: value for name, value in found.items() if value is not None}


def check_packing(dataset: Any, name: str) -> None:
    """Raise a ValueError if the values of a dataset are packed."""
    found = packing(dataset)
    if found:
        listed = " and ".join(f"{key} = {value}" for key, value in found.items())
        raise ValueError(
            f"`{name}` must hold the values themselves; got a dataset packed with {listed}.  "
            "Unpack it first: values * scale_factor + add_offset."
        )


def _attribute(dataset: Any, name: str) -> Any:
    """An attribute of a dataset; None where it has none."""
    attributes: Any = getattr(dataset, "attrs", None)
    return attributes.get(name) if hasattr(attributes, "get") else None


def _numbers(attribute: Any) -> list[Any]:
    """Real numbers in an attribute."""
    try:
        array = np.atleast_1d(np.asarray(attribute))
    except (TypeError, ValueError):
        return []
    return [n for n in array.ravel().tolist() if n == n] if array.dtype.kind in "fiu" else []
