"""Units: maps between a user's numbers and numbers of order one, in float64.

The networks compute with numbers of order one, and only this module makes them.  Hence a model
does not depend on the units of times, points, parameters and fields, and nothing is rounded
before its mean has been subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from skcolora._snapshots._grid import Array
from skcolora._snapshots._time_coordinate import TimeCoordinate

# A spread of this many roundings of the largest value is no spread: the quantity is constant.
_ROUNDINGS = 10
# Values closer than this share of their range are one value.
_SAME = 1e-10
# Largest median distance between neighbouring training parameters, after the scaling.
_PARAMETER_SPACING = 0.15
# Smallest variation that errors are relative to, as a share of the root mean square variation of
# the snapshots: a snapshot that equals the mean has no relative error of its own.
VARIATION_FLOOR = 0.1
# Number of values that are converted at once.
_BLOCK = 2**20


@dataclass(frozen=True, eq=False)
class Scale:
    """Affine map of several quantities, ``(value - center) / scale``.

    The scale of a constant quantity is zero.  Such a quantity is mapped to 0, whatever its value,
    and back to its constant.
    """

    center: Array
    """(n_quantities,)"""
    scale: Array
    """(n_quantities,)"""

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Mask of the quantities that are not constant."""
        return self.scale > 0

    @property
    def slope(self) -> Array:
        """Derivatives of the scaled quantities: ``1 / scale``, and 0 for a constant."""
        return inverse_scale(self.scale)

    def apply(self, values: Any) -> Array:
        """Scaled values (..., n_quantities)."""
        difference = np.asarray(values, dtype=np.float64) - self.center
        return np.divide(difference, self.scale, out=np.zeros_like(difference), where=self.varies)

    def invert(self, scaled: Any) -> Array:
        """Values in the user's units, (..., n_quantities)."""
        return self.center + self.scale * np.asarray(scaled, dtype=np.float64)


def inverse_scale(scale: Array) -> Array:
    """``1 / scale``, and 0 where the scale is 0, that is for a constant."""
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def is_constant(low: Any, high: Any, eps: float = float(np.finfo(float).eps)) -> Any:
    """Whether a range is within rounding of its largest value, elementwise."""
    low, high = np.asarray(low), np.asarray(high)
    return high - low <= _ROUNDINGS * eps * np.maximum(np.abs(low), np.abs(high))


def column_scale(values: Array) -> Scale:
    """Mean and standard deviation of the columns of an array (n, n_quantities)."""
    return field_scale(values[:, None])


def field_scale(fields: Array) -> Scale:
    """Mean and standard deviation of each field of an array (n, n_points, n_fields).

    They are computed in float64 and in blocks, from the values that are not NaN; there must be
    one of each field.  A spread within the rounding of the array's own dtype counts as none.
    """
    n_fields = fields.shape[-1]
    low, high = np.full(n_fields, np.inf), np.full(n_fields, -np.inf)
    for block in _blocks(fields):
        low = np.fmin(low, np.fmin.reduce(block, axis=(0, 1)))
        high = np.fmax(high, np.fmax.reduce(block, axis=(0, 1)))
    low, high = low.astype(np.float64), high.astype(np.float64)
    constant = is_constant(low, high, _eps(fields.dtype))
    width = np.where(constant, 1.0, high - low)
    count, mean, squares = np.zeros((3, n_fields))
    for block in _blocks(fields):
        # In shares of the range no square overflows.
        share = ((block.astype(np.float64) - low) / width).reshape(-1, n_fields)
        # Update of Chan, Golub and LeVeque, which avoids cancellation.
        n = np.count_nonzero(~np.isnan(share), axis=0)
        weight = n / np.maximum(count + n, 1)
        block_mean = np.nansum(share, axis=0) / np.maximum(n, 1)
        change = block_mean - mean
        squares += np.nansum(np.square(share - block_mean), axis=0) + change**2 * (count * weight)
        mean, count = mean + change * weight, count + n
    center = np.where(constant, low, low + width * mean)
    return Scale(center, np.where(constant, 0.0, width * np.sqrt(squares / count)))


def _eps(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps) if dtype.kind == "f" else float(np.finfo(float).eps)


def _blocks(fields: Array) -> Iterator[Array]:
    size = max(1, _BLOCK // max(1, math.prod(fields.shape[1:])))
    return (fields[i : i + size] for i in range(0, len(fields), size))


def merge_close(X: Array) -> Array:
    """Parameters (n, n_parameters) in which values that agree to rounding are equal.

    Values of a column agree if their distance is within rounding of the largest value, or a
    ten-billionth of the range.  All of them become the smallest of them.
    """
    merged = X.astype(np.float64)
    for column in merged.T:
        values, owner = np.unique(column, return_inverse=True)
        finite = values[np.isfinite(values)]
        width = np.ptp(finite) if finite.size else 0.0
        size = np.abs(finite).max(initial=0.0)
        gap = max(_ROUNDINGS * float(np.finfo(float).eps) * size, _SAME * width)
        with np.errstate(invalid="ignore"):
            first = np.append(True, ~(np.diff(values) <= gap))
        column[:] = values[first][np.cumsum(first) - 1][owner.reshape(-1)]
    return merged


def rows_among(X: Array, known: Array) -> NDArray[np.bool_]:
    """Mask (n,) of the rows of X that agree to rounding with one of the known rows."""
    merged = merge_close(np.vstack([known, X]))
    equal = merged[len(known) :, None] == merged[: len(known)]
    found: NDArray[np.bool_] = equal.all(axis=2).any(axis=1)
    return found


def parameter_scale(X: Array) -> Scale:
    """Scale of the parameters (n, n_parameters) for the hypernetwork.

    The scales are standard deviations, enlarged such that the median distance between neighbours
    is at most 0.15.  Otherwise the latent states vary too strongly between a few training
    parameters.
    """
    # Repeated parameters count once.
    distinct = np.unique(merge_close(X), axis=0)
    plain, factor = column_scale(distinct), 1.0
    if len(distinct) > 1:
        nearest = NearestNeighbors(n_neighbors=1).fit(plain.apply(distinct)).kneighbors()[0]
        factor = max(1.0, float(np.median(nearest)) / _PARAMETER_SPACING)
    return Scale(plain.center, plain.scale * factor)


@dataclass(frozen=True, eq=False)
class ParameterScale(Scale):
    """Affine map of the parameters, or of the logarithms of some of them."""

    logarithmic: NDArray[np.bool_]
    """Mask (n_parameters,) of the parameters whose logarithm is scaled"""

    @classmethod
    def of(cls, X: Array, logarithmic: NDArray[np.bool_]) -> ParameterScale:
        """The scale of training parameters (n, n_parameters); constants have no logarithm."""
        varying = column_scale(X).varies & logarithmic
        plain = parameter_scale(to_coordinates(X, varying))
        return cls(plain.center, plain.scale, varying)

    def apply(self, values: Any) -> Array:
        """Scaled values (..., n_quantities), or a ValueError where a logarithm does not exist."""
        values = np.asarray(values, dtype=np.float64)
        wrong = self.logarithmic & ~(values > 0)
        if wrong.any():
            j = int(np.argmax(wrong.reshape(-1, len(self.logarithmic)).any(axis=0)))
            raise ValueError(
                f"Parameter {j} of X must be positive, because the fit uses its logarithm; got "
                f'{values[..., j].min():g}.  Fit with parameter_scale="linear" to predict there.'
            )
        return super().apply(to_coordinates(values, self.logarithmic))

    def invert(self, scaled: Any) -> Array:
        values = super().invert(scaled)
        values[..., self.logarithmic] = np.exp(values[..., self.logarithmic])
        return values


def to_coordinates(X: Any, logarithmic: NDArray[np.bool_]) -> Array:
    """The parameters (..., n_parameters) in float64, with the logarithms of some of them."""
    out = np.array(X, dtype=np.float64)
    out[..., logarithmic] = np.log(out[..., logarithmic])
    return out


@dataclass(frozen=True, eq=False)
class TimeScale:
    """Affine map of a coordinate of time, which is the time itself or its logarithm."""

    coordinate: TimeCoordinate
    affine: Scale
    """Scale of the coordinate"""

    @classmethod
    def of(cls, times: Array) -> TimeScale:
        """The scale of the times of the snapshots, (n_times,)."""
        plain = column_scale(times[:, None])
        # Times that differ by rounding only are a constant, also where they crowd.
        coordinate = TimeCoordinate.of(times) if plain.varies.all() else TimeCoordinate()
        return cls(coordinate, column_scale(coordinate.apply(times)[:, None]))

    def apply(self, times: Any) -> Array:
        """Scaled times of times of any shape."""
        return self.affine.apply(self.coordinate.apply(times))

    def invert(self, scaled: Any) -> Array:
        """Times in the user's unit, of any shape."""
        return self.coordinate.invert(self.affine.invert(scaled))

    def slope(self, times: Any) -> Array:
        """Derivatives of the scaled time in the user's time, at times of any shape."""
        return self.affine.slope / self.coordinate.stretch(times)


@dataclass(frozen=True, eq=False)
class Units:
    """The scales of parameters, times, points and fields of one model.

    Along a dimension without a period the points are mapped to [-1, 1], along a periodic
    dimension to angles in [0, 2π).
    """

    parameters: ParameterScale
    times: TimeScale
    points: Scale
    periodic: tuple[bool, ...]
    """Whether each dimension is periodic"""
    fields: Scale

    @classmethod
    def of(
        cls,
        X: Array,
        times: Array,
        points: Array,
        period: tuple[float | None, ...],
        n_fields: int,
        logarithmic: NDArray[np.bool_] | None = None,
    ) -> Units:
        """The units of snapshots; the fields are not scaled yet, see `with_fields`.

        Parameters
        ----------
        X : ndarray of shape (n, n_parameters)
        times : ndarray of shape (n_times,)
        points : ndarray of shape (n_points, n_dims)
        period : tuple of float or None
            Period of each dimension.
        n_fields : int
        logarithmic : ndarray of bool of shape (n_parameters,), optional
            Parameters that are mapped by their logarithm; by default none.
        """
        none = np.zeros(X.shape[1], dtype=bool)
        return cls(
            parameters=ParameterScale.of(X, none if logarithmic is None else logarithmic),
            times=TimeScale.of(times),
            points=_point_scale(points, period),
            periodic=tuple(length is not None for length in period),
            fields=Scale(np.zeros(n_fields), np.ones(n_fields)),
        )

    def with_fields(self, fields: Scale) -> Units:
        """The same units with another scale of the fields."""
        return replace(self, fields=fields)

    @property
    def least_variation(self) -> float:
        """Smallest root mean square of scaled fields that errors are relative to."""
        return VARIATION_FLOOR * math.sqrt(int(self.fields.varies.sum()))

    @property
    def varying(self) -> tuple[bool, ...]:
        """Which parameters, times, dimensions and fields vary; others take no part."""
        scales = (self.parameters, self.times.affine, self.points, self.fields)
        return tuple(np.concatenate([scale.varies for scale in scales]).tolist())

    def inputs(self, X: Array, times: Array) -> Array:
        """Scaled (μ, t), (n, n_times, n_parameters + 1)."""
        mu, t = self.parameters.apply(X), self.times.apply(times[:, None])
        shape = (len(X), len(times))
        return np.concatenate(
            [
                np.broadcast_to(mu[:, None], (*shape, mu.shape[1])),
                np.broadcast_to(t, (*shape, 1)),
            ],
            axis=2,
        )

    def coordinates(self, points: Array) -> Array:
        """Scaled points (n_points, n_dims); angles are reduced to [0, 2π)."""
        scaled = self.points.apply(points)
        periodic = list(self.periodic)
        scaled[:, periodic] %= 2 * math.pi
        return scaled


def _point_scale(points: Array, period: tuple[float | None, ...]) -> Scale:
    low, high = points.min(0), points.max(0)
    constant = is_constant(low, high)
    periodic = np.array([length is not None for length in period])
    lengths = np.array([1.0 if length is None else length for length in period])
    # Half of each end first: the sum of two large coordinates could overflow.
    center = np.where(periodic | constant, low, low / 2 + high / 2)
    scale = np.where(periodic, lengths / (2 * math.pi), (high - low) / 2)
    return Scale(center, np.where(constant, 0.0, scale))
