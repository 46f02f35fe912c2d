"""Models from their description; nothing is executed that the file contains."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skcolora._model_files._registry import (
    ESTIMATORS,
    FUNCTIONS,
    MODULES,
    RECORDS,
    by_name,
    import_path,
)
from skcolora.pdes import PDE
from skcolora.pdes._boundary import boundary_sides

# Types that skops does not know, but that hold only numbers.
_HARMLESS = "sklearn.gaussian_process.kernels."


_ESTIMATORS, _MODULES, _RECORDS, _FUNCTIONS = map(
    by_name, (ESTIMATORS, MODULES, RECORDS, FUNCTIONS)
)


class ModelFileError(ValueError):
    """Error for a file that is no model of skcolora, is damaged, or names what is not trusted."""


class Decoder:
    """Makes objects from descriptions of `Encoder`.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    objects : list
        Descriptions of the objects that others refer to by their number.
    trusted : iterable of classes and import paths
        Classes of equations, and names of types for skops, that the user trusts.
    """

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], objects: list[Any], trusted: Iterable[Any]
    ) -> None:
        self._arrays, self._descriptions = arrays, objects
        self._trusted = list(trusted)
        self._made: dict[int, Any] = {}
        self._views: dict[tuple[str, str], Any] = {}

    def decode(self, node: Any) -> Any:
        """The value of a description; see `Encoder.encode`."""
        if node is None or isinstance(node, (bool, str, int, float)):
            return node
        if not isinstance(node, dict) or len(node) != 1:
            raise ModelFileError("The description of the model is damaged.")
        ((kind, content),) = node.items()
        if kind not in self._KINDS:
            raise ModelFileError(f"The description of the model names the unknown kind {kind!r}.")
        return self._KINDS[kind](self, content)

    def _object(self, number: int) -> Any:
        if number not in self._made:
            self._made[number] = None  # an object that contains itself
            ((kind, content),) = self._descriptions[number].items()
            self._made[number] = self._OBJECTS[kind](self, content)
        return self._made[number]

    def _state(self, state: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self.decode(node) for key, node in state.items()}

    def _record(self, content: Any) -> Any:
        name, state = content
        cls = _RECORDS[name]
        return _with_state(cls, self._state(state))

    def _estimator(self, content: Any) -> Any:
        name, state = content
        estimator = object.__new__(_ESTIMATORS[name])
        estimator.__setstate__(self._state(state))
        return estimator

    def _module(self, content: Any) -> Any:
        name, attributes, parameters, buffers, modules = content
        module = object.__new__(_MODULES[name])
        nn.Module.__init__(module)
        for key, value in self._state(attributes).items():
            object.__setattr__(module, key, value)
        for key, value in self._state(parameters).items():
            frozen = None if value is None else nn.Parameter(value, requires_grad=False)
            module._parameters[key] = frozen
        module._buffers.update(self._state(buffers))
        for key, value in self._state(modules).items():
            if not isinstance(value, nn.Module):
                raise ModelFileError("The description of a network is damaged.")
            module._modules[key] = value
        return module

    def _equation(self, content: Any) -> Any:
        path, state = content
        cls = next((each for each in self._trusted if _is_named(each, path)), None)
        if cls is None:
            name = path.split(":")[-1]
            raise ModelFileError(
                f"The model solves the equation {path}, whose code is not part of skcolora.  If "
                f"you trust it, import the class and give it: load(path, trusted=[{name}])."
            )
        if isinstance(cls, str):
            module, _, name = path.partition(":")
            cls = functools.reduce(getattr, name.split("."), importlib.import_module(module))
        if not (isinstance(cls, type) and issubclass(cls, PDE)):
            raise ModelFileError(f"{path} is no class of an equation.")
        equation = cls.__new__(cls)
        vars(equation).update(self._state(state))
        return equation

    def _skops(self, name: str) -> Any:
        try:
            from skops import io
        except ImportError as error:
            raise ImportError(
                "The file holds an estimator that the package skops reads: "
                "pip install 'skcolora[files]'."
            ) from error
        data = self._arrays[name].tobytes()
        names = [each if isinstance(each, str) else import_path(each) for each in self._trusted]
        named = set(io.get_untrusted_types(data=data))
        wanted = {name.replace(":", ".") for name in names}
        unknown = sorted(each for each in named - wanted if not each.startswith(_HARMLESS))
        if unknown:
            raise ModelFileError(
                f"The file holds the types {unknown}, which are not trusted.  If you trust them: "
                f"load(path, trusted={unknown})."
            )
        return io.loads(data, trusted=sorted(named))

    def _random_state(self, node: Any) -> Any:
        random_state = np.random.RandomState()
        random_state.set_state(self.decode(node))
        return random_state

    def _tensor(self, name: str) -> torch.Tensor:
        return self._shared("tensor", name, torch.from_numpy)

    def _array(self, name: str) -> NDArray[Any]:
        return self._shared("array", name, np.asarray)

    def _transposed(self, name: str) -> NDArray[Any]:
        return self._shared("transposed", name, np.transpose)

    def _shared(self, kind: str, name: str, make: Callable[[NDArray[Any]], Any]) -> Any:
        """An array that several objects may share, as they did before."""
        if (kind, name) not in self._views:
            self._views[kind, name] = make(np.array(self._arrays[name]))
        return self._views[kind, name]

    def _strings(self, content: Any) -> NDArray[Any]:
        kind, shape, entries = content
        if kind not in ("O", "U") or not all(isinstance(entry, str) for entry in entries):
            raise ModelFileError("The description of an array of text is damaged.")
        return np.array(entries, dtype=object if kind == "O" else str).reshape(shape)

    def _dates(self, content: Any) -> NDArray[Any]:
        dtype, name = np.dtype(content[0]), content[1]
        if dtype.kind not in "mM":
            raise ModelFileError("The description of dates is damaged.")
        return self._array(name).view(dtype)

    def _partial(self, content: Any) -> Any:
        function, args, keywords = map(self.decode, content)
        if not any(function is known for known in FUNCTIONS):
            raise ModelFileError("The description of a function is damaged.")
        return functools.partial(function, *args, **keywords)

    def _side(self, content: Any) -> Any:
        equation, number = content
        return boundary_sides(self.decode(equation))[number]

    _KINDS: Mapping[str, Callable[[Decoder, Any], Any]] = {
        "float": lambda self, text: {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}[text],
        "list": lambda self, nodes: [self.decode(node) for node in nodes],
        "tuple": lambda self, nodes: tuple(self.decode(node) for node in nodes),
        "set": lambda self, nodes: {self.decode(node) for node in nodes},
        "dict": lambda self, pairs: {self.decode(k): self.decode(v) for k, v in pairs},
        "array": _array,
        "transposed": _transposed,
        "scalar": lambda self, name: self._array(name)[()],
        "strings": _strings,
        "dates": _dates,
        "tensor": _tensor,
        "dtype": lambda self, text: np.dtype(text),
        "slice": lambda self, parts: slice(*parts),
        "partial": _partial,
        "function": lambda self, name: _FUNCTIONS[name],
        "side": _side,
        "object": _object,
    }
    _OBJECTS: Mapping[str, Callable[[Decoder, Any], Any]] = {
        "record": _record,
        "estimator": _estimator,
        "module": _module,
        "equation": _equation,
        "skops": _skops,
        "random_state": _random_state,
    }


def _with_state(cls: Any, state: dict[str, Any]) -> Any:
    """An instance with its attributes, without a call of its constructor."""
    if issubclass(cls, tuple):
        names = cls._fields
    elif dataclasses.is_dataclass(cls):
        names = tuple(each.name for each in dataclasses.fields(cls))
    else:
        names = tuple(state)
    if set(names) != set(state):
        raise ModelFileError(f"The description of a {cls.__name__} is damaged.")
    if issubclass(cls, tuple):
        return cls(**state)
    out = cls.__new__(cls)
    vars(out).update(state)
    return out


def _is_named(trusted: Any, path: str) -> bool:
    if isinstance(trusted, str):
        return trusted == path or trusted == path.replace(":", ".")
    # The same class has another module where a script was run by its name.
    return bool(trusted.__qualname__ == path.split(":")[-1])
