"""Devices, precisions and conversion of numpy arrays to torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def resolve_device(device: str) -> torch.device:
    """Torch device for the parameter ``device`` of an estimator.

    Raises ValueError if this machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f"`device` must be 'auto' or a torch device of this machine, such as 'cpu' or "
            f"'cuda'; got {device!r} ({str(error).splitlines()[0]})."
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
