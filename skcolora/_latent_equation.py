"""The equation of the latent state, as a fitted estimator solves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from skcolora._snapshots import Array
from skcolora._unwrap import innermost, transformed
from skcolora.galerkin import (
    Collocation,
    Conservation,
    GalerkinSolution,
    Path,
    Projection,
    Start,
    TrainedStarts,
    diagnose,
    evenly_spread,
    find_start,
    integrate,
    integrate_fixed,
    integrate_implicit,
    unfitted_start,
    warn_of_drift,
)
from skcolora.nn import CoLoRANetwork
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor


@dataclass(frozen=True, eq=False)
class LatentEquation:
    """``φ̇ = argmin Σᵢ wᵢ |∂û/∂φ(xᵢ) φ̇ - f(t, xᵢ, û; μ)|²``, from its starts to its paths."""

    pde: PDE
    regressor: Any
    """The fitted CoLoRARegressor, or what holds it"""
    network: CoLoRANetwork
    """û, in float64"""
    training: Tensor
    """Latent states that the network was trained on, (n_states, n_latent)"""
    collocation: Collocation
    regularization: float
    trained_starts: TrainedStarts
    quadrature: Collocation
    """The points of the conserved integrals"""
    densities: Mapping[str, Callable[[Any], Any]]
    """Those of the quantities to conserve"""
    method: str
    tol: float
    substeps: int
    max_steps: int

    def projection(self, X: Array) -> Projection:
        """The right-hand side of the latent equation at these parameters."""
        return Projection(
            self.network, self.pde, as_tensor(X), self.collocation, self.regularization
        )

    def start(
        self, X: Array, known: tuple[Array, Array] | None, first: Tensor | None = None
    ) -> Start:
        """States at time 0 of trajectories whose initial fields may be known.

        Parameters
        ----------
        X : ndarray of shape (n, n_parameters)
        known : (points, fields) or None
            As `initial_fields` gives them.
        first : Tensor of shape (n, n_latent), optional
            The guesses to try before all others.
        """
        inner, projection = innermost(self.regressor), self.projection(X)
        with np.errstate(all="ignore"):
            inputs = transformed(self.regressor, X)
        predicted = inner._latent(inputs, np.zeros(1))[:, 0].double().cpu()
        if known is None:
            return unfitted_start(projection, predicted)
        guesses = [self.trained_starts.guesses(inputs), predicted]
        if first is not None:
            guesses.insert(0, first)
        candidates = [guess.unsqueeze(1) for guess in guesses]
        candidates.append(evenly_spread(self.training).unsqueeze(0))
        return find_start(projection, known, candidates, good=self.trained_starts.good(inputs))

    def integrate(self, X: Array, times: Array, start: Start) -> GalerkinSolution:
        """The paths that begin at given states, with their diagnostics."""
        projection = self.projection(X)
        conservation = None
        if self.densities:
            conservation = Conservation(self.network, self.densities, self.quadrature, projection)
            conservation.start(start.latent)
        at_times = as_tensor(times)
        path = self._path(projection, start.latent, at_times, conservation)
        if conservation is not None:
            warn_of_drift(self.pde, X, conservation.failed.numpy(), list(self.densities))
        return diagnose(path, projection, at_times, start, self.training)

    def _path(self, projection: Projection, start: Tensor, times: Tensor, project: Any) -> Path:
        if self.method == "RK4":
            return integrate_fixed(
                projection.rate, start, times, steps_between=self.substeps, project=project
            )
        if self.method == "Radau":
            return integrate_implicit(
                projection.rate,
                start,
                times,
                tol=self.tol,
                project=project,
                max_steps=self.max_steps,
            )
        return integrate(
            projection.rate,
            start,
            times,
            error_norm=lambda _, new, lower: projection.distance(new, lower) / self.tol,
            project=project,
            max_steps=self.max_steps,
        )
