"""Datasets of xarray become snapshots, and snapshots become datasets."""

import numpy as np
import pytest

from skcolora import CoLoRARegressor, PODRegressor
from skcolora.datasets import SnapshotData, make_advection, read_xarray, to_xarray

xr = pytest.importorskip("xarray")

TIMES, X_AXIS, Y_AXIS = np.linspace(0, 1, 5), np.linspace(0, 1, 6), np.linspace(-1, 1, 4)


def dataset(dims="nu time x y", fields=("u",), seed=0):
    coords = {"nu": [0.1, 0.2, 0.4], "time": TIMES, "x": X_AXIS, "y": Y_AXIS, "c": [1.0, 3.0]}
    names = dims.split()
    shape = [len(coords[name]) for name in names]
    rng = np.random.default_rng(seed)
    variables = {field: (names, rng.normal(size=shape)) for field in fields}
    return xr.Dataset(variables, {name: coords[name] for name in names})


def test_dimensions_are_recognised_in_any_order():
    plain = dataset()
    data = read_xarray(plain.transpose("y", "time", "nu", "x"))
    assert np.array_equal(data.y, plain.u.values.swapaxes(2, 3))
    assert np.array_equal(data.X, [[0.1], [0.2], [0.4]])
    assert np.array_equal(data.times, TIMES)
    # The order of the axes in space is that of the file.
    assert data.coordinate_names == ("y", "x")


def test_what_goes_out_comes_in(tmp_path):
    before = dataset(fields=("density", "pressure"))
    before["density"].attrs["units"] = "kg m-3"
    before["nu"].attrs["units"] = "m2 s-1"
    before["time"].attrs["units"] = "s"
    data = read_xarray(before)
    assert data.field_names == ("density", "pressure")
    assert data.units == {"density": "kg m-3", "nu": "m2 s-1", "time": "s"}
    model = PODRegressor(**data.grid).fit(data.X, data.y)
    predicted = data.predicted(model, data.X)
    after = to_xarray(predicted)
    path = tmp_path / "predicted.nc"
    after.to_netcdf(path, engine="h5netcdf")
    again = read_xarray(str(path))
    assert again.units == data.units
    for name in ("X", "times", "y"):
        assert np.array_equal(getattr(again, name), getattr(predicted, name))
    for mine, theirs in zip(again.points, data.points, strict=True):
        assert np.array_equal(mine, theirs)
    for name in ("parameter_names", "coordinate_names", "field_names"):
        assert getattr(again, name) == getattr(data, name)
    assert after.sizes == before.sizes
    assert np.array_equal(after.density, predicted.y[..., 0])
    assert after.density.attrs == before.density.attrs


def test_a_grid_of_parameters():
    data = read_xarray(dataset("nu c time x"))
    assert data.parameter_names == ("nu", "c")
    assert data.X.tolist() == [[n, c] for n in (0.1, 0.2, 0.4) for c in (1.0, 3.0)]
    assert np.array_equal(data.y[3], dataset("nu c time x").u.values[1, 1])


def test_runs_with_several_parameters_and_scattered_points():
    rng = np.random.default_rng(0)
    coords = {
        "reynolds": ("run", [10.0, 20.0]),
        "angle": ("run", [0.1, 0.3]),
        "label": ("run", ["a", "b"]),
        "time": TIMES,
        "x": ("node", rng.random(7)),
        "y": ("node", rng.random(7)),
    }
    before = xr.Dataset({"T": (("run", "time", "node"), rng.normal(size=(2, 5, 7)))}, coords)
    data = read_xarray(before)
    assert data.parameter_names == ("reynolds", "angle")
    assert data.points.shape == (7, 2)
    assert data.coordinate_names == ("x", "y")
    again = read_xarray(to_xarray(data))
    assert np.array_equal(again.X, data.X)
    assert np.array_equal(again.points, data.points)
    assert np.array_equal(again.y, data.y)


def test_a_parameter_is_never_left_out():
    """A further coordinate along the dimension of a parameter does not hide it; a count is none."""
    before = dataset("nu time x").assign_coords(cost=("nu", [3.0, 2.0, 1.0]))
    assert read_xarray(before).parameter_names == ("nu", "cost")
    counted = before.assign_coords(nu=[0, 1, 2])
    assert read_xarray(counted).parameter_names == ("cost",)


def test_dates_and_gaps():
    days = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[ns]")
    values = np.random.default_rng(0).normal(size=(2, 3, 6))
    values[0, 1] = np.nan
    before = xr.DataArray(values, {"mu": [1.0, 2.0], "when": days, "x": X_AXIS}, name="h")
    data = read_xarray(before)
    assert data.times.dtype.kind == "M"
    model = CoLoRARegressor(**data.grid, width=6, depth=3, max_iter=5, missing="ignore")
    after = to_xarray(data.predicted(model.fit(data.X, data.y), [[1.5]]))
    assert np.array_equal(after.time.values, days)


def test_dask_arrays_stay_lazy():
    da = pytest.importorskip("dask.array")
    lazy = dataset().chunk({"nu": 1})
    data = read_xarray(lazy)
    assert isinstance(data.y, da.Array)
    assert np.array_equal(data.y.compute(), dataset().u.values)


def test_snapshots_without_names():
    dataset = to_xarray(make_advection([0.5, 1.0], n_points=16))
    assert list(dataset.data_vars) == ["u"]
    data = SnapshotData(
        np.eye(3), np.zeros((3, 2, 4, 5, 2)), [0.0, 1.0], (np.arange(4.0), np.arange(5.0))
    )
    after = to_xarray(data)
    assert dict(after.sizes) == {"run": 3, "time": 2, "x": 4, "y": 5}
    assert list(after.data_vars) == ["u_0", "u_1"]
    assert read_xarray(after).parameter_names == ("mu_0", "mu_1", "mu_2")


def test_steady_fields():
    before = dataset("nu x y", fields=("u", "v"))
    data = read_xarray(before, steady=True)
    assert data.times is None
    assert data.y.shape == (3, 6, 4, 2)
    model = PODRegressor(**data.grid).fit(data.X, data.y)
    after = to_xarray(data.predicted(model, data.X))
    assert after.sizes == before.sizes
    assert read_xarray(after, steady=True).field_names == ("u", "v")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda d: d.rename(time="k"), {}, "Which of the dimensions nu, k, x, y is time"),
        (lambda d: d.rename(x="s", y="q"), {}, r"got none for space and nu, s, q for parameters"),
        (lambda d: d.isel(nu=0), {}, "none for parameters.*xarray.concat"),
        (lambda d: d.drop_vars("nu"), {}, "'nu' has no coordinate.*assign_coords"),
        (lambda d: d.drop_vars("x"), {}, "'x' of 'u' has no coordinate.*assign_coords"),
        (lambda d: d.drop_vars("time"), {}, "'time' of 'u' has no coordinate"),
        (lambda d: d, {"fields": "v"}, "must name variables of the dataset, u; got v"),
        (lambda d: d, {"time": "clock"}, "`time` must be a dimension.*got 'clock'"),
        (lambda d: d.assign(v=d.u.isel(x=0)), {"fields": ["u", "v"]}, "the same dimensions"),
        (lambda d: 3, {}, "must be an xarray.Dataset or the name of a file; got int"),
    ],
)
def test_what_is_not_recognised(change, options, message):
    with pytest.raises(ValueError, match=message):
        read_xarray(change(dataset()), **options)


def test_what_is_not_recognised_can_be_said():
    strange = dataset().rename(time="k", x="s", y="q")
    data = read_xarray(strange, time="k", space=("s", "q"))
    assert np.array_equal(data.y, dataset().u.values)
    assert data.coordinate_names == ("s", "q")
