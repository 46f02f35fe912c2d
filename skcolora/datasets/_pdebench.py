"""Reader of the HDF5 files of PDEBench."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora._snapshots import Array, as_real_floats
from skcolora.datasets._base import SnapshotData
from skcolora.datasets._hdf5 import SnapshotFileError, open_hdf5

_AXES = ("x", "y", "z")


def read_pdebench(
    X: ArrayLike,
    paths: Sequence[str | os.PathLike[str]],
    *,
    sample: int = 0,
    fields: Sequence[str] | None = None,
    period: Any = None,
) -> SnapshotData:
    """Read files of PDEBench [1]_, one for each set of parameters.

    A file holds many samples of one set of parameters, which differ in a random initial field.  The
    same sample is taken from each file.  Two layouts are known: one dataset ``tensor``, or one
    dataset for each field, such as ``density`` and ``Vx``, of shape ``(n_samples, n_times,
    *grid)``, with ``t-coordinate``, ``x-coordinate`` and so on; and one group for each sample, with
    ``data`` of shape ``(n_times, *grid, n_fields)`` and the group ``grid``.

    Parameters
    ----------
    X : array-like of shape (n_files, n_parameters)
        Parameters of the files, which are only in their names.
    paths : sequence of n_files paths
        Files with the same times, grid and fields.
    sample : int, default=0
        Index of the sample.
    fields : sequence of str, default=None
        Names of the datasets of the fields.  None: all of them.
    period : None, float or tuple, default=None
        Period of the domain, which the files do not contain.

    Returns
    -------
    data : SnapshotData

    Raises
    ------
    SnapshotFileError
        If a file has another layout, or differs from the first one.
    ValueError
        If X does not fit the files.
    ImportError
        If h5py is not installed.

    References
    ----------
    .. [1] M. Takamoto et al., "PDEBench: An extensive benchmark for scientific machine learning",
       NeurIPS 2022, arXiv:2210.07182.
    """
    parameters = as_real_floats(X, "X")
    if parameters.ndim != 2 or len(parameters) != len(paths) or not len(paths):
        raise ValueError(
            f"X must have one row for each of the {len(paths)} files; got shape {parameters.shape}."
        )
    parts = [_read(Path(path), sample, fields) for path in paths]
    y, times, axes, names = parts[0]
    for path, part in zip(paths, parts, strict=True):
        same = part[0].shape == y.shape and np.array_equal(part[1], times) and part[3] == names
        if not same or not all(map(np.array_equal, part[2], axes)):
            raise SnapshotFileError(
                f"{path} differs from {paths[0]} in times, coordinates or fields."
            )
    values = np.stack([part[0] for part in parts])
    return SnapshotData(
        X=parameters,
        y=values[..., 0] if values.shape[-1] == 1 else values,
        times=times,
        points=axes if len(axes) > 1 else axes[0][:, None],
        period=period,
        coordinate_names=_AXES[: len(axes)],
        field_names=tuple(names),
    )


def _read(
    path: Path, sample: int, wanted: Sequence[str] | None
) -> tuple[Array, Array, tuple[Array, ...], list[str]]:
    """Fields (n_times, *grid, n_fields), times, axes, and names of the fields of one sample."""
    with open_hdf5(path, "read_pdebench") as file:
        try:
            if "t-coordinate" in file:
                return _of_datasets(file, sample, wanted)
            return _of_groups(file, sample)
        except (KeyError, AttributeError, TypeError) as error:
            raise SnapshotFileError(
                f"{path} has no layout of PDEBench that is known: {error}."
            ) from error
        except (IndexError, ValueError) as error:
            raise SnapshotFileError(f"{path} has no sample {sample}: {error}.") from error


def _of_datasets(file: Any, sample: int, wanted: Sequence[str] | None) -> Any:
    axes = tuple(
        np.asarray(file[f"{name}-coordinate"], np.float64)
        for name in _AXES
        if f"{name}-coordinate" in file
    )
    known = [name for name in file if not name.endswith("-coordinate")]
    names = list(known if wanted is None else wanted)
    y = np.stack([np.asarray(file[name][sample]) for name in names], -1)
    # Some files have the end of the last step as one more time.
    times = np.asarray(file["t-coordinate"], np.float64)[: len(y)]
    if y.shape[:-1] != (len(times), *map(len, axes)):
        raise KeyError(f"fields of shape {y.shape[:-1]} on a grid of {[len(a) for a in axes]}")
    return y, times, axes, [] if names == ["tensor"] else names


def _of_groups(file: Any, sample: int) -> Any:
    group = file[sorted(file)[sample]]
    grid = group["grid"]
    axes = tuple(np.asarray(grid[name], np.float64) for name in _AXES if name in grid)
    return np.asarray(group["data"]), np.asarray(grid["t"], np.float64), axes, []
