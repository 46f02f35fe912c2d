"""Derivatives along a grid axis: Fourier on periodic axes, finite differences on others."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from scipy.fft import irfft, rfft
from scipy.sparse import csr_array

from skcolora._snapshots import Array

# Order of accuracy of the finite differences.
_ACCURACY = 4


class AxisDerivative(Protocol):
    """Derivatives of values along one axis."""

    def prepare(self, values: Any, axis: int) -> Any:
        """Compute the common part of all derivatives, such as Fourier coefficients."""

    def apply(self, prepared: Any, axis: int, order: int) -> Array:
        """Derivative of an order of at least 1 along the axis, of the shape of the values."""


class FourierDerivative:
    """Derivatives of the trigonometric interpolant of values on a uniform periodic axis.

    The derivatives are exact for wave numbers below n/2.  Derivatives of odd order omit the wave
    number n/2, whose phase is not determined on the grid.  Hence these operators are
    skew-symmetric: the sums of ``∂u`` and of ``u ∂u`` over the grid are zero.

    Parameters
    ----------
    n : int
        Number of points, without the end of the period.
    length : float
        Length of the period.
    """

    def __init__(self, n: int, length: float) -> None:
        self.n = n
        self._wave_numbers = 2 * np.pi / length * np.arange(n // 2 + 1)

    def prepare(self, values: Any, axis: int) -> Any:
        """Fourier coefficients of the values."""
        return rfft(values, axis=axis)

    def apply(self, prepared: Any, axis: int, order: int) -> Array:
        factors: Any = (1j * self._wave_numbers) ** order
        if order % 2 and self.n % 2 == 0:
            factors[-1] = 0.0
        shape = [1] * prepared.ndim
        shape[axis] = -1
        product = factors.reshape(shape) * prepared
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
        If the axis has fewer than six points, or fewer than a derivative needs.
    """

    def __init__(self, axis: Array) -> None:
        self._axis = axis
        self._matrices: dict[int, csr_array] = {}
        self._check(2)

    def _check(self, order: int) -> None:
        """Check that the axis has as many points as one-sided differences of an order."""
        n, needed = len(self._axis), order + _ACCURACY
        if n < needed:
            raise ValueError(
                f"A non-periodic axis needs at least {needed} points for finite differences"
                + (f" of order {order}" if order > 2 else "")
                + f"; got {n}.  Raise `n_points`."
            )

    def prepare(self, values: Any, axis: int) -> Any:
        """The unchanged values."""
        return values

    def apply(self, prepared: Any, axis: int, order: int) -> Array:
        if order not in self._matrices:
            self._check(order)
            self._matrices[order] = _stencil_matrix(self._axis, order)
        front = np.moveaxis(prepared, axis, 0)
        product = self._matrices[order] @ front.reshape(len(front), -1)
        return np.moveaxis(product.reshape(front.shape), 0, axis)


def _stencil_matrix(axis: Array, order: int) -> csr_array:
    """Matrix (n, n) of the derivative of a given order on an axis (n,).

    A central difference is as accurate as a one-sided one with more points.
    """
    n = len(axis)
    central, one_sided = 2 * ((order + 1) // 2) + _ACCURACY - 1, order + _ACCURACY
    rows, columns, entries = [], [], []
    for i in range(n):
        start = i - central // 2
        size = central if 0 <= start <= n - central else one_sided
        start = min(max(start, 0), n - size)
        used = np.arange(start, start + size)
        rows.append(np.full(size, i))
        columns.append(used)
        entries.append(finite_difference_weights(axis[used] - axis[i], order))
    where = (np.concatenate(rows), np.concatenate(columns))
    return csr_array((np.concatenate(entries), where), shape=(n, n))


def one_sided_weights(axis: Array, end: int) -> Array:
    """Weights (n,) of the first derivative of order 4 at an end of an axis (n,), 0 or -1."""
    weights = np.zeros(len(axis))
    near = slice(_ACCURACY + 1) if end == 0 else slice(-_ACCURACY - 1, None)
    weights[near] = finite_difference_weights(axis[near] - axis[end], 1)
    return weights


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
