"""The part of an error budget that fails, and its cure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skcolora._galerkin import GalerkinSolution
from skcolora._galerkin._solution import Status

# A training error above which no other part can be judged, relative to the variation.
_HOPELESS = 0.3
# Multiple of the training part from which another part is named; below it the training comes first,
# because a poor network spoils the other parts too.
_LARGER_PART = 2.0
# Ratio of training error and best fit from which the hypernetwork is what is too small.
_HYPERNETWORK = 2.0
# Error at left-out times, as such and as a multiple of the training error, that gives a warning.
_FAST, _FASTER_THAN_TRAINING = 0.1, 5.0
# Limits of the diagnostics of a latent path, as in the warnings of `CoLoRAGalerkin`.
_FAR_OUTSIDE, _LARGE_RESIDUAL, _LOW_RANK = 0.5, 0.1, 0.5

TITLES = {
    "training_too_short": "Most of the error: the training was too short",
    "network_too_small": "Most of the error: the network is too small",
    "hypernetwork_too_small": "Most of the error: the hypernetwork is too small",
    "manifold": "Most of the error: the manifold does not hold the unseen fields",
    "map": "Most of the error: the map from parameters and time",
    "times": "Most of the error: the training times are too coarse",
    "path": "Most of the error: the path of the equation",
}
_NETWORK = (
    "Raise `width` or `rank`, give the regressor more online weights "
    "(adaptation='diagonal'), or compare several `random_state`."
)


@dataclass(frozen=True)
class Levels:
    """The errors that a verdict depends on, each a mean over trajectories."""

    training: float
    """Error of the regressor on training snapshots"""
    training_fit: float
    """Error of the best fit to training snapshots"""
    best_fit: float
    """Error of the best fit to unseen snapshots at the training times"""
    prediction: float
    """Error of the prediction at the training times"""
    between: float
    """Error of the prediction between the training times; NaN if there are no such times"""
    left_out: float
    """Error at left-out training times; NaN if there are too few times"""
    still_fell: bool
    """Whether the error still fell when the training ended"""
    with_equation: bool
    """Whether the prediction is that of an equation"""

    @property
    def parts(self) -> dict[str, float]:
        """Squared increments of the error from the training to the prediction."""
        # The equation moves the latent state without the hypernetwork.
        start = min(self.training, self.training_fit) if self.with_equation else self.training
        steps = {
            "training": start,
            "manifold": self.best_fit,
            "path" if self.with_equation else "map": self.prediction,
            "times": 0.0 if np.isnan(self.between) else self.between,
        }
        parts, so_far = {}, 0.0
        for name, error in steps.items():
            parts[name] = error**2 - so_far**2 if error > so_far else 0.0
            so_far = max(so_far, error)
        return parts

    @property
    def verdict(self) -> str:
        """Key of `TITLES`."""
        parts = self.parts
        unfit = (self.training_fit if self.with_equation else self.training) > _HOPELESS
        largest = max(parts, key=lambda name: parts[name])
        if parts[largest] > _LARGER_PART * parts["training"] and not unfit:
            return largest
        if self.still_fell:
            return "training_too_short"
        missed_by_map = self.training > _HYPERNETWORK * self.training_fit
        if missed_by_map and not self.with_equation:
            return "hypernetwork_too_small"
        return "network_too_small"

    @property
    def fast(self) -> bool:
        """Whether the latent state moves too fast for the training times, as far as they tell."""
        return self.left_out > max(_FAST, _FASTER_THAN_TRAINING * self.training)


def advise(levels: Levels, solution: GalerkinSolution | None) -> str:
    """What the verdict rests on and what mends it, in a few sentences."""
    text = _ADVICE[levels.verdict](levels)
    if levels.verdict == "path" and solution is not None:
        text += "  " + _cure_of_path(solution)
    if levels.fast and levels.verdict not in ("times", "training_too_short"):
        text += (
            f"  The latent state also moves fast: its interpolation from every second training "
            f"time has an error of {levels.left_out:.2g}.  The error may be larger between the "
            "training times; finer output times help."
        )
    return text


def _of_training(levels: Levels) -> str:
    error, of = levels.training, "the regressor"
    if levels.with_equation:
        error, of = min(levels.training, levels.training_fit), "the best fit"
    return f"The error of {of} on the training snapshots is already {error:.2g}"


def _too_short(levels: Levels) -> str:
    return (
        f"{_of_training(levels)}, and it still fell when the training ended.  Raise `max_iter` or "
        "`max_time`."
    )


def _network(levels: Levels) -> str:
    return f"{_of_training(levels)}, and it had stopped falling.  {_NETWORK}"


def _hypernetwork(levels: Levels) -> str:
    return (
        f"{_of_training(levels)}, although the network can represent them with an error of "
        f"{levels.training_fit:.2g}.  The hypernetwork does not hold the latent states.  Raise "
        "`hyper_width` or `hyper_depth`, or try another `parameter_scale`."
    )


def _manifold(levels: Levels) -> str:
    return (
        f"The fields that the network can represent are {levels.best_fit:.2g} away from the unseen "
        f"snapshots, but {levels.training_fit:.2g} from the training snapshots.  Train on more "
        "trajectories, near these parameters, where `suggest` says.  With an "
        "equation, `CoLoRAGalerkin.refine` teaches the network the "
        "solutions at these parameters."
    )


def _map(levels: Levels) -> str:
    return (
        f"The network can represent the unseen snapshots with an error of {levels.best_fit:.2g}, "
        f"but the latent states that the hypernetwork predicts give {levels.prediction:.2g}.  "
        "Train on more trajectories, or try another `parameter_scale`.  With an equation, "
        "`CoLoRAGalerkin` finds the latent states without the hypernetwork, and its "
        "`distill` teaches them to one."
    )


def _times(levels: Levels) -> str:
    return (
        f"The error is {levels.prediction:.2g} at the training times, but {levels.between:.2g} "
        "between them.  Train on finer output times."
    )


def _path(levels: Levels) -> str:
    return (
        f"The network can represent the unseen snapshots with an error of {levels.best_fit:.2g}, "
        f"but the path of the equation gives {levels.prediction:.2g}."
    )


_ADVICE = {
    "training_too_short": _too_short,
    "network_too_small": _network,
    "hypernetwork_too_small": _hypernetwork,
    "manifold": _manifold,
    "map": _map,
    "times": _times,
    "path": _path,
}


def _cure_of_path(solution: GalerkinSolution) -> str:
    """The cause of a wrong path, by the diagnostics of the solution."""
    for status in Status:
        if status != Status.SUCCESS and (solution.status == status.name.lower()).any():
            return f"A trajectory {status.advice}."
    n_latent = solution.latent.shape[2]
    rank = float(np.nanmin(solution.effective_rank))
    outside = float(np.nanmax(solution.outside))
    residual = float(np.nanmax(solution.residual))
    if rank < _LOW_RANK * n_latent:
        return (
            f"Only {rank:.2g} of {n_latent} latent directions change the field.  Use more "
            "collocation points (`n_collocation`), less `regularization` or fewer online weights."
        )
    if outside > _FAR_OUTSIDE:
        return (
            f"The path leaves the box of the training states by {outside:.2g} times its diagonal.  "
            "`refine` the model at these parameters, or train on trajectories nearer to them."
        )
    if residual > _LARGE_RESIDUAL:
        return (
            f"The latent state cannot follow the equation: the relative residual is up to "
            f"{residual:.2g}.  `refine` the model at these parameters, or give the regressor more "
            "online weights."
        )
    return (
        f"The relative residual is at most {residual:.2g}, so that the path follows the equation "
        "at the collocation points.  Use more collocation points (`n_collocation`), less "
        "`regularization` or a smaller `rtol`, and check that the snapshots solve this equation."
    )
