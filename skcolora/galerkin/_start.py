"""The latent states from which trajectories start."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.interpolate import RBFInterpolator
from torch import Tensor

from skcolora._encoding import encode_fields
from skcolora._scaling import positive
from skcolora._snapshots import Array, Grid, SnapshotLayout, check_points
from skcolora.galerkin._projection import Projection
from skcolora.nn import CoLoRANetwork, evaluate_fields
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Training states that encodings may start from, besides the guesses.
_MOST_CANDIDATES = 64
# No other guess is tried where misfit of the initial field and relative residual of the
# equation together are small, or hardly larger than the residual at the states trained on.
_GOOD, _AS_GOOD_AS_TRAINED = 3e-3, 1.5
# Relative decrease of the squared misfit at which encodings end: long before rounding errors
# decide, which differ in a batch.
_NO_GAIN = 1e-8
# Points and steps of the last improvement.
_LAST_POINTS, _LAST_STEPS = 4096, 1


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


def interpolated_guesses(X: Array, states: Tensor, new: Array) -> Tensor:
    """States at new parameters from those at others, (n_new, n_latent).

    By radial basis functions, which in one dimension are cubic splines: between few
    training parameters they stray less than a hypernetwork, and they are smooth, so that
    states encoded from them are smooth functions of the parameters.
    """
    scale = positive(np.std(X, axis=0))
    known, first = np.unique(X / scale, axis=0, return_index=True)
    values = states.numpy()[first]
    new = np.where(np.isfinite(new), new, X.mean(axis=0)) / scale
    interpolant = None
    if len(known) > known.shape[1] + 1:
        # It has none for parameters on a line or plane.
        with contextlib.suppress(np.linalg.LinAlgError):
            interpolant = RBFInterpolator(known, values, kernel="cubic")
    if interpolant is None:
        interpolant = RBFInterpolator(known, values, kernel="linear")
    return torch.from_numpy(np.concatenate([interpolant(row[None]) for row in new]))


def good_enough(projection: Projection, states: Tensor) -> float:
    """Misfit plus relative residual at which a start needs no further guess.

    Parameters
    ----------
    projection : Projection
        Of the trajectories trained on.
    states : Tensor of shape (n, n_latent)
        Theirs at time 0.
    """
    found = projection.solve(torch.arange(len(states)), states.new_zeros(len(states)), states)
    usual = found.relative_residual.nanmedian()
    return max(_GOOD, _AS_GOOD_AS_TRAINED * float(usual.nan_to_num()))


def find_start(
    projection: Projection,
    known: tuple[Array, Array] | None,
    guesses: Sequence[Tensor],
    others: Tensor,
    *,
    good: float,
) -> Start:
    """Encode the initial fields, each by itself.

    Where the state found from the first guess does not fit the field, or its tangent space
    does not hold the right-hand side, other guesses are tried, and of all the best is taken.

    Parameters
    ----------
    projection : Projection
        Of the trajectories.
    known : (points, fields) or None
        As `initial_fields` gives them.  None: the last of the guesses is the answer.
    guesses : sequence of Tensor of shape (n, n_latent)
        In the order of preference, one row for each trajectory.
    others : Tensor of shape (n_others, n_latent)
        Of which the one whose field is nearest is the last guess.
    good : float
        As `good_enough` gives it.
    """
    if known is None:
        nan = torch.full((len(guesses[-1]),), torch.nan, dtype=torch.float64)
        return Start(guesses[-1], nan)
    points, fields = (as_tensor(array).double() for array in known)
    if len(others) > _MOST_CANDIDATES:
        others = others[torch.linspace(0, len(others) - 1, _MOST_CANDIDATES).long()]
    n = len(fields)
    latent = guesses[0].clone()
    misfit, score = (torch.full((n,), torch.inf, dtype=torch.float64) for _ in range(2))
    for candidates in [*(guess.unsqueeze(1) for guess in guesses), others.expand(n, -1, -1)]:
        usable = torch.isfinite(candidates).all(2).all(1) & bool(candidates.shape[1])
        at = (usable & ~(score <= good)).nonzero().squeeze(1)
        if not len(at):
            continue
        network = projection.network
        found = encode_fields(network, points, fields[at], candidates[at], polish=0, tol=_NO_GAIN)
        gap = _misfit(network, points, fields[at], found)
        defect = projection.solve(at, torch.zeros(len(at), dtype=torch.float64), found)
        total = gap + defect.relative_residual
        better = total.nan_to_num(nan=torch.inf, posinf=1e300) < score[at]
        latent[at[better]] = found[better]
        misfit[at[better]], score[at[better]] = gap[better], total[better]
    latent = encode_fields(
        projection.network,
        points,
        fields,
        latent.unsqueeze(1),
        max_iter=0,
        polish=_LAST_STEPS,
        polish_points=_LAST_POINTS,
    )
    return Start(latent, misfit)


def _misfit(network: CoLoRANetwork, points: Tensor, fields: Tensor, latent: Tensor) -> Tensor:
    """‖û - u‖ / ‖u‖"""
    found = torch.empty_like(fields)
    evaluate_fields(network, points, latent, found)
    sizes = (fields / network.u_scale).flatten(1).norm(dim=1).clamp(min=1e-300)
    return ((found - fields) / network.u_scale).flatten(1).norm(dim=1) / sizes
