"""Files of The Well and of PDEBench, as their specifications describe them."""

import h5py
import numpy as np
import pytest

from skcolora import PODRegressor
from skcolora.datasets import SnapshotFileError, read_pdebench, read_well

TIMES, X, Y = np.linspace(0, 1, 5), np.arange(8) / 8, np.linspace(0, 2, 6)
RNG = np.random.RandomState(0)
SHAPE = (len(TIMES), len(X), len(Y))


def write_well(path, viscosity=0.1, angles=(0.0, 1.0), **changes):
    """A file after the specification: all kinds of fields, scalars and boundaries."""
    content, n = {}, len(angles)
    with h5py.File(path, "w") as file:
        file.attrs.update(
            simulation_parameters=["viscosity"],
            viscosity=viscosity,
            n_trajectories=n,
            n_spatial_dims=2,
            grid_type="cartesian",
        )
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x", "y"]
        for name, axis in {"time": TIMES, "x": X, "y": Y, **changes}.items():
            dimensions[name] = axis.astype(np.float32)
        scalars = file.create_group("scalars")
        for name, values, varies in (
            ("angle", angles, True),
            ("gravity", 9.8, False),
        ):
            scalars[name] = np.atleast_1d(values).astype(np.float32)
            scalars[name].attrs.update(sample_varying=varies, time_varying=False)
        t0, t1 = file.create_group("t0_fields"), file.create_group("t1_fields")
        t0.attrs["field_names"], t1.attrs["field_names"] = ["density", "layer", "ground"], ["speed"]
        every = {"sample_varying": True, "time_varying": True, "dim_varying": [True, True]}
        of_x = {"sample_varying": False, "dim_varying": [True, False]}
        for group, name, shape, flags in (
            (t0, "density", (n, *SHAPE), every),
            (t0, "layer", (len(TIMES), len(X)), {**every, **of_x}),
            (t0, "ground", (n, len(X), len(Y)), {**every, "time_varying": False}),
            (t1, "speed", (n, *SHAPE, 2), every),
        ):  # fmt: skip
            content[name] = RNG.rand(*shape).astype(np.float32)
            group[name] = content[name]
            group[name].attrs.update(flags)
        wall = file.create_group("boundary_conditions/x_periodic")
        wall.attrs.update(associated_dims=["x"], bc_type="periodic")
    return content


def test_a_file_of_the_well(tmp_path):
    written = write_well(tmp_path / "a.hdf5")
    data = read_well([tmp_path / "a.hdf5"])
    assert data.parameter_names == ("viscosity", "angle")
    assert data.field_names == ("density", "layer", "speed_x", "speed_y")
    assert data.coordinate_names == ("x", "y")
    np.testing.assert_allclose(data.X, [[0.1, 0.0], [0.1, 1.0]])
    np.testing.assert_array_equal(data.y[..., 0], written["density"])
    np.testing.assert_array_equal(data.y[1, ..., 1], np.repeat(written["layer"][..., None], 6, -1))
    np.testing.assert_array_equal(data.y[..., 3], written["speed"][..., 1])
    assert data.period == (1.0, None)
    np.testing.assert_allclose(data.times, TIMES)
    model = PODRegressor(**data.grid, n_components=1).fit(data.X, data.y)
    assert model.predict(data.X).shape == data.y.shape


def test_several_files_and_one_field(tmp_path):
    first, second = (write_well(tmp_path / f"{i}.hdf5", viscosity=0.1 * (i + 1)) for i in range(2))
    paths = sorted(tmp_path.glob("*.hdf5"))
    data = read_well(paths, trajectory=-1, fields=["density"])
    np.testing.assert_allclose(data.X, [[0.1, 1.0], [0.2, 1.0]])
    np.testing.assert_array_equal(data.y, [first["density"][1], second["density"][1]])


def test_trajectories_that_no_parameter_tells_apart(tmp_path):
    write_well(tmp_path / "a.hdf5", angles=(3.0, 3.0))
    with pytest.raises(SnapshotFileError, match=r"2 trajectories have only 1 .*trajectory=0"):
        read_well(tmp_path / "a.hdf5")
    assert read_well(tmp_path / "a.hdf5", trajectory=0).X.shape == (1, 2)


def test_wrong_files_of_the_well(tmp_path):
    write_well(tmp_path / "a.hdf5")
    write_well(tmp_path / "b.hdf5", viscosity=0.3, x=X + 0.1)
    with pytest.raises(SnapshotFileError, match=r"b\.hdf5 differs from .*a\.hdf5"):
        read_well([tmp_path / "a.hdf5", tmp_path / "b.hdf5"])
    with pytest.raises(SnapshotFileError, match=r"no field \['ground'\] that varies in time"):
        read_well(tmp_path / "a.hdf5", fields=["ground"])
    with pytest.raises(SnapshotFileError, match="has no trajectory 7"):
        read_well(tmp_path / "a.hdf5", trajectory=7)
    with h5py.File(tmp_path / "c.hdf5", "w") as file:
        file["u"] = np.zeros(3)
    with pytest.raises(SnapshotFileError, match="does not follow the format of The Well"):
        read_well(tmp_path / "c.hdf5")
    (tmp_path / "d.hdf5").write_text("words")
    for read in (read_well, lambda path: read_pdebench([[1.0]], [path])):
        with pytest.raises(SnapshotFileError, match="is not an HDF5 file"):
            read(tmp_path / "d.hdf5")
    with pytest.raises(SnapshotFileError, match="is empty"):
        read_well([])


def write_datasets(path, names, axes, **changes):
    content = {}
    with h5py.File(path, "w") as file:
        for name, axis in zip("xyz", axes, strict=False):
            file[f"{name}-coordinate"] = axis
        # One more time than snapshots, as in some of the files.
        file["t-coordinate"] = np.append(TIMES, 1.25)
        for name in names:
            content[name] = RNG.rand(3, len(TIMES), *map(len, axes)).astype(np.float32)
            file[name] = content[name]
    return content


def test_one_tensor(tmp_path):
    written = [write_datasets(tmp_path / f"{i}.hdf5", ["tensor"], [X]) for i in range(2)]
    data = read_pdebench([[0.1], [1.0]], sorted(tmp_path.iterdir()), sample=1, period=1.0)
    np.testing.assert_array_equal(data.y, [each["tensor"][1] for each in written])
    np.testing.assert_array_equal(data.times, TIMES)
    assert (data.points.shape, data.period, data.field_names) == ((8, 1), 1.0, ())


def test_a_dataset_for_each_field(tmp_path):
    written = write_datasets(tmp_path / "a.hdf5", ["density", "Vx", "Vy"], [X, Y])
    data = read_pdebench([[0.1]], [tmp_path / "a.hdf5"], fields=["density", "Vy"])
    assert data.field_names == ("density", "Vy")
    np.testing.assert_array_equal(data.y[0, ..., 1], written["Vy"][0])
    assert len(data.points) == 2


def test_a_group_for_each_sample(tmp_path):
    values = RNG.rand(2, *SHAPE, 2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i, each in enumerate(values):
            group = file.create_group(f"{i:04d}")
            group["data"] = each
            for name, axis in (("x", X), ("y", Y), ("t", TIMES)):
                group[f"grid/{name}"] = axis
    data = read_pdebench([[0.1]], [tmp_path / "a.h5"], sample=1)
    np.testing.assert_array_equal(data.y[0], values[1])
    np.testing.assert_array_equal(data.points[1], Y)


def test_wrong_files_of_pdebench(tmp_path):
    write_datasets(tmp_path / "a.hdf5", ["tensor"], [X])
    write_datasets(tmp_path / "b.hdf5", ["tensor"], [X[:5]])
    paths = sorted(tmp_path.iterdir())
    with pytest.raises(SnapshotFileError, match=r"b\.hdf5 differs from"):
        read_pdebench([[1.0], [2.0]], paths)
    with pytest.raises(ValueError, match="one row for each of the 2 files"):
        read_pdebench([[1.0]], paths)
    with pytest.raises(SnapshotFileError, match="has no sample 5"):
        read_pdebench([[1.0]], paths[:1], sample=5)
    with pytest.raises(SnapshotFileError, match="no layout of PDEBench that is known"):
        read_pdebench([[1.0]], paths[:1], fields=["pressure"])
