"""Validation of the arguments of ``fit`` and ``predict``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skcolora._snapshots._gaps import check_complete, check_observed, marks_as_nan
from skcolora._snapshots._layout import SnapshotLayout, infer_layout
from skcolora._snapshots._real import Array, check_mask, check_real
from skcolora._snapshots._stored import StoredRows, is_stored


def validate_snapshots(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    *,
    times: Any,
    points: Any,
    min_trajectories: int = 1,
    missing: str = "error",
) -> tuple[Array, Array, SnapshotLayout]:
    """Validate the arguments of ``fit``; return parameters, rows of snapshots and their layout.

    With ``missing="ignore"`` the rows hold NaN where y is NaN, masked or a fill value.

    Raises ValueError if an argument is invalid.
    """
    gaps = missing == "ignore"
    y = check_real(marks_as_nan(y) if gaps else y, "y")
    if not gaps:
        check_complete(y, "y")
    X, y = validate_data(
        estimator,
        check_real(X, "X"),
        y,
        validate_separately=(
            {
                "dtype": np.float64,
                "copy": True,
                "ensure_min_samples": min_trajectories,
                "estimator": estimator,
            },
            {
                "dtype": [np.float64, np.float32],
                "ensure_2d": False,
                "allow_nd": True,
                "ensure_all_finite": "allow-nan" if gaps else True,
                "ensure_min_samples": min_trajectories,
                "estimator": estimator,
            },
        ),
    )
    if len(X) != len(y):
        raise ValueError(
            f"X has {len(X)} rows and y has {len(y)} trajectories; expected one row of X for each."
        )
    layout = infer_layout(y.shape, times, points)
    rows = layout.to_rows(y)
    if gaps:
        check_observed(rows)
    return X, rows, layout


def validate_rows(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    *,
    times: Any,
    points: Any,
    missing: str = "error",
) -> tuple[Array, Array | StoredRows, SnapshotLayout]:
    """Validate as `validate_snapshots`, without reading stored snapshots.

    The values of stored snapshots are checked when they are read.
    """
    if missing == "error":
        check_mask(y, "y")
    if not is_stored(y):
        return validate_snapshots(estimator, X, y, times=times, points=points, missing=missing)
    X = validate_data(estimator, check_real(X, "X"), dtype=np.float64, copy=True)
    if len(X) != y.shape[0]:
        raise ValueError(
            f"X has {len(X)} rows and y has {y.shape[0]} trajectories; expected one row of X "
            "for each."
        )
    layout = infer_layout(tuple(y.shape), times, points)
    return X, StoredRows(y, layout, missing=missing), layout


def validate_parameters(estimator: BaseEstimator, X: Any) -> Array:
    """Validate the parameters X of ``predict``, and that the estimator is fitted."""
    check_is_fitted(estimator)
    X = validate_data(estimator, check_real(X, "X"), dtype=np.float64, reset=False)
    return np.asarray(X, dtype=np.float64)
