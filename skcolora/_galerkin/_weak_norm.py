"""The weak norm H⁻¹ of the residual.

At a steep front it measures how far the residual moves the front, and not the steepness.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import fft
from scipy.linalg import cholesky_banded, eigh, eigh_tridiagonal, qr
from scipy.linalg.lapack import dtbtrs
from torch import Tensor

from skcolora._galerkin._collocation import Collocation, axis_rules
from skcolora._galerkin._projection import Projection
from skcolora._snapshots import Array, Grid
from skcolora.pdes import PDE
from skcolora.pdes._boundary import boundary_sides
from skcolora.utils._torch import as_tensor

# Smoothing length ℓ, relative to the length of the domain.
_LENGTH = 0.2
# Number of kept principal directions of the smoothed functions.
_MAX_DIRECTIONS = 200
# Regularisation of the functionals, and singular value that counts as zero, both relative to
# the largest singular value.
_RIDGE, _ZERO_TOL = 1e-2, 1e-8
# Relative difference of the gaps of a uniform axis.
_UNIFORM = 1e-4
# Number of points of a grid, and number of values of functions, in one evaluation.  They bound
# the memory.
_BLOCK, _BLOCK_VALUES = 2**14, 2**20

Map = Callable[[Array], Array]


class Smoothing(NamedTuple):
    """A factor L of ``LᵀL = (I - ℓ²Δ)⁻¹``, for the H⁻¹ norm ``‖L g‖``.

    L maps values √w g at the points of a grid, (n_functions, n_rows), where n_rows is a multiple
    of the number of points.
    """

    shape: tuple[int, ...]
    factor: Map
    """L of functions (n_functions, *shape)"""
    transpose: Map
    """Lᵀ of functions (n_functions, *shape)"""

    def __call__(self, functions: Array) -> Array:
        """Apply L."""
        return self._apply(self.factor, functions)

    def adjoint(self, functions: Array) -> Array:
        """Apply Lᵀ."""
        return self._apply(self.transpose, functions)

    def _apply(self, operator: Map, functions: Array) -> Array:
        out = np.empty(functions.shape)
        source, target = (a.reshape(-1, *self.shape) for a in (functions, out))
        n = max(1, _BLOCK_VALUES // prod(self.shape))
        for i in range(0, len(source), n):
            target[i : i + n] = operator(source[i : i + n])
        return out


def has_weak_norm(pde: PDE, grid: Grid) -> bool:
    """Return whether the points form a tensor grid and there are no boundary conditions."""
    return (grid.axes is not None or grid.n_dims == 1) and not boundary_sides(pde)


def smoothing(pde: PDE, grid: Grid) -> Smoothing:
    """A factor of ``(I - ℓ²Δ)⁻¹`` on a tensor grid.

    Δ is discretised by linear finite elements with lumped mass.  Ends of non-periodic axes have
    zero flux.  ℓ is relative to the length of each axis.  On one axis that is not both periodic
    and uniform L is the inverse of a Cholesky factor, with a cost proportional to the number of
    points.  Otherwise L is the symmetric square root: by fast Fourier transforms along uniform
    periodic axes, and by the eigenvectors of Δ along other axes.
    """
    axes = [
        _axis(*rule, length) for rule, length in zip(axis_rules(pde, grid), pde.period, strict=True)
    ]
    if len(axes) == 1 and not axes[0].is_uniform_period:
        return _cholesky_factor(axes[0])
    return _square_root(axes)


class _Axis(NamedTuple):
    """The operator -d²/dx² along an axis of length one, in the coordinates √w g."""

    gaps: Array
    """Distances to the next node, (n,) along a period, otherwise (n - 1,)"""
    roots: Array
    """Square roots of the weights with sum one, (n,)"""
    is_periodic: bool

    @property
    def is_uniform_period(self) -> bool:
        return self.is_periodic and bool(np.ptp(self.gaps) <= _UNIFORM * self.gaps.mean())

    def entries(self) -> tuple[Array, NDArray[Any], Array]:
        """Diagonal (n,), indices of neighbours (2, n_gaps) and their entries (n_gaps,)."""
        n = len(self.roots)
        pairs = np.stack([np.arange(len(self.gaps)), np.arange(1, len(self.gaps) + 1) % n])
        diagonal = np.bincount(pairs.ravel(), np.tile(1 / self.gaps, 2), minlength=n)
        return diagonal / self.roots**2, pairs, -1 / self.gaps / self.roots[pairs].prod(axis=0)


def _axis(nodes: Array, weights: Array, length: float | None) -> _Axis:
    n, roots = len(nodes), np.sqrt(weights / weights.sum())
    if n == 1:
        return _Axis(np.ones(int(length is not None)), roots, length is not None)
    gaps = np.diff(nodes) / (length if length is not None else np.ptp(nodes))
    if length is not None:
        gaps = np.append(gaps, 1 - gaps.sum())
    return _Axis(gaps, roots, length is not None)


def _cholesky_factor(axis: _Axis) -> Smoothing:
    """L = U⁻ᵀ, where UᵀU is the banded Cholesky decomposition of I - ℓ²Δ."""
    diagonal, pairs, entries = axis.entries()
    n = len(diagonal)
    order = np.arange(n)
    if axis.is_periodic:
        # 0, n - 1, 1, n - 2, ...: neighbours are at most two places apart.
        order[::2], order[1::2] = np.arange((n + 1) // 2), n - 1 - np.arange(n // 2)
    places = np.argsort(order)[pairs]
    width = min(n - 1, 2 if axis.is_periodic else 1)
    band = np.zeros((width + 1, n))
    band[-1] = 1 + _LENGTH**2 * diagonal[order]
    np.add.at(band, (width - abs(np.ptp(places, axis=0)), places.max(axis=0)), _LENGTH**2 * entries)
    U = cholesky_banded(band)

    def factor(functions: Array) -> Array:
        return dtbtrs(U, functions[:, order].T, uplo="U", trans="T")[0].T

    def transpose(functions: Array) -> Array:
        out = np.empty_like(functions)
        out[:, order] = dtbtrs(U, functions.T, uplo="U", trans="N")[0].T
        return out

    return Smoothing((n,), factor, transpose)


def _square_root(axes: list[_Axis]) -> Smoothing:
    """L = (I - ℓ²Δ)^(-1/2) by the eigenvalues and eigenvectors along the axes."""
    spectra = [_spectrum(axis) for axis in axes]
    squares = np.zeros(())
    for values, _ in spectra:
        squares = squares[..., None] + values
    damping = 1 / np.sqrt(1 + _LENGTH**2 * squares)

    def factor(functions: Array) -> Array:
        waves = functions
        for d, (_, vectors) in enumerate(spectra, start=1):
            waves = _hartley(waves, d) if vectors is None else _multiply(waves, vectors, d)
        waves = waves * damping
        for d, (_, vectors) in enumerate(spectra, start=1):
            waves = _hartley(waves, d) if vectors is None else _multiply(waves, vectors.T, d)
        return waves

    return Smoothing(damping.shape, factor, factor)


def _spectrum(axis: _Axis) -> tuple[Array, Array | None]:
    """Eigenvalues and eigenvectors along an axis; None: the basis of `_hartley`."""
    diagonal, pairs, entries = axis.entries()
    n = len(diagonal)
    if axis.is_uniform_period:
        return (2 * n * np.sin(np.pi * np.arange(n) / n)) ** 2, None
    if not axis.is_periodic:
        values, vectors = eigh_tridiagonal(diagonal, entries)
    else:
        matrix = np.diag(diagonal)
        np.add.at(matrix, tuple(pairs), entries)
        np.add.at(matrix, tuple(pairs[::-1]), entries)
        values, vectors = eigh(matrix)
    return values.clip(min=0.0), vectors


def _hartley(functions: Array, axis: int) -> Array:
    """Coefficients of the orthonormal waves cos + sin; the transform is its own inverse."""
    waves = fft(functions, axis=axis, norm="ortho")
    return np.asarray(waves.real - waves.imag)


def _multiply(functions: Array, matrix: Array, axis: int) -> Array:
    """Multiply functions (n_functions, n_0, ...) by a matrix along an axis of the grid."""
    return np.moveaxis(np.moveaxis(functions, axis, -1) @ matrix, -1, axis)


@torch.no_grad()
def functionals(
    full: Projection,
    chosen: Projection,
    states: tuple[Tensor, Tensor, Tensor],
    smooth: Smoothing,
) -> Tensor:
    """Map from values at the chosen points to coordinates of the smoothed function.

    A smoothed function is an integral of the function over all points.  For functions like the
    columns of J and f at training states, it is estimated from the values at the chosen points
    by regularised least squares (gappy POD [1]_).

    Parameters
    ----------
    full, chosen : Projection
        Projections at all points of the grid, and at the chosen points.
    states : tuple of Tensor
        Trajectory indices, times and latent states of the training.
    smooth : Smoothing

    Returns
    -------
    map : Tensor of shape (n_directions, n_rows)

    References
    ----------
    .. [1] R. Everson and L. Sirovich, "Karhunen-Loève procedure for gappy data", J. Opt.
       Soc. Am. A 12 (1995), 1657-1664.
    """
    n_functions = len(states[0]) * (full.network.n_latent + 1)
    smoothed = np.empty((n_functions, full.pde.n_fields * len(full.collocation.points)))
    chosen_values: list[Tensor] = []
    n = 0
    for i in range(len(states[0])):
        state = [entry[i : i + 1] for entry in states]
        A = _columns(full, state)
        # The combinations of columns are orthonormal, so that all states have equal weight.
        sizes = A.norm(dim=0)
        sizes = torch.where(sizes > 0, sizes, 1.0)
        U, sigma, Vh = torch.linalg.svd(A / sizes, full_matrices=False)
        kept = sigma > _ZERO_TOL * sigma[0]
        smoothed[n : n + int(kept.sum())] = smooth(U[:, kept].T.numpy())
        n += int(kept.sum())
        if chosen is not full:
            A_chosen = _columns(chosen, state) / sizes
            chosen_values.append((A_chosen @ (Vh[kept].T / sigma[kept])).T)
    smoothed = smoothed[:n]
    if chosen is full:
        # In place: the array may take a large part of the memory.
        Q, R = qr(smoothed.T, overwrite_a=True, mode="economic", check_finite=False)
        U, sigma, _ = np.linalg.svd(R, full_matrices=False)
        leading = U[:, sigma > _ZERO_TOL * sigma[0]][:, :_MAX_DIRECTIONS]
        return as_tensor(smooth.adjoint(leading.T @ Q.T))
    # Coordinates along the principal directions by inner products, without the directions.
    squares, vectors = np.linalg.eigh(smoothed @ smoothed.T)
    coordinates = (vectors * np.sqrt(squares.clip(min=0.0)))[:, -_MAX_DIRECTIONS:]
    U, sigma, Vh = np.linalg.svd(torch.cat(chosen_values).numpy(), full_matrices=False)
    filtered = sigma / (sigma**2 + (_RIDGE * sigma[0]) ** 2)
    return as_tensor(coordinates.T @ (U * filtered) @ Vh)


def _columns(projection: Projection, state: list[Tensor]) -> Tensor:
    """[J f] at one state, (n_rows, n_latent + 1), computed in blocks of points."""
    points, weights, *_ = projection.collocation
    parts = []
    for i in range(0, len(points), _BLOCK):
        block = projection
        if len(points) > _BLOCK:
            s = slice(i, i + _BLOCK)
            block = projection.at(Collocation(points[s], weights[s]))
        J, f = block.system(*state)
        columns = torch.cat([J, f.unsqueeze(2)], dim=2).nan_to_num(posinf=0.0, neginf=0.0)
        parts.append(columns.view(projection.pde.n_fields, -1, columns.shape[2]))
    return torch.cat(parts, dim=1).flatten(0, 1)
