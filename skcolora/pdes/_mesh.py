"""The grid that an equation is discretised on."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from scipy.fft import irfftn, rfftn

from skcolora._snapshots import Array
from skcolora.pdes._derivatives import AxisDerivative, FourierDerivative, StencilDerivative
from skcolora.pdes._quadrature import axis_rule

# Share of the wave numbers that is kept; products of two such waves do not alias onto them.
_KEPT = 2.0 / 3.0


class Mesh:
    """A uniform tensor grid, with its derivatives, its quadrature and its Fourier filter.

    Parameters
    ----------
    domain : tuple of (low, high)
        One interval for each dimension.
    period : tuple of float or None
        The period of each dimension, equal to high - low, None where it is not periodic.
    shape : tuple of int
        Number of points along each axis.  A periodic axis leaves its end out, the others
        have both ends.
    """

    def __init__(
        self,
        domain: tuple[tuple[float, float], ...],
        period: tuple[float | None, ...],
        shape: tuple[int, ...],
    ) -> None:
        self.domain, self.period, self.shape = domain, period, shape
        self.axes = tuple(
            np.linspace(low, high, n, endpoint=length is None)
            for (low, high), length, n in zip(domain, period, shape, strict=True)
        )

    @cached_property
    def points(self) -> Array:
        """Coordinates, (n_dims, n_0, ...)."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij"))

    @cached_property
    def derivatives(self) -> tuple[AxisDerivative, ...]:
        """One operator for each axis."""
        return tuple(
            StencilDerivative(axis) if length is None else FourierDerivative(len(axis), length)
            for axis, length in zip(self.axes, self.period, strict=True)
        )

    def integral(self, values: Array) -> Array:
        """Integral over the domain, by the rule of `axis_rule` along each axis.

        Parameters
        ----------
        values : ndarray of shape (..., n_0, n_1, ...)
            Values on the grid, its axes last.

        Returns
        -------
        integral : ndarray of shape (...)
        """
        for axis, (low, high), length in zip(
            self.axes[::-1], self.domain[::-1], self.period[::-1], strict=True
        ):
            weights = axis_rule(axis, length)[1]
            values = np.asarray(values @ (weights * ((high - low) / weights.sum())))
        return values

    @cached_property
    def _periodic_axes(self) -> tuple[int, ...]:
        """Counted from the end, so that leading axes of components do not matter."""
        n = len(self.shape)
        return tuple(d - n for d in range(n) if self.period[d] is not None)

    @cached_property
    def _relative_wave_number(self) -> Array:
        """The largest wave number over all periodic axes, as a share of what is kept."""
        share = np.zeros((1,) * len(self.shape))
        for axis in self._periodic_axes:
            n = self.shape[axis]
            half = axis == self._periodic_axes[-1]
            waves = np.arange(n // 2 + 1) if half else np.abs(np.fft.fftfreq(n, 1.0 / n))
            along = [1] * len(self.shape)
            along[axis] = -1
            share = np.maximum(share, (waves / (_KEPT * n / 2)).reshape(along))
        return share

    @cached_property
    def _kept(self) -> Array:
        return (self._relative_wave_number <= 1.0).astype(np.float64)

    def filtered(self, values: Array) -> Array:
        """Values without their waves of the highest third (the 2/3 rule).

        Parameters
        ----------
        values : ndarray of shape (..., n_0, n_1, ...)
            Values on the grid, its axes last.

        Returns
        -------
        filtered : ndarray of the same shape
        """
        if not self._periodic_axes:
            return values
        sizes = [self.shape[axis] for axis in self._periodic_axes]
        coefficients: Any = rfftn(values, axes=self._periodic_axes)
        coefficients *= self._kept
        return np.asarray(irfftn(coefficients, sizes, axes=self._periodic_axes, overwrite_x=True))

    def tails(self, values: Array, share: float) -> Array:
        """How much of the values lies in the highest waves that the filter keeps.

        Parameters
        ----------
        values : ndarray of shape (n_fields, n_0, n_1, ...)
            Values on the grid.
        share : float
            Of the highest wave number kept, above which waves count.

        Returns
        -------
        sizes : ndarray of shape (n_fields,)
            Root mean squares over the grid of the part made of these waves; small where the
            grid resolves the values, and 0 where no axis is periodic.
        """
        if not self._periodic_axes:
            return np.zeros(len(values))
        coefficients: Any = rfftn(values, axes=self._periodic_axes, norm="forward")
        high = self._relative_wave_number > share
        energy = 2.0 * (np.abs(coefficients) ** 2 * high).reshape(len(values), -1).sum(axis=1)
        # The mean over the axes that are not periodic.
        pairs = zip(self.shape, self.period, strict=True)
        others = math.prod(n for n, length in pairs if length is None)
        return np.asarray(np.sqrt(energy / others))
