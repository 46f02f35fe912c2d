"""Which settings of which package ``peers.py`` tries on a problem.

Of the settings of one method the best one counts, by its error at the unseen parameters, which
nobody could choose by: this favours the methods with several settings.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from peer_autoencoder import AutoencoderRegressor
from peer_fno import SEARCH, FNORegressor
from peer_reduced import EZyRBRegressor, OpInfRegressor, PyDMDRegressor, PyMORRegressor
from quadratic_manifold import QuadraticManifoldRegressor


class Setting(NamedTuple):
    """One setting of a method."""

    method: str
    number: int
    trained: bool
    """Whether its training ends after a given time"""


NETWORKS = (
    "FNO, of parameters and time",
    "TFNO, of parameters and time",
    "FNO, step by step",
    "EZyRB, autoencoder",
)
MODES = {
    "EZyRB, POD and Gaussian process": (10, 20, 40),
    "EZyRB, POD and network": (10, 20, 40),
    "pyMOR, POD and kernel": (10, 20, 40),
    "opinf, quadratic": (4, 8, 12),
    "PyDMD, parametric": (10, 20, 40),
    "quadratic manifold": (5, 10, 20),
}
LATENT = (5, 10, 20)


def settings_of(problem: dict[str, Any]) -> list[Setting]:
    """All settings that suit a problem, from the content of its file.

    A steady field has no next time, and scattered points have no Fourier transform.
    """
    steady = problem["grid"]["times"] is None
    points = problem["grid"]["points"]
    on_grid = isinstance(points, tuple) or points.ndim == 1 or points.shape[1] == 1
    found = []
    for method in NETWORKS:
        fourier = "FNO" in method
        if (fourier and not on_grid) or (steady and method == "FNO, step by step"):
            continue
        n_settings = len(SEARCH) if fourier else len(LATENT)
        found += [Setting(method, number, True) for number in range(n_settings)]
    for method, modes in MODES.items():
        if steady and method in ("opinf, quadratic", "PyDMD, parametric"):
            continue
        found += [Setting(method, number, False) for number in range(len(modes))]
    return found


def make_peer(problem: dict[str, Any], task: dict[str, Any]) -> Any:
    """The estimator of a task with a ``contestant``, a ``setting``, a ``limit`` and a ``seed``."""
    method, number = task["contestant"], task["setting"]
    grid, n_fields = problem["grid"], len(problem["mean"])
    common = {"times": grid["times"], "n_fields": n_fields}
    if "FNO" in method:
        setting = SEARCH[number]
        if method.startswith("TFNO"):
            setting = setting._replace(factorization="tucker")
        return FNORegressor(
            **common,
            points=grid["points"],
            period=grid["period"],
            seconds=task["limit"]["max_time"],
            setting=setting,
            stepwise=method == "FNO, step by step",
            seed=task["seed"],
        )
    if method == "EZyRB, autoencoder":
        seconds = task["limit"]["max_time"]
        return AutoencoderRegressor(
            **common, n_latent=LATENT[number], seconds=seconds, seed=task["seed"]
        )
    n_modes = MODES[method][number]
    if method == "quadratic manifold":
        return QuadraticManifoldRegressor(**common, n_coordinates=n_modes)
    if method.startswith("EZyRB"):
        regression = "GPR" if method.endswith("process") else "ANN"
        return EZyRBRegressor(**common, n_modes=n_modes, regression=regression)
    reduced = {
        "pyMOR, POD and kernel": PyMORRegressor,
        "opinf, quadratic": OpInfRegressor,
        "PyDMD, parametric": PyDMDRegressor,
    }[method]
    return reduced(**common, n_modes=n_modes)
