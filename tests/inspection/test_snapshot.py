"""Snapshots against the truth: what is drawn, and what is refused."""

import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcolora import ParameterInterpolator, PODRegressor
from skcolora.inspection import ErrorDecayDisplay, LatentDisplay, SnapshotDisplay
from skcolora.metrics import relative_l2_error


def images(display):
    """The values of each panel's image, by row and column."""
    return [[np.asarray(ax.collections[0].get_array()) for ax in row] for row in display.axes_]


def test_lines_are_the_nearest_snapshots(advection, pod):
    display = SnapshotDisplay.from_estimator(
        pod, advection.X, advection.y, trajectory=1, times=[0.0, 0.37, 0.41, 1.0]
    )
    predicted = pod.predict(advection.X)[1]
    drawn = [line.get_ydata() for line in display.ax_.lines]
    expected = [y[i] for i in (0, 2, 5) for y in (advection.y[1], predicted)]
    assert all(np.allclose(a, b) for a, b in zip(drawn, expected, strict=True))
    assert [line.get_linestyle() for line in display.ax_.lines] == ["-", "--"] * 3
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["truth", "prediction", "$t$ = 0", "$t$ = 0.4", "$t$ = 1"]


def test_title_tells_parameter_and_error(advection, pod):
    X = pd.DataFrame(advection.X, columns=["speed"])
    model = clone(pod).set_params(n_components=2).fit(X, advection.y)
    display = SnapshotDisplay.from_estimator(model, X, advection.y, trajectory=-1)
    error = relative_l2_error(advection.y, model.predict(X), average=False)[-1]
    assert display.error_ == pytest.approx(error)
    of_variation = relative_l2_error(advection.y, model.predict(X), average=False, centered=True)[
        -1
    ]
    assert display.centered_error_ == pytest.approx(of_variation)
    assert display.ax_.get_title() == (
        f"speed = 1.5:  relative $L^2$ error {error:.2g} (of variation {of_variation:.2g})"
    )


def test_small_errors_are_written_as_powers_of_ten():
    y = np.ones((3, 1)) * [1.0, 1.0, -1.0, -1.0]
    points = np.arange(4.0)
    display = SnapshotDisplay(y_true=y, y_pred=1.00012 * y, times=[0, 1, 2], points=points)
    error = r"$1.2\times10^{-4}$"
    title = f"relative $L^2$ error {error} (of variation {error})"
    assert display.plot().ax_.get_title() == title


def test_scattered_points_on_a_line_are_sorted():
    x = np.random.RandomState(0).rand(12, 1)
    y = np.stack([x[:, 0], 2 * x[:, 0]])
    display = SnapshotDisplay(y_true=y, y_pred=y, times=[0, 1], points=x)
    line = display.plot().ax_.lines[0]
    assert np.array_equal(line.get_xdata(), np.sort(x[:, 0]))
    assert np.array_equal(line.get_ydata(), np.sort(x[:, 0]))
    assert np.array_equal(images(display.plot(kind="map"))[0][0][1], 2 * np.sort(x[:, 0]))


def test_a_map_shows_truth_prediction_and_difference(advection, pod):
    display = SnapshotDisplay.from_estimator(
        pod, advection.X, advection.y, trajectory=2, kind="map"
    )
    predicted = pod.predict(advection.X)[2]
    drawn = images(display)[0]
    for values, expected in zip(
        drawn, (advection.y[2], predicted, predicted - advection.y[2]), strict=True
    ):
        assert np.allclose(values, expected)
    true, other, error = (ax.collections[0] for ax in display.axes_[0])
    assert true.get_clim() == other.get_clim() == (advection.y[2].min(), advection.y[2].max())
    assert error.get_clim()[0] == -error.get_clim()[1]


def test_images_are_upright(vlasov, interpolator):
    """x0 goes to the right and x1 upwards."""
    display = SnapshotDisplay.from_estimator(
        interpolator, vlasov.X, vlasov.y, trajectory=1, times=[0.4, 1.0]
    )
    assert display.axes_.shape == (3, 2)
    drawn = images(display)
    assert np.allclose(drawn[0][0], vlasov.y[1, 1].T)
    assert np.allclose(drawn[1][1], vlasov.y[1, 2].T)
    assert np.abs(drawn[2][1]).max() < 1e-10
    assert [ax.get_title() for ax in display.axes_[0]] == ["$t$ = 0.5", "$t$ = 1"]
    assert all(ax.get_aspect() == 1 for ax in display.axes_.ravel())


def test_axes_of_a_grid_may_be_in_any_order():
    x0, x1 = np.array([1.0, 0.0, 2.0]), np.array([3.0, 1.0])
    y = np.broadcast_to(x0[:, None] + 10 * x1, (1, 3, 2))
    display = SnapshotDisplay(y_true=y, y_pred=y, times=[0], points=(x0, x1)).plot()
    assert np.array_equal(images(display)[0][0], [[10, 11, 12], [30, 31, 32]])
    assert display.axes_[0, 0].get_title() == ""


@pytest.mark.parametrize(("length", "aspect"), [(0.5, 1), (4.0, 1), (100.0, "auto")])
def test_aspect_is_equal_unless_nothing_would_be_seen(length, aspect):
    y = np.random.RandomState(0).rand(1, 5, 4)
    points = np.linspace(0, length, 5), np.linspace(0, 1, 4)
    display = SnapshotDisplay(y_true=y, y_pred=y, times=[0], points=points).plot()
    assert display.ax_.get_aspect() == aspect
    assert max(display.figure_.get_size_inches()) < 10


def test_scattered_points_leave_holes_open():
    points = np.random.RandomState(0).uniform(-1, 1, (800, 2))
    points = points[np.hypot(*points.T) > 0.4]
    y = np.stack([points[:, 0], points[:, 1]])
    display = SnapshotDisplay(y_true=y, y_pred=y, times=[0, 1], points=points).plot()
    triangulation = display.ax_.collections[0]._triangulation
    assert triangulation.get_trifinder()(0.0, 0.0) == -1
    assert triangulation.get_trifinder()(0.7, 0.7) >= 0
    assert np.array_equal(images(display)[0][1], y[1])


def test_fields_of_several(advection):
    y = np.stack([advection.y, 3 * advection.y], axis=-1)
    model = PODRegressor(**advection.grid).fit(advection.X, y)
    display = SnapshotDisplay.from_estimator(model, advection.X, y, field=1)
    assert np.array_equal(display.y_true, y[0, ..., 1])
    assert display.ax_.get_ylabel() == "$u_{1}$"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: GridSearchCV(model, {"n_components": [4]}, cv=2),
        lambda model: GridSearchCV(
            make_pipeline(StandardScaler(), model), {"podregressor__n_components": [4]}, cv=2
        ),
        lambda model: TransformedTargetRegressor(model, transformer=StandardScaler()),
    ],
)
def test_estimators_around_a_model(advection, wrap):
    y = advection.y.reshape(len(advection.y), -1)
    model = wrap(PODRegressor(**advection.grid, n_components=4)).fit(advection.X, y)
    display = SnapshotDisplay.from_estimator(model, advection.X, y, trajectory=3)
    assert np.allclose(display.y_pred.ravel(), model.predict(advection.X)[3])


def test_a_frozen_model(advection, pod):
    display = SnapshotDisplay.from_estimator(FrozenEstimator(pod), advection.X, advection.y)
    assert np.array_equal(display.y_true, advection.y[0])


def test_predictions_of_anything(vlasov):
    display = SnapshotDisplay.from_predictions(
        vlasov.y, 1.1 * vlasov.y, grid=vlasov.grid, trajectory=2, times=[0.5]
    )
    assert display.error_ == pytest.approx(0.1)
    assert display.axes_.shape == (3, 1)
    one = SnapshotDisplay.from_predictions(vlasov.y[:, :, 4], vlasov.y[:, :, 4])
    assert np.array_equal(one.ax_.lines[0].get_xdata(), np.linspace(0, 1, 9))


def test_steady_fields_have_no_time_in_their_labels(advection):
    y = advection.y[:, 3]
    model = ParameterInterpolator(points=advection.points).fit(advection.X, y)
    display = SnapshotDisplay.from_estimator(model, advection.X, y)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["truth", "prediction"]
    with pytest.raises(ValueError, match="at least two times"):
        display.plot(kind="map")


def test_colour_bars_tell_where_a_prediction_leaves_the_truth(vlasov):
    display = SnapshotDisplay.from_predictions(vlasov.y, vlasov.y - 0.2, grid=vlasov.grid)
    bars = [image.colorbar for ax in display.axes_[:, -1] for image in ax.collections]
    assert [bar.extend for bar in bars] == ["min", "min", "neither"]


@pytest.mark.parametrize("n_finite_times", [0, 3])
@pytest.mark.parametrize("kind", ["lines", "map"])
def test_predictions_with_nan_are_drawn_in_one_dimension(advection, kind, n_finite_times):
    """A trajectory that a model could not integrate to the last time."""
    predicted = 1.1 * advection.y
    predicted[:, n_finite_times:] = np.nan
    display = SnapshotDisplay.from_predictions(
        advection.y, predicted, grid=advection.grid, kind=kind
    )
    display.figure_.canvas.draw()
    assert display.error_ == np.inf
    if kind == "lines":
        assert display.ax_.get_title() == "relative $L^2$ error inf (of variation inf)"
        assert np.isnan(display.ax_.lines[-1].get_ydata()).all()
    else:
        error = display.axes_[0, 2].collections[0]
        finite = 0.1 * np.abs(advection.y[0, :n_finite_times])
        assert error.get_clim()[1] == pytest.approx(finite.max() if n_finite_times else 1.0)


@pytest.mark.parametrize("n_finite_times", [0, 2])
@pytest.mark.parametrize("scattered", [False, True])
def test_predictions_with_nan_are_drawn_in_two_dimensions(vlasov, scattered, n_finite_times):
    y, grid = vlasov.y, vlasov.grid
    if scattered:
        x0, x1 = np.meshgrid(*grid["points"], indexing="ij")
        grid = {"times": grid["times"], "points": np.stack([x0.ravel(), x1.ravel()], axis=1)}
        y = y.reshape(*y.shape[:2], -1)
    predicted = y + 0.2
    predicted[:, n_finite_times:] = np.nan
    display = SnapshotDisplay.from_predictions(y, predicted, grid=grid)
    display.figure_.canvas.draw()
    assert display.error_ == np.inf
    limits = [ax.collections[0].get_clim() for ax in display.axes_.ravel()]
    assert np.isfinite(limits).all()
    assert limits[-1][1] == pytest.approx(0.2 if n_finite_times else 1.0)
    bars = [image.colorbar for ax in display.axes_[:2, -1] for image in ax.collections]
    assert [bar.extend for bar in bars] == ["max" if n_finite_times else "neither"] * 2


def test_given_axes(advection, pod):
    figure, axes = plt.subplots(1, 2, layout="constrained")
    display = SnapshotDisplay.from_estimator(pod, advection.X, advection.y, ax=axes[0])
    assert display.ax_ is axes[0]
    display.plot(axes[1], kind="map")
    figure.canvas.draw()
    assert display.figure_ is figure
    assert display.ax_.get_window_extent().x0 > axes[0].get_window_extent().x1
    with pytest.raises(ValueError, match=r"`ax` must come from `plt.subplots`"):
        display.plot(figure.add_axes((0, 0, 1, 1)), kind="map")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trajectory": 5}, r"`trajectory` must be an integer from 0 to 4; got 5"),
        ({"trajectory": 1.0}, r"`trajectory` must be an integer"),
        ({"field": 1}, r"`field` must be an integer from 0 to 0; got 1"),
        ({"kind": "images"}, r"\('lines', 'map'\) in 1 dimension\(s\); got 'images'"),
        ({"times": [0.5, 1.2]}, r"between 0 and 1, the times of the snapshots; got 1.2"),
        ({"times": "soon"}, r"`times` must be numeric"),
        ({"times": [np.nan]}, r"`times` must hold finite numbers"),
        ({"times": []}, r"`times` must hold finite numbers"),
        ({"times": [0.5], "kind": "map"}, r"cannot be chosen for a map"),
    ],
)
def test_refuses_before_predicting(advection, pod, monkeypatch, arguments, message):
    monkeypatch.setattr(PODRegressor, "predict", None)
    with pytest.raises(ValueError, match=message):
        SnapshotDisplay.from_estimator(pod, advection.X, advection.y, **arguments)


def test_refuses_snapshots_that_do_not_fit(advection, vlasov, pod):
    with pytest.raises(ValueError, match=r"y has shape \(3, 3, 9, 9\)"):
        SnapshotDisplay.from_estimator(pod, vlasov.X, vlasov.y)
    with pytest.raises(ValueError, match="X has 2 rows, but y_true has 5 trajectories"):
        SnapshotDisplay.from_estimator(pod, advection.X[:2], advection.y)
    with pytest.raises(ValueError, match="y_true has 3 times, but the estimator was fitted on 6"):
        SnapshotDisplay.from_estimator(pod, advection.X, advection.y[:, :3])
    with pytest.raises(ValueError, match=r"shape \(5, 6, 32\), but y_pred has \(3, 3, 9, 9\)"):
        SnapshotDisplay.from_predictions(advection.y, vlasov.y)
    with pytest.raises(ValueError, match=r"times, points and period; got \['time'\]"):
        SnapshotDisplay.from_predictions(advection.y, advection.y, grid={"time": [0, 1]})
    with pytest.raises(ValueError, match="y_true contains NaN"):
        SnapshotDisplay.from_predictions(np.nan * advection.y, advection.y)
    y = np.zeros((2, 3, 2))
    with pytest.raises(ValueError, match="with 2 fields; expected one field"):
        SnapshotDisplay(y_true=y, y_pred=y, times=[0, 1], points=[0, 1, 2])


def test_refuses_grids_that_cannot_be_drawn():
    y, axis = np.ones((1, 2, 3, 3, 3)), np.arange(3.0)
    with pytest.raises(ValueError, match="Snapshots in 3 dimensions cannot be shown"):
        SnapshotDisplay(y_true=y[0], y_pred=y[0], times=[0, 1], points=(axis, axis, axis))
    with pytest.raises(ValueError, match="must differ in each dimension"):
        SnapshotDisplay.from_predictions(
            y[:, :, :, :1, 0], y[:, :, :, :1, 0], grid={"points": (axis, axis[:1])}
        )
    line = np.stack([axis, axis], axis=1)
    with pytest.raises(ValueError, match="on one line"):
        SnapshotDisplay.from_predictions(y[..., 0, 0], y[..., 0, 0], grid={"points": line})


def test_refuses_estimators_without_snapshots(advection):
    X, y = advection.X, advection.y
    with pytest.raises(NotFittedError):
        SnapshotDisplay.from_estimator(PODRegressor(), X, y)
    with pytest.raises(TypeError, match="LinearRegression does not know the times and points"):
        SnapshotDisplay.from_estimator(LinearRegression().fit(X, y[:, 0]), X, y)


@pytest.mark.parametrize("display", [SnapshotDisplay, LatentDisplay, ErrorDecayDisplay])
def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, display):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = (None,) * (3 if display is SnapshotDisplay else 2)
    with pytest.raises(ImportError, match=rf"{display.__name__}.*pip install skcolora\[plot\]"):
        display.from_estimator(*arguments)
