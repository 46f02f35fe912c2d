"""Neural Galerkin: an equation moves the latent state of a network."""

from skcolora.galerkin._checks import (
    check_boundary,
    check_equation,
    check_norm,
    check_rate,
    conserved_densities,
)
from skcolora.galerkin._choice import choose_collocation
from skcolora.galerkin._conservation import Conservation
from skcolora.galerkin._diagnosis import diagnose
from skcolora.galerkin._field import NetworkField
from skcolora.galerkin._integration import (
    Path,
    Status,
    integrate,
    integrate_fixed,
    integrate_implicit,
)
from skcolora.galerkin._points import Collocation, on_boundary, quadrature
from skcolora.galerkin._projection import Projection
from skcolora.galerkin._solution import GalerkinSolution
from skcolora.galerkin._start import (
    Start,
    TrainedStarts,
    evenly_spread,
    find_start,
    initial_fields,
    trained_starts,
    unfitted_start,
)
from skcolora.galerkin._warnings import warn_of, warn_of_drift

__all__ = [
    "Collocation",
    "Conservation",
    "GalerkinSolution",
    "NetworkField",
    "Path",
    "Projection",
    "Start",
    "Status",
    "TrainedStarts",
    "check_boundary",
    "check_equation",
    "check_norm",
    "check_rate",
    "choose_collocation",
    "conserved_densities",
    "diagnose",
    "evenly_spread",
    "find_start",
    "initial_fields",
    "integrate",
    "integrate_fixed",
    "integrate_implicit",
    "on_boundary",
    "quadrature",
    "trained_starts",
    "unfitted_start",
    "warn_of",
    "warn_of_drift",
]
