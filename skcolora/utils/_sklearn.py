"""Private names of scikit-learn, which only this module imports; whether a search calls."""

from sklearn.base import _fit_context as fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
)
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

from skcolora.utils._stack import called_from

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """No callbacks."""


__all__ = [
    "BaseSearchCV",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "StrOptions",
    "check_sample_weight",
    "fit_context",
    "in_search",
]

# Modules that fit many estimators.
_SEARCHES = (
    "sklearn.model_selection",
    "sklearn.ensemble",
    "sklearn.multioutput",
    "sklearn.feature_selection",
    "sklearn.inspection",
    "sklearn.utils.parallel",
    "joblib",
    "skcolora.model_selection",
)


def in_search() -> bool:
    """Whether the current call comes from a search, which fits many estimators.

    A search is a function or class of `sklearn.model_selection`, an ensemble, a worker of
    joblib, or `skcolora.model_selection.sample_greedily`.  `Pipeline.fit` and
    `TransformedTargetRegressor.fit` are no searches.
    """
    return called_from(_SEARCHES)
