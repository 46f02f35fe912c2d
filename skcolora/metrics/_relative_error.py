"""The relative L2 error of trajectories, and its scorer."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import make_scorer
from sklearn.utils.validation import check_array, check_consistent_length


@overload
def relative_l2_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, average: Literal[True] = ...
) -> float: ...
@overload
def relative_l2_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, average: Literal[False]
) -> NDArray[np.float64]: ...
def relative_l2_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, average: bool = True
) -> float | NDArray[np.float64]:
    """Relative L2 error of each trajectory, averaged over the trajectories.

    The error of trajectory i is ``‖û_i - u_i‖₂ / ‖u_i‖₂`` with norms over all times, points and
    fields [1]_.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_trajectories, ...)
        Snapshots of equal shape, in any layout.
    average : bool, default=True
        Return the mean over the trajectories.

    Returns
    -------
    error : float or ndarray of shape (n_trajectories,)
        The best value is 0.  If a true trajectory is zero everywhere, the error is 0 for a zero
        prediction and infinity otherwise.  The error of a prediction with NaN or infinity is
        infinity; such a prediction comes from a model that could not reach the last time.

    Raises
    ------
    ValueError
        If the shapes differ, or y_true is not finite.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646, Section 5.

    Examples
    --------
    >>> from skcolora.metrics import relative_l2_error
    >>> relative_l2_error([[3.0, 4.0], [1.0, 0.0]], [[3.0, 4.5], [1.0, 0.0]])
    0.05
    """
    options: dict[str, Any] = {"ensure_2d": False, "allow_nd": True, "dtype": "numeric"}
    true = check_array(y_true, input_name="y_true", **options)
    predicted = check_array(y_pred, input_name="y_pred", **options, ensure_all_finite=False)
    check_consistent_length(true, predicted)
    if true.shape != predicted.shape:
        raise ValueError(f"y_true has shape {true.shape}, but y_pred has shape {predicted.shape}.")
    true = true.reshape(len(true), -1).astype(np.float64, copy=False)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.linalg.norm(predicted.reshape(true.shape) - true, axis=1)
    difference = np.nan_to_num(difference, nan=np.inf, posinf=np.inf)
    size = np.linalg.norm(true, axis=1)
    errors = np.full(len(true), np.inf)
    errors[difference == 0] = 0.0
    np.divide(difference, size, out=errors, where=size > 0)
    return float(errors.mean()) if average else errors


neg_relative_l2_error = make_scorer(relative_l2_error, greater_is_better=False)
"""Negative relative L2 error as a scorer, for example for `GridSearchCV`."""
