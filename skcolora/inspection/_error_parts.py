"""Errors of trajectories over time, relative to their variation, and their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from skcolora._estimators._colora import CoLoRARegressor
from skcolora._snapshots import Array

# Two times are the same if they differ by less than this share of the range of the times.
_SAME_TIME = 1e-6
# Least number of times for an interpolation from every second of them.
_FEWEST_TIMES = 5
# Ratio of a later to an earlier training error that counts as falling, and ratio of the last to
# the first one from which the training, if its last error is large, has hardly begun.
_FALLING, _NOT_BEGUN, _LARGE = 0.75, 0.9, 0.5


class VariationScale:
    """Units in which the errors of snapshots are measured: the variation of their trajectory.

    Several fields count alike, each relative to its standard deviation over the training
    snapshots.

    Parameters
    ----------
    rows : ndarray of shape (n_trajectories, n_times, n_points, n_fields)
        True snapshots.
    deviations : ndarray of shape (n_fields,)
        Standard deviations of the fields over the training snapshots.
    """

    def __init__(self, rows: Array, deviations: Array) -> None:
        self.rows, self._deviations = rows, deviations
        # From the first value on: the mean of equal numbers may differ from them by rounding.
        centred = rows - rows[:, :1, :1]
        centred = (centred - centred.mean(axis=(1, 2), keepdims=True)) / deviations
        self._size = np.sqrt(np.square(centred).sum(axis=(2, 3)).mean(axis=1))[:, None]

    def errors(self, predicted: Array) -> Array:
        """Errors of a prediction at each time, (n_trajectories, n_times)."""
        return self.distances(predicted, self.rows)

    def distances(self, some: Array, others: Array) -> Array:
        """Distances of fields at each time, (n_trajectories, n_times); infinite for NaN.

        The root mean square over the times is `relative_l2_error` with ``centered=True``.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.linalg.norm((some - others) / self._deviations, axis=(2, 3))
        difference = np.nan_to_num(difference, nan=np.inf, posinf=np.inf)
        out = np.full(difference.shape, np.inf)
        out[difference == 0] = 0.0
        np.divide(difference, self._size, out=out, where=self._size > 0)
        return out


def deviations_of(rows: Array) -> Array:
    """Standard deviation of each field, (n_fields,), and 1 for fields that are constant."""
    deviations = (rows - rows[:1, :1, :1]).std(axis=(0, 1, 2), dtype=np.float64)
    return np.where(deviations > 0, deviations, 1.0)


def mean_error(errors: Array, chosen: Any = slice(None)) -> float:
    """Root mean square over the chosen times, then the mean over the trajectories."""
    return float(np.sqrt(np.square(errors[:, chosen]).mean(axis=1)).mean())


def best_fit(
    model: CoLoRARegressor, y: Any, scale: VariationScale, known: list[Array]
) -> tuple[Array, Array]:
    """Fields of the network that are nearest to given snapshots, and their errors.

    Parameters
    ----------
    model : CoLoRARegressor
    y : array-like
        The snapshots of ``scale``, in the layout of ``fit``.
    scale : VariationScale
    known : list of ndarray
        Other fields that the network can represent.  They replace the encoded snapshots where
        they are nearer, because an encoding may end in a local minimum.

    Returns
    -------
    rows : ndarray of shape (n_trajectories, n_times, n_points, n_fields)
    errors : ndarray of shape (n_trajectories, n_times)
    """
    rows = model.decode(model.encode(y)).reshape(scale.rows.shape)
    errors = scale.errors(rows)
    for others in known:
        other_errors = scale.errors(others)
        nearer = other_errors < errors
        rows = np.where(nearer[:, :, None, None], others, rows)
        errors = np.where(nearer, other_errors, errors)
    return rows, errors


def left_out_error(model: CoLoRARegressor, inputs: Any, scale: VariationScale) -> float:
    """Error at every second training time, where latent states are interpolated from the others.

    It is small where the times resolve the motion of the latent state, and NaN where there are
    too few times.
    """
    times = model._layout.times
    if len(times) < _FEWEST_TIMES:
        return float("nan")
    kept = np.arange(0, len(times), 2)
    left_out = np.arange(1, kept[-1], 2)
    latent = model.predict_latent(inputs).astype(np.float64)
    latent[:, left_out] = CubicSpline(times[kept], latent[:, kept], axis=1)(times[left_out])
    errors = scale.errors(model.decode(latent).reshape(scale.rows.shape))
    return mean_error(errors, left_out)


def times_between(times: Array, training_times: Array) -> NDArray[np.bool_]:
    """Which of the times lie between two training times, (n_times,)."""
    gap = _SAME_TIME * np.ptp(training_times)
    inside = (times > training_times[0] + gap) & (times < training_times[-1] - gap)
    same = np.abs(times[:, None] - training_times).min(axis=1) <= gap
    return np.asarray(inside & ~same)


def still_fell(loss_curve: list[float]) -> bool:
    """Whether the error of the training steps still fell when the training ended.

    The last twentieth of the steps is compared with a twentieth shortly before it.  In both the
    natural gradient is at work, which reaches a constant error soon if the network is too small.
    An error that has hardly begun to fall counts as falling.
    """
    losses, n = np.asarray(loss_curve), len(loss_curve)
    if not n:
        return False
    first = np.median(losses[: max(n // 20, 1)])
    before = np.median(losses[int(0.85 * n) : int(0.85 * n) + max(n // 20, 1)])
    last = np.median(losses[int(0.95 * n) :])
    return bool(last < _FALLING * before or last > max(_NOT_BEGUN * first, _LARGE))
