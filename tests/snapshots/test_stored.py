"""Snapshots larger than memory: read one by one, and fitted as those in memory are."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._snapshots import StoredRows, Units, _stored, infer_layout, is_stored
from skcolora._training import _pool, make_sampler
from skcolora.datasets._base import SnapshotData
from skcolora.metrics import neg_relative_l2_error, relative_l2_error
from skcolora.pdes import Advection

LIMIT = 21 * 48 * (8 + 4)  # 21 snapshots and the distributions of their points


@pytest.fixture(autouse=True)
def small_memory(monkeypatch):
    for module in (_stored, _pool):
        monkeypatch.setattr(module, "MAX_RESIDENT", LIMIT)


@pytest.fixture(scope="module")
def data():
    """A travelling wave with 126 snapshots, of which 21 are in memory at a time."""
    X, t, x = np.linspace(0.3, 0.5, 6)[:, None], np.linspace(0, 1, 21), np.arange(48) / 48
    y = np.sin(2 * np.pi * (x - X[:, :, None] * t[:, None]))
    return SnapshotData(X=X, y=y, times=t, points=x, period=1.0)


def as_memmap(y, folder):
    np.save(folder / "y.npy", y)
    return np.load(folder / "y.npy", mmap_mode="r")


def as_h5py(y, folder):
    h5py = pytest.importorskip("h5py")
    return h5py.File(folder / "y.h5", "w").create_dataset("y", data=y)


def as_zarr(y, folder):
    zarr = pytest.importorskip("zarr")
    stored = zarr.open(str(folder / "y.zarr"), mode="w", shape=y.shape, dtype=y.dtype)
    stored[...] = y
    return stored


def as_dask(y, folder):
    return pytest.importorskip("dask.array").from_array(y, chunks=(2, 5, *y.shape[2:]))


STORES = {"memmap": as_memmap, "h5py": as_h5py, "zarr": as_zarr, "dask": as_dask}


class Guard:
    """An array that notes what is read of it, and refuses to give all of it."""

    def __init__(self, y):
        self._y, self.reads = y, []
        self.shape, self.dtype, self.ndim = y.shape, y.dtype, y.ndim

    def __getitem__(self, key):
        part = self._y[key]
        self.reads.append(key)
        assert part.nbytes <= self._y.nbytes / 100
        return part

    def __array__(self, *args, **kwargs):
        raise AssertionError("the whole array was asked for")


def model(data, **changes):
    small = {"width": 10, "depth": 3, "adapted_layers": (0, 1, 2), "max_iter": 100}
    return CoLoRARegressor(**{**data.grid, **small, "random_state": 0, **changes})


def test_fits_all_snapshots_though_few_are_in_memory(data, tmp_path):
    fitted = model(data, max_iter=200, random_state=3).fit(data.X, as_memmap(data.y, tmp_path))
    assert relative_l2_error(data.y, fitted.predict(data.X)) < 1e-2  # 6e-4 from memory
    assert fitted._units.fields.center[0] == pytest.approx(data.y.mean(), abs=0.02)
    assert fitted._units.fields.scale[0] == pytest.approx(data.y.std(), rel=0.02)


def test_stored_trajectories_can_be_set_aside(data, tmp_path):
    options = {"max_iter": 30, "early_stopping": True, "validation_fraction": 0.3}
    stored = model(data, **options).fit(data.X, as_memmap(data.y, tmp_path))
    resident = model(data, **options).fit(data.X, data.y)
    assert stored.best_loss_ == pytest.approx(resident.best_loss_, rel=0.3)


@pytest.mark.parametrize("store", STORES)
def test_every_store_gives_the_same_fit(data, tmp_path, store):
    y = STORES[store](data.y, tmp_path)
    assert is_stored(y)
    first, second = (model(data, max_iter=20).fit(data.X, source) for source in (y, Guard(data.y)))
    assert first.loss_curve_ == second.loss_curve_
    assert np.array_equal(first.predict(data.X), second.predict(data.X))


@pytest.mark.parametrize("store", STORES)
def test_small_stored_snapshots_are_loaded(data, tmp_path, store, monkeypatch):
    monkeypatch.setattr(_stored, "MAX_RESIDENT", data.y.nbytes)
    stored = model(data, max_iter=20).fit(data.X, STORES[store](data.y, tmp_path))
    resident = model(data, max_iter=20).fit(data.X, data.y)
    assert np.array_equal(stored.predict(data.X), resident.predict(data.X))


def test_reads_single_snapshots_and_not_all_of_them_at_once(data):
    y = Guard(data.y)
    fitted = model(data, max_iter=30).fit(data.X, y)
    n_slots = 21
    # The first pool, one exchange for each batch, and one read ahead.
    assert n_slots + 30 <= len(y.reads) <= n_slots + 35
    assert fitted.predict(data.X).shape == data.y.shape


@pytest.mark.parametrize("form", ["grid", "fields", "flattened"])
def test_snapshots_of_every_layout(form):
    shape = {"grid": (3, 4, 5, 6), "fields": (3, 4, 5, 6, 2), "flattened": (3, 4 * 5 * 6)}[form]
    y = np.random.RandomState(0).rand(*shape).astype(np.float32)
    layout = infer_layout(shape, np.arange(4), (np.arange(5), np.arange(6)))
    rows = StoredRows(y, layout)
    expected = layout.to_rows(y)
    assert rows.shape == expected.shape
    assert rows.dtype == np.float32
    for i in range(12):
        assert np.array_equal(rows.read(i), expected[i // 4, i % 4])
    assert np.array_equal(rows[[2, 0]].read(5), expected[0, 1])


def test_whole_numbers_are_read_as_float64(data):
    layout = infer_layout((2, 3, 4), None, None)
    read = StoredRows(np.arange(24, dtype=np.int16).reshape(2, 3, 4), layout).read(1)
    assert read.dtype == np.float64
    assert np.array_equal(read[:, 0], [4, 5, 6, 7])


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_reading_a_memmap_keeps_what_was_written(tmp_path, mode):
    """The pages read are dropped, but not those that exist in memory only."""
    as_memmap(np.zeros((2, 3, 4)), tmp_path)
    y = np.load(tmp_path / "y.npy", mmap_mode=mode)
    if mode != "r":
        y[1, 1] = 7.0
    rows = StoredRows(y[:, 1:], infer_layout((2, 2, 4), None, None))
    for _ in range(2):
        assert (rows.read(2) == (7.0 if mode != "r" else 0.0)).all()


def test_not_a_number_is_found_where_it_is_read(data):
    y = data.y.copy()
    y[3, 10:] = np.nan
    with pytest.raises(ValueError, match=r"NaN or infinity in trajectory 3 at times\[1\d\]"):
        model(data).fit(data.X, Guard(y))


@pytest.mark.parametrize("mark", ["_FillValue", "missing_value", "fillvalue"])
def test_marks_of_missing_data_are_found_where_they_are_read(data, tmp_path, mark):
    h5py, y = pytest.importorskip("h5py"), data.y.copy()
    y[3, 10:, :4] = 1e20
    own = {"fillvalue": 1e20} if mark == "fillvalue" else {}
    dataset = h5py.File(tmp_path / "y.h5", "w").create_dataset("y", data=y, **own)
    dataset.attrs.update({} if own else {mark: 1e20})
    rows = StoredRows(dataset, infer_layout(y.shape, data.times, data.points))
    assert np.array_equal(rows.read(3 * 21 + 9)[:, 0], y[3, 9])
    with pytest.raises(ValueError, match=rf"`y\[3, 10\]` must .*got 4 of 48 values .*{mark} = 1e"):
        rows.read(3 * 21 + 10)


def test_masks_of_stored_arrays(data, tmp_path):
    dask = pytest.importorskip("dask.array")
    y = data.y.copy()
    y[3, 10:, :4] = -9.0
    lazy = dask.ma.masked_equal(as_dask(y, tmp_path), -9.0)
    with pytest.raises(ValueError, match=r"`y\[3, \d+\]` must have no masked entries; got 4"):
        model(data).fit(data.X, lazy)
    masked = np.ma.masked_equal(y, -9.0)
    with pytest.raises(ValueError, match=r"`y` must have no masked entries; got 44 masked of"):
        model(data).fit(data.X, masked)


def test_packed_datasets_are_refused_before_anything_is_read(data):
    y = Guard(data.y)
    y.attrs = {"scale_factor": 0.01}
    with pytest.raises(ValueError, match=r"packed with scale_factor = 0\.01.*Unpack it first"):
        model(data).fit(data.X, y)
    assert not y.reads


def test_not_a_number_at_a_date(data):
    days = np.arange(21).astype("datetime64[D]")
    y = data.y.copy()
    y[0, 2] = np.nan
    with pytest.raises(ValueError, match=r"trajectory 0 at times\[2\] = 1970-01-03"):
        StoredRows(y, infer_layout(y.shape, days, data.points)).read(2)


def test_what_does_not_fit_is_refused_before_anything_is_read(data):
    y = Guard(data.y)
    with pytest.raises(ValueError, match="X has 5 rows and y has 6 trajectories"):
        model(data).fit(data.X[:5], y)
    with pytest.raises(ValueError, match=r"\(48,\) in space, but `points` have shape \(3,\)"):
        model(data, points=np.arange(3.0)).fit(data.X, y)
    with pytest.raises(ValueError, match="y must hold real numbers; got dtype complex128"):
        model(data).fit(data.X, Guard(data.y.astype(complex)))
    assert not y.reads


def test_a_dask_array_of_unknown_length(data):
    y = pytest.importorskip("dask.array").from_array(data.y, chunks=(2, 21, 48))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        model(data).fit(data.X, y[y[:, 0, 0] > -9])


def test_arrays_in_memory_are_not_stored(data):
    assert not is_stored(data.y)
    assert not is_stored(data.y.tolist())
    assert not is_stored(torch.from_numpy(data.y))


def test_search_slices_dask_arrays_without_loading_them(data):
    y = pytest.importorskip("dask.array").from_array(data.y, chunks=(1, 5, 48))
    search = GridSearchCV(
        model(data, max_iter=20), {"rank": [1, 2]}, cv=2, scoring=neg_relative_l2_error
    )
    search.fit(data.X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class Wave(Advection):
    """The equation of the data."""

    def exact(self, t, points, mu):
        return np.sin(2 * np.pi * (points[0] - mu[0] * t))


@pytest.mark.filterwarnings("ignore:CoLoRAGalerkin")
@pytest.mark.parametrize("store", ["memmap", "h5py"])
def test_the_equation_moves_what_was_learnt_from_stored_snapshots(data, tmp_path, store):
    options = {"n_collocation": 24, "method": "RK4", "substeps": 1, "random_state": 0}
    stored, guarded = (
        CoLoRAGalerkin(Wave(), regressor=model(data, max_iter=20), **options).fit(data.X, y)
        for y in (STORES[store](data.y, tmp_path), Guard(data.y))
    )
    latent = stored.solve([[0.37]]).latent
    assert latent.shape[:2] == (1, 21)
    assert np.array_equal(latent, guarded.solve([[0.37]]).latent)
    learnt = stored.distill([[0.37]], max_iter=3)
    assert np.isfinite(learnt.predict([[0.4]])).all()


def test_the_equation_reads_nothing_where_the_regressor_is_fitted(data):
    y = Guard(data.y)
    frozen = FrozenEstimator(model(data, max_iter=5).fit(data.X, data.y))
    CoLoRAGalerkin(Wave(), regressor=frozen).fit(data.X, y)
    assert not y.reads
    with pytest.raises(ValueError, match="X has 5 rows and y has 6 trajectories"):
        CoLoRAGalerkin(Wave(), regressor=frozen).fit(data.X[:5], y)


def test_pool_is_stratified_at_all_times_and_fair(data):
    layout = infer_layout(data.y.shape, data.times, data.points)
    rows = StoredRows(data.y, layout)
    units = Units.of(data.X, layout.times, layout.grid.points, (None,), 1)
    sampler = make_sampler(data.X, rows, layout, units, device=torch.device("cpu"), seed=0)
    n_slots, n_times = sampler.n_snapshots, len(data.times)
    assert n_slots == 21
    for _ in range(500):
        sampler.draw(1, 1, torch.float64)
        times = torch.from_numpy(units.times.invert(sampler.inputs[:, -1:].numpy())[:, 0])
        assert (times.diff() >= 0).all()
        place = torch.linspace(0, 1, n_slots, dtype=torch.float64)
        assert (times / data.times[-1] - place).abs().max() < 1.5 / n_slots + 1 / n_times
    for slot in range(n_slots):  # what is in the pool belongs together
        inputs = units.inputs(data.X, layout.times)
        trajectory, time = np.argwhere((inputs == sampler.inputs[slot].numpy()).all(axis=2))[0]
        assert np.array_equal(sampler.fields[slot, :, 0], data.y[trajectory, time])
    sampler.close()


def test_no_snapshot_is_likelier_than_another(data):
    layout, y = infer_layout(data.y.shape, data.times, data.points), Guard(data.y)
    rows = StoredRows(y, layout)
    units = Units.of(data.X, layout.times, layout.grid.points, (None,), 1)
    sampler = make_sampler(data.X, rows, layout, units, device=torch.device("cpu"), seed=0)
    for _ in range(3000):
        sampler.draw(1, 1, torch.float64)
    sampler.close()
    seen = np.zeros(data.y.shape[:2])
    for trajectory, time in y.reads:
        seen[trajectory, time] += 1
    assert seen.min() > 0.4 * seen.mean()
    assert seen.max() < 1.8 * seen.mean()


def test_clone_leaves_stored_snapshots_out(data, tmp_path):
    fitted = model(data, max_iter=5).fit(data.X, as_h5py(data.y, tmp_path))
    assert "StoredRows" not in repr(vars(fitted))
    assert clone(fitted).get_params()["max_iter"] == 5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_pool_on_cuda(data):
    options = {"max_iter": 60, "random_state": 0}
    pooled = model(data, device="cuda", **options).fit(data.X, Guard(data.y))
    on_cpu = model(data, device="cpu", **options).fit(data.X, Guard(data.y))
    assert relative_l2_error(data.y, pooled.predict(data.X)) < 0.5
    assert pooled.best_loss_ < 1.5 * on_cpu.best_loss_


@pytest.mark.slow
def test_twenty_gigabytes_in_less_than_two(tmp_path):
    if shutil.disk_usage(tmp_path).free < 23e9:
        pytest.skip("needs 23 GB of disk space")
    script = Path(__file__).parents[2] / "benchmarks" / "out_of_core.py"
    options = ["--max-iter", "300", "--folder", tmp_path, "--output", tmp_path, "--check"]
    command = [sys.executable, script, *options]
    subprocess.run(command, check=True)


def test_stored_gaps(tmp_path):
    """Masked cells of a stored array, as of a land mask, are not observed."""
    layout = infer_layout((3, 4, 20), np.arange(4.0), np.linspace(0, 1, 20))
    y = np.random.default_rng(0).normal(size=(3, 4, 20))
    y[:, :, 5:9] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        StoredRows(y, layout).read(0)
    rows = StoredRows(y, layout, missing="ignore")
    values = rows[[2, 0]].read(1)
    assert np.array_equal(values[:, 0], y[2, 1], equal_nan=True)
    y[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"in each snapshot; got none in y\[1, 2\]"):
        rows.read(6)
    y[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="must be finite"):
        rows.read(0)
    masked = np.ma.masked_invalid(y[:1, 1:2])
    one = infer_layout((1, 1, 20), [0.0], np.linspace(0, 1, 20))
    assert np.isnan(StoredRows(masked, one, missing="ignore").read(0)[5:9]).all()
