"""How an error of a trajectory is spread over its times, points and fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skcolora._nn import decode_rows, evaluate_latent
from skcolora._snapshots import Array, SnapshotLayout, spread_evenly
from skcolora.utils._torch import any_weight, as_tensor

# Share of the squared error that is the same at all times and points.  The rest is where the field
# changes most with the parameters and with time.
_EVEN_SHARE = 0.1
# Step of the differences, in scaled parameters and times.
_STEP = 0.01
# Largest numbers of times and points of ``fit`` that the size of a trajectory is computed from.
_MAX_TIMES, _MAX_POINTS = 16, 512


def spread(regressor: Any, X: Array, layout: SnapshotLayout) -> Array:
    """Errors of each field at each time and point, if the error of the trajectory is 1.

    An error of the trajectory is mostly one of the latent state.  It is largest where the field
    is sensitive to the latent state, for example at a front.  The sensitivity is measured by the
    changes of the field with each parameter and with time.

    Parameters
    ----------
    regressor : CoLoRARegressor
    X : ndarray of shape (n, n_parameters)
        Parameters as the regressor is given them.
    layout : SnapshotLayout
        Times and points.

    Returns
    -------
    spread : ndarray of shape (n, n_times, n_points, n_fields)
        In the units of the fields.  At the times and points of ``fit``, its mean square is that
        of the variation of the fields, each relative to its standard deviation.
    """
    units = regressor._units
    sizes, variations = _sizes(regressor, X)
    out = np.zeros((len(X), layout.n_times, layout.grid.n_points, layout.n_fields))
    for changes in _changes(regressor, X, layout):
        out += changes**2
    shares = np.divide(out, sizes, out=np.ones_like(out), where=sizes > 0)
    scaled = np.sqrt(variations * (_EVEN_SHARE + (1 - _EVEN_SHARE) * shares))
    return np.asarray(scaled * units.fields.scale)


def _sizes(regressor: Any, X: Array) -> tuple[Array, Array]:
    """Mean squares of the changes and of the variation of each trajectory, (n, 1, 1, 1) each.

    They do not depend on the times and points that are asked for.
    """
    fitted = regressor._layout
    some = fitted.at_numbers(fitted.times[spread_evenly(fitted.n_times, _MAX_TIMES)])
    points = fitted.grid.points[spread_evenly(fitted.grid.n_points, _MAX_POINTS)]
    layout = some.at(None, points)
    varies = regressor._units.fields.varies

    def mean_square(scaled: Array) -> Array:
        if not varies.any():
            return np.zeros((len(X), 1, 1, 1))
        return np.asarray(np.square(scaled[..., varies]).mean((1, 2, 3), keepdims=True))

    fields = regressor._units.fields.apply(_decoded(regressor, X, layout, 0, 0.0))
    squares = np.zeros((len(X), 1, 1, 1))
    for change in _changes(regressor, X, layout):
        squares += mean_square(change)
    return squares, mean_square(fields)


def _changes(regressor: Any, X: Array, layout: SnapshotLayout) -> Iterator[Array]:
    """Derivatives of the scaled fields along each parameter and time, by central differences."""
    units = regressor._units
    varies = np.append(units.parameters.varies, units.times.affine.varies)
    for k in map(int, np.flatnonzero(varies)):
        ahead, behind = (_decoded(regressor, X, layout, k, h) for h in (_STEP, -_STEP))
        yield (ahead - behind).astype(np.float64) * units.fields.slope / (2 * _STEP)


def _decoded(regressor: Any, X: Array, layout: SnapshotLayout, k: int, step: float) -> Array:
    """Rows of fields, with the k-th scaled input moved by a step."""
    network, hypernetwork = regressor._on_device()
    inputs = regressor._units.inputs(X, layout.times)
    inputs[..., k] += step
    latent = evaluate_latent(hypernetwork, as_tensor(inputs).to(any_weight(hypernetwork)))
    return decode_rows(network, regressor._units, latent, layout)
