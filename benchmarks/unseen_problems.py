"""The problems of ``unseen.py``: snapshots of many kinds, judged at parameters never trained on.

The estimators get the parameters as they are, and no architecture is chosen for a problem.  The
published snapshots are read from the folder that ``SKCOLORA_DATA`` names.  The snapshots of other
people's solvers are read from the folder that ``SKCOLORA_FOREIGN`` names: files ``<name>.npz`` with
``X``, ``y``, ``X_test``, ``y_test``, ``points``, and ``times`` and ``period`` where there are any.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import problems
from problems import Problem, check_unseen
from sklearn.preprocessing import FunctionTransformer

from skcolora.datasets import SnapshotData, make_wave
from skcolora.pdes import InviscidBurgers, Vlasov, Wave

UNSEEN = 101
"""Seed of the parameters that are judged; those that are trained on have the seed 0."""


def problem_of(name: str, data: SnapshotData, X_new: np.ndarray, y_new: np.ndarray) -> Problem:
    """A problem without an architecture or a scaling of its own."""
    check_unseen(data.X, X_new)
    return Problem(name, data.X, data.y, X_new, y_new, data, {}, FunctionTransformer())


def foreign(name: str, title: str, *, offset: float = 0.0) -> Problem:
    """Snapshots of somebody else's solver, less a constant."""
    folder = os.environ.get("SKCOLORA_FOREIGN")
    if not folder:
        sys.exit(f"Set SKCOLORA_FOREIGN to the folder that holds {name}.npz and the other files.")
    with np.load(Path(folder) / f"{name}.npz") as file:
        content = dict(file)
    period = float(content["period"]) if "period" in content else None
    y, y_test = content["y"] - offset, content["y_test"] - offset
    # Steady fields have no times.
    times: Any = content.get("times")
    data = SnapshotData(content["X"], y, times, content["points"], period)
    return problem_of(title, data, content["X_test"], y_test)


def plain(problem: Problem) -> Problem:
    """A problem of the other benchmarks, with the defaults of the network and no scaling."""
    return problem._replace(network={}, scaling=FunctionTransformer())


def pulses(n: int) -> Problem:
    """Pulses of random amplitude, place and radius on a periodic square, to be told from n."""
    data, new = make_wave(n, random_state=0), make_wave(6, random_state=UNSEEN)
    return problem_of(f"Wave, {n} pulses", data, new.X, new.y)


class PlacedVlasov(Vlasov):
    """The Vlasov equation from a particle cloud at any position and velocity."""

    parameter_names = ("position", "velocity")

    def initial(self, points: Any, mu: Any) -> Any:
        x, v = points
        return np.exp(-100.0 * ((x - mu[0] + 0.2) ** 2 + (v - mu[1]) ** 2))


def vlasov_of_two_parameters() -> Problem:
    """Positions and velocities on a grid of 4 × 4; judged at five random pairs."""
    low, high = [0.2, -0.1], [0.4, 0.1]
    X = np.array(list(product(*np.linspace(low, high, 4).T)))
    X_new = np.random.default_rng(UNSEEN).uniform(low, high, (5, 2))
    axis, times = np.linspace(-1.0, 1.0, 64, endpoint=False), np.linspace(0.0, 4.0, 41)
    pde, axes = PlacedVlasov(), (axis, axis)
    y, y_new = (pde.solve(mu, times, axes) for mu in (X, X_new))
    data = SnapshotData(X, y, times, axes, (2.0, 2.0), pde)
    return problem_of("Vlasov, position and velocity", data, X_new, y_new)


def slow_wave(n: int) -> Problem:
    """The wave of DINo, Yin et al., ICLR 2023, arXiv:2209.14855, as its published code makes it.

    The code solves ``∂ₜₜu = c² Δu`` with c = 2 on a periodic grid of 64² cells of size 1, so that
    a wave crosses two cells in a unit of time.  On the square [-1, 1]² of `skcolora.pdes.Wave` a
    cell has size 1/32 and the speed is 1/16.  The pulse is ``a exp(-|x - c|² / (2 r²))`` there,
    with a in [2, 4], r in [0.25, 0.30] and any centre, and starts at rest.  The fields are u and
    ∂ₜu, every 0.25 from 0 to 2.5.  The code trains on the first ten of these eleven frames.

    Three things differ.  The parameters are given, and not found from the first frame.  Each pulse
    is one trajectory from its start, where the code cuts a longer one into eight.  The field is the
    exact solution of the sum of the pulse's periodic images, where the code solves by finite
    differences from a pulse that has a kink opposite to its centre.
    """
    times, per_unit = np.linspace(0.0, 2.5, 11), 2.0 / 32
    low, high = [2.0, -1.0, -1.0, 0.25], [4.0, 1.0, 1.0, 0.30]
    axis = np.linspace(-1.0, 1.0, 64, endpoint=False)

    def solved(X: np.ndarray) -> np.ndarray:
        # In the time s = t/16 the speed is 1, and ∂ₜu = ∂ₛu / 16.
        y = Wave().solve(X, per_unit * times, (axis, axis))
        return y * np.array([1.0, per_unit])

    X = np.random.default_rng(0).uniform(low, high, (n, 4))
    X_new = np.random.default_rng(UNSEEN).uniform(low, high, (16, 4))
    data = SnapshotData(X, solved(X), times, (axis, axis), (2.0, 2.0))
    return problem_of(f"Wave of DINo, {n} pulses", data, X_new, solved(X_new))


def spreading() -> Problem:
    """A Gaussian that travels and spreads: speed, and diffusivity over two decades."""
    x, times = np.linspace(-2.0, 4.0, 301), np.linspace(0.0, 1.0, 41)
    square = 0.1**2

    def exact(speed: float, diffusivity: float) -> np.ndarray:
        variance = square + 2 * diffusivity * times[:, None]
        gap = x - speed * times[:, None]
        return np.sqrt(square / variance) * np.exp(-0.5 * gap**2 / variance)

    X = np.array(list(product(np.linspace(0.5, 1.5, 4), np.geomspace(1e-3, 1e-1, 4))))
    drawn = np.random.default_rng(UNSEEN).uniform(size=(6, 2))
    X_new = np.column_stack([0.5 + drawn[:, 0], 10 ** (2 * drawn[:, 1] - 3)])
    y, y_new = (np.stack([exact(*mu) for mu in each]) for each in (X, X_new))
    data = SnapshotData(X, y, times, x[:, None])
    return problem_of("Spreading Gaussian", data, X_new, y_new)


def decades() -> Problem:
    """A Gaussian that spreads, at the time 0 and at times over five decades."""
    x, times = np.linspace(-4.0, 4.0, 161), np.append(0.0, np.geomspace(1e-3, 1e2, 40))

    def exact(diffusivity: float) -> np.ndarray:
        variance = 0.01 + 2 * diffusivity * times[:, None]
        return np.sqrt(0.01 / variance) * np.exp(-0.5 * x**2 / variance)

    X = np.geomspace(0.05, 0.2, 6)[:, None]
    X_new = 0.05 * 4 ** np.random.default_rng(UNSEEN).uniform(size=(5, 1))
    y, y_new = (np.stack([exact(*mu) for mu in each]) for each in (X, X_new))
    data = SnapshotData(X, y, times, x[:, None])
    return problem_of("Gaussian over decades", data, X_new, y_new)


def boundary_layer() -> Problem:
    """A steady layer at two sides of a square: thickness over two decades, ratio of the two.

    Along each axis the field is the exact solution of ``f' - ε f'' = 1`` with f = 0 at both ends.
    The axes have their points close together in the layer.
    """
    axis = 1.0 - np.linspace(1.0, 0.0, 64) ** 2

    def profile(thickness: float) -> np.ndarray:
        outer = np.exp(-1 / thickness)
        return axis - (np.exp((axis - 1) / thickness) - outer) / (1 - outer)

    def exact(thickness: float, ratio: float) -> np.ndarray:
        return np.outer(profile(thickness), profile(ratio * thickness)).ravel()

    X = np.array(list(product(np.geomspace(5e-3, 0.5, 5), np.linspace(0.5, 2.0, 3))))
    drawn = np.random.default_rng(UNSEEN).uniform(size=(12, 2))
    X_new = np.column_stack([5e-3 * 100 ** drawn[:, 0], 0.5 + 1.5 * drawn[:, 1]])
    y, y_new = (np.stack([exact(*mu) for mu in each]) for each in (X, X_new))
    steady: Any = None
    return problem_of("Boundary layer", SnapshotData(X, y, steady, (axis, axis)), X_new, y_new)


def inviscid_burgers() -> Problem:
    """A shock that enters from the left; inflow and source on a grid of 4 × 4.

    The solver has 256 cells, as in the paper that `skcolora.pdes.InviscidBurgers` names.
    """
    low, high = [4.25, 0.015], [5.5, 0.03]
    X = np.array(list(product(*np.linspace(low, high, 4).T)))
    X_new = np.random.default_rng(UNSEEN).uniform(low, high, (5, 2))
    x, times, pde = np.linspace(0.0, 100.0, 256), np.linspace(0.0, 35.0, 51), InviscidBurgers()
    y, y_new = (pde.solve(mu, times, x[:, None], n_points=256) for mu in (X, X_new))
    data = SnapshotData(X, y, times, x[:, None], pde=pde)
    return problem_of("Inviscid Burgers", data, X_new, y_new)


UNSEEN_PROBLEMS: dict[str, Callable[[], Problem]] = {
    "flame": lambda: foreign("flame", "Flame"),
    "wall": lambda: foreign("wall", "Wall"),
    "lifted_wall": lambda: foreign("wall", "Lifted wall", offset=293.0),
    "thermalblock": lambda: foreign("thermalblock", "Thermal block"),
    "sod": lambda: foreign("sod", "Shock tube"),
    "kdv": lambda: foreign("kdv", "Two solitons"),
    "puff": lambda: foreign("puff", "Puff past a cylinder"),
    "wave16": lambda: pulses(16),
    "wave64": lambda: pulses(64),
    "vlasov2": vlasov_of_two_parameters,
    "vlasov": lambda: plain(problems.vlasov()),
    "burgers": lambda: plain(problems.burgers()),
    "rde": lambda: plain(problems.rotating_detonation()),
    "dino16": lambda: slow_wave(16),
    "dino64": lambda: slow_wave(64),
    "spreading": spreading,
    "decades": decades,
    "layer": boundary_layer,
    "inviscid": inviscid_burgers,
    "tiny": problems.tiny,
}
