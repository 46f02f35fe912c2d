"""Checks of the options of `CoLoRAGalerkin`, and of the right-hand side of an equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skcolora._galerkin._weak_norm import has_weak_norm
from skcolora._galerkin._whitening import check_few_points
from skcolora._snapshots import Array, Grid
from skcolora.pdes import PDE
from skcolora.pdes._boundary import Side, boundary_sides
from skcolora.pdes._trial import TrialField
from skcolora.utils._torch import as_tensor

# Number of points at which the right-hand side is tried before the training.
_TRIAL_POINTS = 5


def check_options(
    pde: PDE,
    X: Array,
    grid: Grid,
    conserve: Any,
    norm: str,
    collocation: str,
    n_collocation: int | None,
) -> None:
    """Check options of `CoLoRAGalerkin`, and the right-hand side at parameters (n, n_parameters).

    Raises
    ------
    ValueError
        If an option does not fit the equation or the grid, or the right-hand side fails.
    """
    conserved_densities(pde, conserve)
    check_norm(pde, grid, norm)
    if norm == "whitened":
        check_few_points(pde, grid.n_points if collocation == "grid" else n_collocation or 1)
    points = as_tensor(grid.points)
    check_rate(pde, points if collocation == "grid" else points[:_TRIAL_POINTS], X)


def check_pod_boundary(pde: PDE, X: Array, times: Array, *, sampled: bool) -> None:
    """Check that POD modes on the grid can obey the boundary conditions of an equation.

    Raises
    ------
    ValueError
        If a boundary lies inside the domain, or if the right-hand side is sampled at a few points
        and conditions depend on the time or on the parameters (X, of shape (n, n_parameters)).
    """
    name = type(pde).__name__
    if pde.surfaces:
        raise ValueError(
            f"{name} has `surfaces`, boundaries inside the domain, and PODGalerkin works on the "
            "whole box; give CoLoRAGalerkin."
        )
    if sampled and any(_is_not_kept_by_modes(side, X, times) for side in boundary_sides(pde)):
        raise ValueError(
            f"{name} has boundary conditions that depend on the time or the parameters, which the "
            "values at a few sampled points do not determine; give n_samples=None."
        )


def _is_not_kept_by_modes(side: Side, X: Array, times: Array) -> bool:
    """Whether a combination of snapshots can violate a condition, beyond its start."""
    if not side.varies:
        return False
    if not side.fixes_values[side.constrained].all():
        return True
    corners = np.array(side.pde.domain)[:, None]
    t = np.linspace(0.0, times[-1], 7)[:, None]
    return any(np.ptp(side.terms(t, corners, mu[:, None, None]), axis=2).any() for mu in X)


def check_rate(pde: PDE, points: Tensor, X: Array) -> None:
    """Check that the right-hand side can be evaluated at collocation points.

    Parameters
    ----------
    pde : PDE
    points : Tensor of shape (n_points, n_dims)
        Scattered points.
    X : ndarray of shape (n, n_parameters)
        Parameters of the snapshots.  The right-hand side is evaluated for the first and the last
        trajectory at once.

    Raises
    ------
    ValueError
        If the right-hand side fails, for example because it uses arrays on the snapshot grid.
    """
    mu = as_tensor(X[[0, -1]].T).unsqueeze(2)
    # For two trajectories, with the array shapes of a `NetworkField`.
    coordinates = points.T.unsqueeze(1).expand(-1, 2, -1)
    field = TrialField(coordinates, points.new_ones(pde.n_fields, 2, len(points)), torch)
    try:
        pde.rate(points.new_zeros(2, 1), field, mu)  # type: ignore[arg-type]
    except Exception as error:
        raise ValueError(
            f"{type(pde).__name__}.rhs failed at {len(points)} collocation points of two "
            f"trajectories, given as torch tensors: {error}  Write rhs with arithmetic and the "
            "functions of field.xp, and coefficients as functions of field.points.  Arrays on "
            "the points of the snapshots do not fit the collocation points."
        ) from error


def check_norm(pde: PDE, grid: Grid, norm: str) -> str:
    """Resolve ``norm``: "auto" stands for the norm of the equation, or "L2" on other grids.

    Parameters
    ----------
    pde : PDE
    grid : Grid
        Points of the snapshots.
    norm : {"auto", "L2", "H-1", "whitened"}

    Returns
    -------
    norm : {"L2", "H-1", "whitened"}

    Raises
    ------
    ValueError
        If the norm of the equation is unknown, or "H-1" is not available on this grid.
    """
    if pde.norm not in ("L2", "H-1"):
        name = type(pde).__name__
        raise ValueError(f'{name}.norm must be "L2" or "H-1"; got {pde.norm!r}.')
    possible = has_weak_norm(pde, grid)
    if norm == "auto":
        return pde.norm if possible else "L2"
    if norm == "H-1" and not possible:
        raise ValueError(
            'norm="H-1" needs snapshots on a tensor grid and an equation without boundary '
            'conditions; give norm="L2".'
        )
    return norm


def conserved_densities(pde: PDE, conserve: Any) -> dict[str, Callable[[Any], Any]]:
    """Conserved densities by name.

    Parameters
    ----------
    pde : PDE
    conserve : None, str, callable, mapping, or sequence of str and callable
        See `CoLoRAGalerkin`.

    Returns
    -------
    densities : dict of str to callable

    Raises
    ------
    ValueError
        If a name is unknown, or an entry is not callable.
    """
    if conserve is None:
        return {}
    if isinstance(conserve, Mapping):
        chosen = dict(conserve)
    else:
        entries = [conserve] if isinstance(conserve, str) or callable(conserve) else conserve
        chosen = {}
        for i, entry in enumerate(entries):
            if callable(entry):
                chosen[getattr(entry, "__name__", f"density {i}")] = entry
            elif entry in pde.conserved:
                chosen[entry] = pde.conserved[entry]
            else:
                known = ", ".join(map(repr, pde.conserved)) or "none"
                raise ValueError(
                    f"`conserve` names {entry!r}, but {type(pde).__name__} conserves {known}."
                )
    for name, density in chosen.items():
        if not callable(density):
            raise ValueError(
                f"`conserve` must hold functions of a field; got {density!r} ({name})."
            )
    return chosen
