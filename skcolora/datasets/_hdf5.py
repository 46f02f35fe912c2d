"""Reader of snapshots in HDF5 files, with one trajectory in each file."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skcolora._snapshots import LEAVE_OUT, Array, fill_values, packing
from skcolora.datasets._base import SnapshotData


class SnapshotFileError(OSError, ValueError):
    """A file of snapshots is missing, damaged, or does not fit the other files."""


class _Trajectory(NamedTuple):
    """Content of one file."""

    path: Path
    mu: Array
    """(n_parameters,)"""
    u: Array
    """(n_fields, n_times, n_0, ...)"""
    times: Array
    """(n_times,)"""
    axes: tuple[Array, ...]


def load_snapshots(
    path: str | os.PathLike[str], *, period: float | tuple[float | None, ...] | None = None
) -> SnapshotData:
    """Read trajectories from HDF5 files, with one trajectory in each file.

    A file holds the dataset ``u`` (n_fields, n_times, n_0[, n_1, ...]), its coordinates
    ``t``, ``x0``, ``x1``, ... as 1-D datasets, and the parameter as attribute ``mu``.
    This is the format of the data published with [1]_.  Integers are read as float64.  Datasets
    that are packed with the attributes ``scale_factor`` and ``add_offset`` are unpacked.

    Parameters
    ----------
    path : str or path-like
        A file, a folder (its ``*.hdf5`` and ``*.h5``), or a glob pattern.
    period : None, float or tuple, default=None
        Period of the domain, which the files do not contain.

    Returns
    -------
    data : SnapshotData
        Trajectories, sorted by parameter.  ``y`` has shape ``(n_trajectories, n_times, *grid)``;
        several fields add a last axis of length n_fields.

    Raises
    ------
    SnapshotFileError
        If no file is found; or if a file is not HDF5, is truncated, lacks a dataset, contains
        values that are not finite, not real or marked as missing (``_FillValue``,
        ``missing_value``), or differs from the first file in times, grid or fields.
        The message names the file.  The class is a ValueError and an OSError.
    ImportError
        If h5py is not installed.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646.
    """
    trajectories = [_read(file) for file in _find(path)]
    trajectories.sort(key=lambda trajectory: tuple(trajectory.mu))
    reference = trajectories[0]
    for other, previous in zip(trajectories[1:], trajectories, strict=False):
        _check_agreement(reference, other)
        if np.array_equal(other.mu, previous.mu):
            raise SnapshotFileError(
                f"{other.path} has the same parameter mu = {other.mu} as {previous.path}; remove "
                "one of the files."
            )
    u = np.stack([trajectory.u for trajectory in trajectories])
    y = u[:, 0] if u.shape[1] == 1 else np.ascontiguousarray(np.moveaxis(u, 1, -1))
    return SnapshotData(
        X=np.stack([trajectory.mu for trajectory in trajectories]),
        y=y,
        times=reference.times,
        points=reference.axes if len(reference.axes) > 1 else reference.axes[0][:, None],
        period=period,
    )


def _find(path: str | os.PathLike[str]) -> list[Path]:
    """Sorted files at a path, in a folder, or of a glob pattern, or a SnapshotFileError."""
    text = os.fspath(path)
    if os.path.isdir(text):
        found = [p for p in Path(text).iterdir() if p.suffix in (".hdf5", ".h5")]
    elif os.path.isfile(text):
        found = [Path(text)]
    else:
        found = [Path(p) for p in glob.glob(text) if os.path.isfile(p)]
    if not found:
        raise SnapshotFileError(
            f"No snapshots at {text!r}; expected an HDF5 file, a folder with *.hdf5 or *.h5 "
            "files, or a glob pattern."
        )
    return sorted(found)


def _read(path: Path) -> _Trajectory:
    """Read one file, or raise a SnapshotFileError."""
    with open_hdf5(path, "load_snapshots") as file:
        return _read_open(path, file)


@contextmanager
def open_hdf5(path: Path, caller: str) -> Iterator[Any]:
    """An open file; errors of h5py become a SnapshotFileError, or an ImportError with advice."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"{caller} needs h5py; install it with `pip install skcolora[data]`."
        ) from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except SnapshotFileError:
        raise
    except (OSError, RuntimeError) as error:
        raise SnapshotFileError(
            f"{path} is not an HDF5 file, or is truncated or not readable ({error})."
        ) from error


def _read_open(path: Path, file: Any) -> _Trajectory:
    """Read and check the datasets of an open file."""
    if "u" not in file or not hasattr(file["u"], "shape"):
        raise SnapshotFileError(f"{path} has no dataset 'u'; it holds {sorted(file)}.")
    source = file["u"]
    mu = source.attrs.get("mu", file.attrs.get("mu"))
    if mu is None:
        raise SnapshotFileError(f"{path} has no attribute 'mu' with the parameter.")
    names = ["t", *(f"x{d}" for d in range(source.ndim - 2))]
    missing = [name for name in names if name not in file]
    if missing or source.ndim < 3:
        raise SnapshotFileError(
            f"{path}: 'u' has shape {source.shape} and needs the axes (fields, t, x0, ...); "
            f"missing: {missing or ['x0']}."
        )
    times, *axes = (_values(path, name, file[name]).astype(np.float64) for name in names)
    lengths = tuple(map(np.shape, (times, *axes)))
    if tuple((n,) for n in source.shape[1:]) != lengths:
        raise SnapshotFileError(
            f"{path}: 'u' has shape {source.shape}, but its axes {names} have shapes {lengths}."
        )
    return _Trajectory(path, _parameter(path, mu), _values(path, "u", source), times, tuple(axes))


def _parameter(path: Path, mu: Any) -> Array:
    """The attribute mu as an array (n_parameters,)."""
    array = np.atleast_1d(np.asarray(mu))
    _check_kind(path, "mu", array, f"{mu!r} of type {type(mu).__name__}")
    if array.ndim != 1 or not array.size:
        raise SnapshotFileError(
            f"{path}: 'mu' has shape {array.shape}; expected one number for each parameter."
        )
    return array.astype(np.float64)


def _values(path: Path, name: str, dataset: Any) -> Array:
    """Values of a dataset in float32 or float64, unpacked, without missing values."""
    if not hasattr(dataset, "shape"):
        raise SnapshotFileError(f"{path}: '{name}' is a group; expected a dataset.")
    stored = np.asarray(dataset[()])
    _check_kind(path, name, stored, f"dtype {stored.dtype}")
    n_missing, mark = fill_values(dataset).find(stored)
    if n_missing:
        raise SnapshotFileError(
            f"{path}: '{name}' holds missing data, {n_missing} of {stored.size} values, which are "
            f"equal to {mark}.  {LEAVE_OUT}"
        )
    values = stored if stored.dtype == np.float32 else stored.astype(np.float64)
    packed = packing(dataset)
    for attribute, number in packed.items():
        if np.asarray(number).dtype.kind not in "fiu" or np.size(number) != 1:
            raise SnapshotFileError(
                f"{path}: '{name}' has the attribute {attribute} = {number!r}; expected one number."
            )
    if packed:
        scale, offset = (
            float(np.squeeze(packed.get(attribute, default)))
            for attribute, default in (("scale_factor", 1.0), ("add_offset", 0.0))
        )
        with np.errstate(all="ignore"):
            values = values.astype(np.float64) * scale + offset
        _check_kind(path, name, values, f"dtype {values.dtype}")
    return values


def _check_kind(path: Path, name: str, values: Any, found: str) -> None:
    """Raise a SnapshotFileError unless values are finite real numbers."""
    if values.dtype.kind not in "fiub":
        raise SnapshotFileError(f"{path}: '{name}' must hold real numbers; got {found}.")
    if not np.isfinite(values).all():
        raise SnapshotFileError(f"{path}: '{name}' holds NaN or infinity.")


def _check_agreement(reference: _Trajectory, other: _Trajectory) -> None:
    """Check equal shapes, times and axes, up to rounding in float32."""
    if other.u.shape != reference.u.shape or other.mu.shape != reference.mu.shape:
        raise SnapshotFileError(
            f"{other.path}: 'u' has shape {other.u.shape} and mu {other.mu.shape}, but "
            f"{reference.path} has {reference.u.shape} and {reference.mu.shape}."
        )
    pairs = zip((reference.times, *reference.axes), (other.times, *other.axes), strict=True)
    for d, (expected, given) in enumerate(pairs):
        if not np.allclose(expected, given, rtol=0, atol=1e-5 * np.ptp(expected)):
            name = "the times" if d == 0 else f"the axis x{d - 1}"
            raise SnapshotFileError(f"{other.path}: {name} differ from those of {reference.path}.")
