"""Least squares of one time: exact, smooth in J, without squaring its condition number."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skcolora._galerkin._tikhonov import solve_least_squares


def random(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6), st.integers(1, 12))
def test_agrees_with_ridge_regression_in_closed_form(seed, n_latent, n_rows):
    J, f = random(3, n_rows, n_latent, seed=seed), random(3, n_rows, seed=seed + 1)
    found = solve_least_squares(J, f, 0.1)
    for i in range(3):
        A, b = J[i].numpy(), f[i].numpy()
        ridge = (0.1 * np.linalg.norm(A, 2)) ** 2
        expected = np.linalg.solve(A.T @ A + ridge * np.eye(n_latent), A.T @ b)
        assert np.allclose(found.solution[i], expected, atol=1e-9)
        assert np.isclose(found.residual[i], np.linalg.norm(A @ expected - b), atol=1e-9)
        assert np.isclose(found.size[i], np.linalg.norm(b))


def test_the_condition_number_is_not_squared():
    """Where the normal equations in float64 would have no digit left."""
    U = torch.linalg.qr(random(1, 40, 4)).Q
    V = torch.linalg.qr(random(1, 4, 4, seed=1)).Q
    sigma = torch.tensor([1.0, 1e-3, 1e-7, 1e-10], dtype=torch.float64)
    J, expected = U * sigma @ V.mT, random(1, 4, seed=2)
    found = solve_least_squares(J, (J @ expected[:, :, None])[:, :, 0], 1e-14)
    assert torch.allclose(found.solution, expected, atol=1e-4)
    assert np.isclose(found.condition[0], 1e10, rtol=1e-4)
    assert np.isclose(found.effective_rank[0], 4)
    assert found.residual[0] < 1e-14


def test_smooth_where_a_singular_value_passes_through_the_regularization():
    """The solution changes by no more than 1 / λ allows; a cut in the rank would jump."""
    steps = torch.linspace(-1e-3, 1e-3, 201, dtype=torch.float64)
    J = torch.diag_embed(torch.stack([torch.ones_like(steps), 1e-3 + steps], dim=1))
    f = torch.tensor([1.0, 1e-3], dtype=torch.float64).expand(len(steps), 2)
    solution = solve_least_squares(J, f, 1e-3).solution
    assert solution.diff(dim=0).abs().max() < 2 * float(steps[1] - steps[0]) / 1e-3
    assert torch.isfinite(solution).all()


def test_a_jacobian_of_zeros_and_a_field_at_rest():
    zero = solve_least_squares(torch.zeros(1, 5, 2), torch.zeros(1, 5), 1e-8)
    assert torch.equal(zero.solution, torch.zeros(1, 2))
    assert zero.residual[0] == 0


def test_what_is_not_finite_stays_with_its_trajectory():
    J, f = random(3, 8, 2), random(3, 8, seed=1)
    alone = solve_least_squares(J[2:], f[2:], 1e-8)
    f[0, 3], J[1, 0, 0] = torch.nan, torch.inf
    found = solve_least_squares(J, f, 1e-8)
    assert torch.isnan(found.solution[:2]).all()
    assert torch.isnan(found.residual[:2]).all()
    assert torch.allclose(found.solution[2:], alone.solution)
