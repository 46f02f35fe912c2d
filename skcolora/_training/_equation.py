"""Training phase on the residual of the equation, with natural-gradient steps."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel, Factor, SpaceTimeJet, SpaceTimeModel, jet_jacobian
from skcolora._snapshots import Array, Units
from skcolora._training._boundary_sample import BoundarySample, BoundarySampler
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._phase import batch_shape
from skcolora._training._sampling import Batch, SnapshotSampler
from skcolora._training._spring import SPRING
from skcolora.pdes import PDE
from skcolora.pdes._boundary import boundary_sides, fixed_values
from skcolora.pdes._trial import used_derivatives
from skcolora.utils._torch import as_tensor


class _KnownPoints(NamedTuple):
    """Points with known fields."""

    inputs: Tensor
    """Scaled inputs of the hypernetwork, (n, n_parameters + 1)"""
    x: Tensor
    """Scaled coordinates, (n, n_dims)"""
    u: Tensor
    """Known scaled fields, (n, n_fields)"""
    weights: Tensor
    """Weights of the errors, (n, n_fields)"""


class _CollocationPoints(NamedTuple):
    """Collocation points, where the residual of the equation is minimised.

    ``inputs``, ``x`` and ``weights`` are as in `_KnownPoints`.
    """

    inputs: Tensor
    x: Tensor
    t: Tensor
    """Times in the user's unit, (n,)"""
    points: Tensor
    """Coordinates in the user's unit, (n, n_dims)"""
    mu: Tensor
    """Parameters of the equation, (n, n_parameters)"""
    stretch: Tensor
    """Derivative of the time in the coordinate that the network sees, (n,)"""
    given: Tensor
    """Whether a boundary condition gives the value at the point, (n, n_fields)"""
    weights: Tensor
    batch: Batch
    """Batch from which the points were taken"""


class Sample(NamedTuple):
    """Random points of one training step."""

    known: _KnownPoints
    collocation: _CollocationPoints
    boundary: BoundarySample


class _PointField:
    """A `skcolora.pdes.Field` in the user's units from given derivatives of scaled fields.

    The arrays have shape (components, n).
    """

    xp: Any = torch

    def __init__(
        self,
        points: Tensor,
        jet: SpaceTimeJet,
        center: Tensor,
        scale: Tensor,
        orders: tuple[tuple[int, ...], ...],
    ) -> None:
        self.points = points.T
        self._higher, self._orders = (scale * jet.higher).permute(1, 2, 0), orders
        self.value, self.laplacian = (center + scale * jet.value).T, (scale * jet.laplacian).T
        self.grad = (scale * jet.grad).permute(1, 2, 0)

    def derivative(self, *orders: int) -> Tensor:
        return self._higher[self._orders.index(orders)]


class EquationPhase:
    """Natural-gradient steps (`SPRING`) on known fields, the equation and its boundary conditions.

    The known fields are the initial fields, and the fields of the network at the parameters of its
    training.  The residual is ``τ (∂_c û - t'(c) f(t, x, û; μ))`` in the coordinate c of time that
    the network sees, so that each decade counts alike where this is a logarithm; the duration τ
    gives the residual the unit of a field.  Points are drawn as in `NaturalGradientPhase`: more
    points where the fields of the network are large and where its residual has been large.

    Parameters
    ----------
    model : CoLoRAModel
        Model in float64.
    pde : PDE
    units : Units
        Units of the model.
    X, inputs : ndarray of shape (n, n_parameters)
        Parameters of the equation, and the same parameters as inputs of the hypernetwork.
    fields : SnapshotSampler
        Sampler of the network's scaled fields at these parameters.  The inputs of its batches are
        the row of the parameter in X and the scaled time; the scaled times are evenly spaced, and
        the first one is that of the time 0.
    trained : SnapshotSampler
        Sampler of the network's scaled fields at the parameters of its training.
    """

    dtype = torch.float64
    max_rise = NaturalGradientPhase.MAX_RISE
    # τ as a share of the duration in which the field changes by its own norm.
    TIME_SHARE = 0.5
    # Numbers of field values of a step: of the network's fields, of the initial fields, and at
    # collocation points; and number of points on the boundary.
    N_TRAINED, N_INITIAL, N_COLLOCATION, N_BOUNDARY = 256, 128, 512, 64

    def __init__(
        self,
        model: CoLoRAModel,
        pde: PDE,
        units: Units,
        X: Array,
        inputs: Array,
        *,
        fields: SnapshotSampler,
        trained: SnapshotSampler,
    ) -> None:
        self.model, self.pde, self._fields, self._trained = model, pde, fields, trained
        self._units = units
        self._mu, self._inputs = as_tensor(X), as_tensor(units.parameters.apply(inputs))
        self._field_center, self._field_scale, self._field_slope = (
            as_tensor(entry)
            for entry in (units.fields.center, units.fields.scale, units.fields.slope)
        )
        self._jets = SpaceTimeModel(
            model,
            slopes=as_tensor(units.points.slope),
            time_slope=float(units.times.affine.slope[0]),
            orders=used_derivatives(pde, X[0]),
        )
        points = units.points.invert(fields.points.double().numpy())
        self._sides = boundary_sides(pde)
        self._boundary = BoundarySampler(pde, units, self._mu, self._inputs, points)
        times = fields.inputs[:, 1].unique()
        self._first_time, self._last_time = float(times[0]), float(times[-1])
        self._time_step = (self._last_time - self._first_time) / max(len(times) - 1, 1)
        end = float(units.times.affine.invert(self._last_time)[0])
        duration = end - float(units.times.coordinate.apply(0.0))
        sample = self.draw(8)
        jet = self._jets(sample.collocation.inputs, sample.collocation.x)
        weights = sample.collocation.weights
        sizes = ((weights * part).norm().detach() for part in (jet.value, jet.rate))
        value, rate = map(float, sizes)
        # If the fields do not change in time, τ is the whole range.
        self._tau = min(self.TIME_SHARE * value / rate if rate else math.inf, duration)
        # A condition that the network does not resolve counts as much as the equation, at most.
        equation_residual = self._equation_residual(jet, sample.collocation).detach()
        on_boundary = sample.boundary.residual(
            self._jets(sample.boundary.inputs, sample.boundary.x)
        ).norm()
        violation = float((weights * equation_residual).norm() / on_boundary.detach().clamp(1e-300))
        self._boundary.factor = min(violation, 1.0)

    def restart(self) -> None:
        self._optimizer = SPRING(self.model.parameters())

    def state(self) -> dict[str, Any]:
        raise NotImplementedError("A refinement has no checkpoints.")

    def resume(self, state: dict[str, Any]) -> None:
        raise NotImplementedError("A refinement has no checkpoints.")

    def draw(self, multiple: int = 1) -> Sample:
        """Draw the points of a step, or a multiple of their number."""
        shapes = [
            batch_shape(self._fields, multiple * n, n_points)
            for n, n_points in ((self.N_TRAINED, 16), (self.N_INITIAL, 16), (self.N_COLLOCATION, 8))
        ]
        trained = self._trained.draw(*shapes[0], self.dtype)
        initial = self._fields.draw(*shapes[1], self.dtype, time_share=0.0)
        collocation = self._fields.draw(*shapes[2], self.dtype)
        units = self._units
        initial_values = [
            units.fields.apply(
                self.pde.initial_value(units.points.invert(x.numpy()).T, mu.numpy()).T
            )
            for x, mu in zip(initial.x, self._mu[initial.inputs[:, 0].long()], strict=True)
        ]
        parts = [self._flatten_batch(trained), self._flatten_batch(initial)]
        u = torch.cat([trained.u.flatten(0, 1), as_tensor(np.concatenate(initial_values))])
        inputs, x, weights, _ = (torch.cat(pair) for pair in zip(*parts, strict=True))
        known = _KnownPoints(inputs, x, u, weights)
        # Random times between those of the sampler; the points are drawn for the nearest one.
        generator = self._fields.generator
        shift = torch.rand(len(collocation.x), dtype=self.dtype, generator=generator) - 0.5
        time = (collocation.inputs[:, 1] + self._time_step * shift).clamp(
            self._first_time, self._last_time
        )
        inputs, x, weights, parameter_index = self._flatten_batch(
            collocation._replace(inputs=torch.stack([collocation.inputs[:, 0], time], 1))
        )
        points = units.points.invert(x.numpy())
        t = units.times.invert(inputs[:, -1:].numpy())[:, 0]
        stretch = as_tensor(units.times.coordinate.stretch(t))
        given = torch.from_numpy(fixed_values(self._sides, points).T)
        mu = self._mu[parameter_index]
        span = self._first_time, self._last_time
        return Sample(
            known,
            _CollocationPoints(
                inputs, x, as_tensor(t), as_tensor(points), mu, stretch, given, weights, collocation
            ),
            self._boundary.draw(multiple * self.N_BOUNDARY, span, generator),
        )

    def _flatten_batch(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs, coordinates, weights and row of the parameter, for each point of a batch."""
        parameter_index = batch.inputs[:, 0].long()
        inputs = torch.cat([self._inputs[parameter_index], batch.inputs[:, 1:]], 1)
        n = batch.x.shape[1]
        weights = batch.weights / math.sqrt(len(batch.x))
        return (
            inputs.repeat_interleave(n, 0),
            batch.x.flatten(0, 1),
            weights.flatten(0, 1),
            parameter_index.repeat_interleave(n),
        )

    def _equation_residual(self, jet: SpaceTimeJet, collocation: _CollocationPoints) -> Tensor:
        """Residual ``τ (∂_c û - t'(c) f)`` of the equation in scaled fields, (n, n_fields)."""
        field: Any = _PointField(
            collocation.points, jet, self._field_center, self._field_scale, self._jets.orders
        )
        f = self._field_slope * self.pde.rate(collocation.t, field, collocation.mu.T).T  # type: ignore[arg-type]
        gap = self._tau * (jet.rate - collocation.stretch.unsqueeze(1) * f)
        return torch.where(collocation.given, 0.0, gap)

    @torch.no_grad()
    def residual(self, sample: Sample) -> Tensor:
        """Weighted errors and residuals; the sum of squares is a squared relative error."""
        known, collocation, boundary = sample
        value = self._jets(known.inputs, known.x).value
        jet = self._jets(collocation.inputs, collocation.x)
        on_boundary = boundary.residual(self._jets(boundary.inputs, boundary.x))
        return _rows(sample, value, self._equation_residual(jet, collocation), on_boundary)

    @torch.no_grad()
    def linearize(self, sample: Sample) -> tuple[Tensor, list[Factor], Tensor]:
        """`residual`, its Jacobian, and the residual of the equation, (n, n_fields)."""
        known, collocation, boundary = sample
        value = self._jets(known.inputs, known.x).value
        on_boundary = boundary.residual(self._jets(boundary.inputs, boundary.x))
        jet = self._jets(collocation.inputs, collocation.x)
        jet = SpaceTimeJet(*(t.requires_grad_() for t in jet))
        with torch.enable_grad():
            equation_residual = self._equation_residual(jet, collocation)
            # The points are independent, so the gradient of the sum holds those of all points.
            sums = (collocation.weights * equation_residual).sum(0)
            jet_sensitivities = [
                torch.autograd.grad(component, jet, retain_graph=True, materialize_grads=True)
                for component in sums
            ]
        equation_residual = equation_residual.detach()
        r = _rows(sample, value, equation_residual, on_boundary)
        n_fields = known.weights.shape[1]
        rows = [
            *(_row(jet, i, value=known.weights) for i in range(n_fields)),
            *jet_sensitivities,
            *(
                _row(jet, i, value=boundary.value_factor, grad=boundary.grad_factor)
                for i in range(n_fields)
            ),
        ]
        sensitivity = SpaceTimeJet(*map(torch.cat, zip(*rows, strict=True)))
        inputs, x = (
            torch.cat([group for group in groups for _ in range(n_fields)])
            for groups in (
                [known.inputs, collocation.inputs, boundary.inputs],
                [known.x, collocation.x, boundary.x],
            )
        )
        return r, jet_jacobian(self._jets, inputs, x, sensitivity), equation_residual

    def step(self, progress: float, step_factor: float) -> Tensor:
        sample = self.draw()
        r, factors, equation_residual = self.linearize(sample)
        batch = sample.collocation.batch
        self._fields.learn(batch, equation_residual.reshape(batch.u.shape))
        step_size = NaturalGradientPhase.step_size(progress, step_factor)
        self._optimizer.step(factors, r, step_size, lambda: self.residual(sample))
        return r.norm()


def _rows(sample: Sample, value: Tensor, equation_residual: Tensor, on_boundary: Tensor) -> Tensor:
    """Weighted errors of the known fields, and residuals of the equation and of the boundary
    conditions, field by field."""
    error = sample.known.weights * (value - sample.known.u)
    weighted_residual = sample.collocation.weights * equation_residual
    return torch.cat([error.T.flatten(), weighted_residual.T.flatten(), on_boundary.T.flatten()])


def _row(
    like: SpaceTimeJet, i: int, *, value: Tensor, grad: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Factors of a jet whose sum gives the row of field i, from factors (n, ..., n_fields)."""
    only = torch.eye(value.shape[-1], dtype=value.dtype)[i]
    zeros = SpaceTimeJet(*(value.new_zeros(len(value), *part.shape[1:]) for part in like))
    found = zeros._replace(value=value * only)
    return found if grad is None else found._replace(grad=grad * only)
