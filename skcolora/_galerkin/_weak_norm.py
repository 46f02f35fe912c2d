"""A norm of negative order: the residual counts by what it moves, not by how steep it is."""

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

# ℓ, in lengths of the domain.
_LENGTH = 0.2
# Directions of the smoothed functions that are kept.
_MOST_DIRECTIONS = 200
# Of the largest singular value: regularisation of the functionals, and what counts as none.
_RIDGE, _NONE = 1e-2, 1e-8

Smoothing = Callable[[Array], Array]
"""√w g at the points of a grid, (n_functions, n_rows), to √w K g"""


def has_weak_norm(pde: PDE, grid: Grid) -> bool:
    """Whether the points form a tensor grid, and no boundary values are prescribed."""
    return (grid.axes is not None or grid.n_dims == 1) and pde.boundary != "fixed"


def smoothing(pde: PDE, grid: Grid) -> Smoothing:
    """``K = (I - ℓ²Δ)^(-1/2)`` on a tensor grid, so that ``‖K g‖ = ‖g‖`` of H⁻¹.

    Δ is that of linear finite elements with lumped mass, without flux through ends that
    are not periodic; lengths are those of the axes.
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
    """Functions (n_functions, n_0, ...), times one matrix along each axis of the grid."""
    for axis, matrix in enumerate(matrices, start=1):
        functions = np.moveaxis(np.moveaxis(functions, axis, -1) @ matrix, -1, axis)
    return functions


def _spectrum(nodes: Array, weights: Array, length: float | None) -> tuple[Array, Array]:
    """Eigenvalues and vectors of -d²/dx² along an axis of length one, in the coordinates √w g."""
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
    every: Projection,
    chosen: Projection,
    at: tuple[Tensor, Tensor, Tensor],
    smooth: Smoothing,
    rng: np.random.RandomState,
) -> Tensor:
    """The map from rows at few points to the coordinates of what they are, smoothed.

    A smoothed function is an integral of the function over all points.  For functions that
    vary as the columns of J and f do at states of the training, it follows from their values
    at the few points, by regularised least squares (gappy POD [1]_).

    Parameters
    ----------
    every, chosen : Projection
        At all points of the grid, and at those that were chosen.
    at : tuple of Tensor
        Trajectories, times and states of the training.
    smooth : callable
        As `smoothing` gives it.
    rng : RandomState

    Returns
    -------
    map : Tensor of shape (n_directions, n_rows)

    References
    ----------
    .. [1] R. Everson and L. Sirovich, "Karhunen-Loève procedure for gappy data", J. Opt.
       Soc. Am. A 12 (1995), 1657-1664.
    """
    full, few = [], []
    for i in range(len(at[0])):
        here = [entry[i : i + 1] for entry in at]
        A, A_few = (_columns(projection, here) for projection in (every, chosen))
        # Orthonormal combinations of the columns, so that all states count the same.
        sizes = A.norm(dim=0)
        sizes = torch.where(sizes > 0, sizes, 1.0)
        U, sigma, Vh = torch.linalg.svd(A / sizes, full_matrices=False)
        kept = sigma > _NONE * sigma[0]
        full.append(U[:, kept].T)
        few.append(((A_few / sizes) @ (Vh[kept].T / sigma[kept])).T)
    functions, values = torch.cat(full).numpy(), torch.cat(few).numpy()
    smoothed = smooth(functions)
    n_directions = min(_MOST_DIRECTIONS, *smoothed.shape)
    directions = randomized_svd(smoothed, n_directions, random_state=rng)[2]
    if chosen is every:
        return as_tensor(smooth(directions))
    U, sigma, Vh = np.linalg.svd(values, full_matrices=False)
    filtered = sigma / (sigma**2 + (_RIDGE * sigma[0]) ** 2)
    coordinates = smoothed @ directions.T
    return as_tensor(coordinates.T @ (U * filtered) @ Vh)


def _columns(projection: Projection, at: list[Tensor]) -> Tensor:
    """[J f] at one state, (n_rows, n_latent + 1)."""
    J, f = projection.system(*at)
    return torch.cat([J, f.unsqueeze(2)], dim=2)[0].nan_to_num(posinf=0.0, neginf=0.0)
