"""Evolution equations and their full-order solvers."""

from skcolora.pdes._conditions import Dirichlet, Neumann, Outflow, Robin, Surface
from skcolora.pdes._equations import (
    Advection,
    Burgers,
    Burgers2D,
    InviscidBurgers,
    RotatingDetonation,
    Vlasov,
    Wave,
)
from skcolora.pdes._field import Field, GridField
from skcolora.pdes._mesh import Mesh
from skcolora.pdes._pde import PDE
from skcolora.pdes._solvers import SolverError

__all__ = [
    "PDE",
    "Advection",
    "Burgers",
    "Burgers2D",
    "Dirichlet",
    "Field",
    "GridField",
    "InviscidBurgers",
    "Mesh",
    "Neumann",
    "Outflow",
    "Robin",
    "RotatingDetonation",
    "SolverError",
    "Surface",
    "Vlasov",
    "Wave",
]
