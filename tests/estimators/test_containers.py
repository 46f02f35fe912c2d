"""What users bring: masks, dates, frames, other shapes, and pickles of other versions."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning

import skcolora
from skcolora import CoLoRARegressor, ParameterInterpolator, PODRegressor
from skcolora._estimators import _base
from skcolora._estimators._base import InconsistentModelWarning

X = np.linspace(0.5, 1.5, 5)[:, None]
SECONDS, POINTS = np.linspace(0, 3600, 6), np.arange(16) / 16
DATES = np.datetime64("2024-03-01T00:00", "ms") + SECONDS.astype("timedelta64[s]")
Y = np.sin(2 * np.pi * (POINTS - X[:, :, None] * SECONDS[:, None] / 3600))


def small_network(**grid):
    return CoLoRARegressor(**grid, width=6, depth=3, max_iter=3, target_error=0, random_state=0)


@pytest.fixture(params=[ParameterInterpolator, PODRegressor, small_network])
def estimator(request):
    return request.param


def masked(values):
    mask = np.zeros(np.shape(values), dtype=bool)
    mask.flat[1:3] = True
    return np.ma.masked_array(values, mask)


def test_masked_arrays_in_every_argument(estimator):
    grid = {"times": SECONDS, "points": POINTS}
    cases = {
        "X": ({}, masked(X), Y, 5),
        "y": ({}, X, masked(Y), Y.size),
        "times": ({"times": masked(SECONDS)}, X, Y, 6),
        "points": ({"points": masked(POINTS)}, X, Y, 16),
    }
    for name, (changed, parameters, snapshots, size) in cases.items():
        with pytest.raises(ValueError, match=f"`{name}` must have no masked entries; got 2") as c:
            estimator(**{**grid, **changed}).fit(parameters, snapshots)
        assert f"got 2 masked of {size}" in str(c.value)
    model = estimator(**grid).fit(np.ma.masked_array(X), np.ma.masked_array(Y))
    with pytest.raises(ValueError, match=f"`y` must have no masked .* got 2 masked of {Y.size}"):
        model.fit(X, list(masked(Y)))
    for arguments in ({"X": masked(X)}, {"X": X, "times": masked(SECONDS)}):
        with pytest.raises(ValueError, match="must have no masked entries; got 2"):
            model.predict(**arguments)
    with pytest.raises(ValueError, match=r"`y` must have no masked entries"):
        model.score(X, masked(Y))


def test_masked_snapshots_are_not_projected():
    model = PODRegressor(times=SECONDS, points=POINTS).fit(X, Y)
    with pytest.raises(ValueError, match=r"`y` must have no masked entries"):
        model.project(masked(Y))


def test_missing_values_of_frames(estimator):
    frame = pd.DataFrame({"speed": pd.array([0.5, pd.NA, 1.0, 1.2, 1.5], dtype="Float64")})
    with pytest.raises(ValueError, match="X contains NaN"):
        estimator(times=SECONDS, points=POINTS).fit(frame, Y)
    flat = pd.DataFrame(Y.reshape(5, -1)).convert_dtypes()
    flat.iloc[2, 3] = pd.NA
    with pytest.raises(ValueError, match="contains NaN"):
        estimator(times=SECONDS, points=POINTS).fit(X, flat)


def test_dates_as_times(estimator):
    dated = estimator(times=DATES, points=POINTS).fit(X, Y)
    plain = estimator(times=SECONDS, points=POINTS).fit(X, Y)
    assert dated.times is DATES
    for times in (None, DATES.astype("datetime64[ns]"), pd.DatetimeIndex(DATES), DATES.tolist()):
        assert np.array_equal(dated.predict(X, times=times), plain.predict(X))
    some = pd.to_datetime(["2024-03-01 00:15", "2024-03-01 00:40"])
    assert np.array_equal(dated.predict(X, times=some), plain.predict(X, times=[900.0, 2400.0]))
    assert np.array_equal(clone(dated).fit(X, Y).predict(X), plain.predict(X))
    loaded = pickle.loads(pickle.dumps(dated))
    assert np.array_equal(loaded.predict(X, times=some), dated.predict(X, times=some))
    with pytest.raises(ValueError, match=r"`times` are numbers, but .* fitted on dates"):
        dated.predict(X, times=[0.0, 1.0])
    with pytest.raises(ValueError, match=r"`times` are dates, but .* fitted on numbers"):
        plain.predict(X, times=DATES)


def test_dates_elsewhere_are_refused(estimator):
    frame = pd.DataFrame({"speed": X[:, 0], "day": DATES[:5]})
    with pytest.raises(ValueError, match=r"`X\['day'\]` must hold numbers; got dates"):
        estimator(times=SECONDS, points=POINTS).fit(frame, Y)
    with pytest.raises(ValueError, match=r"`X` must hold numbers; got dates"):
        estimator(times=SECONDS, points=POINTS).fit(DATES[:5, None], Y)
    with pytest.raises(ValueError, match=r"`y` must hold numbers; got dates"):
        estimator(times=SECONDS, points=POINTS).fit(X, Y.astype("datetime64[s]"))
    with pytest.raises(ValueError, match=r"`points` must hold numbers; got dates"):
        estimator(times=SECONDS, points=np.tile(DATES, 3)[:16]).fit(X, Y)
    model = estimator(times=SECONDS, points=POINTS).fit(X, Y)
    with pytest.raises(ValueError, match=r"`X` must hold numbers; got dates"):
        model.predict(DATES[:, None])


def test_warnings_point_at_the_users_line(estimator):
    with pytest.warns(UserWarning, match="would be 4 point") as caught:
        estimator(points=np.zeros((4, 6))).fit(X, Y.reshape(5, -1)[:, :4])
    assert caught[0].filename == __file__


def test_the_score_of_another_layout(estimator):
    model = estimator(times=SECONDS, points=POINTS).fit(X, Y)
    assert np.isfinite(model.score(X, Y))
    for other in (np.swapaxes(Y, 1, 2), Y.reshape(5, -1), Y[..., None]):
        with pytest.raises(ValueError, match=r"expected \(5, 6, 16\), the shape of the pred") as c:
            model.score(X, other)
        assert f"y has shape {other.shape}" in str(c.value)
        assert "Give y in the layout of `fit`" in str(c.value)


def test_models_on_a_large_tensor_grid_are_small():
    axis, rng = np.linspace(0, 1, 401), np.random.default_rng(0)
    y = rng.random((2, 1, 401, 401), dtype=np.float32)
    model = small_network(points=(axis, axis)).fit(X[:2], y)
    assert len(pickle.dumps(model)) < 50_000
    model.predict(X[:1])
    assert len(pickle.dumps(model)) < 50_000


@pytest.fixture(scope="module")
def fitted():
    return ParameterInterpolator(times=SECONDS, points=POINTS).fit(X, Y)


def test_copies_of_the_same_version_are_silent(fitted, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        joblib.dump(fitted, tmp_path / "model")
        for twin in (
            clone(fitted).fit(X, Y),
            copy.copy(fitted),
            copy.deepcopy(fitted),
            pickle.loads(pickle.dumps(fitted)),
            joblib.load(tmp_path / "model"),
        ):
            assert np.array_equal(twin.predict(X), fitted.predict(X))
            assert not hasattr(twin, "_skcolora_version")


@pytest.mark.parametrize("version", ["0.0.1", "99.1"])
def test_a_model_of_another_version(fitted, version, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(_base, "__version__", version)
        saved = pickle.dumps(fitted)
    with pytest.warns(InconsistentVersionWarning) as caught:
        loaded = pickle.loads(saved)
    message = str(caught[0].message)
    assert f"This ParameterInterpolator was saved by skcolora {version} and is loaded" in message
    assert f"by skcolora {skcolora.__version__}." in message
    assert f"Load it with skcolora {version}, or fit and save it again" in message
    assert caught[0].filename == __file__
    assert np.array_equal(loaded.predict(X), fitted.predict(X))
    twin = pickle.loads(pickle.dumps(caught[0].message))
    assert isinstance(twin, InconsistentModelWarning)
    assert str(twin) == message


def test_a_model_without_version(fitted):
    state = {k: v for k, v in fitted.__getstate__().items() if k != "_skcolora_version"}
    with pytest.warns(InconsistentVersionWarning, match="by another version of skcolora") as caught:
        ParameterInterpolator.__new__(ParameterInterpolator).__setstate__(state)
    assert "Load it with the version that saved it" in str(caught[0].message)
