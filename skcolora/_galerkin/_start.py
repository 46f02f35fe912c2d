"""Initial latent states of trajectories."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree
from torch import Tensor

from skcolora._galerkin._projection import Projection
from skcolora._nn import evaluate_fields
from skcolora._snapshots import Array, column_scale, merge_close
from skcolora._training import encode_fields
from skcolora.utils._deadline import Deadline

# Number of training states among the starting points of an encoding.
_MOST_CANDIDATES = 64
# Good defects.  No further guess is tried if the defect is below the first value, or below the
# second value times the defect at the nearest training parameters.
_GOOD_DEFECT, _TRAINED_FACTOR = 3e-3, 1.5
# Factor by which a later guess must reduce the defect to replace an earlier one.
_IMPROVEMENT = 0.99
# Relative decreases of the squared misfit at which an encoding ends.  The first value ends it
# early: the last steps often go far along directions that hardly change the field, to states
# whose tangent space does not contain the right-hand side.  The second value ends it late, but
# before rounding errors, which depend on the batch, affect the result.
_SMALL_GAINS = (0.1, 1e-8)
# Numbers of points and steps of the final improvement of an encoding.
_POLISH_POINTS, _POLISH_STEPS = 4096, 1


class Start(NamedTuple):
    """Latent states at time 0 of n trajectories."""

    latent: Tensor
    """Latent states, (n, n_latent)"""
    misfit: Tensor
    """Misfit ‖û(0) - u₀‖ relative to the variation of u₀, (n,); NaN without an initial field"""
    defect: Tensor
    """Sum of misfit and relative residual of the equation, (n,).  Low values are good."""


class TrainedStarts(NamedTuple):
    """Initial states of the training trajectories, for guesses at other parameters."""

    inputs: Array
    """Inputs of the hypernetwork, (n, n_inputs)"""
    start: Start

    def guesses(self, new: Array) -> Tensor:
        """Guesses of the initial states at new inputs (n_new, n_inputs), (n_new, n_latent).

        The states are interpolated by radial basis functions, which are cubic splines in one
        dimension.  Between a few training parameters they oscillate less than a hypernetwork.
        They are smooth, so that the encoded states depend smoothly on the parameters.
        """
        merged = self._scale_inputs(merge_close(self.inputs))
        known, indices = np.unique(merged, axis=0, return_index=True)
        states = self.start.latent.numpy()
        # Equal training states give exactly equal guesses, since only differences are fitted.
        values = states[indices] - states[0]
        interpolant = None
        if len(known) > known.shape[1] + 1:
            # The cubic interpolant does not exist for parameters on a line or plane.
            with contextlib.suppress(np.linalg.LinAlgError):
                interpolant = RBFInterpolator(known, values, kernel="cubic")
        if interpolant is None:
            interpolant = RBFInterpolator(known, values, kernel="linear")
        rows = [interpolant(row[None]) for row in self._scale_inputs(new)]
        return torch.from_numpy(np.concatenate(rows) + states[0])

    def good_defect(self, new: Array) -> Tensor:
        """Defects below which no further guess is needed at new inputs, (n_new,)."""
        inputs = self._scale_inputs(self.inputs)
        defects = self.start.defect.nan_to_num(nan=0.0).numpy()
        around = min(len(inputs), inputs.shape[1] + 1)
        _, nearest = cKDTree(inputs).query(self._scale_inputs(new), k=list(range(1, around + 1)))
        usual = defects[nearest].max(axis=1)
        return torch.from_numpy(np.maximum(_GOOD_DEFECT, _TRAINED_FACTOR * usual))

    def _scale_inputs(self, inputs: Array) -> Array:
        """Inputs in units of their standard deviation; non-finite inputs become the mean.

        Constant inputs are left out, since no cubic interpolant exists for them.
        """
        scale = column_scale(self.inputs)
        scaled = scale.apply(np.where(np.isfinite(inputs), inputs, scale.center))
        return scaled[:, scale.varies] if scale.varies.any() else scaled[:, :1]


def find_start(
    projection: Projection,
    known: tuple[Array, Array],
    guesses: Sequence[Tensor],
    *,
    good_defect: Tensor,
    deadline: Deadline | None = None,
) -> Start:
    """Encode the initial fields of n trajectories independently.

    The guesses are tried in turn, each first with few and then with many steps, until the defect
    of the encoded state is good.  The best state is returned.

    Parameters
    ----------
    projection : Projection
        Projection of the n trajectories.
    known : (points, fields)
        Result of `initial_fields`.
    guesses : sequence of Tensor of shape (n or 1, n_candidates, n_latent)
        Guesses in order of preference.  The candidate with the nearest field is used.
    good_defect : Tensor of shape (n,)
        Defects below which no further guess is tried.
    deadline : Deadline, optional
        Time limit, after which no further guess is tried.

    Returns
    -------
    start : Start
    """
    points, fields = projection.scaled(*known)
    n = len(fields)
    latent = guesses[0][:, 0].expand(n, -1).clone()
    misfit, defect = (fields.new_full((n,), torch.inf) for _ in range(2))
    for guess, small_gain in itertools.product(guesses, _SMALL_GAINS):
        if deadline is not None and deadline.passed:
            break
        candidates = guess.expand(n, -1, -1)
        usable = torch.isfinite(candidates).all(2).all(1) & bool(candidates.shape[1])
        trajectories = (usable & ~(defect <= good_defect)).nonzero().squeeze(1)
        if not len(trajectories):
            continue
        found = _encode(
            projection,
            trajectories,
            points,
            fields[trajectories],
            candidates[trajectories],
            small_gain,
        )
        better = found.defect < _IMPROVEMENT * defect[trajectories]
        latent[trajectories[better]] = found.latent[better]
        misfit[trajectories[better]], defect[trajectories[better]] = (
            found.misfit[better],
            found.defect[better],
        )
    return Start(latent, misfit, defect)


def unfitted_start(projection: Projection, latent: Tensor) -> Start:
    """Given initial states (n, n_latent) of trajectories without known initial fields."""
    residual = _relative_residual(projection, torch.arange(len(latent)), latent)
    return Start(latent, torch.full_like(residual, torch.nan), residual)


def trained_starts(
    projection: Projection,
    known: tuple[Array, Array] | None,
    inputs: Array,
    predicted: Tensor,
    training: Tensor,
    deadline: Deadline | None = None,
) -> TrainedStarts:
    """Encode the initial fields of the n training trajectories.

    Parameters
    ----------
    projection : Projection
        Projection of the training trajectories.
    known : (points, fields) or None
        Result of `initial_fields`.
    inputs : ndarray of shape (n, n_inputs)
        Inputs of the hypernetwork.
    predicted : Tensor of shape (n, n_latent)
        Latent states at time 0 that the regressor predicts.
    training : Tensor of shape (n_states, n_latent)
        Latent states at the training inputs and times.
    deadline : Deadline, optional
        Time limit.  Trajectories for which time is missing keep the predicted states.

    Returns
    -------
    starts : TrainedStarts
    """
    deadline = deadline or Deadline()
    if known is None:
        return TrainedStarts(inputs, unfitted_start(projection, predicted))
    points, fields = projection.scaled(*known)
    trajectories = torch.arange(len(fields))
    guesses = [
        states.expand(len(fields), -1, -1) for states in (predicted, encoding_candidates(training))
    ]
    # If time is limited, trajectories are encoded one by one, until a further one is too long.
    chunks = trajectories.split(1 if deadline.limited else len(fields))
    longest, tries = 0.0, []
    for candidates, small_gain in itertools.product(guesses, _SMALL_GAINS):
        infinite = fields.new_full((len(fields),), torch.inf)
        found = Start(predicted.clone(), infinite, infinite.clone())
        for chunk in chunks:
            started = time.perf_counter()
            if deadline.passed or deadline.remaining < longest:
                break
            part = _encode(projection, chunk, points, fields[chunk], candidates[chunk], small_gain)
            for entry, values in zip(found, part, strict=True):
                entry[chunk] = values
            longest = max(longest, time.perf_counter() - started)
        tries.append(found)
    latent, misfit, defect = (torch.stack(entries) for entries in zip(*tries, strict=True))
    # Trajectories with the same initial field get the same initial state.
    groups = torch.tensor(_distinct(fields)[1])
    best = torch.empty_like(trajectories)
    for group in groups.unique():
        best[groups == group] = defect[:, groups == group].mean(1).argmin()
    found = Start(*(entry[best, trajectories] for entry in (latent, misfit, defect)))
    if deadline.limited:
        # Those that were not tried are not known to be bad.
        found.defect[torch.isinf(found.defect)] = torch.nan
    return TrainedStarts(inputs, found)


def encoding_candidates(states: Tensor) -> Tensor:
    """Evenly spread training states (n_states, n_latent), from which encodings may start."""
    if len(states) <= _MOST_CANDIDATES:
        return states
    return states[torch.linspace(0, len(states) - 1, _MOST_CANDIDATES).long()]


def _encode(
    projection: Projection,
    trajectories: Tensor,
    points: Tensor,
    fields: Tensor,
    candidates: Tensor,
    small_gain: float,
) -> Start:
    """Encode the initial fields of some trajectories.

    Equal fields with equal candidates are encoded once.

    Parameters
    ----------
    projection : Projection
    trajectories : Tensor of shape (n,)
        Indices of the trajectories.
    points : Tensor of shape (n_points, n_dims)
        Scaled points.
    fields : Tensor of shape (n, n_points, n_fields)
        Scaled fields.
    candidates : Tensor of shape (n, n_candidates, n_latent)
        Starting points of the encoding.
    small_gain : float
        Relative decrease of the squared misfit at which the encoding ends.
    """
    unique_rows, inverse = _distinct(fields, candidates)
    fields, network = fields[unique_rows], projection.network
    latent = encode_fields(
        network,
        points,
        fields,
        candidates[unique_rows],
        polish=_POLISH_STEPS,
        polish_points=_POLISH_POINTS,
        tol=small_gain,
    )
    misfit = _misfit(projection, points, fields, latent)[inverse]
    latent = latent[inverse]
    defect = misfit + _relative_residual(projection, trajectories, latent)
    return Start(latent, misfit, defect.nan_to_num(nan=torch.inf, posinf=1e300))


def _relative_residual(projection: Projection, trajectories: Tensor, latent: Tensor) -> Tensor:
    """Relative residual of the equation at time 0, (n,)."""
    return projection.solve(
        trajectories, latent.new_zeros(len(trajectories)), latent
    ).relative_residual


def _distinct(*arrays: Tensor) -> tuple[list[int], list[int]]:
    """Distinct rows of several arrays of equal length.

    Returns the indices of the distinct rows, and the position of each row among them.
    """
    seen: dict[tuple[bytes, ...], int] = {}
    rows = zip(*(array.contiguous().numpy() for array in arrays), strict=True)
    inverse = [seen.setdefault(tuple(part.tobytes() for part in row), len(seen)) for row in rows]
    return [inverse.index(i) for i in range(len(seen))], inverse


def misfit(projection: Projection, known: tuple[Array, Array], latent: Tensor) -> Tensor:
    """Misfit of initial fields from `initial_fields`, relative to their variation, (n,)."""
    points, fields = projection.scaled(*known)
    return _misfit(projection, points, fields, latent)


def _misfit(projection: Projection, points: Tensor, fields: Tensor, latent: Tensor) -> Tensor:
    """Misfit of scaled fields (n, n_points, n_fields), relative to their variation, (n,)."""
    found = torch.empty_like(fields)
    evaluate_fields(projection.network, points, latent, found)
    floor = projection.units.least_variation * len(points) ** 0.5
    sizes = fields.flatten(1).norm(dim=1).clamp(min=floor)
    return (found - fields).flatten(1).norm(dim=1) / sizes
