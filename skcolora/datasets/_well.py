"""Reader of the HDF5 files of The Well."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skcolora.datasets._base import SnapshotData
from skcolora.datasets._hdf5 import SnapshotFileError, open_hdf5


def read_well(
    paths: Sequence[str | os.PathLike[str]],
    *,
    trajectory: int | None = None,
    fields: Sequence[str] | None = None,
) -> SnapshotData:
    """Read files of The Well [1]_, each with the trajectories of one set of parameters.

    Parameters
    ----------
    paths : sequence of paths
        Files with the same times, grid and fields.
    trajectory : int, default=None
        Index of the trajectory to take from each file.  None: all; then their parameters must
        differ, by the scalars that vary between them.
    fields : sequence of str, default=None
        Names of scalar and vector fields that vary in time.  None: all of them.

    Returns
    -------
    data : SnapshotData
        With names of parameters, coordinates and fields; vectors become fields with the names of
        the dimensions, such as ``velocity_x``.  Dimensions whose boundary is periodic have a
        period.

    Raises
    ------
    SnapshotFileError
        If a file does not follow the specification or differs from the first one, or trajectories
        have the same parameters.
    ImportError
        If h5py is not installed.

    References
    ----------
    .. [1] R. Ohana et al., "The Well: a large-scale collection of diverse physics simulations for
       machine learning", NeurIPS 2024, arXiv:2412.00568; its data format.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    parts = [_read(Path(path), trajectory, fields) for path in paths]
    if not parts:
        raise SnapshotFileError("`paths` is empty; give at least one file.")
    first = parts[0]
    for part, path in zip(parts, paths, strict=True):
        same = (
            len(part["axes"]) == len(first["axes"])
            and all(map(np.array_equal, part["axes"], first["axes"]))
            and np.array_equal(part["times"], first["times"])
        )
        if not same or part["fields"] != first["fields"] or part["names"] != first["names"]:
            raise SnapshotFileError(
                f"{path} differs from {paths[0]} in times, coordinates, fields or parameters."
            )
    X, y = (np.concatenate([part[name] for part in parts]) for name in ("X", "y"))
    n_different = len(np.unique(X, axis=0))
    if n_different < len(X):
        raise SnapshotFileError(
            f"The {len(X)} trajectories have only {n_different} different sets of the parameters "
            f"{first['names']}: they differ in what no parameter tells, such as a random initial "
            "field.  Take one of each file, with trajectory=0."
        )
    axes = first["axes"]
    return SnapshotData(
        X=X,
        y=y[..., 0] if len(first["fields"]) == 1 else y,
        times=first["times"],
        points=axes if len(axes) > 1 else axes[0][:, None],
        period=first["period"],
        parameter_names=tuple(first["names"]),
        coordinate_names=tuple(first["dimensions"]),
        field_names=tuple(first["fields"]),
    )


def _read(path: Path, trajectory: int | None, fields: Sequence[str] | None) -> dict[str, Any]:
    """Parameters, fields (n, n_times, *grid, n_fields), times, axes and names of one file."""
    with open_hdf5(path, "read_well") as file:
        try:
            dimensions = _words(file["dimensions"].attrs["spatial_dims"])
            axes = tuple(np.asarray(file["dimensions"][d], np.float64) for d in dimensions)
            times = np.asarray(file["dimensions/time"], np.float64)
            n = int(file.attrs["n_trajectories"])
            chosen = range(n) if trajectory is None else [range(n)[trajectory]]
            names, values = _parameters(file, n)
            found = _fields(file, dimensions, fields)
            shape = (len(times), *map(len, axes))
            y = np.stack([_whole(each, part, n, shape)[chosen] for each, part in found], -1)
            period = _period(file, dimensions, axes)
        except (KeyError, AttributeError) as error:
            raise SnapshotFileError(
                f"{path} does not follow the format of The Well: {error}."
            ) from error
        except IndexError as error:
            raise SnapshotFileError(f"{path} has no trajectory {trajectory}.") from error
        return {
            "X": values[chosen],
            "y": y,
            "times": times,
            "axes": axes,
            "dimensions": dimensions,
            "names": names,
            "fields": [_name(each, part, dimensions) for each, part in found],
            "period": period,
        }


def _parameters(file: Any, n: int) -> tuple[list[str], Any]:
    """Names and values (n, n_parameters): attributes of the file, and scalars of trajectories."""
    names = _words(file.attrs.get("simulation_parameters", []))
    columns = [np.full(n, float(file.attrs[name])) for name in names]
    for name, scalar in file.get("scalars", {}).items():
        varies = scalar.attrs.get("sample_varying", False)
        if varies and not scalar.attrs.get("time_varying", False) and name not in names:
            names.append(name)
            columns.append(np.asarray(scalar, np.float64).reshape(n))
    if not names:
        raise KeyError("there are no `simulation_parameters`")
    return names, np.column_stack(columns)


def _fields(file: Any, dimensions: list[str], wanted: Any) -> list[tuple[Any, int | None]]:
    """Scalar fields, and components of vector fields, that vary in time."""
    found: list[tuple[Any, int | None]] = []
    known = []
    for group, parts in (("t0_fields", [None]), ("t1_fields", range(len(dimensions)))):
        for name in _words(file[group].attrs["field_names"]) if group in file else []:
            dataset = file[group][name]
            if not dataset.attrs.get("time_varying", True):
                continue
            known.append(name)
            if wanted is None or name in wanted:
                found += [(dataset, part) for part in parts]
    unknown = sorted(set(wanted or ()) - set(known))
    if unknown or not found:
        raise KeyError(f"there is no field {unknown} that varies in time; there are {known}")
    return found


def _whole(dataset: Any, part: int | None, n: int, shape: tuple[int, ...]) -> Any:
    """Values (n, n_times, *grid) of a field that may be the same along some axes."""
    values = np.asarray(dataset)
    values = values if part is None else values[..., part]
    if not dataset.attrs.get("sample_varying", True):
        values = values[None]
    for d, varies in enumerate(dataset.attrs.get("dim_varying", [True] * (len(shape) - 1))):
        values = values if varies else np.expand_dims(values, 2 + d)
    return np.broadcast_to(values, (n, *shape))


def _name(dataset: Any, part: int | None, dimensions: list[str]) -> str:
    name = str(dataset.name).rsplit("/", 1)[-1]
    return name if part is None else f"{name}_{dimensions[part]}"


def _period(file: Any, dimensions: list[str], axes: tuple[Any, ...]) -> Any:
    """Periods of the dimensions with a periodic boundary; None if there are none."""
    periodic = set()
    for boundary in file.get("boundary_conditions", {}).values():
        if str(boundary.attrs.get("bc_type", "")).lower() == "periodic":
            periodic |= set(_words(boundary.attrs.get("associated_dims", [])))
    # The last point is not the first one again.
    lengths = tuple(
        float((axis[-1] - axis[0]) * len(axis) / (len(axis) - 1)) if name in periodic else None
        for name, axis in zip(dimensions, axes, strict=True)
    )
    return lengths if any(lengths) else None


def _words(values: Any) -> list[str]:
    """Strings of an attribute, which h5py gives as bytes or str."""
    return [v.decode() if isinstance(v, bytes) else str(v) for v in np.atleast_1d(values)]
