"""The weak norm H⁻¹ of the residual.

At a steep front it measures how far the residual moves the front, and not the steepness.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.linalg import eigh
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from skcolora._galerkin._collocation import axis_rules
from skcolora._galerkin._projection import Projection
from skcolora._snapshots import Array, Grid
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Smoothing length ℓ, relative to the length of the domain.
_LENGTH = 0.2
# Number of kept principal directions of the smoothed functions.
_MAX_DIRECTIONS = 200
# Regularisation of the functionals, and singular value that counts as zero, both relative to
# the largest singular value.
_RIDGE, _ZERO_TOL = 1e-2, 1e-8

Smoothing = Callable[[Array], Array]
"""Map from √w g at the points of a grid, (n_functions, n_rows), to √w K g"""


def has_weak_norm(pde: PDE, grid: Grid) -> bool:
    """Return whether the points form a tensor grid and no boundary values are prescribed."""
    return (grid.axes is not None or grid.n_dims == 1) and pde.boundary != "fixed"


def smoothing(pde: PDE, grid: Grid) -> Smoothing:
    """The operator ``K = (I - ℓ²Δ)^(-1/2)`` on a tensor grid, for the H⁻¹ norm ``‖K g‖``.

    Δ is discretised by linear finite elements with lumped mass.  Ends of non-periodic axes have
    zero flux.  ℓ is relative to the length of each axis.
    """
    spectra = [
        _spectrum(*rule, n) for rule, n in zip(axis_rules(pde, grid), pde.period, strict=True)
    ]
    squares = np.zeros(())
    for values, _ in spectra:
        squares = squares[..., None] + values
    factor = 1 / np.sqrt(1 + _LENGTH**2 * squares)
    shape = factor.shape

    def smooth(functions: Array) -> Array:
        waves = _along_axes(functions.reshape(-1, *shape), [vectors for _, vectors in spectra])
        out = _along_axes(factor * waves, [vectors.T for _, vectors in spectra])
        return out.reshape(functions.shape)

    return smooth


def _along_axes(functions: Array, matrices: list[Array]) -> Array:
    """Multiply functions (n_functions, n_0, ...) by one matrix along each axis of the grid."""
    for axis, matrix in enumerate(matrices, start=1):
        functions = np.moveaxis(np.moveaxis(functions, axis, -1) @ matrix, -1, axis)
    return functions


def _spectrum(nodes: Array, weights: Array, length: float | None) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of -d²/dx² along an axis, in the coordinates √w g.

    The axis is scaled to length one.
    """
    extent = length if length is not None else max(np.ptp(nodes), np.finfo(float).tiny)
    gaps = np.diff(nodes) / extent
    stiffness = np.zeros((len(nodes), len(nodes)))
    edges = [(i, i + 1, gap) for i, gap in enumerate(gaps)]
    if length is not None and len(nodes) > 1:
        edges.append((len(nodes) - 1, 0, 1 - gaps.sum()))
    for i, j, gap in edges:
        stiffness[[i, j], [i, j]] += 1 / gap
        stiffness[[i, j], [j, i]] -= 1 / gap
    roots = np.sqrt(weights / weights.sum())
    values, vectors = eigh(stiffness / np.outer(roots, roots))
    return values.clip(min=0.0), vectors


@torch.no_grad()
def functionals(
    full: Projection,
    chosen: Projection,
    states: tuple[Tensor, Tensor, Tensor],
    smooth: Smoothing,
    rng: np.random.RandomState,
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
    smooth : callable
        Result of `smoothing`.
    rng : RandomState
        Random numbers for the randomised SVD.

    Returns
    -------
    map : Tensor of shape (n_directions, n_rows)

    References
    ----------
    .. [1] R. Everson and L. Sirovich, "Karhunen-Loève procedure for gappy data", J. Opt.
       Soc. Am. A 12 (1995), 1657-1664.
    """
    full_values, chosen_values = [], []
    for i in range(len(states[0])):
        state = [entry[i : i + 1] for entry in states]
        A, A_chosen = (_columns(projection, state) for projection in (full, chosen))
        # The combinations of columns are orthonormal, so that all states have equal weight.
        sizes = A.norm(dim=0)
        sizes = torch.where(sizes > 0, sizes, 1.0)
        U, sigma, Vh = torch.linalg.svd(A / sizes, full_matrices=False)
        kept = sigma > _ZERO_TOL * sigma[0]
        full_values.append(U[:, kept].T)
        chosen_values.append(((A_chosen / sizes) @ (Vh[kept].T / sigma[kept])).T)
    functions, values = torch.cat(full_values).numpy(), torch.cat(chosen_values).numpy()
    smoothed = smooth(functions)
    n_directions = min(_MAX_DIRECTIONS, *smoothed.shape)
    directions = randomized_svd(smoothed, n_directions, random_state=rng)[2]
    if chosen is full:
        return as_tensor(smooth(directions))
    U, sigma, Vh = np.linalg.svd(values, full_matrices=False)
    filtered = sigma / (sigma**2 + (_RIDGE * sigma[0]) ** 2)
    coordinates = smoothed @ directions.T
    return as_tensor(coordinates.T @ (U * filtered) @ Vh)


def _columns(projection: Projection, states: list[Tensor]) -> Tensor:
    """[J f] at one state, (n_rows, n_latent + 1)."""
    J, f = projection.system(*states)
    return torch.cat([J, f.unsqueeze(2)], dim=2)[0].nan_to_num(posinf=0.0, neginf=0.0)
