"""Levenberg–Marquardt, on problems whose solutions are known."""

import time
from typing import NamedTuple

import torch

from skcolora._training._levenberg_marquardt import _damped_step, levenberg_marquardt
from skcolora.utils._deadline import Deadline


class Circles(NamedTuple):
    """``r = (|x - a| - 1, x₁ - x₂)``: zero at ``a ± (1, 1) / √2`` for a on the line x₁ = x₂."""

    centers: torch.Tensor

    def residual(self, x):
        to = x - self.centers[:, None]
        return torch.stack([to.norm(dim=1) - 1, x[:, 0] - x[:, 1]], dim=1)

    def triangle(self, x):
        to = x - self.centers[:, None]
        first = to / to.norm(dim=1, keepdim=True)
        second = torch.tensor([1.0, -1.0], dtype=x.dtype).expand_as(first)
        Q, R = torch.linalg.qr(torch.stack([first, second], dim=1))
        return R, Q.mT @ self.residual(x).unsqueeze(2)

    def subset(self, chosen):
        return Circles(self.centers[chosen])


def problems(n):
    generator = torch.Generator().manual_seed(0)
    centers = torch.linspace(-3, 3, n, dtype=torch.float64)
    around = torch.rand(n, 2, generator=generator, dtype=torch.float64) + 0.5
    return Circles(centers), centers[:, None] + around


def test_zeros_of_the_residual_are_found():
    problem, start = problems(7)
    found = levenberg_marquardt(problem, start, max_iter=50, tol=0.0)
    expected = problem.centers[:, None] + 0.5**0.5
    torch.testing.assert_close(found.x, expected.expand(-1, 2), rtol=0, atol=1e-12)


def test_the_squared_residual_never_rises():
    problem, start = problems(5)
    history = torch.stack(levenberg_marquardt(problem, start, max_iter=30, tol=0.0).history)
    assert (history.diff(dim=0) <= 0).all()
    torch.testing.assert_close(history[0], problem.residual(start).square().sum(1))


def test_a_problem_does_not_depend_on_the_others():
    problem, start = problems(6)
    together = levenberg_marquardt(problem, start, max_iter=20, tol=1e-10).x
    for i in range(6):
        one = problem.subset(torch.tensor([i]))
        alone = levenberg_marquardt(one, start[[i]], max_iter=20, tol=1e-10).x
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-14)


def test_a_step_does_not_square_the_condition_number():
    """A condition number of 1e10, whose square is beyond float64."""
    generator = torch.Generator().manual_seed(0)
    left, right = (
        torch.linalg.qr(torch.randn(n, 6, generator=generator, dtype=torch.float64)).Q
        for n in (50, 6)
    )
    J = left * torch.logspace(0, -10, 6, dtype=torch.float64) @ right.T
    solution = torch.randn(6, generator=generator, dtype=torch.float64)
    Q, R = torch.linalg.qr(J)
    rotated = (Q.T @ (J @ solution))[None, :, None]
    damping = torch.full((1,), 1e-30, dtype=torch.float64)
    step = _damped_step(R[None], rotated, damping, 0.0)[0]
    torch.testing.assert_close(step, solution, rtol=0, atol=1e-4)


def test_no_step_begins_that_would_exceed_the_time(monkeypatch):
    """Each step takes three seconds of a clock."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    triangle = Circles.triangle

    def slow(problem, x):
        now[0] += 3.0
        return triangle(problem, x)

    monkeypatch.setattr(Circles, "triangle", slow)
    problem, start = problems(4)
    found = levenberg_marquardt(problem, start, max_iter=50, tol=0.0, deadline=Deadline(10.0))
    assert now[0] == 9.0
    expected = levenberg_marquardt(problem, start, max_iter=len(found.history) - 1, tol=0.0)
    assert torch.equal(found.x, expected.x)
