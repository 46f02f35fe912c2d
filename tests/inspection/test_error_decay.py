"""The decay of the projection error against its definition."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcolora import PODRegressor
from skcolora.inspection import ErrorDecayDisplay
from skcolora.metrics import relative_l2_error


def test_errors_are_those_of_models_with_fewer_modes(advection, pod):
    display = ErrorDecayDisplay.from_estimator(pod, advection.y)
    # The 30 snapshots span fewer than 20 dimensions: several of them are equal.
    assert list(display.n_components) == list(range(1, pod.n_components_ + 1))
    for n in (1, 5, pod.n_components_ - 1):
        smaller = PODRegressor(**advection.grid, n_components=n).fit(advection.X, advection.y)
        expected = relative_l2_error(advection.y, smaller.project(advection.y))
        assert display.errors[n - 1] == pytest.approx(expected, rel=1e-9)
    assert np.array_equal(display.line_.get_ydata(), display.errors)
    assert display.ax_.get_yscale() == "log"


def test_unseen_snapshots_at_other_times(advection, pod):
    y = 2 * advection.y[:1, :3]
    errors = ErrorDecayDisplay.from_estimator(pod, y).errors
    assert errors[-1] == pytest.approx(relative_l2_error(y, pod.project(y)), rel=1e-9)
    assert (np.diff(errors) <= 0).all()


def test_small_errors_do_not_cancel():
    x = np.linspace(0, 1, 40)
    y = np.stack([np.sin(np.pi * x) + 1e-11 * np.sin(2 * np.pi * x), 2 * np.sin(np.pi * x)])
    model = PODRegressor(n_components=1, center=False).fit([[0.0], [1.0]], y[:, None])
    errors = ErrorDecayDisplay.from_estimator(model, y[:1, None]).errors
    assert errors == pytest.approx([0.8e-11], rel=0.05)


def test_several_fields_in_their_own_units(advection):
    y = np.stack([advection.y, 300 + 1e3 * advection.y[::-1]], axis=-1)
    fitted = PODRegressor(**advection.grid, n_components=6).fit(advection.X, y)
    errors = ErrorDecayDisplay.from_estimator(fitted, y[:2]).errors
    for n in (1, 6):
        smaller = PODRegressor(**advection.grid, n_components=n).fit(advection.X, y)
        expected = relative_l2_error(y[:2], smaller.project(y[:2]))
        assert errors[n - 1] == pytest.approx(expected, rel=1e-9)


def test_zero_snapshots_have_no_error_in_a_space_with_zero(advection):
    pod = PODRegressor(**advection.grid, n_components=3, center=False)
    pod.fit(advection.X, advection.y)
    errors = ErrorDecayDisplay.from_estimator(pod, np.zeros_like(advection.y)).errors
    assert (errors == 0).all()


def test_curves_share_axes_and_a_legend(advection, pod):
    scaled = make_pipeline(StandardScaler(), pod)
    scaled[0].fit(advection.X)
    first = ErrorDecayDisplay.from_estimator(scaled, advection.y)
    second = ErrorDecayDisplay([2, 7], [0.1, 0.01], label="CoLoRA")
    second.plot(first.ax_, line_kwargs={"ls": "", "ms": 9})
    assert second.ax_ is first.ax_
    assert second.line_.get_markersize() == 9
    texts = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert texts == ["POD projection", "CoLoRA"]


def test_refuses(vlasov, interpolator, pod):
    with pytest.raises(TypeError, match="ParameterInterpolator has no modes"):
        ErrorDecayDisplay.from_estimator(interpolator, vlasov.y)
    with pytest.raises(ValueError, match=r"y has shape \(3, 3, 9, 9\)"):
        ErrorDecayDisplay.from_estimator(pod, vlasov.y)
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        ErrorDecayDisplay([1, 2], [0.1, 0.2, 0.3])
