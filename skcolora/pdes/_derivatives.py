"""Derivatives along one axis of a grid: Fourier on periodic axes, stencils on the others."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from scipy.fft import irfft, rfft
from scipy.sparse import csr_array

from skcolora._snapshots import Array

# Points of a stencil; a one-sided second derivative of the same order takes one more.
_STENCIL = 5


class AxisDerivative(Protocol):
    """First and second derivatives of values along one axis."""

    def prepare(self, values: Any, axis: int) -> Any:
        """What both derivatives share."""

    def first(self, prepared: Any, axis: int) -> Array:
        """The first derivative."""

    def second(self, prepared: Any, axis: int) -> Array:
        """The second derivative."""


class FourierDerivative:
    """Derivatives of the trigonometric interpolant of values on a uniform periodic axis.

    Exact for wave numbers below n/2.  In the first derivative the wave of number n/2, whose
    phase the grid does not tell, is left out, so that the operator is skew-symmetric: the
    sums of ``∂u`` and of ``u ∂u`` over the grid are zero.

    Parameters
    ----------
    n : int
        Number of points; the end of the period is not one of them.
    length : float
        The period.
    """

    def __init__(self, n: int, length: float) -> None:
        self.n = n
        wave_numbers = 2 * np.pi / length * np.arange(n // 2 + 1)
        self._second = -(wave_numbers**2)
        if n % 2 == 0:
            wave_numbers[-1] = 0.0
        self._first = 1j * wave_numbers

    def prepare(self, values: Any, axis: int) -> Any:
        """The Fourier coefficients."""
        return rfft(values, axis=axis)

    def first(self, prepared: Any, axis: int) -> Array:
        return self._multiplied(self._first, prepared, axis)

    def second(self, prepared: Any, axis: int) -> Array:
        return self._multiplied(self._second, prepared, axis)

    def _multiplied(self, factors: Any, coefficients: Any, axis: int) -> Array:
        shape = [1] * coefficients.ndim
        shape[axis] = -1
        product = factors.reshape(shape) * coefficients
        return np.asarray(irfft(product, self.n, axis=axis, overwrite_x=True))


class StencilDerivative:
    """Finite differences of 4th order on an increasing axis, one-sided at its ends.

    Parameters
    ----------
    axis : ndarray of shape (n,)
        Increasing coordinates, at least six; the spacing may vary.

    Raises
    ------
    ValueError
        If the axis is too short.
    """

    def __init__(self, axis: Array) -> None:
        if len(axis) <= _STENCIL:
            raise ValueError(
                f"An axis that is not periodic needs at least {_STENCIL + 1} points for "
                f"finite differences; got {len(axis)}."
            )
        self._first = _stencil_matrix(axis, 1)
        self._second = _stencil_matrix(axis, 2)

    def prepare(self, values: Any, axis: int) -> Any:
        """The values themselves."""
        return values

    def first(self, prepared: Any, axis: int) -> Array:
        return self._applied(self._first, prepared, axis)

    def second(self, prepared: Any, axis: int) -> Array:
        return self._applied(self._second, prepared, axis)

    def _applied(self, matrix: Any, values: Array, axis: int) -> Array:
        front = np.moveaxis(values, axis, 0)
        product = matrix @ front.reshape(len(front), -1)
        return np.moveaxis(product.reshape(front.shape), 0, axis)


def _stencil_matrix(axis: Array, order: int) -> csr_array:
    n = len(axis)
    rows, columns, entries = [], [], []
    for i in range(n):
        start = i - _STENCIL // 2
        inside = 0 <= start <= n - _STENCIL
        size = _STENCIL if inside or order == 1 else _STENCIL + 1
        start = min(max(start, 0), n - size)
        used = np.arange(start, start + size)
        rows.append(np.full(size, i))
        columns.append(used)
        entries.append(finite_difference_weights(axis[used] - axis[i], order))
    where = (np.concatenate(rows), np.concatenate(columns))
    return csr_array((np.concatenate(entries), where), shape=(n, n))


def finite_difference_weights(offsets: Array, order: int) -> Array:
    """Weights w with ``Σ wⱼ p(offsetⱼ) = p⁽ᵒʳᵈᵉʳ⁾(0)`` for all polynomials p of low degree.

    Parameters
    ----------
    offsets : ndarray of shape (m,)
        Distinct.
    order : int
        Of the derivative, less than m.

    Returns
    -------
    weights : ndarray of shape (m,)
    """
    scale = np.abs(offsets).max()
    powers = np.vander(offsets / scale, increasing=True).T
    target = np.zeros(len(offsets))
    target[order] = math.factorial(order)
    return np.asarray(np.linalg.solve(powers, target) / scale**order)
