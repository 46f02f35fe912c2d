"""Arrays of users hold real numbers: masked, complex or missing entries, dates and text are errors.

NumPy drops masks and imaginary parts and casts dates to integers silently, so that all arrays of
users pass through `check_real` or `as_real_floats` before they are converted.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from skcolora._snapshots._packing import check_packing, fill_values

Array = NDArray[np.floating[Any]]

# Instances of these classes in an array of objects are dates or durations.
DATES = (datetime.date, datetime.timedelta, np.datetime64, np.timedelta64)
# Nesting of lists beyond which no array can be meant.
_MOST_NESTED = 32


def check_real(values: Any, name: str) -> Any:
    """Check that an array of a user holds real numbers; it is not converted.

    Parameters
    ----------
    values : array-like, frame or sparse matrix
    name : str
        Name of the argument, for messages.

    Returns
    -------
    values : object
        The object itself, except that a list or an array-like object becomes an array.

    Raises
    ------
    ValueError
        If an entry is masked or the fill value of a dataset, or if the entries are packed, complex
        numbers, dates, durations or text.
    """
    if issparse(values) or np.isscalar(values):
        return values
    dtypes: Any = getattr(values, "dtypes", None)
    if dtypes is not None or hasattr(values, "iloc"):
        # Frames keep their form, because scikit-learn reads the names of their columns.
        for column, dtype in dtypes.items() if hasattr(dtypes, "items") else ():
            _check_kind(getattr(dtype, "kind", "O"), dtype, f"{name}[{column!r}]")
        _check_objects(np.asarray(values), name)
        return values
    if not isinstance(values, np.ndarray) and hasattr(values, "__array__"):
        check_packing(values, name)
        loaded = load(values)
        fill_values(values).check(loaded, name)
        values = loaded
    check_mask(values, name)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        return values  # Ragged lists: the conversion to numbers reports them.
    _check_objects(array, name)
    return array if isinstance(values, (list, tuple)) and array.dtype != object else values


def as_real_floats(values: Any, name: str) -> Array:
    """Convert an array of a user to a new array of float64.

    Parameters
    ----------
    values : array-like
    name : str
        Name of the argument, for messages.

    Returns
    -------
    array : ndarray of float64
        A copy, so that later changes of the user's array have no effect.

    Raises
    ------
    ValueError
        If an entry is masked, not finite or missing, or the entries are no real numbers.
    """
    values = check_real(values, name)
    try:
        if hasattr(values, "to_numpy") and hasattr(values, "isna"):
            array = np.array(values.to_numpy(dtype=np.float64, na_value=np.nan))
        else:
            array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be numeric; got {type(values).__name__}, which does not become an "
            f"array of numbers ({error})."
        ) from error
    if not np.isfinite(array).all():
        n = int(np.count_nonzero(~np.isfinite(array)))
        raise ValueError(f"`{name}` must be finite; got NaN or infinity in {n} of {array.size}.")
    return array


def load(values: Any) -> NDArray[Any]:
    """Load an array, with its mask, which numpy.asarray drops."""
    if callable(getattr(values, "compute", None)):  # of dask, whose __array__ drops masks
        values = values.compute()
    return values if isinstance(values, np.ndarray) else values.__array__()


def check_mask(values: Any, name: str) -> None:
    """Raise a ValueError if an entry of a masked array, or of a list of them, is masked."""
    masked, size = _count_masked(values)
    if masked:
        raise ValueError(
            f"`{name}` must have no masked entries; got {masked} masked of {size}.  What is under "
            "a mask is no data.  Leave these points or trajectories out of all arrays, or fill "
            f"the gaps first, for example with `{name}.filled(value)` where a value is known."
        )


def _count_masked(values: Any, depth: int = 0) -> tuple[int, int]:
    """Numbers of masked and of all entries."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmask(values)
        masked = 0 if mask is np.ma.nomask or mask.dtype.names else int(np.count_nonzero(mask))
        return masked, int(values.size)
    if isinstance(values, np.ndarray) and values.dtype == object:
        values = values.ravel().tolist()
    if isinstance(values, (list, tuple)) and depth < _MOST_NESTED:
        if all(isinstance(entry, (int, float)) for entry in values):
            return 0, len(values)
        counts = [_count_masked(entry, depth + 1) for entry in values]
        return sum(m for m, _ in counts), sum(n for _, n in counts)
    return 0, int(np.size(values)) if isinstance(values, np.ndarray) else 1


def _check_objects(array: NDArray[Any], name: str) -> None:
    """Check the dtype of an array, and the entries of an array of objects."""
    _check_kind(array.dtype.kind, array.dtype, name)
    if array.dtype == object:
        entries = array.ravel().tolist()
        found = next((entry for entry in entries if isinstance(entry, DATES)), None)
        if found is not None:
            _check_kind("M", type(found).__name__, name)
        if any(isinstance(entry, complex) for entry in entries):
            _check_kind("c", "complex", name)


def _check_kind(kind: str, dtype: Any, name: str) -> None:
    """Raise a ValueError for a kind of numpy's dtypes that is no real number."""
    if kind == "c":
        raise ValueError(
            f"Complex data not supported: `{name}` must hold real numbers; got {dtype}.  Give the "
            "real and the imaginary part as two fields or columns."
        )
    if kind in "mM":
        raise ValueError(
            f"`{name}` must hold numbers; got dates or durations ({dtype}).  Convert them to "
            "numbers in a unit of your choice, such as "
            "`(dates - dates[0]) / numpy.timedelta64(1, 's')`."
        )
    if kind in "SU":
        raise ValueError(
            f"`{name}` must be numeric; got text ({dtype}).  Convert it to numbers first, such as "
            "by `numpy.asarray(values, dtype=float)`."
        )
