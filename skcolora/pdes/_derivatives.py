"""Derivatives along a grid axis: Fourier on periodic axes, finite differences on others."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from scipy.fft import irfft, rfft
from scipy.sparse import csr_array

from skcolora._snapshots import Array

# Number of points of a stencil.  One-sided second derivatives need one more for the same order.
_STENCIL = 5


class AxisDerivative(Protocol):
    """First and second derivatives of values along one axis."""

    def prepare(self, values: Any, axis: int) -> Any:
        """Compute the common part of both derivatives, such as Fourier coefficients."""

    def first(self, prepared: Any, axis: int) -> Array:
        """First derivative along the axis, of the shape of the values."""

    def second(self, prepared: Any, axis: int) -> Array:
        """Second derivative along the axis, of the shape of the values."""


class FourierDerivative:
    """Derivatives of the trigonometric interpolant of values on a uniform periodic axis.

    The derivatives are exact for wave numbers below n/2.  The first derivative omits the wave
    number n/2, whose phase is not determined on the grid.  Hence the operator is skew-symmetric:
    the sums of ``∂u`` and of ``u ∂u`` over the grid are zero.

    Parameters
    ----------
    n : int
        Number of points, without the end of the period.
    length : float
        Length of the period.
    """

    def __init__(self, n: int, length: float) -> None:
        self.n = n
        wave_numbers = 2 * np.pi / length * np.arange(n // 2 + 1)
        self._second = -(wave_numbers**2)
        if n % 2 == 0:
            wave_numbers[-1] = 0.0
        self._first = 1j * wave_numbers

    def prepare(self, values: Any, axis: int) -> Any:
        """Fourier coefficients of the values."""
        return rfft(values, axis=axis)

    def first(self, prepared: Any, axis: int) -> Array:
        return self._multiply(self._first, prepared, axis)

    def second(self, prepared: Any, axis: int) -> Array:
        return self._multiply(self._second, prepared, axis)

    def _multiply(self, factors: Any, coefficients: Any, axis: int) -> Array:
        shape = [1] * coefficients.ndim
        shape[axis] = -1
        product = factors.reshape(shape) * coefficients
        return np.asarray(irfft(product, self.n, axis=axis, overwrite_x=True))


class StencilDerivative:
    """Finite differences of order 4 on an increasing axis, one-sided at its ends.

    Parameters
    ----------
    axis : ndarray of shape (n,)
        At least six increasing coordinates.  The spacing may vary.

    Raises
    ------
    ValueError
        If the axis has fewer than six points.
    """

    def __init__(self, axis: Array) -> None:
        if len(axis) <= _STENCIL:
            raise ValueError(
                f"A non-periodic axis needs at least {_STENCIL + 1} points for finite differences; "
                f"got {len(axis)}.  Raise `n_points`."
            )
        self._first = _stencil_matrix(axis, 1)
        self._second = _stencil_matrix(axis, 2)

    def prepare(self, values: Any, axis: int) -> Any:
        """The unchanged values."""
        return values

    def first(self, prepared: Any, axis: int) -> Array:
        return self._apply(self._first, prepared, axis)

    def second(self, prepared: Any, axis: int) -> Array:
        return self._apply(self._second, prepared, axis)

    def _apply(self, matrix: Any, values: Array, axis: int) -> Array:
        front = np.moveaxis(values, axis, 0)
        product = matrix @ front.reshape(len(front), -1)
        return np.moveaxis(product.reshape(front.shape), 0, axis)


def _stencil_matrix(axis: Array, order: int) -> csr_array:
    """Matrix (n, n) of the derivative of a given order on an axis (n,)."""
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
    """Weights w with ``Σ wⱼ p(offsetⱼ) = p⁽ᵒʳᵈᵉʳ⁾(0)`` for all polynomials p of degree < m.

    Parameters
    ----------
    offsets : ndarray of shape (m,)
        Distinct offsets of the points.
    order : int
        Order of the derivative, less than m.

    Returns
    -------
    weights : ndarray of shape (m,)
    """
    scale = np.abs(offsets).max()
    powers = np.vander(offsets / scale, increasing=True).T
    target = np.zeros(len(offsets))
    target[order] = math.factorial(order)
    return np.asarray(np.linalg.solve(powers, target) / scale**order)
