"""SPRING on problems whose solution is known, and Adam beside that of PyTorch."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from skcolora._nn._layers import Factor
from skcolora._training._adam import Adam
from skcolora._training._spring import SPRING, _solve, _transposed_product, gram


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def random(*shape, generator):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def factors_and_jacobian(generator, n_rows=7):
    """Factors of every kind, and the explicit Jacobian they stand for."""
    W = nn.Parameter(torch.zeros(3, 4, dtype=torch.float64))
    A = nn.Parameter(torch.zeros(2, 4, dtype=torch.float64))
    b = nn.Parameter(torch.zeros(4, dtype=torch.float64))
    c = nn.Parameter(torch.zeros(5, dtype=torch.float64))
    shared = random(n_rows, 4, generator=generator)
    lefts = random(n_rows, 3, generator=generator), random(n_rows, 2, generator=generator)
    plain = random(n_rows, 5, generator=generator)
    factors = [
        Factor(W, lefts[0], shared),
        Factor(A, lefts[1], shared),
        Factor(b, None, shared),
        Factor(c, plain, None),
    ]
    outer = [(left.unsqueeze(2) * shared.unsqueeze(1)).flatten(1) for left in lefts]
    return [W, A, b, c], factors, torch.cat([*outer, shared, plain], dim=1)


@pytest.mark.parametrize("block", [2, 256])
def test_gram_matrix_without_the_jacobian(generator, block):
    _, factors, J = factors_and_jacobian(generator)
    assert torch.allclose(gram(factors, block=block).tril(), (J @ J.T).tril())


@pytest.mark.parametrize("diagonal", [0.0, 1e-300, float("nan"), float("inf")])
def test_a_gram_matrix_without_a_solution_gives_no_step(diagonal):
    r, damping = torch.ones(3, dtype=torch.float64), torch.tensor(1e-6).double()
    assert _solve(diagonal * torch.eye(3).double(), r, damping) is None


def test_damping_is_raised_until_the_gram_matrix_is_definite():
    r, damping = torch.ones(2, dtype=torch.float64), torch.tensor(1e-13).double()
    lower = torch.tensor([[1.0, 0.0], [1.0 + 1e-9, 1.0]], dtype=torch.float64)
    solution = _solve(lower.clone(), r, damping)
    assert torch.isfinite(solution).all()
    assert torch.allclose(solution, r / 2, rtol=1e-5)


def test_a_residual_that_is_not_finite_moves_no_weight(generator):
    parameters, factors, J = factors_and_jacobian(generator)
    before = [p.detach().clone() for p in parameters]
    r = torch.full((len(J),), torch.nan, dtype=torch.float64)
    SPRING(parameters).step(factors, r, 0.5, lambda: r)
    for parameter, old in zip(parameters, before, strict=True):
        assert torch.equal(parameter, old)


@pytest.mark.parametrize("n_rows", [7, 130, 300])
def test_products_with_the_transposed_jacobian(generator, n_rows):
    _, factors, J = factors_and_jacobian(generator, n_rows)
    v = random(n_rows, generator=generator)
    products = [_transposed_product(left, right, v).flatten() for _, left, right in factors]
    assert torch.allclose(torch.cat(products), J.T @ v)


def linear(parameters, factors, r):
    """The residual as a function of the weights, for a problem that is exactly linear."""
    start = [p.detach().clone() for p in parameters]

    def evaluate():
        change = torch.zeros_like(r)
        for parameter, left, right in factors:
            i = next(i for i, p in enumerate(parameters) if p is parameter)
            moved = (parameter - start[i]).detach()
            if left is None or right is None:
                change += (right if left is None else left) @ moved
            else:
                change += ((left @ moved) * right).sum(1)
        return r + change

    return evaluate


@pytest.mark.parametrize("shrinkage", [0.0, 0.6])
def test_spring_follows_its_formulas(generator, shrinkage):
    parameters, factors, J = factors_and_jacobian(generator)
    damping, step, shrunk = 1e-3, 0.1, parameters[:1]
    optimizer = SPRING(parameters, shrunk=shrunk, damping=damping, max_norm=1e9)
    p = theta = torch.zeros(J.shape[1], dtype=torch.float64)
    small = torch.arange(len(theta)) < shrunk[0].numel()
    for n in range(1, 4):
        r = 0.1 * random(len(J), generator=generator)
        evaluate = linear(parameters, factors, r)
        optimizer.step(factors, r, step, evaluate, shrinkage=shrinkage)
        momentum = n / (n + 5)
        q = momentum * p + (1 - momentum) * shrinkage * small * theta
        K = J @ J.T
        trust = damping * min(r.square().sum(), 1.0)
        K = K + trust * K.diagonal().mean() * torch.eye(len(K), dtype=torch.float64)
        p = J.T @ torch.linalg.solve(K, r - J @ q) + q
        theta = theta - step * p
    given = torch.cat([parameter.detach().flatten() for parameter in parameters])
    assert torch.allclose(given, theta, rtol=1e-9, atol=1e-12)


def test_spring_finds_the_smallest_weights_that_explain_the_data(generator):
    """Without shrinkage it stays as far from them as it was."""
    rows, u = random(3, 8, generator=generator), random(3, generator=generator)
    smallest = torch.linalg.pinv(rows) @ u
    start = random(8, generator=generator)

    def distance(shrinkage):
        weight = nn.Parameter(start.clone())
        optimizer = SPRING([weight], shrunk=[weight], damping=1e-8, max_norm=1e9)
        factors = [Factor(weight, rows, None)]
        for _ in range(500):
            r = (rows @ weight - u).detach()
            evaluate = linear([weight], factors, r)
            optimizer.step(factors, r, 0.5, evaluate, shrinkage=shrinkage)
        assert (rows @ weight - u).norm() < 1e-8
        return float((weight - smallest).detach().norm())

    null_space = torch.eye(8).double() - torch.linalg.pinv(rows) @ rows
    assert distance(0.0) == pytest.approx(float((null_space @ start).norm()))
    assert distance(0.5) < 1e-6


def test_spring_never_steps_further_than_allowed(generator):
    parameters, factors, J = factors_and_jacobian(generator)
    r = 1e6 * torch.ones(len(J)).double()
    optimizer = SPRING(parameters, max_norm=2.0)
    optimizer.step(factors, r, 0.5, linear(parameters, factors, r))
    moved = torch.cat([parameter.detach().flatten() for parameter in parameters])
    assert moved.norm() == pytest.approx(1.0)


def test_spring_copes_with_repeated_samples(generator):
    weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    rows = random(1, 3, generator=generator).expand(6, 3)
    factors, r = [Factor(weight, rows, None)], torch.ones(6).double()
    SPRING([weight], damping=1e-16).step(factors, r, 1.0, linear([weight], factors, r))
    assert torch.isfinite(weight).all()
    assert torch.allclose(rows @ -weight, torch.ones(6).double(), rtol=1e-3)


@pytest.mark.parametrize("start", [0.1, 3.0])
def test_spring_shortens_steps_that_the_linear_model_does_not_bear_out(start):
    """Newton's method for arctan(θ) = 0 diverges from 3; shortened steps do not."""
    theta = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    optimizer = SPRING([theta], momentum=0.0, max_norm=1e9)
    for _ in range(60):
        slope = (1 / (1 + theta.detach() ** 2)).unsqueeze(0)
        r = torch.atan(theta).detach()
        optimizer.step([Factor(theta, slope, None)], r, 1.0, lambda: torch.atan(theta).detach())
    assert abs(theta.item()) < 1e-6


def test_spring_lengthens_steps_again_where_the_linear_model_holds():
    theta = nn.Parameter(torch.tensor([50.0], dtype=torch.float64))
    optimizer = SPRING([theta], momentum=0.0, max_norm=1e-3)
    for _ in range(60):
        r, J = theta.detach().clone(), torch.ones(1, 1).double()
        optimizer.step([Factor(theta, J, None)], r, 1.0, lambda: theta.detach())
    assert abs(theta.item()) < 1e-6


def test_spring_stays_where_no_step_can_be_trusted():
    theta = nn.Parameter(torch.ones(1, dtype=torch.float64))
    r, J = theta.detach().clone(), torch.ones(1, 1).double()
    SPRING([theta]).step([Factor(theta, J, None)], r, 1.0, lambda: r * torch.nan)
    assert theta.item() == 1.0


def two_weights():
    return [nn.Parameter(torch.tensor([3.0, -2.0])), nn.Parameter(torch.tensor(0.5))]


def loss_of(weights):
    return (weights[0] ** 2).sum() * (1 + weights[1]) ** 2


def test_adam_is_that_of_pytorch():
    own, known = two_weights(), two_weights()
    optimizer, reference = Adam(own), torch.optim.Adam(known)
    for step in range(20):
        rate = 0.1 / (1 + step)
        reference.param_groups[0]["lr"] = rate
        reference.zero_grad()
        loss_of(known).backward()
        reference.step()
        optimizer.step(loss_of(own), rate)
    torch.testing.assert_close(own, known, rtol=1e-6, atol=0)


def test_adam_continues_from_its_state():
    whole, halves = two_weights(), two_weights()
    optimizer, first = Adam(whole), Adam(halves)
    for each, weights in ((optimizer, whole), (first, halves)):
        for _ in range(3):
            each.step(loss_of(weights), 0.1)
    second = Adam(halves)
    second.resume(first.state())
    for each, weights in ((optimizer, whole), (second, halves)):
        each.step(loss_of(weights), 0.1)
    assert all(torch.equal(a, b) for a, b in zip(whole, halves, strict=True))


def test_adam_ignores_what_is_not_finite_or_not_used():
    weights = two_weights()
    before = [w.detach().clone() for w in weights]
    Adam(weights).step(float("nan") * weights[0].sum(), 0.1)
    assert all(torch.equal(a, b) for a, b in zip(weights, before, strict=True))


def test_a_training_does_not_import_the_compiler_of_pytorch():
    """The import takes seconds, as long as a short training."""
    code = """
import sys
from skcolora import CoLoRARegressor
from skcolora.datasets import make_advection
data = make_advection([0.5, 1.0, 1.5], n_points=16)
CoLoRARegressor(**data.grid, max_iter=4, random_state=0).fit(data.X, data.y).predict(data.X)
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
