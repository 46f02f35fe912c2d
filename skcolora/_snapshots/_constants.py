"""The warning that a quantity was constant in ``fit``, and therefore has no effect."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skcolora._snapshots._grid import Array
from skcolora._snapshots._layout import SnapshotLayout
from skcolora._snapshots._units import Scale, Units, is_constant
from skcolora.utils._stack import caller_stacklevel


def warn_of_constant_parameters(scale: Scale, X: Array, names: Sequence[str] | None) -> None:
    """Warn if a parameter that was constant in ``fit`` has another value in ``predict``.

    Parameters
    ----------
    scale : Scale
        Scale of the training parameters; its center is the value of a constant parameter.
    X : ndarray of shape (n, n_parameters)
        Parameters of ``predict``.
    names : sequence of str or None
        Names of the parameters.
    """
    constant = np.broadcast_to(scale.center, X.shape)
    other = ~(scale.varies | _same(X, constant))
    for j in np.flatnonzero(other.any(axis=0)).tolist():
        row = int(np.argmax(other[:, j]))
        name = f"Parameter {j}" if names is None else f"The parameter {names[j]!r}"
        warnings.warn(
            f"{name} was {scale.center[j]:g} in all trajectories of `fit`; the value "
            f"{X[row, j]:.12g} in row {row} of X has no effect on the prediction.  Fit on several "
            "values of this parameter to make it count.",
            UserWarning,
            stacklevel=caller_stacklevel(),
        )


def warn_of_constants(
    units: Units, X: Array, layout: SnapshotLayout, names: Sequence[str] | None
) -> None:
    """Warn of parameters as `warn_of_constant_parameters`, and of coordinates and times.

    Parameters
    ----------
    units : Units
        Units of the training snapshots.
    X : ndarray of shape (n, n_parameters)
    layout : SnapshotLayout
        Points and times of ``predict``.
    names : sequence of str or None
        Names of the parameters.
    """
    warn_of_constant_parameters(units.parameters, X, names)
    ranges = [(f"Coordinate {d} of the points", *ends) for d, ends in enumerate(layout.grid.ranges)]
    ranges.append(("The time", layout.times[0], layout.times[-1]))
    scales = (units.points, units.times.affine)
    varies = np.concatenate([scale.varies for scale in scales])
    centers = np.concatenate([scale.center for scale in scales])
    for (name, low, high), vary, center in zip(ranges, varies, centers, strict=True):
        for value in (low, high):
            if not vary and not _same(np.array(value), np.array(center)):
                warnings.warn(
                    f"{name} was {center:g} in all snapshots of `fit`; the value {value:.12g} has "
                    "no effect on the prediction.",
                    UserWarning,
                    stacklevel=caller_stacklevel(),
                )
                break


def _same(a: Array, b: Array) -> NDArray[np.bool_]:
    """Whether two values agree to rounding, or one is the other rounded to single precision."""
    with np.errstate(over="ignore"):
        single = (a == b.astype(np.float32)) | (b == a.astype(np.float32))
    return np.asarray(single | is_constant(np.minimum(a, b), np.maximum(a, b)))
