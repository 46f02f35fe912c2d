"""scikit-learn's own checks, on every estimator."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.utils import estimator_checks as checks

from skcolora import (
    CoLoRAGalerkin,
    CoLoRARegressor,
    ParameterInterpolator,
    PODGalerkin,
    PODRegressor,
)
from skcolora._estimators._base import SnapshotRegressor
from skcolora.pdes import Advection

ESTIMATORS = [
    CoLoRARegressor(width=8, depth=3, max_iter=200, random_state=0),
    CoLoRARegressor(width=8, depth=3, max_iter=200, adaptation="diagonal", rank=2, random_state=0),
    ParameterInterpolator(),
    PODRegressor(),
    PODRegressor(regressor=LinearRegression()),
]

# Random samples of a trajectory that is repeated are not those of one with twice the weight.  That
# no weight is the same as no trajectory holds to the last bit, see test_sample_weight.py.
EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": "the training is on random samples",
}


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pair
        for estimator in ESTIMATORS
        for pair in checks.estimator_checks_generator(
            estimator, expected_failed_checks=EXPECTED_TO_FAIL, mark="xfail"
        )
    ],
    ids=lambda value: getattr(getattr(value, "func", value), "__name__", None) or str(value),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Those that bring no data of their own, which no equation could accept.
WITHOUT_DATA = [
    checks.check_estimator_cloneable,
    checks.check_estimator_repr,
    checks.check_estimator_tags_renamed,
    checks.check_get_params_invariance,
    checks.check_mixin_order,
    checks.check_no_attributes_set_in_init,
    checks.check_set_params,
    checks.check_valid_tag_types,
]


@pytest.mark.parametrize("check", WITHOUT_DATA, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", [CoLoRAGalerkin, PODGalerkin])
def test_scikit_learn_checks_of_estimators_with_an_equation(estimator, check):
    check(estimator.__name__, estimator(Advection()))


@pytest.mark.parametrize("cls", [CoLoRARegressor, PODRegressor, PODGalerkin, ParameterInterpolator])
def test_the_parameters_of_the_grid_are_described_in_one_way(cls):
    assert "times : array-like of shape (n_times,), default=None" in cls.__doc__
    assert "{times" not in cls.__doc__


class Fails(SnapshotRegressor):
    def predict(self, X):
        return np.array([[1.0, np.nan], [1.0, 2.0]])


def test_the_score_of_a_prediction_with_nan_is_the_worst():
    assert Fails().score([[0.0], [1.0]], [[1.0, 2.0], [1.0, 2.0]]) == -np.inf
