"""The only place that touches scikit-learn's private names."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    InvalidParameterError,
    StrOptions,
)

__all__ = ["HasMethods", "Hidden", "Interval", "InvalidParameterError", "StrOptions", "fit_context"]
