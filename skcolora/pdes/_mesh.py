"""The grid on which an equation is discretised."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from scipy.fft import irfftn, rfftn

from skcolora._snapshots import Array
from skcolora.pdes._derivatives import AxisDerivative, FourierDerivative, StencilDerivative
from skcolora.pdes._quadrature import axis_rule

# Share of the wave numbers that the filter keeps.  Products of two such waves do not alias to them.
_KEPT_SHARE = 2.0 / 3.0


class Mesh:
    """A uniform tensor grid with derivatives, quadrature and Fourier filter.

    Parameters
    ----------
    domain : tuple of (low, high)
        One interval for each dimension.
    period : tuple of float or None
        Period of each dimension, equal to high - low; None for a non-periodic dimension.
    shape : tuple of int
        Number of points along each axis.  Periodic axes do not include the end of the period.
        Other axes include both ends.
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
        """Derivative operator of each axis."""
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
        """Negative indices of the periodic axes, valid for any number of leading axes."""
        n = len(self.shape)
        return tuple(d - n for d in range(n) if self.period[d] is not None)

    @cached_property
    def _relative_wave_number(self) -> Array:
        """Largest wave number over the periodic axes, relative to the largest kept one.

        The shape is that of the Fourier coefficients.
        """
        share = np.zeros((1,) * len(self.shape))
        for axis in self._periodic_axes:
            n = self.shape[axis]
            half = axis == self._periodic_axes[-1]
            waves = np.arange(n // 2 + 1) if half else np.abs(np.fft.fftfreq(n, 1.0 / n))
            along = [1] * len(self.shape)
            along[axis] = -1
            share = np.maximum(share, (waves / (_KEPT_SHARE * n / 2)).reshape(along))
        return share

    @cached_property
    def _kept(self) -> Array:
        """Factors of the Fourier coefficients: 1 for kept waves, 0 for others."""
        return (self._relative_wave_number <= 1.0).astype(np.float64)

    def filtered(self, values: Array) -> Array:
        """Remove the highest third of the wave numbers (2/3 rule).

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
        """Size of the highest waves among those that the filter keeps.

        Parameters
        ----------
        values : ndarray of shape (n_fields, n_0, n_1, ...)
            Values on the grid.
        share : float
            Wave number, relative to the highest kept one, above which waves are counted.

        Returns
        -------
        sizes : ndarray of shape (n_fields,)
            Root mean squares of the counted waves over the grid.  They are small if the grid
            resolves the values, and 0 if no axis is periodic.
        """
        if not self._periodic_axes:
            return np.zeros(len(values))
        coefficients: Any = rfftn(values, axes=self._periodic_axes, norm="forward")
        high = self._relative_wave_number > share
        energy = 2.0 * (np.abs(coefficients) ** 2 * high).reshape(len(values), -1).sum(axis=1)
        # The squares are averaged over the non-periodic axes.
        pairs = zip(self.shape, self.period, strict=True)
        others = math.prod(n for n, length in pairs if length is None)
        return np.asarray(np.sqrt(energy / others))
