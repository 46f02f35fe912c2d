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
