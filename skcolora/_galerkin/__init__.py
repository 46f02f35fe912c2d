"""Neural Galerkin methods: a PDE determines the time derivative of the latent state."""

from skcolora._galerkin._advice import (
    warn_of_doubts,
    warn_of_fallback,
    warn_of_no_comparison,
    warn_of_no_gain,
    warn_of_worse_networks,
)
from skcolora._galerkin._agreement import (
    check_agreement,
    check_grid_is_given,
    check_network_period,
    parameter_order,
)
from skcolora._galerkin._changed_trust import (
    ComparedPaths,
    OutOfTime,
    compared_paths,
    expected_regressor_errors,
    renewed_trust,
)
from skcolora._galerkin._checks import (
    check_norm,
    check_options,
    check_pod_boundary,
)
from skcolora._galerkin._collocation import Collocation
from skcolora._galerkin._distill import distill
from skcolora._galerkin._hyperreduction import SampledModes, sample_modes
from skcolora._galerkin._initial_fields import initial_fields
from skcolora._galerkin._known_snapshots import KnownSnapshots, known_snapshots
from skcolora._galerkin._latent_equation import LatentEquation, build_equation
from skcolora._galerkin._pod_equation import PODEquation
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._refine import refine
from skcolora._galerkin._snapshot_mesh import points_of_mesh, snapshot_mesh
from skcolora._galerkin._solution import GalerkinSolution, combine
from skcolora._galerkin._step_tolerance import step_tolerance
from skcolora._galerkin._trained_model import TrainedModel, same_weights
from skcolora._galerkin._trust import Trust, error_ratio, path_difficulty
from skcolora._galerkin._whitening import can_whiten

__all__ = [
    "Collocation",
    "ComparedPaths",
    "GalerkinSolution",
    "KnownSnapshots",
    "LatentEquation",
    "OutOfTime",
    "PODEquation",
    "Projection",
    "SampledModes",
    "TrainedModel",
    "Trust",
    "build_equation",
    "can_whiten",
    "check_agreement",
    "check_grid_is_given",
    "check_network_period",
    "check_norm",
    "check_options",
    "check_pod_boundary",
    "combine",
    "compared_paths",
    "distill",
    "error_ratio",
    "expected_regressor_errors",
    "initial_fields",
    "known_snapshots",
    "parameter_order",
    "path_difficulty",
    "points_of_mesh",
    "refine",
    "renewed_trust",
    "same_weights",
    "sample_modes",
    "snapshot_mesh",
    "step_tolerance",
    "warn_of_doubts",
    "warn_of_fallback",
    "warn_of_no_comparison",
    "warn_of_no_gain",
    "warn_of_worse_networks",
]
