"""The reader of HDF5 files: what it reads, and that every error names the file."""

import re

import numpy as np
import pytest

from skcolora.datasets import SnapshotFileError, load_snapshots

h5py = pytest.importorskip("h5py")

TIMES, X0, X1 = np.linspace(0, 1, 4), np.linspace(0, 1, 5), np.linspace(-1, 1, 3)


def write(path, mu, *, n_fields=1, axes=(X0, X1), times=TIMES, leave_out=(), u=None, on_u=False):
    shape = (n_fields, len(times), *map(len, axes))
    parts = {"t": times, **{f"x{d}": axis for d, axis in enumerate(axes)}}
    parts["u"] = np.full(shape, mu, dtype=np.float32) if u is None else u
    with h5py.File(path, "w") as file:
        for name, values in parts.items():
            if name not in leave_out:
                file[name] = values
        if "mu" not in leave_out:
            (file["u"] if on_u else file).attrs["mu"] = mu
    return path


def refused(path, *parts):
    """load_snapshots(path) fails with a message that holds all the parts."""
    with pytest.raises(SnapshotFileError) as caught:
        load_snapshots(path)
    for part in parts:
        assert re.search(str(part), str(caught.value)), (part, str(caught.value))
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, OSError)


def test_a_folder_sorted_by_parameter(tmp_path):
    for name, mu in [("a.hdf5", 0.3), ("b.h5", 0.1), ("c.hdf5", 0.2)]:
        write(tmp_path / name, mu)
    (tmp_path / "readme.txt").write_text("not read")
    data = load_snapshots(tmp_path, period=(1.0, None))
    assert np.allclose(data.X, [[0.1], [0.2], [0.3]])
    assert data.y.shape == (3, 4, 5, 3)
    assert data.y.dtype == np.float32
    assert np.allclose(data.y[:, 0, 0, 0], [0.1, 0.2, 0.3])
    assert data.period == (1.0, None)
    assert data.pde is None
    assert np.array_equal(data.points[1], X1)


def test_a_file_a_pattern_and_fields_last(tmp_path):
    u = np.arange(2 * 4 * 5, dtype=np.float32).reshape(2, 4, 5)
    write(tmp_path / "run_1.hdf5", 0.1, n_fields=2, axes=(X0,), u=u, on_u=True)
    for path in (str(tmp_path / "run_1.hdf5"), str(tmp_path / "run_*.hdf5")):
        data = load_snapshots(path)
        assert data.y.shape == (1, 4, 5, 2)
        assert np.array_equal(data.y[0, ..., 1], u[1])
        assert data.points.shape == (5, 1)


def test_several_parameters(tmp_path):
    write(tmp_path / "a.h5", [2.0, 0.1], u=np.zeros((1, 4, 5, 3)))
    write(tmp_path / "b.h5", [1.0, 0.2], u=np.ones((1, 4, 5, 3)))
    assert np.allclose(load_snapshots(tmp_path).X, [[1.0, 0.2], [2.0, 0.1]])


def test_nothing_there(tmp_path):
    refused(tmp_path, "No snapshots at", tmp_path.name)
    refused(tmp_path / "missing.hdf5", "No snapshots at", "missing.hdf5")


def test_a_file_that_is_not_hdf5(tmp_path):
    (tmp_path / "notes.hdf5").write_text("hello")
    refused(tmp_path, "notes.hdf5", "not an HDF5 file")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file(tmp_path, share):
    path = write(tmp_path / "cut.hdf5", 0.1)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(tmp_path, "cut.hdf5", "truncated")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leave_out": ("t",)}, r"missing: \['t'\]"),
        ({"leave_out": ("x1",)}, r"missing: \['x1'\]"),
        ({"leave_out": ("mu",)}, "no attribute 'mu'"),
        ({"u": np.zeros((1, 4, 5, 2))}, r"shape \(1, 4, 5, 2\), but its axes"),
        ({"u": np.zeros((1, 4)), "axes": ()}, "needs the axes"),
        ({"u": np.full((1, 4, 5, 3), np.nan)}, "'u' holds NaN"),
        ({"times": np.array([0, 1, 2, np.inf])}, "'t' holds NaN or infinity"),
        ({"mu": np.nan}, "'mu' holds NaN|'u' holds NaN"),
    ],
)
def test_parts_missing_or_not_finite(tmp_path, options, message):
    write(tmp_path / "bad.hdf5", **{"mu": 0.1, **options})
    refused(tmp_path, "bad.hdf5", message)


def test_a_foreign_hdf5_file(tmp_path):
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["temperature"] = np.zeros(3)
    refused(tmp_path, "foreign.h5", "no dataset 'u'", "temperature")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": TIMES + 0.1}, "the times differ from those of .*a.hdf5"),
        ({"axes": (X0, X1 + 0.1)}, "the axis x1 differ"),
        ({"axes": (X0[:-1], X1)}, r"shape \(1, 4, 4, 3\).*a.hdf5"),
        ({"n_fields": 2}, r"shape \(2, 4, 5, 3\)"),
        ({"mu": [0.2, 0.3], "u": np.zeros((1, 4, 5, 3))}, r"mu \(2,\)"),
        ({"mu": 0.1}, "the same parameter mu"),
    ],
)
def test_files_that_disagree_with_the_first(tmp_path, options, message):
    write(tmp_path / "a.hdf5", 0.1)
    write(tmp_path / "b.hdf5", **{"mu": 0.2, **options})
    refused(tmp_path, "b.hdf5", message)


def mark(path, name, **attributes):
    with h5py.File(path, "a") as file:
        file[name].attrs.update(attributes)


@pytest.mark.parametrize("attribute", ["_FillValue", "missing_value"])
@pytest.mark.parametrize(("dtype", "value"), [("f8", 1e20), ("f4", 1e20), ("i2", -999)])
def test_marks_of_missing_data(tmp_path, attribute, dtype, value):
    u = np.ones((1, 4, 5, 3), dtype)
    u[0, 1:, 2] = value
    path = write(tmp_path / "run.h5", 0.1, u=u)
    mark(path, "u", **{attribute: float(value)})
    refused(tmp_path, "run.h5", "'u' holds missing data, 9 of 60 values", attribute, "Leave these")
    mark(path, "u", **{attribute: [-1.0, 123.0]})
    assert load_snapshots(tmp_path).y.dtype == (np.float32 if dtype == "f4" else np.float64)


def test_marks_on_an_axis_and_of_the_file_format(tmp_path):
    mark(write(tmp_path / "a.h5", 0.1), "x1", missing_value=1.0)
    refused(tmp_path, "a.h5", "'x1' holds missing data, 1 of 3 values", "missing_value = 1")
    write(tmp_path / "a.h5", 0.1, leave_out=("u",))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        u = file.create_dataset("u", (1, 4, 5, 3), "f4", fillvalue=9.96e36)  # nothing is written
        u[:, :2] = 1.0
        u.attrs["mu"] = 0.1
    refused(tmp_path, "a.h5", "'u' holds missing data, 30 of 60", r"fillvalue = 9\.96e\+36")


def test_zero_is_the_default_fill_value_and_no_mark(tmp_path):
    write(tmp_path / "a.h5", 0.1, u=np.zeros((1, 4, 5, 3)))
    assert not load_snapshots(tmp_path).y.any()


def test_packed_datasets_are_unpacked(tmp_path):
    stored = np.arange(60, dtype=np.int16).reshape(1, 4, 5, 3)
    path = write(tmp_path / "a.h5", 0.1, u=stored, axes=(X0, np.array([0, 1, 2], dtype=np.int8)))
    mark(path, "u", scale_factor=np.float32(0.5), add_offset=300.0, _FillValue=np.int16(-1))
    mark(path, "x1", scale_factor=[0.25])
    data = load_snapshots(tmp_path)
    assert np.array_equal(data.y, 0.5 * stored[0][None] + 300.0)
    assert data.y.dtype == np.float64
    assert np.array_equal(data.points[1], [0, 0.25, 0.5])
    mark(path, "u", _FillValue=np.int16(7))  # of the packed values
    refused(tmp_path, "a.h5", "1 of 60 values, which are equal to _FillValue = 7")
    mark(path, "u", _FillValue=np.int16(-1), scale_factor="half")
    refused(tmp_path, "a.h5", "scale_factor = 'half'; expected one number")
    mark(path, "u", scale_factor=np.inf)
    refused(tmp_path, "a.h5", "'u' holds NaN or infinity")


@pytest.mark.parametrize(
    ("mu", "found"),
    [
        ("0.1", "got '0.1' of type str"),
        (["a", "b"], "got array.*'a'"),
        (np.array([b"0.1"]), "got array.*0.1"),
        (0.1 + 1j, "0.1.1j"),
        (h5py.Empty("f"), "got .*Empty"),
    ],
)
def test_parameters_that_are_no_numbers(tmp_path, mu, found):
    write(tmp_path / "a.h5", mu, u=np.zeros((1, 4, 5, 3)))
    refused(tmp_path, "a.h5: 'mu' must hold real numbers", found)


def test_parameters_in_a_table(tmp_path):
    write(tmp_path / "a.h5", [[0.1, 0.2]], u=np.zeros((1, 4, 5, 3)))
    refused(tmp_path, "a.h5", r"'mu' has shape \(1, 2\)", "one number for each parameter")


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.zeros((1, 4, 5, 3), complex), "complex128"),
        (np.full((1, 4, 5, 3), b"a"), r"\|S1"),
        (np.zeros((1, 4, 5, 3), [("re", float)]), "re"),
    ],
)
def test_fields_that_are_no_real_numbers(tmp_path, values, dtype):
    write(tmp_path / "a.h5", 0.1, u=values)
    refused(tmp_path, "a.h5", f"'u' must hold real numbers; got dtype .*{dtype}")


def test_axes_that_are_no_axes(tmp_path):
    write(tmp_path / "a.h5", 0.1, u=np.zeros((1, 4, 5, 3)), axes=(X0, np.zeros((3, 2))))
    refused(tmp_path, "a.h5", r"'u' has shape \(1, 4, 5, 3\), but its axes", r"\(3, 2\)")
    write(tmp_path / "a.h5", 0.1, leave_out=("t",))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.create_group("t")
    refused(tmp_path, "a.h5", "'t' is a group; expected a dataset")
