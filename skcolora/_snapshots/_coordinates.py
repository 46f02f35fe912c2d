"""Coordinates of the parameters: each as it is, or its logarithm.

The latent state is learnt from few values of the parameters, so it matters in which coordinate
it is smooth.  Diffusivities, speeds and periods act through their ratios, positions through their
differences.  The snapshots decide: each trajectory is interpolated from the others, in either
coordinate.  The coordinate of time is that of `TimeCoordinate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq
from scipy.spatial.distance import cdist

from skcolora._snapshots._gaps import has_gaps, interpolate_gaps
from skcolora._snapshots._grid import Array
from skcolora._snapshots._stored import StoredRows
from skcolora._snapshots._units import column_scale, field_scale, merge_close, to_coordinates

PARAMETER_SCALES = ("auto", "linear", "log")
# Ratio of the largest to the smallest value above which the logarithm comes into question.
_LEAST_RATIO = 2.0
# Relative decrease of the error of the interpolation that speaks against a logarithm.  Less
# is noise: where a structure moves far between two parameters, no interpolation is accurate.
_DECISIVE = 0.03
# Largest numbers of trajectories, times and points that are compared.
_MAX_TRAJECTORIES, _MAX_TIMES, _MAX_POINTS = 256, 16, 4096
# Number of snapshots of a large array that are read.
_MAX_READ = 512


def choose_logarithms(
    X: Array,
    rows: Array | StoredRows,
    scale: str | Sequence[str] = "auto",
    among: NDArray[np.bool_] | None = None,
    times: Array | None = None,
) -> NDArray[np.bool_]:
    """Mask (n_parameters,) of the parameters that are mapped by their logarithm.

    With "auto", the logarithm of a positive parameter whose values span more than a factor of
    two is taken, unless the parameter as it is makes the cross-validated error of an
    interpolation of the snapshots smaller.  The units of parameters and fields play no part.

    Parameters
    ----------
    X : ndarray of shape (n, n_parameters)
    rows : ndarray or StoredRows of shape (n, n_times, n_points, n_fields)
        Gaps are filled by interpolation in time, for this choice only.
    scale : str or sequence of str
        One of `PARAMETER_SCALES`, or one for each parameter.
    among : ndarray of bool of shape (n,), optional
        Trajectories whose snapshots decide.  A logarithm exists at the others too.  None: all.
    times : ndarray of shape (n_times,), optional
        Times of the snapshots.  None: equally spaced.

    Raises
    ------
    ValueError
        If ``scale`` does not fit the parameters, or asks for a logarithm of a parameter that is
        not positive.
    """
    scales = _scale_of_each(scale, X)
    fixed = scales == "log"
    chosen = fixed | ((scales == "auto") & _may_be_logarithmic(X))
    deciding = np.arange(len(X)) if among is None else np.flatnonzero(among)
    first = np.unique(merge_close(X[deciding]), axis=0, return_index=True)[1]
    distinct = deciding[np.sort(first)]
    if not (chosen & ~fixed).any() or len(distinct) < 3:
        return chosen
    kept = distinct[spread_evenly(len(distinct), _MAX_TRAJECTORIES)]
    X, gram = X[kept], _gram(rows, kept, times)
    error, improved = interpolation_error(to_coordinates(X, chosen), gram), True
    while improved and (chosen & ~fixed).any():
        trials = []
        for j in np.flatnonzero(chosen & ~fixed):
            trial = chosen.copy()
            trial[j] = False
            trials.append((interpolation_error(to_coordinates(X, trial), gram), trial))
        least, best = min(trials, key=lambda pair: pair[0])
        improved = least < (1 - _DECISIVE) * error
        if improved:
            error, chosen = least, best
    return chosen


def interpolation_error(coordinates: Array, gram: Array) -> float:
    """Geometric mean of the relative errors of trajectories interpolated from the others.

    The interpolant is a sum of radial functions ``-‖c - c_i‖`` and a constant, which in one
    dimension is linear between the neighbours.  The errors of leaving out one trajectory after
    the other follow from a single inverse [1]_.

    Parameters
    ----------
    coordinates : ndarray of shape (n, n_parameters)
        Coordinates of different trajectories.
    gram : ndarray of shape (n, n)
        Inner products of the trajectories.

    References
    ----------
    .. [1] S. Rippa, "An algorithm for selecting a good value for the parameter c in radial
       basis function interpolation", Adv. Comput. Math. 11 (1999), 193-210.
    """
    n = len(coordinates)
    scaled = column_scale(coordinates).apply(coordinates)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = -cdist(scaled, scaled)
    system[n, n] = 0.0
    inverse = lstsq(system, np.eye(n + 1))[0][:n, :n]
    diagonal = inverse.diagonal()
    squares = np.einsum("ij,jk,ik->i", inverse, gram, inverse) / diagonal**2
    smallest = np.finfo(float).eps * gram.diagonal().mean() + np.finfo(float).tiny
    sizes = gram.diagonal() + smallest
    ratios = np.maximum(squares / sizes, np.finfo(float).tiny)
    return float(np.exp(0.5 * np.log(ratios).mean()))


def _scale_of_each(scale: str | Sequence[str], X: Array) -> NDArray[np.str_]:
    """One of `PARAMETER_SCALES` for each parameter, or a ValueError."""
    n = X.shape[1]
    given = np.full(n, scale) if isinstance(scale, str) else np.array(list(scale), dtype=object)
    if given.shape != (n,) or any(entry not in PARAMETER_SCALES for entry in given):
        raise ValueError(
            f"`parameter_scale` must be one of {', '.join(map(repr, PARAMETER_SCALES))}, or a "
            f"sequence with one of them for each of the {n} parameters; got {scale!r}."
        )
    wrong = (given == "log") & (X.min(axis=0) <= 0)
    if wrong.any():
        j = int(np.argmax(wrong))
        raise ValueError(
            f"`parameter_scale` asks for the logarithm of parameter {j}, but X holds the value "
            f'{X[:, j].min():g} there; expected positive values.  Use "linear" for this parameter.'
        )
    return given.astype(str)


def _may_be_logarithmic(X: Array) -> NDArray[np.bool_]:
    low, high = X.min(axis=0), X.max(axis=0)
    positive: NDArray[np.bool_] = (low > 0) & (high / _LEAST_RATIO > low)
    return positive


def _gram(rows: Array | StoredRows, trajectories: Any, all_times: Array | None) -> Array:
    """Inner products of scaled trajectories, from a sample of their times and points."""
    _, n_times, n_points, _ = rows.shape
    stored = isinstance(rows, StoredRows)
    most = max(1, min(_MAX_TIMES, _MAX_READ // len(trajectories))) if stored else _MAX_TIMES
    times, points = spread_evenly(n_times, most), spread_evenly(n_points, _MAX_POINTS)
    if isinstance(rows, StoredRows):
        sample = np.array(
            [[rows.read(int(i * n_times + t))[points] for t in times] for i in trajectories]
        )
    elif has_gaps(rows):
        all_times = np.arange(float(n_times)) if all_times is None else all_times
        some = rows[np.ix_(trajectories, np.arange(n_times), points)]
        sample = interpolate_gaps(some, all_times)[:, times]
    else:
        sample = rows[np.ix_(trajectories, times, points)]
    # A stored snapshot may have gaps that all of them have.
    sample = np.nan_to_num(sample, nan=0.0)
    scale = field_scale(sample.reshape(-1, *sample.shape[2:]))
    flat = scale.apply(sample).reshape(len(sample), -1)
    return np.asarray(flat @ flat.T)


def spread_evenly(n: int, most: int) -> NDArray[np.intp]:
    """At most ``most`` of n indices, spread evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.intp))
