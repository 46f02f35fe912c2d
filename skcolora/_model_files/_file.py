"""One file for a model: safetensors, with the description in its header."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skcolora._model_files._decoder import Decoder, ModelFileError
from skcolora._model_files._encoder import Encoder
from skcolora._model_files._registry import ESTIMATORS
from skcolora.utils._files import replaced
from skcolora.utils._version import __version__

_FORMAT, _VERSION = "skcolora model", 1


def save(model: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Save a fitted model in one file, which `load` reads without executing anything.

    The file is in the format of safetensors [1]_: all arrays, and a description in JSON with the
    versions of the libraries.  The snapshots of the training are not part of the model, except of
    a `ParameterInterpolator`, which is made of them.  The file replaces one that exists.

    Parameters
    ----------
    model : estimator
        A fitted estimator of skcolora, or a `sklearn.pipeline.Pipeline` or
        `sklearn.frozen.FrozenEstimator` that holds one.  Other steps of a pipeline are kept by
        skops [2]_ (``pip install 'skcolora[files]'``).
    path : str or path
        Name of the file, for example "flow.safetensors".

    Raises
    ------
    TypeError
        If a part of the model cannot be kept in a file, such as a function without a name.
    ImportError
        If a step of a pipeline needs skops.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    References
    ----------
    .. [1] https://huggingface.co/docs/safetensors
    .. [2] https://skops.readthedocs.io

    Examples
    --------
    >>> import os, tempfile
    >>> import skcolora
    >>> from skcolora.datasets import make_advection
    >>> data = make_advection([0.6, 1.0, 1.4], n_points=32, times=np.linspace(0, 1, 6))
    >>> model = skcolora.PODRegressor(**data.grid).fit(data.X, data.y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "advection.safetensors")
    ...     skcolora.save(model, path)
    ...     loaded = skcolora.load(path)
    >>> np.array_equal(loaded.predict([[0.8]]), model.predict([[0.8]]))
    True
    """
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"`model` must be an estimator; got {type(model).__name__}.")
    if type(model) not in ESTIMATORS:
        raise TypeError(
            f"`model` is a {type(model).__name__}, which holds no model of skcolora alone; "
            "expected an estimator of skcolora, a Pipeline or a FrozenEstimator.  Of a search, "
            "save `best_estimator_`."
        )
    check_is_fitted(model)
    encoder = Encoder()
    root = encoder.encode(model, type(model).__name__)
    description = json.dumps({"model": root, "objects": encoder.objects}, allow_nan=False)
    metadata = {
        "format": _FORMAT,
        "format_version": str(_VERSION),
        "model": type(model).__name__,
        "skcolora": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "torch": torch.__version__,
        "description": description,
    }
    metadata["sha256"] = _checksum(metadata, encoder.arrays)
    with replaced(Path(path)) as unfinished:
        unfinished.write_bytes(to_bytes(encoder.arrays, metadata))


def load(path: str | os.PathLike[str], *, trusted: Iterable[Any] = ()) -> Any:
    """Load a model that `save` has saved.

    Nothing in the file is executed: it holds numbers, and names of classes of this package.  Its
    equation, if that is a class of your own, is not part of the file; give the class itself.

    Parameters
    ----------
    path : str or path
        Name of the file.
    trusted : iterable of classes or import paths, default=()
        Classes outside this package that the model may use: those of equations, and types of the
        steps of a pipeline.  An import path, "module:Name", is imported.

    Returns
    -------
    model : estimator
        The fitted model, on the CPU.

    Raises
    ------
    ModelFileError
        If the file is no model, is damaged, comes from a newer version of the format, or uses a
        class that is not trusted.
    OSError
        If the file cannot be read.

    Warns
    -----
    InconsistentVersionWarning
        If the file was saved by another version of skcolora or scikit-learn.

    Examples
    --------
    See `save`.
    """
    name = os.fspath(path)
    with open(path, "rb"):
        pass  # The error of a file that does not exist is that of Python.
    try:
        with safe_open(name, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            _check_format(metadata, name)
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{name} is no model file, or is damaged: {error}") from error
    if metadata.pop("sha256", None) != _checksum(metadata, arrays):
        raise ModelFileError(f"{name} is damaged: its checksum is wrong.  Save the model again.")
    try:
        content = json.loads(metadata["description"])
        model = Decoder(arrays, content["objects"], trusted).decode(content["model"])
    except (ModelFileError, ImportError) as error:
        raise type(error)(f"{name}: {error}") from error
    except Exception as error:
        raise ModelFileError(
            f"{name} cannot be read: {type(error).__name__}, {error}.  It was saved by skcolora "
            f"{metadata.get('skcolora')}, and this is {__version__}."
        ) from error
    if not isinstance(model, BaseEstimator):
        raise ModelFileError(f"{name} holds no model.")
    return model


def _check_format(metadata: Mapping[str, str], name: str) -> None:
    if metadata.get("format") != _FORMAT or not metadata.get("format_version", "").isdecimal():
        raise ModelFileError(f"{name} is no model of skcolora.")
    version = int(metadata["format_version"])
    if version > _VERSION:
        raise ModelFileError(
            f"{name} was saved by the newer skcolora {metadata.get('skcolora')}, in version "
            f"{version} of the format; this skcolora {__version__} reads version "
            f"{_VERSION}.  Update skcolora."
        )


def _checksum(metadata: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of everything in a file."""
    digest = hashlib.sha256()
    for key in sorted(metadata):
        digest.update(f"{key}={metadata[key]}\n".encode())
    for key in sorted(arrays):
        array = arrays[key]
        digest.update(f"{key}: {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
