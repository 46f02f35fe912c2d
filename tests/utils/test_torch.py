"""Torch settings of the user."""

import inspect

import pytest
import torch

from skcolora.utils._torch import with_default_torch_settings


@with_default_torch_settings
def settings(depth: int = 0) -> tuple:
    """State of torch."""
    if depth:
        return settings(depth - 1)
    new = torch.ones(1, requires_grad=True)
    return (
        new.dtype,
        new.device.type,
        (2 * new).requires_grad,
        new.is_inference(),
        torch.is_autocast_enabled("cpu"),
    )


EXPECTED = (torch.float32, "cpu", True, False, False)


@pytest.fixture
def default_dtype():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def default_device():
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize(
    "context",
    [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)],
)
def test_contexts_are_left_and_entered_again(context, depth):
    with context():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        assert settings(depth) == EXPECTED
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before


def test_defaults_are_set_and_restored(default_dtype, default_device):
    assert settings(1) == EXPECTED
    assert torch.get_default_dtype() == torch.float64
    assert torch.get_default_device().type == "meta"


def test_defaults_are_restored_after_an_error(default_dtype, default_device):
    @with_default_torch_settings
    def fails():
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fails()
    assert torch.get_default_dtype() == torch.float64
    assert torch.get_default_device().type == "meta"


def test_signature_and_docstring_are_kept():
    assert list(inspect.signature(settings).parameters) == ["depth"]
    assert settings.__doc__ == "State of torch."
