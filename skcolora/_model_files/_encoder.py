"""A model as a description of plain JSON values, and arrays."""

from __future__ import annotations

import dataclasses
import functools
import math
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from skcolora._model_files._registry import ESTIMATORS, FUNCTIONS, MODULES, RECORDS, import_path
from skcolora.pdes import PDE
from skcolora.pdes._boundary import Side, boundary_sides

# Attributes of estimators that belong to the process: the callbacks of scikit-learn.
_OF_THE_PROCESS = frozenset({"_skl_callbacks", "_parent_callback_ctx"})
# Attributes that every module has.
_OF_ANY_MODULE = frozenset(vars(nn.Module()))


class Encoder:
    """Encodes objects; an object that occurs several times is encoded once.

    JSON values stand for themselves.  Anything else is an object with one key, its kind.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.objects: list[Any] = []
        # The objects are kept, because the numbers of others could become theirs.
        self._numbers: dict[int, tuple[int, Any]] = {}
        self._names: dict[int, tuple[str, Any]] = {}

    def encode(self, value: Any, where: str) -> Any:
        """The description of a value; ``where`` says in messages where it comes from.

        Raises TypeError for a value that cannot be kept in a file.
        """
        if value is None or isinstance(value, (bool, str)) or type(value) is int:
            return value
        if isinstance(value, PurePath):
            return str(value)
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if type(value) in (list, tuple, set):
            entries = sorted(value) if isinstance(value, set) else value
            each = [self.encode(entry, f"{where}[{i}]") for i, entry in enumerate(entries)]
            return {type(value).__name__: each}
        if type(value) is dict:
            pairs = [
                [self.encode(k, where), self.encode(v, f"{where}[{k!r}]")] for k, v in value.items()
            ]
            return {"dict": pairs}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value, where)
        if isinstance(value, torch.Tensor):
            return {"tensor": self._store(value.detach().cpu().numpy(), value)}
        if isinstance(value, np.dtype):
            return {"dtype": value.str}
        if isinstance(value, slice):
            return {"slice": [value.start, value.stop, value.step]}
        if isinstance(value, functools.partial):
            parts = value.func, value.args, value.keywords
            return {"partial": [self.encode(part, where) for part in parts]}
        if any(value is function for function in FUNCTIONS):
            return {"function": value.__name__}
        if isinstance(value, Side):
            return {"side": [self.encode(value.pde, where), _number_of(value, where)]}
        return {"object": self._object(value, where)}

    def _array(self, value: Any, where: str) -> Any:
        array = np.asarray(value)
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        if isinstance(value, np.ma.MaskedArray) or array.dtype.kind not in "fiubmMOU":
            raise TypeError(f"{where} cannot be kept in a file: it is an array of {array.dtype}.")
        if array.dtype.kind in "OU":
            entries = array.ravel().tolist()
            if not all(isinstance(entry, str) for entry in entries):
                raise TypeError(f"{where} cannot be kept in a file: it is an array of objects.")
            return {"strings": [array.dtype.kind, list(array.shape), entries]}
        if array.dtype.kind in "mM":
            return {"dates": [array.dtype.str, self._store(array.view(np.int64), value)]}
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            # The order of the memory decides how sums are rounded.
            return {"transposed": self._store(array.T, value)}
        return {kind: self._store(array, value)}

    def _store(self, array: NDArray[Any], owner: Any) -> str:
        """The name under which an array is kept."""
        if id(owner) not in self._names:
            name = f"{len(self.arrays)}"
            little = array.dtype.newbyteorder("<")
            # Not `ascontiguousarray`, which makes arrays without axes one-dimensional.
            self.arrays[name] = np.array(array, dtype=little, order="C")
            self._names[id(owner)] = name, owner
        return self._names[id(owner)][0]

    def _object(self, value: Any, where: str) -> int:
        if id(value) not in self._numbers:
            number = len(self.objects)
            self._numbers[id(value)] = number, value
            self.objects.append(None)
            self.objects[number] = self._describe(value, where)
        return self._numbers[id(value)][0]

    def _describe(self, value: Any, where: str) -> Any:
        cls = type(value)
        if cls in MODULES:
            return self._module(value, where)
        if cls in RECORDS:
            return {"record": [cls.__name__, self._state(_state_of(value), where)]}
        if cls in ESTIMATORS:
            state = {k: v for k, v in value.__getstate__().items() if k not in _OF_THE_PROCESS}
            return {"estimator": [cls.__name__, self._state(state, where)]}
        if isinstance(value, np.random.RandomState):
            return {"random_state": self.encode(value.get_state(legacy=True), where)}
        if isinstance(value, PDE):
            if "<locals>" in cls.__qualname__:
                raise TypeError(
                    f"{where} cannot be kept in a file: its class {cls.__qualname__} is defined "
                    "in a function; define it in a module."
                )
            return {"equation": [import_path(cls), self._state(_state_of(value), where)]}
        if isinstance(value, BaseEstimator):
            return {"skops": self._store(_with_skops(value, where), value)}
        raise TypeError(
            f"{where} cannot be kept in a file: it is a {cls.__module__}.{cls.__qualname__}."
        )

    def _module(self, module: Any, where: str) -> Any:
        attributes = {k: v for k, v in vars(module).items() if k not in _OF_ANY_MODULE}
        parts = [
            self._state(part, where)
            for part in (attributes, module._parameters, module._buffers, module._modules)
        ]
        return {"module": [type(module).__name__, *parts]}

    def _state(self, state: Any, where: str) -> Any:
        return {key: self.encode(value, f"{where}.{key}") for key, value in state.items()}


def _state_of(value: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return dict(value._asdict())  # type: ignore[attr-defined]
    state: Any = value.__getstate__() if hasattr(type(value), "__getstate__") else vars(value)
    return dict(state or {})


def _number_of(side: Side, where: str) -> int:
    """Place of a part of the boundary among those that the equation names."""
    sides = boundary_sides(side.pde)
    for i, other in enumerate(sides):
        if (side.axis, side.end) == (other.axis, other.end) and side.surface is other.surface:
            return i
    surfaces = [i for i, other in enumerate(sides) if other.surface is not None]
    if side.surface is None or len(surfaces) != 1:
        raise TypeError(
            f"{where} cannot be kept in a file: the equation makes new surfaces in each call; "
            "make them attributes of its class."
        )
    return surfaces[0]


def _with_skops(value: Any, where: str) -> NDArray[np.uint8]:
    try:
        from skops import io
    except ImportError as error:
        raise ImportError(
            f"{where} is a {type(value).__name__}, which the package skops keeps in files: "
            "pip install 'skcolora[files]'."
        ) from error
    return np.frombuffer(io.dumps(value), dtype=np.uint8)
