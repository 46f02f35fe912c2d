"""The equation of the latent state: from parameters and initial fields to latent paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from skcolora._galerkin._advice import warn_of_drift
from skcolora._galerkin._checks import conserved_densities
from skcolora._galerkin._collocation import Collocation
from skcolora._galerkin._conservation import Conservation
from skcolora._galerkin._diagnosis import diagnose
from skcolora._galerkin._integration import (
    Path,
    integrate,
    integrate_fixed,
    integrate_implicit,
)
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._solution import GalerkinSolution
from skcolora._galerkin._start import (
    Start,
    TrainedStarts,
    evenly_spread,
    find_start,
    unfitted_start,
)
from skcolora._galerkin._trained_model import TrainedModel
from skcolora._snapshots import Array
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor


@dataclass(frozen=True, eq=False)
class LatentEquation:
    """``φ̇ = argmin Σᵢ wᵢ |∂û/∂φ(xᵢ) φ̇ - f(t, xᵢ, û; μ)|²``, with all that its solution needs."""

    pde: PDE
    model: TrainedModel
    collocation: Collocation
    """The points xᵢ and weights wᵢ"""
    quadrature: Collocation
    """The points and weights of the conserved integrals"""
    trained_starts: TrainedStarts
    regularization: float
    conserve: Any
    method: str
    rtol: float
    substeps: int
    max_steps: int

    def projection(self, X: Array) -> Projection:
        """The right-hand side of the latent equation at parameters (n, n_parameters)."""
        return Projection(
            self.model.network, self.pde, as_tensor(X), self.collocation, self.regularization
        )

    def start(
        self, X: Array, known: tuple[Array, Array] | None, first: Tensor | None = None
    ) -> Start:
        """States at time 0 of trajectories.

        Parameters
        ----------
        X : ndarray of shape (n, n_parameters)
        known : (points, fields) or None
            The initial fields, as `initial_fields` gives them; None where they are not known.
        first : Tensor of shape (n, n_latent), optional
            The guesses to try before all others.
        """
        projection = self.projection(X)
        with np.errstate(all="ignore"):
            inputs = self.model.transform(X)
        predicted = self.model.latent(inputs, np.zeros(1))[:, 0]
        if known is None:
            return unfitted_start(projection, predicted)
        guesses = [self.trained_starts.guesses(inputs), predicted]
        if first is not None:
            guesses.insert(0, first)
        candidates = [guess.unsqueeze(1) for guess in guesses]
        candidates.append(evenly_spread(self.model.states).unsqueeze(0))
        return find_start(projection, known, candidates, good=self.trained_starts.good(inputs))

    def integrate(self, X: Array, times: Array, start: Start) -> GalerkinSolution:
        """The paths that begin at given states, with their diagnostics."""
        projection = self.projection(X)
        densities = conserved_densities(self.pde, self.conserve)
        conservation = None
        if densities:
            network = self.model.network
            conservation = Conservation(network, densities, self.quadrature, projection)
            conservation.start(start.latent)
        at_times = as_tensor(times)
        path = self._path(projection, start.latent, at_times, conservation)
        if conservation is not None:
            warn_of_drift(self.pde, X, conservation.failed.numpy(), list(densities))
        return diagnose(path, projection, at_times, start, self.model)

    def _path(
        self,
        projection: Projection,
        start: Tensor,
        times: Tensor,
        project: Callable[[Tensor, Tensor], Tensor] | None,
    ) -> Path:
        if self.method == "RK4":
            return integrate_fixed(
                projection.rate, start, times, steps_between=self.substeps, project=project
            )
        if self.method == "Radau":
            return integrate_implicit(
                projection.rate,
                start,
                times,
                rtol=self.rtol,
                project=project,
                max_steps=self.max_steps,
            )
        return integrate(
            projection.rate,
            start,
            times,
            error_norm=lambda _, new, lower: projection.distance(new, lower) / self.rtol,
            project=project,
            max_steps=self.max_steps,
        )
