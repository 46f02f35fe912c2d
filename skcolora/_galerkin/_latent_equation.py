"""The latent equation: from parameters and initial fields to latent paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skcolora._galerkin._advice import warn_of_drift
from skcolora._galerkin._checks import conserved_densities
from skcolora._galerkin._collocation import Collocation, grid_collocation, grid_quadrature
from skcolora._galerkin._conservation import Conservation
from skcolora._galerkin._diagnosis import diagnose
from skcolora._galerkin._initial_fields import initial_fields
from skcolora._galerkin._integration import (
    Path,
    integrate,
    integrate_fixed,
    integrate_implicit,
)
from skcolora._galerkin._point_choice import choose_collocation
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._solution import GalerkinSolution, Status
from skcolora._galerkin._start import (
    Start,
    TrainedStarts,
    encoding_candidates,
    find_start,
    misfit,
    trained_starts,
    unfitted_start,
)
from skcolora._galerkin._trained_model import TrainedModel
from skcolora._galerkin._trust import Trust
from skcolora._galerkin._weigh_boundary import weigh_boundary
from skcolora._galerkin._whitening import whiten
from skcolora._snapshots import Array
from skcolora.pdes import PDE
from skcolora.utils._deadline import Deadline
from skcolora.utils._torch import any_weight, as_tensor


@dataclass(frozen=True, eq=False)
class LatentEquation:
    """``φ̇ = argmin Σᵢ wᵢ |∂û/∂φ(xᵢ) φ̇ - f(t, xᵢ, û; μ)|²`` and the options of its solution.

    The options ``norm``, ``regularization``, ``conserve``, ``method``, ``rtol``, ``substeps`` and
    ``max_steps`` are those of `CoLoRAGalerkin`.
    """

    pde: PDE
    model: TrainedModel
    collocation: Collocation
    """Collocation points xᵢ and weights wᵢ"""
    trained_starts: TrainedStarts
    """Initial states of the training trajectories"""
    norm: str
    regularization: float
    conserve: Any
    method: str
    rtol: float
    substeps: int
    max_steps: int
    free_output: bool = False
    """Whether all weights of the last layer of the network are online"""
    trust: Trust | None = None
    """What the error indicators of both halves mean; None: it is not known"""

    @property
    def _dtype(self) -> torch.dtype:
        """Precision of predicted fields: the regressor's, or double where integrals are kept."""
        kept = conserved_densities(self.pde, self.conserve)
        return torch.float64 if kept else any_weight(self.model.hypernetwork).dtype

    def projection(self, X: Array) -> Projection:
        """Right-hand side of the latent equation at parameters (n, n_parameters)."""
        return Projection(
            self.model.network,
            self.model.units,
            self.pde,
            as_tensor(X),
            self.collocation,
            self.regularization,
        )

    def start(
        self,
        X: Array,
        known: tuple[Array, Array] | None,
        first_guess: Tensor | None = None,
        deadline: Deadline | None = None,
    ) -> Start:
        """Latent states of the trajectories at time 0.

        Parameters
        ----------
        X : ndarray of shape (n, n_parameters)
        known : (points, fields) or None
            Initial fields from `initial_fields`.  None: no initial fields are known.
        first_guess : Tensor of shape (n, n_latent), optional
            Guesses that are tried before all other guesses.
        deadline : Deadline, optional
            Time limit, after which no further guess is tried.

        Returns
        -------
        start : Start
        """
        projection = self.projection(X)
        with np.errstate(all="ignore"):
            inputs = self.model.transform(X)
        predicted = self.model.latent(inputs, np.zeros(1))[:, 0]
        if known is None:
            return unfitted_start(projection, predicted)
        guesses = [self.trained_starts.guesses(inputs), predicted]
        if first_guess is not None:
            guesses.insert(0, first_guess)
        candidates = [guess.unsqueeze(1) for guess in guesses]
        candidates.append(encoding_candidates(self.model.states).unsqueeze(0))
        return find_start(
            projection,
            known,
            candidates,
            good_defect=self.trained_starts.good_defect(inputs),
            deadline=deadline,
        )

    def integrate(self, X: Array, times: Array, start: Start) -> GalerkinSolution:
        """Latent paths from given initial states, with diagnostics.

        Parameters
        ----------
        X : ndarray of shape (n, n_parameters)
        times : ndarray of shape (n_times,)
        start : Start
            Initial states of the n trajectories.

        Returns
        -------
        solution : GalerkinSolution
        """
        return self.diagnose(X, times, start, self.path(X, times, start))

    def path(self, X: Array, times: Array, start: Start, deadline: Deadline | None = None) -> Path:
        """Latent paths without diagnostics; see `integrate`.

        Trajectories that do not reach the last time before the deadline have the status MAX_TIME.
        """
        projection = self.projection(X)
        densities = conserved_densities(self.pde, self.conserve)
        conservation = None
        if densities:
            quadrature = grid_quadrature(self.pde, self.model.layout.grid)
            conservation = Conservation(densities, quadrature, projection)
            conservation.start(start.latent)
        path = self._path(projection, start.latent, as_tensor(times), conservation, deadline)
        if conservation is not None:
            warn_of_drift(self.pde, X, conservation.failed.numpy(), list(densities))
        return path

    def diagnose(self, X: Array, times: Array, start: Start, path: Path) -> GalerkinSolution:
        """Diagnostics of latent paths; see `integrate`."""
        projection, dtype = self.projection(X), self._dtype
        return diagnose(path, projection, as_tensor(times), start, self.model, dtype=dtype)

    def regressor_solution(
        self, X: Array, times: Array, known: tuple[Array, Array] | None
    ) -> GalerkinSolution:
        """Paths of the hypernetwork, with the diagnostics of solutions of the equation.

        Parameters
        ----------
        X : ndarray of shape (n, n_parameters)
        times : ndarray of shape (n_times,)
        known : (points, fields) or None
            Initial fields from `initial_fields`.
        """
        with np.errstate(all="ignore"):
            inputs = self.model.transform(X)
        states, rates = self.model.moving(inputs, times)
        projection = self.projection(X)
        start = unfitted_start(projection, self.model.latent(inputs, np.zeros(1))[:, 0])
        if known is not None:
            start = start._replace(misfit=misfit(projection, known, start.latent))
        n = len(X)
        none = torch.zeros(n, dtype=torch.long)
        reached = states.new_full((n,), float(times[-1]))
        status = torch.full((n,), Status.REGRESSOR.value)
        path = Path(states, status, reached, none, none)
        at, dtype = as_tensor(times), self._dtype
        return diagnose(path, projection, at, start, self.model, rates, dtype=dtype)

    def expected_errors(
        self, X: Array, solution: GalerkinSolution, regressor: GalerkinSolution
    ) -> Array:
        """Errors that the paths of both halves should have, (2, n); NaN where nothing is known."""
        if self.trust is None:
            return np.full((2, len(X)), np.nan)
        return np.stack(self.trust.expected(self.nodes(X), solution, regressor))

    def whitened(self, X: Array) -> LatentEquation:
        """The equation in the whitened norm, learnt at training parameters (n, n_parameters)."""
        collocation = whiten(self.collocation, self.model, self.pde, X)
        return replace(self, norm="whitened", collocation=collocation)

    def nodes(self, X: Array) -> Array:
        """Scaled parameters, (n, n_inputs)."""
        with np.errstate(all="ignore"):
            return self.model.units.parameters.apply(self.model.transform(X))

    def _path(
        self,
        projection: Projection,
        start: Tensor,
        times: Tensor,
        project: Callable[[Tensor, Tensor], Tensor] | None,
        deadline: Deadline | None,
    ) -> Path:
        if self.method == "RK4":
            return integrate_fixed(
                projection.rate,
                start,
                times,
                grid=as_tensor(self.model.layout.times),
                steps_between=self.substeps,
                project=project,
                max_steps=self.max_steps,
                deadline=deadline,
            )
        adaptive: dict[str, Any] = {
            "error_norm": lambda _, new, lower: projection.distance(new, lower) / self.rtol,
            "project": project,
            "max_steps": self.max_steps,
            "deadline": deadline,
        }
        method = integrate_implicit if self.method == "Rosenbrock" else integrate
        return method(projection.rate, start, times, **adaptive)


def build_equation(
    model: TrainedModel,
    X: Array,
    *,
    pde: PDE,
    rule: str,
    n_points: int | None,
    norm: str,
    free_output: bool,
    rng: np.random.RandomState,
    collocation: Collocation | None = None,
    deadline: Deadline | None = None,
    **options: Any,
) -> LatentEquation:
    """The latent equation of a trained model, with collocation points and starts.

    Parameters
    ----------
    model : TrainedModel
    X : ndarray of shape (n, n_parameters)
        Parameters from which the points are chosen and the starts are encoded.
    pde : PDE
    rule, n_points
        The parameters ``collocation`` and ``n_collocation`` of `CoLoRAGalerkin`.
    norm : {"L2", "H-1", "whitened"}
    free_output : bool
        Whether all weights of the last layer are online.
    rng : RandomState
        Random numbers for the choice of the points.
    collocation : Collocation, optional
        Points and weights that replace the choice.
    deadline : Deadline, optional
        Time limit of the encoding of the starts.
    **options
        Other entries of `LatentEquation`.
    """
    if free_output:
        model = model.with_free_output()
    grid, inputs, mu = model.layout.grid, model.transform(X), as_tensor(X)
    if collocation is None:
        chosen = choose_collocation(
            rule,
            n_points,
            "L2" if norm == "whitened" else norm,
            Projection(model.network, model.units, pde, mu, grid_collocation(pde, grid), 0.0),
            grid,
            as_tensor(model.layout.times),
            model.latent(inputs, model.layout.times),
            rng,
        )
        collocation = weigh_boundary(chosen, model, pde, X)
        if norm == "whitened":
            collocation = whiten(collocation, model, pde, X)
    regularization = options["regularization"]
    starts = trained_starts(
        Projection(model.network, model.units, pde, mu, collocation, regularization),
        initial_fields(pde, model.layout, X, None),
        inputs,
        model.latent(inputs, np.zeros(1))[:, 0],
        model.states,
        deadline,
    )
    return LatentEquation(
        pde=pde,
        model=model,
        collocation=collocation,
        trained_starts=starts,
        norm=norm,
        free_output=free_output,
        **options,
    )
