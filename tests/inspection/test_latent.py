"""Latent paths: what is drawn, and in which colours."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcolora import CoLoRARegressor
from skcolora.inspection import LatentDisplay

ARRAYS = {"times": [0.0, 1.0, 3.0], "latent": np.arange(24.0).reshape(2, 3, 4)}


def test_paths_are_the_predicted_ones(advection, colora):
    X, times = [[0.6], [1.0], [1.4]], [0.0, 0.25, 0.9]
    display = LatentDisplay.from_estimator(colora, X, times=times)
    latent = colora.predict_latent(X, times=times)
    assert display.lines_.shape == (colora.n_latent_, 3)
    for i in range(colora.n_latent_):
        for k in range(3):
            line = display.lines_[i, k]
            assert np.array_equal(line.get_xdata(), times)
            assert np.array_equal(line.get_ydata(), latent[k, :, i])
    assert len({line.get_color().tobytes() for line in display.lines_[0]}) == 3
    assert display.axes_[0].get_figure() is display.figure_


def test_earlier_steps_of_a_pipeline_transform_the_parameters(advection, colora):
    X = pd.DataFrame(advection.X, columns=["speed"])
    pipeline = make_pipeline(StandardScaler(), clone(colora)).fit(X, advection.y)
    display = LatentDisplay.from_estimator(pipeline, X)
    expected = pipeline[-1].predict_latent(pipeline[0].transform(X))
    assert np.array_equal(display.latent, expected)
    assert np.array_equal(display.parameters, advection.X)
    assert display.figure_.axes[-1].get_ylabel() == "speed"


def test_the_best_model_of_a_search(advection, colora):
    search = GridSearchCV(clone(colora), {"max_iter": [1]}, cv=2).fit(advection.X, advection.y)
    display = LatentDisplay.from_estimator(search, advection.X)
    assert np.array_equal(display.latent, search.best_estimator_.predict_latent(advection.X))


def test_a_single_trajectory_is_named_in_the_title(colora):
    display = LatentDisplay.from_estimator(colora, [[0.7]], components=[2, 0])
    assert len(display.axes_) == len(display.figure_.axes) == 2
    assert display.figure_.get_suptitle() == r"$\mu$ = 0.7"
    assert display.axes_[0].get_title("left") == r"$\varphi_{2}$"


def test_colours_follow_the_first_parameter_that_varies():
    display = LatentDisplay(parameters=[[1.0, 5.0], [1.0, 6.0]], **ARRAYS).plot()
    assert display.figure_.axes[-1].get_ylabel() == r"$\mu_{1}$"
    other = LatentDisplay(parameters=[[0.0, 5.0], [1.0, 6.0]], parameter_names=["a", "b"], **ARRAYS)
    assert other.plot().figure_.axes[-1].get_ylabel() == "a"
    assert other.plot(color_by=1).figure_.axes[-1].get_ylabel() == "b"


def test_many_latent_variables_are_not_all_shown():
    latent = np.zeros((1, 2, 49))
    display = LatentDisplay(times=[0, 1], latent=latent, parameters=[[0.0]]).plot()
    assert len(display.axes_) == 12


def test_panels_take_the_place_of_given_axes():
    figure, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
    display = LatentDisplay(parameters=[[0.0], [1.0]], **ARRAYS).plot(axes[1])
    figure.canvas.draw()
    assert display.figure_ is figure
    assert display.axes_[0].get_window_extent().x0 > axes[0].get_window_extent().x1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent": np.zeros((2, 4, 1))}, r"`latent` has shape \(2, 4, 1\)"),
        ({"parameters": np.zeros((3, 1))}, r"`parameters` has shape \(3, 1\).*\(2, n_param"),
        ({"parameter_names": ["a", "b"]}, r"2 entries, but there are 1"),
        ({"times": [0, 2, 1]}, "increase strictly"),
        ({"times": [0], "latent": np.zeros((2, 1, 3))}, "at least two times"),
    ],
)
def test_refuses_arrays_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        LatentDisplay(**({"parameters": np.zeros((2, 1))} | ARRAYS | changes))


def test_refuses_what_is_not_there(advection, colora, pod):
    with pytest.raises(TypeError, match="PODRegressor has no latent states"):
        LatentDisplay.from_estimator(pod, advection.X)
    with pytest.raises(ValueError, match=r"`components` must be an integer from 0 to 3; got 4"):
        LatentDisplay.from_estimator(colora, advection.X, components=[4])
    with pytest.raises(ValueError, match="at least one latent variable"):
        LatentDisplay.from_estimator(colora, advection.X, components=[])
    with pytest.raises(ValueError, match="`color_by`"):
        LatentDisplay.from_estimator(colora, advection.X, color_by=1)
    with pytest.raises(ValueError, match="increase strictly"):
        LatentDisplay.from_estimator(colora, advection.X, times=[1.0, 0.0])
    steady = CoLoRARegressor(width=4, depth=2, max_iter=1).fit(advection.X, advection.y[:, 0])
    with pytest.raises(ValueError, match="at least two times"):
        LatentDisplay.from_estimator(steady, advection.X)
