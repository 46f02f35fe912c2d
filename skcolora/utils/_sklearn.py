"""Private names of scikit-learn, which only this module imports."""

from sklearn.base import _fit_context as fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
)

__all__ = ["BaseSearchCV", "HasMethods", "Interval", "StrOptions", "fit_context"]
