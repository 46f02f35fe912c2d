"""Names, units and meshes of a data set, planes of three dimensions, and scales of errors."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from skcolora import PODRegressor
from skcolora.datasets import SnapshotData
from skcolora.inspection import SnapshotDisplay
from skcolora.inspection._images import triangles_of
from skcolora.inspection._names import Names
from skcolora.inspection._trajectory import error_scale, trajectory_of

TIMES = np.array([0.0, 0.5, 1.0])
X = np.array([[1.0, 0.1], [2.0, 0.2], [3.0, 0.4]])
NAMES = {
    "parameter_names": ("speed", "width"),
    "units": {"speed": "m/s", "time": "s", "x": "m", "z": "mm", "T": "K"},
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def data_set(points, coordinate_names, **changes):
    """Fields that differ at all points and times."""
    grid = np.meshgrid(*points, indexing="ij") if isinstance(points, tuple) else points.T
    total = sum((d + 1) * x for d, x in enumerate(grid))
    y = np.stack([np.stack([total + mu[0] * t + 10 * mu[1] for t in TIMES]) for mu in X])
    names = {"coordinate_names": coordinate_names, "field_names": ("T",), **NAMES}
    return SnapshotData(X, y, TIMES, points, **{**names, **changes})


def fitted(data):
    return PODRegressor(**data.grid, n_components=2).fit(data.X, data.y)


def test_labels_of_lines_and_maps():
    data = data_set(np.linspace(0, 2, 9)[:, None], ("x",))
    display = SnapshotDisplay.from_data(fitted(data), data, trajectory=1)
    assert display.ax_.get_xlabel() == "x (m)"
    assert display.ax_.get_ylabel() == "T (K)"
    assert display.ax_.get_title().startswith("speed = 2 m/s, width = 0.2:  relative")
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend[2:] == ["$t$ = 0 s", "$t$ = 0.5 s", "$t$ = 1 s"]
    display.plot(kind="map")
    assert display.ax_.get_ylabel() == "$t$ (s)"
    bars = [ax.get_ylabel() for ax in display.figure_.axes if ax not in display.axes_]
    bars += [child.get_ylabel() for ax in display.axes_[0] for child in ax.child_axes]
    assert "T (K)" in bars


def test_labels_of_images_and_names_of_fields():
    data = data_set((np.linspace(0, 1, 5), np.linspace(0, 1, 4)), ("x", "y"))
    data = SnapshotData(
        X, np.stack([data.y, -data.y], -1), TIMES, data.points, None, None,
        ("speed", "width"), ("x", "y"), ("T", "p"), {"p": "Pa"},
    )  # fmt: skip
    display = SnapshotDisplay.from_data(fitted(data), data, field="p", times=[1.0])
    np.testing.assert_array_equal(display.y_true, data.y[0, ..., 1])
    assert display.axes_[2, 0].get_xlabel() == "x"
    assert display.axes_[0, 0].get_ylabel() == "truth\ny"
    assert display.axes_[0, 0].child_axes[0].get_ylabel() == "p (Pa)"
    with pytest.raises(ValueError, match=r"`field` must be one of \['T', 'p'\]; got 'q'"):
        SnapshotDisplay.from_data(fitted(data), data, field="q")


def test_the_triangles_are_those_of_the_mesh():
    """Also where a triangulation of the nodes would close a notch."""
    points = np.array([[0.0, 0.0], [1, 0], [2, 0], [0, 1], [1, 1], [0, 2], [0.4, 0.4]])
    cells = {"triangle": np.array([[1, 2, 4], [3, 4, 5]]), "quad": np.array([[0, 1, 4, 3]])}
    data = data_set(points, ("x", "y"), cells=cells)
    display = SnapshotDisplay.from_data(fitted(data), data)
    (image,) = display.axes_[0, 0].collections
    drawn = image._triangulation.triangles
    expected = [[1, 2, 4], [3, 4, 5], [0, 1, 4], [0, 4, 3]]
    assert sorted(map(sorted, drawn.tolist())) == sorted(map(sorted, expected))


def test_cells_that_are_no_triangles():
    assert triangles_of({"line": np.array([[0, 1]]), "tetra": np.array([[0, 1, 2, 3]])}) is None
    quadratic = {"triangle6": np.array([[0, 1, 2, 3, 4, 5]])}
    np.testing.assert_array_equal(triangles_of(quadratic), [[0, 1, 2]])


AXES = np.linspace(0, 1, 4), np.linspace(0, 2, 5), np.linspace(0, 3, 7)


@pytest.mark.parametrize(
    ("section", "dimension", "position", "text"),
    [
        (None, 2, 1.5, "z = 1.5 mm"),
        ({"z": 0.9}, 2, 1.0, "z = 1 mm"),
        ({0: 1.0}, 0, 1.0, "x = 1 m"),
        ({"y": 0.0}, 1, 0.0, "y = 0"),
    ],
)
def test_planes_of_a_tensor_grid(section, dimension, position, text):
    data = data_set(AXES, ("x", "y", "z"))
    display = SnapshotDisplay.from_data(fitted(data), data, trajectory=2, section=section)
    i = list(AXES[dimension]).index(position)
    np.testing.assert_array_equal(display.y_true, data.y[2].take(i, axis=1 + dimension))
    assert f"width = 0.4, {text}:" in display.figure_._suptitle.get_text()
    assert display.coordinate_names == tuple(n for n in "xyz" if n != "xyz"[dimension])


def test_planes_through_scattered_points():
    """A linear field is interpolated exactly, within the hull of the points."""
    points = np.vstack([np.random.RandomState(0).rand(200, 3), np.eye(3)])
    data = data_set(points, ("x", "y", "z"))
    display = SnapshotDisplay.from_data(fitted(data), data, section={"y": 0.25})
    x, z = display.points.T
    expected = np.stack([x + 2 * 0.25 + 3 * z + t + 1.0 for t in TIMES])
    np.testing.assert_allclose(display.y_true, expected)
    assert len(x) > 2000


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"w": 0.5}, r"mapping from one dimension to a position, such as \{'z': 1.5\}"),
        ({"x": 0.5, "y": 0.5}, "mapping from one dimension"),
        (0.5, "mapping from one dimension"),
        ({"x": 7.0}, "must lie between 0 and 1 in dimension 'x'; got 7"),
    ],
)
def test_malformed_sections(section, message, monkeypatch):
    data = data_set(AXES, ("x", "y", "z"))
    model = fitted(data)
    monkeypatch.delattr(PODRegressor, "predict")  # it is refused before the prediction
    with pytest.raises(ValueError, match=message):
        SnapshotDisplay.from_data(model, data, section=section)


def test_a_section_of_a_plane_is_refused():
    y, axis = np.random.RandomState(0).rand(1, 2, 3, 3), np.arange(3.0)
    with pytest.raises(ValueError, match="three dimensions; these have 2"):
        SnapshotDisplay.from_predictions(y, y, grid={"points": (axis, axis)}, section={0: 1.0})


def test_few_large_errors_do_not_set_the_scale():
    x = np.linspace(0, 1, 1000)
    true = np.zeros((2, 1000))
    predicted = 0.01 * np.sin(20 * x) + true
    smooth = error_scale(trajectory_of(true, predicted, [0, 1], x[:, None], Names(), None))
    assert smooth["vmax"] == pytest.approx(0.01, rel=1e-3)
    assert smooth["extend"] == "neither"
    predicted[:, 500:503] = 1.0
    shock = error_scale(trajectory_of(true, predicted, [0, 1], x[:, None], Names(), None))
    assert shock["vmax"] == pytest.approx(0.01, rel=1e-2)
    assert shock["extend"] == "both"
    exact = error_scale(trajectory_of(true, true, [0, 1], x[:, None], Names(), None))
    assert exact["vmax"] > 0
