"""Devices, precisions, settings of torch, and conversion of numpy arrays to torch."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_P = ParamSpec("_P")
_R = TypeVar("_R")
_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def resolve_device(device: str) -> torch.device:
    """Torch device for the parameter ``device`` of an estimator.

    "auto" is the CPU until times on a card were measured.  Raises ValueError if this machine has no
    such device, or if the device has no double precision, in which the second phase computes.
    """
    try:
        asked = "cpu" if device == "auto" else device
        resolved = torch.empty(0, device=asked, dtype=torch.float64).device
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f"`device` must be 'auto' or a torch device of this machine, such as 'cpu' or "
            f"'cuda', that computes in double precision; got {device!r} "
            f"({str(error).splitlines()[0]})."
        ) from error
    return resolved


def resolve_dtype(dtype: str, like: np.dtype[Any]) -> torch.dtype:
    """Torch dtype for the parameter ``dtype`` of an estimator; "auto" takes that of ``like``."""
    return _DTYPES[str(like) if dtype == "auto" else dtype]


def as_tensor(
    array: NDArray[Any], *, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """Convert an array to a tensor, without a copy if possible."""
    contiguous = np.ascontiguousarray(array)
    if not contiguous.flags.writeable:
        contiguous = contiguous.copy()
    return torch.from_numpy(contiguous).to(device=device, dtype=dtype)


def any_weight(module: torch.nn.Module) -> Tensor:
    """A weight of a module, which has its device and its dtype."""
    return next(module.parameters())


@contextlib.contextmanager
def default_torch_settings() -> Iterator[None]:
    """Context in which torch has the settings that the package relies on.

    Gradients are recorded, inference mode and automatic mixed precision are off, and new tensors
    are on the CPU in float32 where the code does not say otherwise.  The user's settings are
    restored at the end.  A setting that is as required is not touched.  The default dtype is that
    of the whole process, so other threads see float32 too while the context is open.
    """
    with contextlib.ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        if torch.is_autocast_enabled("cpu"):
            stack.enter_context(torch.autocast("cpu", enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        dtype = torch.get_default_dtype()
        if dtype != torch.float32:
            stack.callback(torch.set_default_dtype, dtype)
            torch.set_default_dtype(torch.float32)
        yield


def with_default_torch_settings(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorator that runs a public method in `default_torch_settings`."""

    @functools.wraps(method)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with default_torch_settings():
            return method(*args, **kwargs)

    return wrapper
