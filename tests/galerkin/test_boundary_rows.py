"""Boundary conditions as rows: derivatives of what a moving state violates."""

import numpy as np
import pytest
import torch

from skcolora import CoLoRARegressor
from skcolora._estimators._unwrap import trained_model
from skcolora._galerkin._boundary_rows import BoundaryRows, boundary_of
from skcolora._galerkin._field import NetworkAtPoints
from skcolora.pdes import PDE, Dirichlet, Neumann, Outflow, Robin

AXES = (np.linspace(0, 2, 9), np.linspace(0, 1, 7))
X, DURATION = np.array([[0.5], [1.5]]), 2.0
LENGTH = 1.0  # half the largest extent


class TwoFields(PDE):
    """Values that move, mixtures, slopes, and one field without a condition."""

    parameter_names, field_names = ("rate",), ("u", "v")
    n_fields, n_dims = 2, 2
    domain, period = ((0.0, 2.0), (0.0, 1.0)), (None, None)
    boundary = (
        (
            Dirichlet(lambda t, points, mu: np.sin(mu[0] * t + points[1])),
            {"u": Robin(2.0, 0.5, lambda t, points, mu: mu[0] * t), "v": Outflow()},
        ),
        (Neumann(0.25), Dirichlet(0.5)),
    )

    def initial(self, points, mu):
        return np.sin(points[0] + mu[0]), np.cos(points[1])

    def rhs(self, t, field, mu):
        return -mu[0] * field.value


class OnlyFunctions(TwoFields):
    """The same numbers, as functions."""

    boundary = (TwoFields.boundary[0], (Neumann(lambda *_: 0.25), Dirichlet(lambda *_: 0.5)))


@pytest.fixture(scope="module")
def model():
    times = np.linspace(0, DURATION, 5)
    y = np.exp(-X[:, :, None, None, None] * times[:, None, None, None]) * np.stack(
        np.meshgrid(np.sin(AXES[0]), np.cos(AXES[1]), indexing="ij"), -1
    )
    regressor = CoLoRARegressor(
        times=times, points=AXES, width=10, depth=3, max_iter=5, random_state=0
    )
    with np.errstate(all="ignore"):
        return trained_model(regressor.fit(X, y), None)


def rows_of(model, pde):
    boundary = boundary_of(pde, model.layout.grid, DURATION)
    mu = torch.from_numpy(X)
    return BoundaryRows(model.network, model.units, pde, mu, boundary), boundary


STATES = torch.tensor([0, 1, 1]), torch.tensor([0.0, 0.7, 1.9], dtype=torch.float64)


def latent_states(model):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(3, model.network.n_latent, generator=generator, dtype=torch.float64)
    return model.states[0, 0] + 0.1 * noise


def violations(model, boundary, latent, times):
    """``(a u + b ∂u/∂n - g) / (|a| + |b| / ℓ)``, row by row, in scaled fields and weighted."""
    out, n_points = [], sum(len(part.points) for part in boundary.parts)
    for part in boundary.parts:
        at = NetworkAtPoints(model.network, model.units, torch.from_numpy(part.points))
        field = at.field(latent)
        shape = (2, len(latent), len(part.points))
        points = np.broadcast_to(part.points.T[:, None], shape)
        mu = X[STATES[0].numpy()].T[..., None]
        a, b, g = map(torch.from_numpy, part.side.terms(times.numpy()[:, None], points, mu))
        normals = torch.from_numpy(part.side.normals(part.points.T))
        slope = torch.einsum("dp,dfsp->fsp", normals, field.grad)
        gap = (a * field.value + b * slope - g) / (a.abs() + b.abs() / LENGTH)
        gap = gap * at.field_slope[:, None, None] / n_points**0.5
        out.append(gap[torch.from_numpy(part.side.constrained)].transpose(0, 1).flatten(1))
    return torch.cat(out, 1)


def test_the_rows_are_derivatives_of_the_violation(model):
    """They differ in their order only, which does not matter for the sum of squares."""
    rows, boundary = rows_of(model, TwoFields())
    latent = latent_states(model)
    J, f = rows.system(*STATES, latent)
    step = 1e-5
    direction = torch.randn(
        latent.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    after, before = (
        violations(model, boundary, latent + sign * step * direction, STATES[1])
        for sign in (1.0, -1.0)
    )
    found = (J @ direction.unsqueeze(2)).squeeze(2)
    expected = (after - before) / (2 * step)
    torch.testing.assert_close(found.sort(1)[0], expected.sort(1)[0], rtol=1e-6, atol=1e-8)
    # The right-hand side: the motion of the condition, and the decay of what is violated.
    later, earlier, now = (
        violations(model, boundary, latent, STATES[1] + shift) for shift in (step, -step, 0.0)
    )
    target = -((later - earlier) / (2 * step) + 10.0 / DURATION * now)
    torch.testing.assert_close(f.sort(1)[0], target.sort(1)[0], rtol=1e-5, atol=1e-6)


def test_numbers_and_functions_give_the_same_rows(model):
    """Numbers are evaluated once, functions in each step."""
    latent = latent_states(model)
    once, each = (
        rows_of(model, pde)[0].system(*STATES, latent) for pde in (TwoFields(), OnlyFunctions())
    )
    for first, second in zip(once, each, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-9)


def test_violations_of_the_parts(model):
    rows, boundary = rows_of(model, TwoFields())
    latent = latent_states(model)
    J, f = rows.system(*STATES, latent)
    rates = torch.ones_like(latent)
    parts = rows.violations(*STATES, latent, rates)
    assert len(parts) == len(boundary.parts) == 4
    total = ((J @ rates.unsqueeze(2)).squeeze(2) - f).square().sum(1).mean()
    assert sum(part**2 for part in parts) == pytest.approx(float(total))
