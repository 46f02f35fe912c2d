"""The problems that the benchmarks share: training snapshots, unseen ones, architecture.

The published snapshots are read from the folder that the environment variable
``SKCOLORA_DATA`` names, with the folders ``vlasov``, ``burgers`` and ``rde``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from skcolora.datasets import (
    SnapshotData,
    load_snapshots,
    make_advection,
    make_burgers,
    make_vlasov,
    make_wave,
)


class Problem(NamedTuple):
    """What is fitted, what it is judged by, and how the network is set up."""

    name: str
    X: np.ndarray
    y: np.ndarray
    X_new: np.ndarray
    y_new: np.ndarray
    data: SnapshotData
    network: dict[str, Any]
    """Constructor arguments of `CoLoRARegressor` that are not the defaults."""
    scaling: FunctionTransformer
    """What every estimator sees the parameters through."""


def data_folder() -> Path:
    folder = os.environ.get("SKCOLORA_DATA")
    if not folder:
        sys.exit(
            "Set SKCOLORA_DATA to the folder that holds the published snapshots, with the "
            "folders vlasov, burgers and rde."
        )
    return Path(folder)


def check_unseen(learnt: np.ndarray, judged: np.ndarray) -> None:
    """Raises where a row of parameters that is judged is among those that are learnt from."""
    same = np.isclose(learnt[:, None], judged, rtol=1e-3).all(axis=2).any(axis=0)
    if same.any():
        raise ValueError(f"The parameters {judged[same].tolist()} are judged, and learnt from.")


def vlasov() -> Problem:
    """All seven files; judged at the two parameters of the paper, generated exactly."""
    data = load_snapshots(data_folder() / "vlasov", period=2.0)
    new = make_vlasov([0.25, 0.35])
    return Problem("Vlasov", data.X, data.y, new.X, new.y, data, {}, FunctionTransformer())


def vlasov_of_three() -> Problem:
    """Three of the files, 0.2, 0.3 and 0.4; judged as `vlasov`."""
    every = vlasov()
    chosen = [int(np.abs(every.X[:, 0] - mu).argmin()) for mu in (0.2, 0.3, 0.4)]
    return every._replace(name="Vlasov, three trajectories", X=every.X[chosen], y=every.y[chosen])


def burgers() -> Problem:
    """Eight viscosities, the fourth held out; parameters in their logarithm."""
    data = load_snapshots(data_folder() / "burgers", period=1.0)
    return _held_out("2-D Burgers", data, 3, {}, FunctionTransformer(np.log))


def rotating_detonation() -> Problem:
    """Ten parameters, the fifth held out."""
    data = load_snapshots(data_folder() / "rde", period=2 * np.pi)
    network = {"adaptation": "diagonal"}
    return _held_out("Rotating detonation", data, 4, network, FunctionTransformer())


def advection() -> Problem:
    """Seven speeds; the first layer adapted, one latent variable."""
    data = make_advection(np.linspace(0.5, 1.5, 7))
    new = make_advection([0.6, 0.9, 1.2, 1.4])
    network = {"adapted_layers": (0,), "rank": 1}
    return Problem("Advection", data.X, data.y, new.X, new.y, data, network, FunctionTransformer())


def burgers_in_one_dimension() -> Problem:
    """Eight viscosities from 0.002 to 0.2; judged between them, in their logarithm."""
    viscosities = np.geomspace(0.002, 0.2, 8)
    data = make_burgers(viscosities)
    new = make_burgers(np.sqrt(viscosities[1:-1] * viscosities[2:]))
    scaling = FunctionTransformer(np.log)
    return Problem("1-D Burgers", data.X, data.y, new.X, new.y, data, {}, scaling)


def wave() -> Problem:
    """Thirty pulses of random amplitude, place and radius; judged by five more."""
    data = make_wave(30, random_state=0)
    new = make_wave(5, random_state=1)
    # With the first layer adapted, a pulse that is moved is in the manifold.
    network = {"adaptation": "diagonal", "adapted_layers": range(8), "rank": 3}
    return Problem("Wave", data.X, data.y, new.X, new.y, data, network, FunctionTransformer())


def tiny() -> Problem:
    """Four viscosities on a few points, for runs that only show that a script works."""
    times = np.linspace(0.0, 0.5, 5)
    data = make_burgers(np.geomspace(0.05, 0.2, 4), n_points=32, times=times)
    new = make_burgers([0.08, 0.12], n_points=32, times=times)
    scaling = FunctionTransformer(np.log)
    network = {"width": 8, "depth": 3}
    return Problem("Tiny", data.X, data.y, new.X, new.y, data, network, scaling)


def _held_out(
    name: str, data: SnapshotData, i: int, network: dict[str, Any], scaling: FunctionTransformer
) -> Problem:
    rest = np.arange(len(data.X)) != i
    X, y = data.X, data.y
    return Problem(name, X[rest], y[rest], X[[i]], y[[i]], data, network, scaling)


PROBLEMS = {
    "vlasov": vlasov,
    "vlasov3": vlasov_of_three,
    "burgers": burgers,
    "rde": rotating_detonation,
    "advection": advection,
    "burgers1d": burgers_in_one_dimension,
    "wave": wave,
    "tiny": tiny,
}
