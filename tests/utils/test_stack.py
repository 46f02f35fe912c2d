"""Who called the package."""

import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skcolora.utils._sklearn import in_search


class Spy(RegressorMixin, BaseEstimator):
    seen: list = []  # noqa: RUF012

    def fit(self, X, y):
        self.seen.append(in_search())
        return self

    def predict(self, X):
        return [0.0] * len(X)


X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        (lambda: Spy().fit(X, y), False),
        (lambda: make_pipeline("passthrough", Spy()).fit(X, y), False),
        (lambda: TransformedTargetRegressor(Spy()).fit(X, y), False),
        (lambda: cross_val_score(Spy(), X, y, cv=2), True),
    ],
)
def test_a_search_is_told_from_a_fit_by_hand(fit, expected):
    Spy.seen.clear()
    fit()
    assert set(Spy.seen) == {expected}
