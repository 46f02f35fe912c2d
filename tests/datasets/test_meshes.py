"""Files of meshes become snapshots, and snapshots become series that ParaView opens."""

from xml.etree import ElementTree

import numpy as np
import pytest

from skcolora import PODRegressor
from skcolora.datasets import SnapshotData, read_meshes, write_vtk

meshio = pytest.importorskip("meshio")

NODES = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]], dtype=float)
CELLS = [("line", [[0, 1]]), ("triangle", [[0, 1, 4], [1, 2, 4]]), ("triangle", [[2, 3, 4]])]
TIMES = [0.0, 0.5, 2.0]


def temperature(mu, t):
    return mu * (NODES[:, 0] + 2 * NODES[:, 1]) + t


def written(folder, mu, times=TIMES, nodes=NODES, suffix="vtu", **extra):
    names = []
    for k, t in enumerate(times):
        names.append(folder / f"mu{mu}_{k}.{suffix}")
        three = np.column_stack([nodes, np.zeros(len(nodes))])
        fields = {"T": temperature(mu, t), **extra}
        meshio.write_points_cells(names[-1], three, CELLS, point_data=fields)
    return names


def test_a_series_of_files(tmp_path):
    data = read_meshes([[1.0], [2.0]], [written(tmp_path, mu) for mu in (1, 2)], times=TIMES)
    assert data.y.shape == (2, 3, 5)
    assert np.allclose(data.y[1, 2], temperature(2, 2.0))
    assert np.array_equal(data.points, NODES)
    assert data.field_names == ("T",)
    assert data.coordinate_names == ("x", "y")
    assert list(data.cells) == ["triangle"]
    assert data.cells["triangle"].tolist() == [[0, 1, 4], [1, 2, 4], [2, 3, 4]]


def test_what_goes_out_comes_in(tmp_path):
    data = read_meshes([[1.0], [2.0]], [written(tmp_path, mu) for mu in (1, 2)], times=TIMES)
    model = PODRegressor(**data.grid).fit(data.X, data.y)
    predicted = data.predicted(model, [[1.5]])
    write_vtk(predicted, tmp_path / "out", name="flow")
    series = ElementTree.parse(tmp_path / "out" / "flow_0.pvd").getroot()
    entries = list(series.iter("DataSet"))
    assert [float(entry.get("timestep")) for entry in entries] == TIMES
    names = [tmp_path / "out" / entry.get("file") for entry in entries]
    again = read_meshes([[1.5]], [names], times=TIMES)
    assert np.array_equal(again.y, predicted.y)
    assert np.array_equal(again.points, data.points)
    assert again.field_names == data.field_names
    assert np.array_equal(again.cells["triangle"], data.cells["triangle"])


def test_pyvista_reads_the_files(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    data = read_meshes([[1.0]], [written(tmp_path, 1)], times=TIMES)
    write_vtk(data, tmp_path)
    mesh = pyvista.read(tmp_path / "snapshots_0_0002.vtu")
    assert np.array_equal(mesh.point_data["T"], data.y[0, 2])


def test_vectors_are_several_fields(tmp_path):
    names = written(tmp_path, 1, velocity=np.column_stack([NODES, np.ones(5)]))
    data = read_meshes([[1.0]], [names], times=TIMES, fields=["velocity", "T"])
    assert data.field_names == ("velocity_0", "velocity_1", "velocity_2", "T")
    assert data.y.shape == (1, 3, 5, 4)
    assert np.array_equal(data.y[0, 0, :, :2], NODES)


def test_cell_data_are_at_the_centres(tmp_path):
    path = tmp_path / "cells.vtu"
    values = [np.array([9.0]), np.array([1.0, 2.0]), np.array([3.0])]
    meshio.write_points_cells(path, NODES, CELLS, cell_data={"p": values})
    data = read_meshes([[1.0]], [[path]], times=[0.0])
    assert data.y.tolist() == [[[1.0, 2.0, 3.0]]]
    assert np.allclose(data.points[0], NODES[[0, 1, 4]].mean(0))
    assert not data.cells


def test_runs_with_their_own_times(tmp_path):
    runs = [written(tmp_path, 1), written(tmp_path, 2, times=[0.0, 1.0])]
    data = read_meshes([[1.0], [2.0]], runs, times=[TIMES, [0.0, 1.0]])
    assert data.times.tolist() == [0.0, 0.5, 1.0, 2.0]
    assert np.isnan(data.y[1, [1, 3]]).all()


@pytest.mark.parametrize(
    ("shape", "kind", "n_cells"),
    [((3, 4), "quad", 6), ((3, 4, 2), "hexahedron", 6), ((5,), "vertex", 5)],
)
def test_tensor_grids(tmp_path, shape, kind, n_cells):
    axes = tuple(np.arange(float(n)) for n in shape)
    y = np.random.default_rng(0).normal(size=(1, 2, *shape, 2))
    data = SnapshotData(np.ones((1, 1)), y, [0.0, 1.0], axes if len(axes) > 1 else axes[0])
    write_vtk(data, tmp_path)
    mesh = meshio.read(tmp_path / "snapshots_0_0001.vtu")
    assert mesh.cells[0].type == kind
    assert len(mesh.cells[0].data) == n_cells
    assert np.array_equal(mesh.point_data["u_1"], y[0, 1, ..., 1].ravel())
    corners = mesh.points[mesh.cells[0].data[0]]
    if kind != "vertex":
        # The corners of a cell are neighbours, and its area or volume is 1.
        assert np.allclose(np.ptp(corners, axis=0)[: len(shape)], 1)
        edges = np.linalg.norm(np.diff(corners[:4], axis=0), axis=1)
        assert np.allclose(edges, 1)


def test_a_steady_field_is_one_file(tmp_path):
    y = np.random.default_rng(0).normal(size=(2, 5, 2))
    write_vtk(SnapshotData(np.ones((2, 1)), y, None, NODES), tmp_path)
    assert len(list(tmp_path.glob("*.vtu"))) == 2
    mesh = meshio.read(tmp_path / "snapshots_1_0000.vtu")
    assert np.array_equal(mesh.point_data["u_1"], y[1, :, 1])


def test_what_does_not_fit(tmp_path):
    first = written(tmp_path, 1)
    moved = written(tmp_path, 2, nodes=NODES + 0.1)
    with pytest.raises(ValueError, match=r"same nodes.*mu2_0\.vtu"):
        read_meshes([[1.0], [2.0]], [first, moved], times=TIMES)
    with pytest.raises(ValueError, match="must name data of the files, T; got p"):
        read_meshes([[1.0]], [first], times=TIMES, fields="p")
    with pytest.raises(ValueError, match="a file at least for each run"):
        read_meshes([[1.0]], [[]], times=TIMES)
    dates = np.array(["2024-01-01"], dtype="datetime64[D]")
    data = SnapshotData(np.ones((1, 1)), np.ones((1, 1, 5)), dates, NODES)
    with pytest.raises(ValueError, match="numbers; got dates"):
        write_vtk(data, tmp_path)
