"""One fit of ``unseen.py`` or ``peers.py`` in a process of its own, and its unseen error.

    PYTHONPATH=checkout python benchmarks/unseen_fit.py '{"snapshots": "file", "contestant": ...}'

Prints the figures as JSON in its last line.  It uses only the public names of the package, so that
an older checkout can be measured on the same snapshots.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from importlib import metadata
from typing import Any

import joblib
import numpy as np
import torch
from unseen_rivals import EzyrbRegressor, make_rival, positive

import skcolora

NETWORK = "CoLoRARegressor"
BAND = 0.9
"""Level of the bands of a network with folds, where there are enough trajectories for it."""


def variation_errors(true: Any, predicted: Any, mean: Any, std: Any) -> np.ndarray:
    """Error of each trajectory relative to its variation about the training snapshots.

    It is ``‖(û - u) / σ‖ / ‖(u - ū) / σ‖`` with norms over all times, points and fields, where ū
    and σ are the mean and the standard deviation of each field over the training snapshots.

    Parameters
    ----------
    true, predicted : ndarray of shape (n_trajectories, ...)
        Snapshots.  With several fields the last axis is that of the fields.
    mean, std : ndarray of shape (n_fields,)

    Returns
    -------
    errors : ndarray of shape (n_trajectories,)
        Infinity where a prediction is not finite.
    """
    shape = (len(true), -1, len(mean))
    scale = np.where(std > 0, std, 1.0)
    true = (np.reshape(true, shape).astype(np.float64) - mean) / scale
    predicted = (np.reshape(predicted, shape).astype(np.float64) - mean) / scale
    difference = np.linalg.norm(predicted - true, axis=(1, 2))
    errors = difference / np.linalg.norm(true, axis=(1, 2))
    return np.nan_to_num(errors, nan=np.inf, posinf=np.inf)


def plain_error(true: Any, predicted: Any) -> float:
    """The mean of ``‖û - u‖ / ‖u‖`` over the trajectories, as papers give it."""
    true, predicted = (np.reshape(y, (len(y), -1)).astype(np.float64) for y in (true, predicted))
    return float((np.linalg.norm(predicted - true, axis=1) / np.linalg.norm(true, axis=1)).mean())


def fit(task: dict[str, Any]) -> dict[str, Any]:
    """The figures of one contestant on stored snapshots."""
    problem = joblib.load(task["snapshots"])
    X, y, grid = problem["X"], problem["y"], problem["grid"]
    name, n_fields = task["contestant"], len(problem["mean"])
    if name == NETWORK:
        chosen = {**problem["network"], **task["settings"], **task["limit"]}
        model = skcolora.CoLoRARegressor(**grid, **chosen, random_state=task["seed"])
    elif "setting" in task:
        from peer_settings import make_peer

        model = make_peer(problem, task)
    else:
        logarithmic = positive(X, problem["X_new"])
        model = make_rival(name, grid, n_fields, logarithmic)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = peak_memory()
        started = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - started
        memory = peak_memory() - before
        # Some methods predict from the first field, which the others do not see.
        first = [problem["y_new"][:, 0]] if getattr(model, "needs_first_field", False) else []
        started = time.perf_counter()
        predicted = model.predict(problem["X_new"], *first)
        predict_seconds = time.perf_counter() - started
        more: dict[str, Any] = {}
        enough = len(X) + 1 >= 1 / (1 - BAND)
        if name == NETWORK and isinstance(task["settings"].get("cv"), int) and enough:
            more = in_band(model, problem["X_new"], problem["y_new"], BAND)
        if task.get("decoder"):
            more["decoder_error"] = decoder_error(model, problem)
    errors = variation_errors(problem["y_new"], predicted, problem["mean"], problem["std"])
    return {
        "error": errors.mean(),
        "worst": errors.max(),
        "median": np.median(errors),
        "plain": plain_error(problem["y_new"], predicted),
        "seconds": seconds,
        "predict_seconds": predict_seconds,
        "memory": memory,
        **described(model),
        **more,
    }


def decoder_error(model: Any, problem: dict[str, Any]) -> float:
    """Error of the latent states that fit the unseen snapshots best, at every tenth of the times.

    It is what the decoder can represent, whatever the hypernetwork predicts.
    """
    y = problem["y_new"]
    some = slice(None) if problem["grid"]["times"] is None else slice(None, None, 10)
    true = y[:, some]
    fitted = model.decode(model.encode(true))
    errors = variation_errors(true, fitted, problem["mean"], problem["std"])
    return float(errors.mean())


def peak_memory() -> float:
    """The most memory that this process has had, in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size / 1e3


def described(model: Any) -> dict[str, Any]:
    """What the fitted estimator says about itself, as far as it has these attributes."""
    found: dict[str, Any] = {}
    if isinstance(model, EzyrbRegressor):
        found["version"] = metadata.version("ezyrb")
    named = {"best_loss_": "training_error", "n_iter_": "steps", "n_weights_": "weights"}
    for attribute, key in named.items():
        value = getattr(model, attribute, None)
        if value is not None:
            found[key] = value
    estimated = getattr(model, "unseen_error_", None)
    if estimated is not None:
        found["unseen_error"] = estimated
    return found


def in_band(model: Any, X: Any, y: Any, level: float) -> dict[str, Any]:
    """How many of the trajectories lie in the bands of a network as a whole, and their width.

    The width is the median over the trajectories of half the root mean square width, relative to
    the variation of the training snapshots.
    """
    _, lower, upper = model.predict(X, return_interval=level)
    axes = tuple(range(1, y.ndim))
    inside = ((lower <= y) & (y <= upper)).all(axis=axes)
    half = np.sqrt(np.square(upper - lower).mean(axis=axes)) / 2
    return {"inside": int(inside.sum()), "of": len(y), "half_width": np.median(half) / y.std()}


def main() -> None:
    from results import rounded

    task = json.loads(sys.argv[1])
    torch.set_num_threads(task["threads"])
    print(json.dumps(rounded(fit(task))))


if __name__ == "__main__":
    main()
