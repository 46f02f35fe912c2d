"""The hypernetwork, and a wider one that starts from it."""

import pytest
import torch

from skcolora._nn._hypernetwork import Hypernetwork, widen


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_widened_hypernetwork_gives_the_same_and_can_learn_more(depth):
    generator = torch.Generator().manual_seed(0)
    known = Hypernetwork(3, 5, width=4, depth=depth, generator=generator).double()
    for bias in known.biases:
        torch.nn.init.normal_(bias, generator=generator)
    wide = widen(known, 7, generator=generator)
    inputs = torch.randn(10, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(wide(inputs), known(inputs), rtol=1e-13, atol=1e-13)
    assert [w.shape[1] for w in wide.weights] == [7] * (depth - 1) + [5]
    wide(inputs).square().sum().backward()
    assert all((weight.grad != 0).any(dim=1).all() for weight in wide.weights[-1:])


def test_a_hypernetwork_of_the_same_width_is_a_copy():
    generator = torch.Generator().manual_seed(0)
    known = Hypernetwork(2, 3, width=4, depth=3, generator=generator)
    copy = widen(known, 4, generator=generator)
    for ours, theirs in zip(copy.parameters(), known.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert ours.data_ptr() != theirs.data_ptr()
