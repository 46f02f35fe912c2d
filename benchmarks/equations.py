"""Twelve equations, each with few runs to train on and others to judge by.

The built-in equations, and five others: a puff past a cylinder, a wall with a forced end and two
solitons, whose snapshots come from other people's solvers (``SKCOLORA_FOREIGN`` names the folder,
whose README states the equations), and Gray-Scott and FitzHugh-Nagumo from our solver.  Each has
five training runs, the wave sixteen, because it has four parameters.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from problems import data_folder

from skcolora.datasets import (
    SnapshotData,
    load_snapshots,
    make_advection,
    make_burgers,
    make_rotating_detonation,
    make_vlasov,
    make_wave,
)
from skcolora.pdes import PDE, Burgers2D, Dirichlet, InviscidBurgers, Neumann, Surface


class Halves(NamedTuple):
    """Snapshots of an equation, which both halves of the package learn from."""

    pde: PDE
    data: SnapshotData
    X_new: np.ndarray
    y_new: np.ndarray


class Puff(PDE):
    """A puff of gas that is carried past a cylinder; nothing diffuses through the walls."""

    parameter_names = ("height", "diffusivity")
    n_dims, domain, period = 2, ((-1.5, 1.5), (-1.0, 1.0)), (None, None)
    radius = 0.25
    boundary = Neumann(0.0)
    surfaces = (
        Surface(
            Neumann(0.0),
            on=lambda points: np.hypot(*points) < 0.2501,
            normal=lambda points: -points,
        ),
    )

    def initial(self, points: Any, mu: Any) -> Any:
        x, y = points
        return np.exp(-((x + 1) ** 2 + (y - mu[0]) ** 2) / 0.02)

    def rhs(self, t: float, field: Any, mu: Any) -> Any:
        x, y = field.points
        squares = x**2 + y**2
        along = 1 - self.radius**2 * (x**2 - y**2) / squares**2
        across = -2 * self.radius**2 * x * y / squares**2
        return mu[1] * field.laplacian - along * field.grad[0] - across * field.grad[1]


class Wall(PDE):
    """Heat in a wall, one end of which follows a wave of temperature."""

    parameter_names = ("forcing_period", "diffusivity")
    boundary = (
        (
            Dirichlet(lambda t, points, mu: 293.0 + 10.0 * np.sin(2 * np.pi * t / mu[0])),
            Dirichlet(293.0),
        ),
    )

    def initial(self, points: Any, mu: Any) -> Any:
        return np.full_like(points[0], 293.0)

    def rhs(self, t: float, field: Any, mu: Any) -> Any:
        return mu[1] * field.laplacian


class KortewegDeVries(PDE):
    """Two solitons that travel to the left, the taller one through the other."""

    parameter_names = ("speed",)
    domain, period = ((0.0, 40.0),), (40.0,)

    def initial(self, points: Any, mu: Any) -> Any:
        def soliton(speed: Any, center: float) -> Any:
            gap = (points[0] - center + 20.0) % 40.0 - 20.0
            return 0.5 * speed / np.cosh(0.5 * np.sqrt(speed) * gap) ** 2

        return soliton(mu[0], 8.0) + soliton(1.0, 18.0)

    def rhs(self, t: float, field: Any, mu: Any) -> Any:
        return 6 * field.value * field.grad[0] + field.derivative(3)


class GrayScott(PDE):
    """Two substances that react and diffuse; a pulse splits."""

    parameter_names = ("feed",)
    n_fields, field_names = 2, ("u", "v")
    domain, period = ((0.0, 1.0),), (1.0,)
    resolution = 256

    def initial(self, points: Any, mu: Any) -> Any:
        bump = np.exp(-(((points[0] - 0.5) / 0.05) ** 2))
        return 1 - 0.5 * bump, 0.25 * bump

    def rhs(self, t: float, field: Any, mu: Any) -> Any:
        u, v = field.value
        reaction, kill = u * v**2, 0.06
        return (
            2e-5 * field.laplacian[0] - reaction + mu[0] * (1 - u),
            1e-5 * field.laplacian[1] + reaction - (mu[0] + kill) * v,
        )


class FitzHughNagumo(PDE):
    """Pulses in a nerve that a current at one end starts.

    The problem of S. Chaturantabut and D. C. Sorensen, "Nonlinear model reduction via discrete
    empirical interpolation", SIAM J. Sci. Comput. 32 (2010), 2737-2764, Section 3.2.
    """

    parameter_names = ("epsilon",)
    n_fields, field_names = 2, ("v", "w")
    boundary = (
        (
            {"v": Neumann(lambda t, points, mu: 50000.0 * t**3 * np.exp(-15.0 * t))},
            {"v": Neumann(0.0)},
        ),
    )
    resolution = 257

    def initial(self, points: Any, mu: Any) -> Any:
        return np.zeros((2, *np.shape(points[0])))

    def rhs(self, t: float, field: Any, mu: Any) -> Any:
        v, w = field.value
        cubic = v * (v - 0.1) * (1 - v)
        voltage = mu[0] * field.laplacian[0] + (cubic - w + 0.05) / mu[0]
        return voltage, 0.5 * v - 2.0 * w + 0.05


def solved(pde: PDE, X: Any, X_new: Any, times: np.ndarray, axes: Any, **options: Any) -> Halves:
    """Snapshots of our solver."""
    X, X_new = np.reshape(X, (len(X), -1)), np.reshape(X_new, (len(X_new), -1))
    y, y_new = (pde.solve(mu, times, axes, **options) for mu in (X, X_new))
    return Halves(pde, SnapshotData(X, y, times, axes, pde.period, pde), X_new, y_new)


def made(data: SnapshotData, new: SnapshotData) -> Halves:
    """Snapshots of a generator of the package."""
    assert data.pde is not None
    return Halves(data.pde, data, new.X, new.y)


def foreign(pde: PDE, name: str, chosen: np.ndarray | None = None) -> Halves:
    """Five runs of somebody else's solver; judged by those held out."""
    folder = os.environ.get("SKCOLORA_FOREIGN")
    if not folder:
        sys.exit(f"Set SKCOLORA_FOREIGN to the folder that holds {name}.npz.")
    with np.load(Path(folder) / f"{name}.npz") as file:
        content = dict(file)
    X, y = content["X"], content["y"]
    if chosen is None:
        rows = np.linspace(0, len(X) - 1, 5).round().astype(int)
    else:
        gaps = np.abs((X[:, None] - chosen) / np.ptp(X, axis=0)).max(axis=2)
        rows = gaps.argmin(axis=0)
    data = SnapshotData(X[rows], y[rows], content["times"], content["points"], pde.period, pde)
    return Halves(pde, data, content["X_test"], content["y_test"])


def inviscid_burgers() -> Halves:
    """A shock that enters; judged between the inflows."""
    X = np.array([[4.25, 0.015], [5.5, 0.015], [4.875, 0.0225], [4.25, 0.03], [5.5, 0.03]])
    X_new = np.array([[4.5, 0.02], [5.2, 0.026]])
    x, times = np.linspace(0.0, 100.0, 256), np.linspace(0.0, 35.0, 51)
    return solved(InviscidBurgers(), X, X_new, times, (x,), n_points=256)


def burgers_in_two_dimensions() -> Halves:
    """Five of the published viscosities; judged by two in between."""
    data = load_snapshots(data_folder() / "burgers", period=1.0)
    X, y, order = data.X, data.y, np.argsort(data.X[:, 0])
    train, new = order[np.linspace(0, len(X) - 1, 5).round().astype(int)], order[[1, -2]]
    chosen = SnapshotData(X[train], y[train], data.times, data.points, data.period, Burgers2D())
    return Halves(Burgers2D(), chosen, X[new], y[new])


PUFFS = np.array([(-0.3, 0.004), (-0.3, 0.016), (0.0, 0.008), (0.3, 0.004), (0.3, 0.016)])
WALLS = np.array([(0.4, 0.02), (0.4, 0.1), (0.7, 0.05), (1.0, 0.02), (1.0, 0.1)])
UNIT = np.linspace(0.0, 1.0, 129)

EQUATIONS: dict[str, Callable[[], Halves]] = {
    "advection": lambda: made(
        make_advection(np.linspace(0.5, 1.5, 5)), make_advection([0.6, 0.9, 1.4])
    ),
    "burgers1d": lambda: made(
        make_burgers(np.geomspace(0.005, 0.2, 5)), make_burgers([0.0075, 0.03, 0.13])
    ),
    "inviscid": inviscid_burgers,
    "burgers": burgers_in_two_dimensions,
    "vlasov": lambda: made(make_vlasov(np.linspace(0.2, 0.4, 5)), make_vlasov([0.225, 0.29, 0.37])),
    "wave": lambda: made(make_wave(16, random_state=0), make_wave(3, random_state=1)),
    "rde": lambda: made(
        make_rotating_detonation(np.linspace(2.0, 3.1, 5)),
        make_rotating_detonation([2.15, 2.5, 2.9]),
    ),
    "puff": lambda: foreign(Puff(), "puff", PUFFS),
    "wall": lambda: foreign(Wall(), "wall", WALLS),
    "kdv": lambda: foreign(KortewegDeVries(), "kdv"),
    "gray_scott": lambda: solved(
        GrayScott(),
        np.linspace(0.03, 0.05, 5),
        [0.0325, 0.041, 0.048],
        np.linspace(0.0, 500.0, 51),
        (np.linspace(0.0, 1.0, 128, endpoint=False),),
    ),
    "fitzhugh_nagumo": lambda: solved(
        FitzHughNagumo(),
        np.linspace(0.02, 0.04, 5),
        [0.0225, 0.031, 0.038],
        np.linspace(0.0, 4.0, 81),
        (UNIT,),
        method="BDF",
        rtol=1e-6,
        atol=1e-6,
        n_points=257,
    ),
}
