"""The only place that touches scikit-learn's private names."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
)

__all__ = ["HasMethods", "Interval", "StrOptions", "fit_context"]
