"""The latent states from which trajectories start."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree
from torch import Tensor

from skcolora._galerkin._projection import Projection
from skcolora._nn import CoLoRANetwork, evaluate_fields
from skcolora._snapshots import Array, Grid, SnapshotLayout, check_points, nonzero_scale
from skcolora._training import encode_fields
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor

# Training states that encodings may start from, besides the guesses.
_MOST_CANDIDATES = 64
# No other guess is tried where misfit of the initial field and relative residual of the
# equation together are small, or hardly larger than at the training parameters around.
_GOOD, _AS_GOOD_AS_TRAINED = 3e-3, 1.5
# A later guess replaces an earlier one where it brings the sum down to this part.
_BETTER = 0.99
# Relative decreases of the squared misfit at which encodings end.  First early: the last gain
# is often had by moving far along directions that hardly change the field, away from the
# states trained on, where the tangent space does not hold the right-hand side.  Then late,
# but long before rounding errors decide, which differ in a batch.
_SMALL_GAINS = (0.1, 1e-8)
# Points and steps of the last improvement.
_LAST_POINTS, _LAST_STEPS = 4096, 1


class Start(NamedTuple):
    """States at time 0."""

    latent: Tensor
    """(n, n_latent)"""
    misfit: Tensor
    """‖û(0) - u₀‖ / ‖u₀‖, NaN where no initial field was given, (n,)"""
    score: Tensor
    """The misfit, where there is one, plus the relative residual of the equation, (n,)"""


class TrainedStarts(NamedTuple):
    """States at time 0 of the trajectories trained on; what is known where others begin."""

    inputs: Array
    """Parameters as the regressor takes them, (n, n_parameters)"""
    start: Start

    def guesses(self, new: Array) -> Tensor:
        """States at other parameters, (n_new, n_latent).

        By radial basis functions, which in one dimension are cubic splines: between few
        training parameters they stray less than a hypernetwork, and they are smooth, so that
        states encoded from them are smooth functions of the parameters.
        """
        known, first = np.unique(self._scaled(self.inputs), axis=0, return_index=True)
        states = self.start.latent.numpy()
        # Those of one initial field are all the same, and stay so to the last digit.
        values = states[first] - states[0]
        interpolant = None
        if len(known) > known.shape[1] + 1:
            # It has none for parameters on a line or plane.
            with contextlib.suppress(np.linalg.LinAlgError):
                interpolant = RBFInterpolator(known, values, kernel="cubic")
        if interpolant is None:
            interpolant = RBFInterpolator(known, values, kernel="linear")
        rows = [interpolant(row[None]) for row in self._scaled(new)]
        return torch.from_numpy(np.concatenate(rows) + states[0])

    def good(self, new: Array) -> Tensor:
        """Scores at which a start at other parameters needs no further guess, (n_new,)."""
        inputs, scores = self._scaled(self.inputs), self.start.score.nan_to_num(nan=0.0).numpy()
        around = min(len(inputs), inputs.shape[1] + 1)
        _, nearest = cKDTree(inputs).query(self._scaled(new), k=list(range(1, around + 1)))
        usual = scores[nearest].max(axis=1)
        return torch.from_numpy(np.maximum(_GOOD, _AS_GOOD_AS_TRAINED * usual))

    def _scaled(self, inputs: Array) -> Array:
        mean, scale = self.inputs.mean(axis=0), nonzero_scale(np.std(self.inputs, axis=0))
        return np.where(np.isfinite(inputs), inputs, mean) / scale


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
        if not pde.has_initial:
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
    projection: Projection,
    known: tuple[Array, Array],
    guesses: Sequence[Tensor],
    *,
    good: Tensor,
) -> Start:
    """Encode the initial fields, each by itself.

    Where the state found from the first guess does not fit the field, or its tangent space
    does not hold the right-hand side, more steps and other guesses are tried, and of all the
    best is taken.

    Parameters
    ----------
    projection : Projection
        Of the trajectories.
    known : (points, fields)
        As `initial_fields` gives them.
    guesses : sequence of Tensor of shape (n or 1, n_candidates, n_latent)
        In the order of preference; of several candidates that counts whose field is nearest.
    good : Tensor of shape (n,)
        Scores that are good enough.
    """
    points, fields = (as_tensor(array).double() for array in known)
    n = len(fields)
    latent = guesses[0][:, 0].expand(n, -1).clone()
    misfit, score = (fields.new_full((n,), torch.inf) for _ in range(2))
    for guess, small_gain in itertools.product(guesses, _SMALL_GAINS):
        candidates = guess.expand(n, -1, -1)
        usable = torch.isfinite(candidates).all(2).all(1) & bool(candidates.shape[1])
        at = (usable & ~(score <= good)).nonzero().squeeze(1)
        if not len(at):
            continue
        found = _encoded(projection, at, points, fields[at], candidates[at], small_gain)
        better = found.score < _BETTER * score[at]
        latent[at[better]] = found.latent[better]
        misfit[at[better]], score[at[better]] = found.misfit[better], found.score[better]
    return Start(latent, misfit, score)


def unfitted_start(projection: Projection, latent: Tensor) -> Start:
    """Given states, where no field is known that they should fit."""
    residual = _relative_residual(projection, torch.arange(len(latent)), latent)
    return Start(latent, torch.full_like(residual, torch.nan), residual)


def trained_starts(
    projection: Projection,
    known: tuple[Array, Array] | None,
    inputs: Array,
    predicted: Tensor,
    training: Tensor,
) -> TrainedStarts:
    """Those of the trajectories trained on.

    Parameters
    ----------
    projection : Projection
        Of these trajectories.
    known : (points, fields) or None
        As `initial_fields` gives them.
    inputs : ndarray of shape (n, n_parameters)
        Parameters as the regressor takes them.
    predicted : Tensor of shape (n, n_latent)
        What the regressor predicts for time 0.
    training : Tensor of shape (n_states, n_latent)
        Latent states that the network was trained on.
    """
    if known is None:
        return TrainedStarts(inputs, unfitted_start(projection, predicted))
    points, fields = (as_tensor(array).double() for array in known)
    every = torch.arange(len(fields))
    guesses = [
        states.expand(len(fields), -1, -1) for states in (predicted, evenly_spread(training))
    ]
    tries = [
        _encoded(projection, every, points, fields, candidates, small_gain)
        for candidates, small_gain in itertools.product(guesses, _SMALL_GAINS)
    ]
    latent, misfit, score = (torch.stack(entries) for entries in zip(*tries, strict=True))
    # Trajectories that begin with the same field begin with the same state.
    groups = torch.tensor(_distinct(fields)[1])
    best = torch.empty_like(every)
    for group in groups.unique():
        best[groups == group] = score[:, groups == group].mean(1).argmin()
    return TrainedStarts(
        inputs, Start(latent[best, every], misfit[best, every], score[best, every])
    )


def evenly_spread(states: Tensor) -> Tensor:
    """Of the training states those that encodings may start from."""
    if len(states) <= _MOST_CANDIDATES:
        return states
    return states[torch.linspace(0, len(states) - 1, _MOST_CANDIDATES).long()]


def _encoded(
    projection: Projection,
    at: Tensor,
    points: Tensor,
    fields: Tensor,
    candidates: Tensor,
    small_gain: float,
) -> Start:
    """States of some trajectories; the same field from the same candidates is encoded once."""
    first, which = _distinct(fields, candidates)
    fields, network = fields[first], projection.network
    latent = encode_fields(
        network,
        points,
        fields,
        candidates[first],
        polish=_LAST_STEPS,
        polish_points=_LAST_POINTS,
        tol=small_gain,
    )
    misfit = _misfit(network, points, fields, latent)[which]
    latent = latent[which]
    score = misfit + _relative_residual(projection, at, latent)
    return Start(latent, misfit, score.nan_to_num(nan=torch.inf, posinf=1e300))


def _relative_residual(projection: Projection, at: Tensor, latent: Tensor) -> Tensor:
    return projection.solve(at, latent.new_zeros(len(at)), latent).relative_residual


def _distinct(*arrays: Tensor) -> tuple[list[int], list[int]]:
    """Rows that differ in any of the arrays, and for each row which of them it is."""
    seen: dict[tuple[bytes, ...], int] = {}
    rows = zip(*(array.contiguous().numpy() for array in arrays), strict=True)
    which = [seen.setdefault(tuple(part.tobytes() for part in row), len(seen)) for row in rows]
    return [which.index(i) for i in range(len(seen))], which


def _misfit(network: CoLoRANetwork, points: Tensor, fields: Tensor, latent: Tensor) -> Tensor:
    """‖û - u‖ / ‖u‖"""
    found = torch.empty_like(fields)
    evaluate_fields(network, points, latent, found)
    sizes = (fields / network.u_scale).flatten(1).norm(dim=1).clamp(min=1e-300)
    return ((found - fields) / network.u_scale).flatten(1).norm(dim=1) / sizes
