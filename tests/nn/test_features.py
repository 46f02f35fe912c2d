"""What the hypernetwork sees: parameters, their products with the time, and the time."""

import pytest
import torch
from torch.func import jvp

from skcolora._nn import evaluate_latent
from skcolora._nn._hypernetwork import Hypernetwork, feature_rates, features
from skcolora._nn._space_time import _latent_and_rate


def some(n_parameters, *shape):
    options = {"generator": torch.Generator().manual_seed(1), "dtype": torch.float64}
    return torch.randn(*(shape or (7,)), n_parameters + 1, **options)


def hypernetwork(n_parameters, depth=3):
    generator = torch.Generator().manual_seed(0)
    made = Hypernetwork(n_parameters + 1, 4, width=5, depth=depth, generator=generator).double()
    for bias in made.biases:
        torch.nn.init.normal_(bias, generator=generator)
    return made


def test_features_of_two_parameters():
    found = features(torch.tensor([[2.0, -3.0, 0.5], [1.0, 0.0, -4.0]]))
    expected = [[2.0, -3.0, 1.0, -1.5, 0.5], [1.0, 0.0, -4.0, 0.0, -4.0]]
    assert torch.equal(found, torch.tensor(expected))


def test_features_without_parameters_are_the_time():
    time = some(0)
    assert torch.equal(features(time), time)
    assert torch.equal(feature_rates(time), torch.ones_like(time))


@pytest.mark.parametrize("shape", [(7,), (2, 3)])
@pytest.mark.parametrize("n_parameters", [1, 3])
def test_rates_are_the_derivatives_in_time(n_parameters, shape):
    inputs = some(n_parameters, *shape)
    direction = torch.zeros_like(inputs)
    direction[..., -1] = 1
    values, exact = jvp(features, (inputs,), (direction,))
    assert values.shape == (*shape, 2 * n_parameters + 1)
    assert torch.equal(feature_rates(inputs), exact)
    # The features are linear in time, so that finite differences have no truncation error.
    difference = features(inputs + direction) - features(inputs)
    torch.testing.assert_close(feature_rates(inputs), difference, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_rate_of_the_latent_state(depth):
    model, inputs = hypernetwork(2, depth), some(2)
    direction = torch.zeros_like(inputs)
    direction[..., -1] = 0.3
    value, exact = jvp(model, (inputs,), (direction,))
    latent, rate = _latent_and_rate(model, inputs, 0.3)
    torch.testing.assert_close(latent, value, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(rate, exact, rtol=1e-12, atol=1e-12)
    step = 1e-4 * direction
    difference = (model(inputs + step) - model(inputs - step)) / 2e-4
    torch.testing.assert_close(rate, difference, rtol=1e-7, atol=1e-8)


def test_a_parameter_can_set_the_speed_of_a_process():
    """One linear layer holds (1 + 2 μ) t."""
    model = hypernetwork(1, depth=1)
    with torch.no_grad():
        model.weights[0].copy_(torch.tensor([[0.0], [2.0], [1.0]]).expand(3, 4))
        model.biases[0].zero_()
    inputs = some(1)
    expected = (1 + 2 * inputs[:, :1]) * inputs[:, 1:]
    torch.testing.assert_close(model(inputs), expected.expand(7, 4), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n_parameters", [0, 1, 3])
@pytest.mark.parametrize("depth", [1, 3])
def test_weights_of_the_first_layer(n_parameters, depth):
    known = hypernetwork(n_parameters, depth)
    assert known.weights[0].shape[0] == 2 * n_parameters + 1
    assert known.n_inputs == n_parameters + 1


def test_evaluation_for_predictions_sees_the_same_features():
    model, inputs = hypernetwork(2), some(2, 3, 6)
    torch.testing.assert_close(
        evaluate_latent(model, inputs), model(inputs), rtol=1e-13, atol=1e-13
    )
