"""The relative L2 error of trajectories, and its scorer."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import make_scorer
from sklearn.utils.validation import check_array, check_consistent_length

from skcolora._snapshots import MISSING

_MULTIOUTPUT = ("joint", "uniform_average", "raw_values")


@overload
def relative_l2_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    average: Literal[True] = ...,
    centered: bool = ...,
    multioutput: Literal["joint", "uniform_average"] = ...,
    missing: str = ...,
) -> float: ...
@overload
def relative_l2_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    average: bool = ...,
    centered: bool = ...,
    multioutput: str = ...,
    missing: str = ...,
) -> Any: ...
def relative_l2_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    average: bool = True,
    centered: bool = False,
    multioutput: str = "joint",
    missing: str = "error",
) -> float | NDArray[np.float64]:
    """Relative L2 error of each trajectory, averaged over the trajectories.

    The error of trajectory i is ``‖ûᵢ - uᵢ‖₂ / ‖uᵢ‖₂`` with norms over all times, points and
    fields [1]_.  With ``centered`` it is ``‖ûᵢ - uᵢ‖₂ / ‖uᵢ - ūᵢ‖₂``, relative to the variation
    of the field: the error does not depend on an offset of the field, such as that of a
    temperature in kelvin, and a prediction by the mean ūᵢ has the error 1.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_trajectories, ...)
        Snapshots of equal shape, in any layout.  Unless ``multioutput`` is "joint", the last axis
        is that of the fields, (n_trajectories, ..., n_fields); add an axis to snapshots of one
        field.
    average : bool, default=True
        Return the mean over the trajectories.
    centered : bool, default=False
        Relate the error to the variation.  ūᵢ is the mean of all true values of trajectory i.
        Unless ``multioutput`` is "joint", each field has its own mean.
    multioutput : {"joint", "uniform_average", "raw_values"}, default="joint"
        "joint": one error, with norms over all fields together.  "raw_values": one error for
        each field, with norms and means over its own values.  "uniform_average": the mean of
        these; take it for several fields in different units.
    missing : {"error", "ignore"}, default="error"
        What NaN in y_true means.  "ignore": these values were not observed, and all norms and
        means are those of the others.

    Returns
    -------
    error : float or ndarray
        A float; of shape (n_trajectories,) for ``average=False``, (n_fields,) for
        ``multioutput="raw_values"``, and (n_trajectories, n_fields) for both.  The best value
        is 0.  If a true trajectory is zero everywhere, or constant with ``centered``, the error
        is 0 for an exact prediction and infinity otherwise, and NaN if nothing was observed.  The
        error of a prediction with NaN or infinity is infinity; such a prediction comes from a
        model that could not reach the last time.

    Raises
    ------
    ValueError
        If the shapes differ, y_true is not finite, ``multioutput`` or ``missing`` is none of the
        above, or the last axis cannot be that of the fields.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA", ICML 2024, arXiv:2402.14646, Section 5.

    Examples
    --------
    >>> from skcolora.metrics import relative_l2_error
    >>> relative_l2_error([[3.0, 4.0], [1.0, 0.0]], [[3.0, 4.5], [1.0, 0.0]])
    0.05
    >>> relative_l2_error([[303.0, 297.0]], [[303.3, 297.0]])
    0.0007070...
    >>> relative_l2_error([[303.0, 297.0]], [[303.3, 297.0]], centered=True)
    0.0707...
    """
    if missing not in MISSING:
        raise ValueError(f"`missing` must be one of {MISSING}; got {missing!r}.")
    gaps = missing == "ignore"
    options: dict[str, Any] = {"ensure_2d": False, "allow_nd": True, "dtype": "numeric"}
    finite = "allow-nan" if gaps else True
    true = check_array(y_true, input_name="y_true", **options, ensure_all_finite=finite)
    predicted = check_array(y_pred, input_name="y_pred", **options, ensure_all_finite=False)
    check_consistent_length(true, predicted)
    if true.shape != predicted.shape:
        raise ValueError(f"y_true has shape {true.shape}, but y_pred has shape {predicted.shape}.")
    if multioutput not in _MULTIOUTPUT:
        raise ValueError(f"`multioutput` must be one of {_MULTIOUTPUT}; got {multioutput!r}.")
    n_fields = 1
    if multioutput != "joint":
        if true.ndim < 3:
            raise ValueError(
                f"`multioutput={multioutput!r}` needs snapshots (n_trajectories, ..., n_fields); "
                f"got shape {true.shape}.  Reshape flattened snapshots to (n_trajectories, -1, "
                "n_fields)."
            )
        n_fields = true.shape[-1]
    true = true.reshape(len(true), -1, n_fields).astype(np.float64, copy=False)
    predicted, unseen = predicted.reshape(true.shape), np.isnan(true)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.linalg.norm(np.where(unseen, 0.0, predicted - true), axis=1)
    difference = np.nan_to_num(difference, nan=np.inf, posinf=np.inf)
    size = np.linalg.norm(_about_the_mean(true) if centered else np.nan_to_num(true), axis=1)
    errors = np.full(size.shape, np.inf)
    errors[difference == 0] = 0.0
    np.divide(difference, size, out=errors, where=size > 0)
    errors[unseen.all(axis=1)] = np.nan
    errors = errors if multioutput == "raw_values" else errors.mean(axis=1)
    if average:
        errors = errors.mean(axis=0)
    return errors if errors.ndim else float(errors)


def _about_the_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences from the means over the second axis; exactly 0 where values are constant.

    NaN does not count, and becomes 0.
    """
    observed = ~np.isnan(values)
    count = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    # From the first value on: the mean of equal numbers may differ from them by rounding.
    first = np.take_along_axis(values, observed.argmax(axis=1, keepdims=True), axis=1)
    difference = values - first
    difference -= np.nansum(difference, axis=1, keepdims=True) / count
    return np.nan_to_num(difference)


neg_relative_l2_error = make_scorer(relative_l2_error, greater_is_better=False)
"""Negative relative L2 error as a scorer, for example for `GridSearchCV`."""
