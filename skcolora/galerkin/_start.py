"""The latent states from which trajectories start."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcolora._encoding import encode_fields
from skcolora._snapshots import Array, Grid, SnapshotLayout, check_points
from skcolora.nn import CoLoRANetwork
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Training states that encodings may start from, besides the hypernetwork's guess.
_MOST_CANDIDATES = 64


class Start(NamedTuple):
    """States at time 0."""

    latent: Tensor
    """(n, n_latent)"""
    misfit: Tensor
    """‖û(0) - u₀‖ / ‖u₀‖, NaN where no initial field was given, (n,)"""


def initial_fields(
    pde: PDE, layout: SnapshotLayout, X: Array, initial: Any
) -> tuple[Array, Array] | None:
    """Points and fields (n, n_points, n_fields) at time 0, None where none are known.

    Raises
    ------
    ValueError
        If ``initial`` has another shape than the trajectories and points ask for.
    """
    if initial is None:
        if type(pde).initial is PDE.initial:
            return None
        points = layout.grid.points
        fields = [pde.initial_value(points.T, mu).T for mu in X]
        return points, np.stack(fields)
    if isinstance(initial, tuple):
        if len(initial) != 2:
            raise ValueError(
                f"`initial` given as a tuple must be (points, values); got {len(initial)} entries."
            )
        grid = check_points(initial[0], layout.grid.n_dims)
        values = np.asarray(initial[1], dtype=np.float64)
    else:
        grid, values = layout.grid, np.asarray(initial, dtype=np.float64)
    return grid.points, _checked(values, grid, layout.n_fields, len(X))


def _checked(values: Array, grid: Grid, n_fields: int, n: int) -> Array:
    spaces = {(n, grid.n_points), (n, *grid.shape), (n, 1, *grid.shape)}
    wanted = {(*shape, n_fields) for shape in spaces} | (spaces if n_fields == 1 else set())
    if n_fields > 1:
        wanted.add((n, grid.n_points * n_fields))
    if values.shape not in wanted:
        fields = f", {n_fields}" if n_fields > 1 else ""
        inner = ", ".join(map(str, grid.shape))
        raise ValueError(
            f"`initial` has shape {values.shape}; expected ({n}, {inner}{fields}), one field for "
            "each row of X, at the points of `fit`.  Give observations elsewhere as "
            "(points, values)."
        )
    if not np.isfinite(values).all():
        raise ValueError("`initial` must be finite; got NaN or infinity.")
    return values.reshape(n, grid.n_points, n_fields)


def find_start(
    network: CoLoRANetwork, known: tuple[Array, Array] | None, guesses: Tensor, others: Tensor
) -> Start:
    """Encode the initial fields, each by itself, from the best of the guesses.

    Parameters
    ----------
    network : CoLoRANetwork
        In float64.
    known : (points, fields) or None
        As `initial_fields` gives them.  None: the guesses are the answer.
    guesses : Tensor of shape (n, n_latent)
        One for each trajectory.
    others : Tensor of shape (n_others, n_latent)
        Guesses for all.
    """
    if known is None:
        return Start(guesses, torch.full((len(guesses),), torch.nan, dtype=guesses.dtype))
    points, fields = (as_tensor(array).to(network.u_scale) for array in known)
    if len(others) > _MOST_CANDIDATES:
        others = others[torch.linspace(0, len(others) - 1, _MOST_CANDIDATES).long()]
    # A transform may have no value at a parameter outside its domain.
    guesses = torch.where(torch.isfinite(guesses), guesses, others[:1])
    candidates = torch.cat([guesses.unsqueeze(1), others.expand(len(guesses), -1, -1)], dim=1)
    latent = encode_fields(network, points, fields, candidates)
    with torch.no_grad():
        gaps = [network(points, state) - u for state, u in zip(latent, fields, strict=True)]
    sizes = (fields / network.u_scale).flatten(1).norm(dim=1).clamp(min=1e-300)
    misfit = (torch.stack(gaps) / network.u_scale).flatten(1).norm(dim=1) / sizes
    return Start(latent, misfit)
