"""Snapshots from files of meshes (VTU, VTK, Exodus, gmsh, ...), and series for ParaView."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

from skcolora._snapshots import Array, check_points
from skcolora.datasets._base import SnapshotData

# Dimension of the cells of meshio, by the beginning of their names; others are surfaces.
_VOLUMES = ("tetra", "hexahedron", "wedge", "pyramid", "polyhedron")
_SMALL = ("vertex", "line")
# Largest distance of the nodes of two files, relative to the extent of the mesh.
_SAME = 1e-9


def read_meshes(
    X: ArrayLike,
    runs: Sequence[Sequence[str | os.PathLike[str]]],
    *,
    times: Any,
    fields: str | Sequence[str] | None = None,
    pde: Any = None,
) -> SnapshotData:
    """Snapshots from files of a mesh, one file for each run and time, by meshio.

    Parameters
    ----------
    X : array-like of shape (n_runs, n_parameters)
        Parameters of the runs.
    runs : sequence of n_runs sequences of paths
        Names of the files of each run, in the order of time.
    times : array-like of shape (n_times,) or sequence of n_runs array-likes
        Times of the files, the same for all runs or of each run; see `SnapshotData.from_runs`.
    fields : str or sequence of str, default=None
        Names of point data or cell data, numbers or vectors.  None: all point data, or all cell
        data if there are no point data.  The points of cell data are the centres of the cells.
    pde : object, default=None
        As in `SnapshotData`.

    Returns
    -------
    data : SnapshotData
        With the names of the fields, and with the cells of the mesh where its points are the nodes.
        A coordinate that is constant, such as z of a plane mesh, is left out.

    Raises
    ------
    ValueError
        If the meshes differ, or a field is missing.

    Examples
    --------
    >>> import os, tempfile
    >>> import meshio
    >>> from skcolora.datasets import read_meshes
    >>> nodes, cells = np.array([[0, 0], [1, 0], [0, 1.0]]), [("triangle", [[0, 1, 2]])]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = [os.path.join(folder, f"{i}.vtk") for i in range(2)]
    ...     for i, name in enumerate(names):
    ...         meshio.write_points_cells(name, nodes, cells, point_data={"T": np.full(3, i * 1.0)})
    ...     data = read_meshes([[300.0]], [names], times=[0.0, 0.5])
    >>> data.y.shape, data.points.shape, data.field_names
    ((1, 2, 3), (3, 2), ('T',))
    """
    if not len(runs) or not all(len(run) for run in runs):
        raise ValueError("`runs` must name a file at least for each run.")
    each = [times] * len(runs) if np.ndim(times[0]) == 0 else list(times)
    first = _read(runs[0][0])
    layout = _Fields(first, fields)
    values = [np.stack([layout.values(_read(name), name) for name in run]) for run in runs]
    if layout.n_columns == 1:
        values = [value[..., 0] for value in values]
    points = layout.points
    varies = np.ptp(points, axis=0) > 0
    data = SnapshotData.from_runs(X, each, values, points=points[:, varies], pde=pde)
    names = tuple(name for name, kept in zip("xyz", varies, strict=False) if kept)
    cells = {} if layout.of_cells else _cells(first)
    return SnapshotData(
        data.X,
        data.y,
        data.times,
        data.points,
        pde=pde,
        coordinate_names=names,
        field_names=tuple(layout.column_names),
        cells=cells,
    )


def write_vtk(
    data: SnapshotData, folder: str | os.PathLike[str], *, name: str = "snapshots"
) -> None:
    """Write each trajectory as a series of VTU files that ParaView opens with its times.

    Parameters
    ----------
    data : SnapshotData
        Snapshots at the nodes of a mesh (``data.cells``), at other scattered points, which are
        written as vertices, or on a tensor grid of two or three dimensions.
    folder : str or path
        Folder, which is made if it does not exist.
    name : str, default="snapshots"
        Beginning of the names: of ``name_0.pvd``, the series of the first trajectory, and of its
        files.  Files of these names are replaced.

    Raises
    ------
    ValueError
        If the times are dates; give numbers.
    """
    meshio = _meshio()
    # A steady field is a series of one file.
    times = np.asarray([0.0] if data.times is None else data.times)
    if times.dtype.kind in "mM":
        raise ValueError("ParaView needs times that are numbers; got dates.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    grid = check_points(data.points)
    nodes = np.zeros((grid.n_points, 3))
    nodes[:, : grid.n_dims] = grid.points
    cells = [(kind, np.asarray(each)) for kind, each in data.cells.items()] or _grid_cells(grid)
    rows = np.asarray(data.y).reshape(len(data.y), len(times), grid.n_points, -1)
    n_fields = rows.shape[-1]
    names = data.field_names or tuple(f"u_{i}" if n_fields > 1 else "u" for i in range(n_fields))
    for i, trajectory in enumerate(rows):
        files = []
        for k, snapshot in enumerate(trajectory):
            files.append(f"{name}_{i}_{k:04d}.vtu")
            fields = {field: column.copy() for field, column in zip(names, snapshot.T, strict=True)}
            meshio.write_points_cells(folder / files[-1], nodes, cells, point_data=fields)
        _write_series(folder / f"{name}_{i}.pvd", files, times)


class _Fields:
    """Which data of a mesh are the fields, and where their points are."""

    def __init__(self, mesh: Any, fields: str | Sequence[str] | None) -> None:
        if fields is None:
            chosen = list(mesh.point_data) or list(mesh.cell_data)
        else:
            chosen = [fields] if isinstance(fields, str) else list(fields)
        known = [*mesh.point_data, *mesh.cell_data]
        missing = [name for name in chosen if name not in known]
        if missing or not chosen:
            raise ValueError(
                f"`fields` must name data of the files, {', '.join(known) or 'which have none'}; "
                f"got {', '.join(missing) or 'none'}."
            )
        self.of_cells = chosen[0] not in mesh.point_data
        mine = mesh.cell_data if self.of_cells else mesh.point_data
        mixed = [name for name in chosen if name not in mine]
        if mixed:
            raise ValueError(f"All fields must be point data, or all cell data; got {chosen}.")
        self._chosen, self._nodes = chosen, np.asarray(mesh.points, dtype=np.float64)
        self.points = _centres(mesh) if self.of_cells else self._nodes
        self.column_names = []
        for name in chosen:
            width = self._columns(mesh, name).shape[1]
            self.column_names += [name] if width == 1 else [f"{name}_{i}" for i in range(width)]
        self.n_columns = len(self.column_names)

    def values(self, mesh: Any, name: Any) -> Array:
        """(n_points, n_columns)"""
        nodes = np.asarray(mesh.points)
        same = nodes.shape == self._nodes.shape
        if not same or np.abs(nodes - self._nodes).max() > _SAME * np.ptp(self._nodes):
            raise ValueError(
                f"All files must have the same nodes, in the same order; {name} has other ones "
                "than the first file.  Interpolate the fields to one mesh first."
            )
        try:
            columns = [self._columns(mesh, field) for field in self._chosen]
        except KeyError as error:
            raise ValueError(f"{name} has no data {error}, which the first file has.") from error
        return np.concatenate(columns, axis=1)

    def _columns(self, mesh: Any, field: str) -> Array:
        if self.of_cells:
            found = np.concatenate([mesh.cell_data[field][i] for i in _largest(mesh)])
        else:
            found = np.asarray(mesh.point_data[field])
        return found.reshape(len(found), -1)


def _largest(mesh: Any) -> list[int]:
    """Indices of the blocks of cells of the largest dimension."""

    def dimension(kind: str) -> int:
        if kind.startswith(_SMALL):
            return _SMALL.index("line" if kind.startswith("line") else "vertex")
        return 3 if kind.startswith(_VOLUMES) else 2

    dims = [dimension(block.type) for block in mesh.cells]
    return [i for i, dim in enumerate(dims) if dim == max(dims)]


def _cells(mesh: Any) -> dict[str, Array]:
    """Cells of the largest dimension, of each kind."""
    found: dict[str, list[Any]] = {}
    for i in _largest(mesh):
        found.setdefault(mesh.cells[i].type, []).append(np.asarray(mesh.cells[i].data))
    return {kind: np.concatenate(parts) for kind, parts in found.items()}


def _centres(mesh: Any) -> Array:
    nodes = np.asarray(mesh.points, dtype=np.float64)
    return np.concatenate([nodes[mesh.cells[i].data].mean(axis=1) for i in _largest(mesh)])


def _grid_cells(grid: Any) -> list[tuple[str, Array]]:
    """Cells of a tensor grid; vertices of scattered points and of one dimension."""
    numbers = np.arange(grid.n_points).reshape(grid.shape)
    if grid.axes is None or grid.n_dims == 1:
        return [("vertex", numbers.reshape(-1, 1))]
    low, high = slice(None, -1), slice(1, None)
    corners = [(low, low), (high, low), (high, high), (low, high)]
    if grid.n_dims == 2:
        return [("quad", np.stack([numbers[corner].ravel() for corner in corners], axis=1))]
    both = [numbers[(*corner, end)].ravel() for end in (low, high) for corner in corners]
    return [("hexahedron", np.stack(both, axis=1))]


def _write_series(path: Path, files: Sequence[str], times: Array) -> None:
    root = ElementTree.Element("VTKFile", type="Collection", version="0.1")
    collection = ElementTree.SubElement(root, "Collection")
    for file, time in zip(files, times, strict=True):
        ElementTree.SubElement(
            collection, "DataSet", timestep=repr(float(time)), part="0", file=file
        )
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _read(name: str | os.PathLike[str]) -> Any:
    return _meshio().read(os.fspath(name))


def _meshio() -> Any:
    try:
        import meshio
    except ImportError as error:
        raise ImportError("meshio is needed: pip install 'skcolora[mesh]'.") from error
    return meshio
