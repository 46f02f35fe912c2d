"""Files of other people's solvers go in with three lines each."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from skcolora.datasets import SnapshotData, read_meshes, read_xarray

FOLDER = os.environ.get("SKCOLORA_FOREIGN")
if FOLDER is None:
    pytest.skip("SKCOLORA_FOREIGN names no folder of snapshots", allow_module_level=True)
FOLDER = Path(FOLDER)


def test_netcdf():
    pytest.importorskip("xarray")
    data = read_xarray(FOLDER / "formats" / "kdv.nc", period=40.0)
    assert data.y.shape == (3, 81, 256)
    assert data.parameter_names == ("c",)
    assert data.field_names == ("eta",)


def test_a_series_of_vtu():
    pytest.importorskip("meshio")
    folder = FOLDER / "formats" / "plate_vtu"
    rows = list(csv.DictReader((folder / "runs.csv").open()))
    runs = [sorted(run.glob("*.vtu")) for run in sorted(folder.glob("train_*"))]
    times = [int(file.stem[2:]) / 40 for file in runs[0]]
    X = [[float(row["omega"]), float(row["kappa"])] for row in rows]
    data = read_meshes(X, runs, times=times)
    assert data.y.shape == (3, 4, 1064)
    assert data.points.shape == (1064, 2)
    assert data.cells["triangle"].shape == (1982, 3)


def test_runs_with_times_of_their_own():
    runs = np.load(FOLDER / "flame_own_times.npz")
    times, y = ([runs[f"train_{i:02d}_{name}"] for i in range(12)] for name in "tu")
    data = SnapshotData.from_runs(runs["X"], times, y, points=runs["x"])
    assert np.count_nonzero(np.isfinite(data.y)) == sum(run.size for run in y)
    assert (np.diff(data.times) > 0).all()
