"""Full-order solvers: the method of lines, and finite volumes for conservation laws."""

from skcolora.pdes._solvers._errors import SolverError, TrajectoryError
from skcolora.pdes._solvers._finite_volume import ConservationLaw, solve_finite_volume
from skcolora.pdes._solvers._lines import solve_lines
from skcolora.pdes._solvers._solve import solve_many

__all__ = [
    "ConservationLaw",
    "SolverError",
    "TrajectoryError",
    "solve_finite_volume",
    "solve_lines",
    "solve_many",
]
