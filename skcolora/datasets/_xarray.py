"""Snapshots from a dataset of xarray (netCDF, Zarr), and back."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from skcolora._snapshots import check_points
from skcolora.datasets._base import SnapshotData

# Names by which dimensions are known, in lower case, and values of the attribute "axis" (CF).
_TIME = ("time", "t")
_SPACE = ("x", "y", "z", "r", "theta", "phi", "lon", "longitude", "lat", "latitude", "lev", "level")
# Names of dimensions that count something, and are no quantity.
_RUN, _POINT = "run", "point"


def read_xarray(
    dataset: Any,
    *,
    fields: str | Sequence[str] | None = None,
    time: str | None = None,
    space: str | Sequence[str] | None = None,
    steady: bool = False,
    period: Any = None,
) -> SnapshotData:
    """Snapshots from a dataset of xarray, or from a file that xarray opens.

    Dimensions are recognised by their names, by the kind of their coordinates (dates), and by the
    attributes "axis" and "standard_name" of the CF conventions.  What is neither time nor space is
    parameters: a dimension with a coordinate is a parameter, and several of them are a grid of
    parameters; the coordinates along a dimension of runs are the parameters of these.

    Parameters
    ----------
    dataset : xarray.Dataset, xarray.DataArray, str or path
        Names of files are opened by `xarray.open_dataset`.
    fields : str or sequence of str, default=None
        Variables.  None: all that have the most dimensions.
    time : str, default=None
        Dimension of time.  None: recognised.
    space : str or sequence of str, default=None
        Dimensions of space.  None: recognised.  One dimension along which several coordinates
        exist, such as x(node) and y(node), holds scattered points.
    steady : bool, default=False
        Whether the fields have no dimension of time.
    period : None, float or tuple, default=None
        As in `SnapshotData`; files do not say it.

    Returns
    -------
    data : SnapshotData
        With names and units.  Dask arrays stay lazy.  Missing values are NaN; give the estimator
        ``missing="ignore"``.

    Raises
    ------
    ValueError
        If a dimension or a variable is not recognised.

    Examples
    --------
    >>> import xarray as xr
    >>> from skcolora.datasets import read_xarray
    >>> coordinates = {"nu": [0.1, 0.2, 0.4], "time": [0.0, 1.0], "x": np.linspace(0, 1, 8)}
    >>> solved = xr.DataArray(np.zeros((3, 2, 8)), coordinates, name="u")
    >>> data = read_xarray(solved)
    >>> data.X.shape, data.y.shape, data.parameter_names
    ((3, 1), (3, 2, 8), ('nu',))
    """
    dataset = _opened(dataset)
    names = _fields(dataset, fields)
    dims = dataset[names[0]].dims
    if steady:
        moving = []
    else:
        moving = [_time(dataset, dims) if time is None else _known(time, dims, "time")]
    others = [dim for dim in dims if dim not in moving]
    if space is None:
        along = [dim for dim in others if _is_space(dataset, dim)]
    else:
        along = [
            _known(dim, dims, "space") for dim in ([space] if isinstance(space, str) else space)
        ]
    runs = [dim for dim in others if dim not in along]
    bare = [dim for dim in (*moving, *along) if not _is_measured(dataset, dim)]
    if bare:
        raise ValueError(
            f"The dimension {bare[0]!r} of {names[0]!r} has no coordinate, so that its times or "
            f"positions are not known.  Add them: dataset.assign_coords({bare[0]}=values)."
        )
    if not along or not runs:
        raise ValueError(
            f"The dimensions {', '.join(map(str, dims))} of {names[0]!r} must hold space and "
            f"parameters; got {', '.join(map(str, along)) or 'none'} for space and "
            f"{', '.join(map(str, runs)) or 'none'} for parameters.  Say which they are: "
            'space=("x", "y") and, if need be, time="t".  Runs in separate files are joined by '
            "xarray.concat(datasets, dim='run')."
        )
    X, parameters = _parameters(dataset, runs)
    points, coordinates = _points(dataset, along)
    stacked = dataset[names].to_array("_field").transpose(*runs, *moving, *along, "_field")
    y = stacked.data.reshape(len(X), *stacked.shape[len(runs) :])
    several = len(names) > 1
    used = {*parameters, *coordinates, *names}
    found = {name: dataset[name].attrs.get("units") for name in used}
    if moving:
        found["time"] = dataset[moving[0]].attrs.get("units")
    units = {name: str(unit) for name, unit in found.items() if unit is not None}
    return SnapshotData(
        X,
        y if several else y[..., 0],
        np.asarray(dataset[moving[0]].values) if moving else None,
        points,
        period,
        parameter_names=parameters,
        coordinate_names=coordinates,
        field_names=tuple(names),
        units=units,
    )


def to_xarray(data: SnapshotData) -> Any:
    """Snapshots as a dataset of xarray, which can be kept as netCDF or Zarr.

    Parameters
    ----------
    data : SnapshotData
        For example that of `SnapshotData.predicted`.  Names that are not known become mu_0, ...,
        x, y, z, and u or u_0, ...

    Returns
    -------
    dataset : xarray.Dataset
        With the dimensions of the parameter, of time and of space.  Several parameters are
        coordinates of the dimension "run", and scattered points of "point".

    Examples
    --------
    >>> from skcolora.datasets import make_advection, to_xarray
    >>> dataset = to_xarray(make_advection([0.5, 1.0], n_points=16))
    >>> dict(dataset.sizes)
    {'mu_0': 2, 'time': 51, 'point': 16}
    """
    import xarray as xr

    grid = check_points(data.points)
    parameters = data.parameter_names or _numbered("mu", data.X.shape[1], always=True)
    usual = tuple("xyz"[: grid.n_dims]) if grid.n_dims <= 3 else _numbered("x", grid.n_dims)
    coordinates = data.coordinate_names or usual
    moving = () if data.times is None else ("time",)
    without_fields = 1 + len(moving) + len(grid.shape)
    n_fields = data.y.shape[-1] if data.y.ndim > without_fields else 1
    names = data.field_names or _numbered("u", n_fields)
    single = len(parameters) == 1 and len(np.unique(data.X)) == len(data.X)
    run = parameters[0] if single else _RUN
    coords: dict[Hashable, Any] = {
        name: (run, column) for name, column in zip(parameters, data.X.T, strict=True)
    }
    if moving:
        coords["time"] = ("time", data.times)
    if isinstance(data.points, tuple) or (grid.n_dims == 1 and data.coordinate_names):
        along: tuple[str, ...] = coordinates
        axes = grid.axes or (grid.points[:, 0],)
        coords.update({name: (name, axis) for name, axis in zip(coordinates, axes, strict=True)})
    else:
        along = (_POINT,)
        columns = zip(coordinates, grid.points.T, strict=True)
        coords.update({name: (_POINT, column) for name, column in columns})
    y = data.y if data.y.ndim > without_fields else data.y[..., None]
    fields = {name: ((run, *moving, *along), y[..., i]) for i, name in enumerate(names)}
    dataset = xr.Dataset(fields, coords)
    for name, unit in data.units.items():
        # Units of dates are not for the user to say.
        if dataset[name].dtype.kind not in "mM":
            dataset[name].attrs["units"] = unit
    return dataset


def _opened(dataset: Any) -> Any:
    try:
        import xarray as xr
    except ImportError as error:
        raise ImportError("xarray is needed: pip install 'skcolora[xarray]'.") from error
    if isinstance(dataset, (str, os.PathLike)):
        dataset = xr.open_dataset(dataset)
    if isinstance(dataset, xr.DataArray):
        dataset = dataset.to_dataset(name=dataset.name or "u")
    if not isinstance(dataset, xr.Dataset):
        raise ValueError(
            f"`dataset` must be an xarray.Dataset or the name of a file; got "
            f"{type(dataset).__name__}."
        )
    return dataset


def _fields(dataset: Any, fields: str | Sequence[str] | None) -> list[str]:
    """Names of the variables, which have the same dimensions."""
    if fields is None:
        most = max((variable.ndim for variable in dataset.data_vars.values()), default=0)
        names = [name for name, variable in dataset.data_vars.items() if variable.ndim == most]
    else:
        names = [fields] if isinstance(fields, str) else list(fields)
    missing = [name for name in names if name not in dataset.data_vars]
    if missing or not names:
        raise ValueError(
            "`fields` must name variables of the dataset, "
            f"{', '.join(map(str, dataset.data_vars))}; got "
            f"{', '.join(map(str, missing)) or 'none'}."
        )
    if len({frozenset(dataset[name].dims) for name in names}) > 1:
        listed = "; ".join(f"{name} {dataset[name].dims}" for name in names)
        raise ValueError(
            f"All fields must have the same dimensions; got {listed}.  Choose some by `fields`."
        )
    return names


def _time(dataset: Any, dims: Iterable[Any]) -> str:
    found = [dim for dim in dims if _is_time(dataset, dim)]
    if len(found) != 1:
        raise ValueError(
            f"Which of the dimensions {', '.join(map(str, dims))} is time?  Give time=..., or "
            "steady=True if none of them is."
        )
    return str(found[0])


def _is_time(dataset: Any, dim: Any) -> bool:
    coordinate = dataset[dim]
    return (
        str(dim).lower() in _TIME
        or coordinate.dtype.kind in "mM"
        or coordinate.attrs.get("axis") == "T"
        or coordinate.attrs.get("standard_name") == "time"
    )


def _is_space(dataset: Any, dim: Any) -> bool:
    if str(dim).lower() in _SPACE or dataset[dim].attrs.get("axis") in ("X", "Y", "Z"):
        return True
    return any(str(name).lower() in _SPACE for name in _coordinates_along(dataset, dim))


def _is_measured(dataset: Any, dim: Any) -> bool:
    """Whether there is a coordinate along a dimension of time or space."""
    return dim in dataset.coords or bool(_coordinates_along(dataset, dim))


def _coordinates_along(dataset: Any, dim: Any) -> list[str]:
    """Names of the coordinates that are numbers along one dimension, without its own."""
    return [
        str(name)
        for name, coordinate in dataset.coords.items()
        if coordinate.dims == (dim,) and name != dim and coordinate.dtype.kind in "fiu"
    ]


def _known(dim: str, dims: Sequence[Any], name: str) -> str:
    if dim not in dims:
        raise ValueError(
            f"`{name}` must be a dimension of the fields, {', '.join(map(str, dims))}; got {dim!r}."
        )
    return dim


def _parameters(dataset: Any, runs: Sequence[Any]) -> tuple[Any, tuple[str, ...]]:
    """Parameters (n, n_parameters) of all combinations along some dimensions, and their names."""
    columns: list[Any] = []
    names: list[str] = []
    for dim in runs:
        along = _coordinates_along(dataset, dim)
        own = dim in dataset.coords and dataset[dim].dtype.kind in "fiu"
        if own and not (along and _counts(dataset[dim].values)):
            along = [dim, *along]
        if not along:
            raise ValueError(
                f"The dimension {dim!r} has no coordinate, so that its parameters are not known.  "
                f"Add them: dataset.assign_coords(mu=({dim!r}, values)).  If it is one of space, "
                "give space=..."
            )
        names += along
        columns.append(
            np.stack([np.asarray(dataset[name].values, dtype=float) for name in along], 1)
        )
    rows = [np.concatenate(parts) for parts in product(*columns)]
    return np.array(rows), tuple(names)


def _counts(values: Any) -> bool:
    """Whether values number the runs, from 0 or 1 on, and are no parameter."""
    steps = np.asarray(values)
    return bool(steps[0] in (0, 1) and (np.diff(steps) == 1).all())


def _points(dataset: Any, along: Sequence[Any]) -> tuple[Any, tuple[str, ...]]:
    """Points as `SnapshotData` has them, and the names of their coordinates."""
    if len(along) == 1 and along[0] not in dataset.coords:
        names = _coordinates_along(dataset, along[0])
        if names:
            values = [np.asarray(dataset[name].values, dtype=float) for name in names]
            return np.stack(values, axis=1), tuple(names)
    axes = tuple(np.asarray(dataset[dim].values, dtype=float) for dim in along)
    names = [str(dim) for dim in along]
    return (axes if len(axes) > 1 else axes[0][:, None]), tuple(names)


def _numbered(name: str, n: int, *, always: bool = False) -> tuple[str, ...]:
    return (name,) if n == 1 and not always else tuple(f"{name}_{i}" for i in range(n))
