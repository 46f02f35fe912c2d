"""A card that is simulated on the CPU: tensors that say they are on a device "card".

Each of them holds a tensor of the CPU, with which the operations are computed, so that whole fits
run and give numbers.  As with a real card, tensors of different devices do not meet in an
operation, and everything that brings a value to the host is counted as a wait.
"""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

NAME = "card"
# Operations whose result, or its shape, the host has to know.
_WAITS = {
    "aten::_local_scalar_dense",
    "aten::equal",
    "aten::is_nonzero",
    "aten::masked_select",
    "aten::nonzero",
}
_TRANSFERS = {"aten::_to_copy", "aten::copy_"}


class WrongDeviceError(RuntimeError):
    """Tensors of the card and of the host meet in one operation."""


class OnCard(torch.Tensor):
    """Tensor of the card, which holds a tensor of the CPU."""

    card: SimulatedCard | None = None

    @staticmethod
    def __new__(cls, held, requires_grad=False):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=f"{NAME}:0",
            requires_grad=requires_grad,
        )

    def __init__(self, held, requires_grad=False):
        self.held = held

    def __repr__(self):
        return f"OnCard({self.held!r})"

    @property
    def data(self):
        return self.detach()

    @data.setter
    def data(self, value):
        torch.Tensor.data.__set__(self, value)
        self.held = value.held

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return cls.card.run(func, args, kwargs or {})


class SimulatedCard(TorchDispatchMode):
    """Mode in which the device "card" exists.

    Attributes
    ----------
    n_waits : int
        Number of values and arrays that were brought to the host.
    n_uploads : int
        Number of arrays that were brought to the card.
    n_operations : int
        Number of operations of the card.
    places : collections.Counter
        Where the package waited for the card, or sent arrays to it, and how often.
    """

    def __init__(self):
        super().__init__()
        self.n_waits = self.n_uploads = self.n_operations = 0
        self.places = Counter()

    def _note(self, waits, uploads):
        self.n_waits += waits
        self.n_uploads += uploads
        if waits or uploads:
            inside = [f for f in traceback.extract_stack() if "/skcolora/" in f.filename]
            last = inside[-1] if inside else None
            where = f"{Path(last.filename).name}:{last.name}: {last.line}" if last else "outside"
            self.places["wait" if waits else "upload", where] += 1

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.run(func, args, kwargs or {})

    def run(self, func, args, kwargs):
        """Compute an operation with the tensors of the CPU, and count what it would cost."""
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
        mine = any(isinstance(t, OnCard) for t in tensors)
        asked = kwargs.get("device")
        name = func.name().split(".")[0]
        here = mine if asked is None else torch.device(asked).type == NAME
        if name == "aten::copy_":
            here = isinstance(args[0], OnCard)
        if name in _TRANSFERS:
            self._note(mine and not here, here and not all(isinstance(t, OnCard) for t in tensors))
        elif mine:
            # Only single numbers of the host go to the card with an operation.
            strangers = [tuple(t.shape) for t in tensors if not isinstance(t, OnCard) and t.ndim]
            if strangers:
                raise WrongDeviceError(f"{name} got arrays of the host, of shapes {strangers}.")
            self.n_operations += 1
            self._note(name in _WAITS or (name == "aten::index" and _has_mask(args[1])), False)
        if asked is not None:
            kwargs = {**kwargs, "device": "cpu"}
        held_args, held_kwargs = tree_map(_held, (args, kwargs))
        out = func(*held_args, **held_kwargs)
        if not here:
            return out
        return return_and_correct_aliasing(func, args, kwargs, tree_map(_on_card, out))


def _held(entry):
    return entry.held if isinstance(entry, OnCard) else entry


def _on_card(entry):
    plain = isinstance(entry, torch.Tensor) and not isinstance(entry, OnCard)
    return OnCard(entry) if plain else entry


def _has_mask(indices):
    return any(index is not None and index.dtype == torch.bool for index in indices)


# Torch counts the devices before its first backward pass, and so before the first test.
_setup = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
if _setup is not None:
    _setup(NAME)


@pytest.fixture
def card(monkeypatch):
    """The simulated card, on which ``device="card"`` computes."""
    if _setup is None:
        pytest.skip("this version of torch has no devices that are written in Python")

    class Generator(torch.Generator):
        """The numbers are drawn on the CPU, as everything is computed there."""

        def __new__(cls, device=None):
            return super().__new__(cls)

    monkeypatch.setattr(torch, "Generator", Generator)
    with SimulatedCard() as simulated:
        monkeypatch.setattr(OnCard, "card", simulated)
        yield simulated
