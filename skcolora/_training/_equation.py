"""The phase of training that learns from the equation: natural gradient on its residual."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skcolora._nn import CoLoRAModel, Factor, SpaceTimeJet, SpaceTimeModel, jet_jacobian
from skcolora._snapshots import Array
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._phase import batch_shape
from skcolora._training._sampling import Batch, SnapshotSampler
from skcolora._training._spring import SPRING
from skcolora.pdes import PDE
from skcolora.utils._torch import as_tensor


class _Known(NamedTuple):
    """Points where the field is known."""

    inputs: Tensor
    """(n, n_parameters + 1)"""
    x: Tensor
    """(n, n_dims)"""
    u: Tensor
    """(n, n_fields)"""
    weights: Tensor
    """(n, n_fields)"""


class _Free(NamedTuple):
    """Points where the equation is to hold, as in `_Known`."""

    inputs: Tensor
    x: Tensor
    mu: Tensor
    """Parameters of the equation, (n, n_parameters)"""
    fixed: Tensor
    """Whether the boundary value is prescribed there, (n,)"""
    weights: Tensor
    batch: Batch
    """What they were drawn as"""


class Sample(NamedTuple):
    """What a step sees."""

    known: _Known
    free: _Free


class _PointField:
    """A `skcolora.pdes.Field` given by its derivatives, (components, n)."""

    xp: Any = torch

    def __init__(self, x: Tensor, jet: SpaceTimeJet) -> None:
        self.points = x.T
        self.value, self.laplacian = jet.value.T, jet.laplacian.T
        self.grad = jet.grad.permute(1, 2, 0)


class EquationPhase:
    """SPRING on what is known of the fields, and on ``τ (∂ₜû - f(t, x, û; μ))``.

    Known are the initial fields, and the fields that the network gave at the parameters it
    was trained on.  τ makes the residual a distance: a share of the time in which the field
    changes by as much as itself.  Points are drawn as in `NaturalGradientPhase`, where the
    network's fields are large and where the equation has been violated.

    Parameters
    ----------
    model : CoLoRAModel
        In float64.
    pde : PDE
    X, inputs : ndarray of shape (n, n_parameters)
        Parameters of the equation, and as the hypernetwork takes them.
    fields : SnapshotSampler
        Of the network's fields at these parameters.  Its inputs are the index of the
        parameter and the time, evenly spread from 0 on.
    trained : SnapshotSampler
        Of the fields at the parameters trained on.
    """

    dtype = torch.float64
    max_rise = NaturalGradientPhase.max_rise
    TIME_SHARE = 0.5  # τ, of the time in which the field changes by as much as itself
    N_TRAINED, N_INITIAL, N_FREE = 256, 128, 512  # rows of a step

    def __init__(
        self,
        model: CoLoRAModel,
        pde: PDE,
        X: Array,
        inputs: Array,
        *,
        fields: SnapshotSampler,
        trained: SnapshotSampler,
    ) -> None:
        self.model, self.pde, self._fields, self._trained = model, pde, fields, trained
        self._mu, self._inputs = as_tensor(X), as_tensor(inputs)
        self._jets = SpaceTimeModel(model)
        times = fields.inputs[:, 1].unique()
        self._end, self._gap = float(times[-1]), float(times[-1]) / max(len(times) - 1, 1)
        sample = self.draw(8)
        jet = self._jets(sample.free.inputs, sample.free.x)
        weights = sample.free.weights
        sizes = ((weights * part).norm().detach() for part in (jet.value, jet.rate))
        value, rate = map(float, sizes)
        # What does not move at all is to stay so all the time.
        self._tau = min(self.TIME_SHARE * value / rate if rate else math.inf, self._end)

    def restart(self) -> None:
        self._optimizer = SPRING(self.model.parameters())

    def draw(self, times: int = 1) -> Sample:
        """Points of a step, or several times as many."""
        shapes = [
            batch_shape(self._fields, times * n, n_points)
            for n, n_points in ((self.N_TRAINED, 16), (self.N_INITIAL, 16), (self.N_FREE, 8))
        ]
        trained = self._trained.draw(*shapes[0], self.dtype)
        initial = self._fields.draw(*shapes[1], self.dtype, reach=0.0)
        free = self._fields.draw(*shapes[2], self.dtype)
        start = torch.stack(
            [
                as_tensor(self.pde.initial_value(x.T.numpy(), mu.numpy())).T
                for x, mu in zip(initial.x, self._mu[initial.inputs[:, 0].long()], strict=True)
            ]
        )
        parts = [self._spread(trained), self._spread(initial)]
        u = torch.cat([trained.u.flatten(0, 1), start.flatten(0, 1)])
        inputs, x, weights, _ = (torch.cat(both) for both in zip(*parts, strict=True))
        known = _Known(inputs, x, u, weights)
        # At any time, with the points of one nearby.
        shift = torch.rand(len(free.x), dtype=self.dtype, generator=self._fields.generator) - 0.5
        time = (free.inputs[:, 1] + self._gap * shift).clamp(0.0, self._end)
        inputs, x, weights, which = self._spread(
            free._replace(inputs=torch.stack([free.inputs[:, 0], time], 1))
        )
        fixed = torch.from_numpy(self.pde.on_boundary(x.numpy()))
        return Sample(known, _Free(inputs, x, self._mu[which], fixed, weights, free))

    def _spread(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs, coordinates, weights and the index of the parameter of each point."""
        which = batch.inputs[:, 0].long()
        inputs = torch.cat([self._inputs[which], batch.inputs[:, 1:]], 1)
        n = batch.x.shape[1]
        weights = batch.weights / math.sqrt(len(batch.x))
        return (
            inputs.repeat_interleave(n, 0),
            batch.x.flatten(0, 1),
            weights.flatten(0, 1),
            which.repeat_interleave(n),
        )

    def _violation(self, jet: SpaceTimeJet, free: _Free) -> Tensor:
        """``τ (∂ₜû - f)``, (n, n_fields)."""
        f = self.pde.rate(free.inputs[:, -1], _PointField(free.x, jet), free.mu.T).T  # type: ignore[arg-type]
        return self._tau * (jet.rate - torch.where(free.fixed.unsqueeze(1), 0.0, f))

    @torch.no_grad()
    def residual(self, sample: Sample) -> Tensor:
        """Weighted rows; their squares sum up to a squared relative error."""
        known, free = sample
        value = self._jets(known.inputs, known.x).value
        return _rows(sample, value, self._violation(self._jets(free.inputs, free.x), free))

    @torch.no_grad()
    def linearize(self, sample: Sample) -> tuple[Tensor, list[Factor], Tensor]:
        """`residual`, its Jacobian, and the violation of the equation, (n, n_fields)."""
        known, free = sample
        value = self._jets(known.inputs, known.x).value
        jet = SpaceTimeJet(*(t.requires_grad_() for t in self._jets(free.inputs, free.x)))
        with torch.enable_grad():
            violation = self._violation(jet, free)
            # Points do not see each other: the sum's derivatives are those of each point.
            sums = (free.weights * violation).sum(0)
            to_jets = [
                torch.autograd.grad(one, jet, retain_graph=True, materialize_grads=True)
                for one in sums
            ]
        violation = violation.detach()
        r = _rows(sample, value, violation)
        n, n_fields = known.weights.shape
        to_values = [
            [known.weights * torch.eye(n_fields, dtype=self.dtype)[i]]
            + [t.new_zeros(n, *t.shape[1:]) for t in jet[1:]]
            for i in range(n_fields)
        ]
        sensitivity = SpaceTimeJet(*map(torch.cat, zip(*to_values, *to_jets, strict=True)))
        inputs = torch.cat([known.inputs] * n_fields + [free.inputs] * n_fields)
        x = torch.cat([known.x] * n_fields + [free.x] * n_fields)
        return r, jet_jacobian(self._jets, inputs, x, sensitivity), violation

    def step(self, progress: float, caution: float) -> Tensor:
        sample = self.draw()
        r, factors, violation = self.linearize(sample)
        loss = r.norm()
        if torch.isfinite(loss):
            batch = sample.free.batch
            self._fields.learn(batch, violation.reshape(batch.u.shape))
            step_size = NaturalGradientPhase.step_size(progress, caution)
            self._optimizer.step(factors, r, step_size, lambda: self.residual(sample))
        return loss


def _rows(sample: Sample, value: Tensor, violation: Tensor) -> Tensor:
    """Weighted errors where the field is known, then violations; field by field."""
    error = sample.known.weights * (value - sample.known.u)
    return torch.cat([error.T.flatten(), (sample.free.weights * violation).T.flatten()])
