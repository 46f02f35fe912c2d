"""scikit-learn's own checks, on every estimator."""

import pytest
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import estimator_checks_generator

from skcolora import CoLoRARegressor, ParameterInterpolator, PODRegressor

ESTIMATORS = [
    CoLoRARegressor(width=8, depth=3, max_iter=200, random_state=0),
    CoLoRARegressor(width=8, depth=3, max_iter=200, adaptation="diagonal", rank=2, random_state=0),
    ParameterInterpolator(),
    PODRegressor(),
    PODRegressor(regressor=LinearRegression()),
]


@pytest.mark.parametrize(
    ("estimator", "check"),
    [pair for estimator in ESTIMATORS for pair in estimator_checks_generator(estimator)],
    ids=lambda value: getattr(getattr(value, "func", value), "__name__", None) or str(value),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
