"""One warning for each call says which parameters and times lie outside, and how far."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skcolora import ExtrapolationWarning, ParameterInterpolator, PODGalerkin, PODRegressor
from skcolora._snapshots import check_extrapolation
from skcolora.datasets import make_advection

X = np.array([[0.05, 1.0], [0.1, 1.0], [0.05, 2.0]])
NAMES = ["alpha", "beta"]
TIMES = np.linspace(0, 1, 5)


def message(new, times=None, names=NAMES, X_train=X, train_times=TIMES, **options):
    """The text of the only warning, or None."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_extrapolation(
            "warn", X_train, np.array(new, float), train_times, times, names, **options
        )
    assert len(caught) <= 1
    if not caught:
        return None
    assert caught[0].category is ExtrapolationWarning
    assert caught[0].filename == __file__
    return str(caught[0].message)


def test_a_parameter_beyond_its_range_by_its_name():
    text = message([[0.06, 1.1], [0.15, 1.0]])
    assert "In row 1 of X, (alpha = 0.15, beta = 1), the parameter 'alpha' = 0.15 is 0.05" in text
    assert "beyond the largest training value 0.1, 100 % of its range." in text
    assert "'beta'" not in text
    below = message([[0.04, 1.0]], names=None)
    assert "parameter 0 = 0.04 is 0.01 below the smallest training value 0.05, 20 %" in below


def test_the_farthest_of_several_rows():
    text = message([[0.11, 1.0], [0.15, 4.0], [0.06, 1.0], [0.1, 2.0]])
    assert "3 of 4 rows of X lie outside the training parameters" in text
    assert "in row 1 of X" in text
    # The parameter that is farther in shares of its range comes first.
    assert text.index("'beta' = 4 is 2 beyond") < text.index("'alpha' = 0.15 is 0.05 beyond")


def test_in_the_box_and_outside_the_hull():
    text = message([[0.1, 2.0]])
    assert "Row 0 of X, (alpha = 0.1, beta = 2), is a combination of parameters that lies" in text
    assert "outside the region spanned by the training parameters, 70.7 % of the ranges" in text
    assert message([[0.075, 1.5], [0.06, 1.1]]) is None


def test_leaving_a_linear_dependence():
    text = message([[0.07, 1.5]], X_train=X[:1] + np.arange(3)[:, None] * [0.05, 1.0])
    assert "depend on each other linearly, but row 0 of X, (alpha = 0.07, beta = 1.5)" in text
    assert "does not follow this dependence" in text


def test_many_parameters_are_not_listed_one_by_one():
    train = np.vstack([np.zeros(6), np.eye(6)])
    assert "; and so for 3 more." in message([np.arange(2.0, 8.0)], names=None, X_train=train)


def test_times():
    text = message(X, times=np.array([0.5, 1.1, 1.2]))
    assert "2 of 3 times lie outside the training times" in text
    assert "the time 1.2 is 0.2 beyond the last training time 1, 20 % of their range." in text
    assert "rows" not in text
    both = message([[0.15, 1.0]], times=np.array([-0.1, 0.5]))
    assert "The time -0.1 is 0.1 before the first training time 0, 10 %" in both
    assert "'alpha' = 0.15" in both
    assert message(X, times=np.array([0.0, 0.1 * 3, 1 + 1e-12])) is None
    assert message(X, times=None) is None


@pytest.mark.parametrize("unit", ["m", "s", "ns"])
def test_dates(unit):
    train = np.array(["2024-03-01T12:00", "2024-03-01T14:00"], "M8[m]")
    times = np.array(["2024-03-01T13:00", "2024-03-01T14:30"], f"M8[{unit}]")
    text = message(X, times=times, train_times=train)
    assert "is 1800 s beyond the last training time 2024-03-01T14:00, 25 % of their" in text
    assert f"The time {times[1]} is" in text
    assert message(X, times=train.astype(f"M8[{unit}]"), train_times=train) is None


def test_constants_count_only_where_nothing_else_reports_them():
    train, new = np.array([[0.5, 3.0], [0.7, 3.0]]), [[0.6, 4.0]]
    assert message(new, X_train=train) is None
    text = message(new, X_train=train, constants_count=True)
    assert "the parameter 'beta' = 4 differs from 3, its value in all of `fit`" in text
    late = {"times": np.array([2.0]), "train_times": np.array([1.0])}
    assert message(X, **late) is None
    assert "time 2 is 1 beyond the last training time 1." in message(
        X, **late, constants_count=True
    )


def test_raise_and_ignore_and_other_words():
    new = np.array([[0.15, 1.0]])
    with pytest.raises(ValueError, match=r"'alpha' = 0\.15 is 0\.05 beyond .*='warn'"):
        check_extrapolation("raise", X, new, None, None, NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_extrapolation("ignore", X, new, TIMES, TIMES + 9, NAMES)
        check_extrapolation("raise", X, X, TIMES, TIMES, NAMES)
    with pytest.raises(ValueError, match=r"must be 'warn', 'raise' or 'ignore'; got 'silent'"):
        check_extrapolation("silent", X, X, None, None, None)


@pytest.fixture(scope="module")
def waves():
    return make_advection([0.5, 0.75, 1.0], n_points=32, times=TIMES)


def models(waves):
    return [
        ParameterInterpolator(**waves.grid),
        PODRegressor(**waves.grid, n_components=6),
        PODRegressor(**waves.grid, n_components=6, regressor=LinearRegression()),
        PODGalerkin(waves.pde, **waves.grid, n_components=12),
    ]


@pytest.mark.parametrize("i", range(4))
def test_estimators_warn_once_and_keep_their_values(waves, i):
    model = models(waves)[i].fit(waves.X, waves.y)
    with pytest.warns(ExtrapolationWarning, match=r"= 1\.125 is 0\.125 beyond .* 25 %") as caught:
        found = model.predict([[0.8], [1.125]])
    assert len([w for w in caught if w.category is ExtrapolationWarning]) == 1
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match=r"1\.125 is 0\.125 beyond"):
        model.set_params(on_extrapolation="raise").predict([[0.8], [1.125]])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ExtrapolationWarning)
        silent = model.set_params(on_extrapolation="ignore").predict([[0.8], [1.125]])
        model.set_params(on_extrapolation="raise").predict([[0.8]])
        model.predict(waves.X)
    assert np.array_equal(found, silent)
    with pytest.raises(ValueError, match="'on_extrapolation' parameter"):
        model.set_params(on_extrapolation="silent").fit(waves.X, waves.y)


def test_only_a_regressor_extrapolates_in_time(waves):
    interpolator, pod, regression, galerkin = (m.fit(waves.X, waves.y) for m in models(waves))
    later = [0.5, 1.5]
    with pytest.warns(ExtrapolationWarning, match=r"The time 1\.5 is 0\.5 beyond the last"):
        regression.predict(waves.X, times=later)
    for model in (interpolator, pod):
        with pytest.raises(ValueError, match="`times` must lie in"):
            model.predict(waves.X, times=later)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ExtrapolationWarning)
        galerkin.predict(waves.X, times=later)


def test_names_of_columns(waves):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"velocity": waves.X[:, 0]})
    for model in models(waves)[:2]:
        model.fit(frame, waves.y)
        with pytest.warns(ExtrapolationWarning, match="the parameter 'velocity' = 2 is 1 beyond"):
            model.predict(pandas.DataFrame({"velocity": [2.0]}))
