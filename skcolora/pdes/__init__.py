"""Evolution equations, written once, and their full-order solvers."""

from skcolora.pdes._advection import Advection
from skcolora.pdes._base import PDE
from skcolora.pdes._burgers import Burgers
from skcolora.pdes._burgers2d import Burgers2D
from skcolora.pdes._fields import Field, GridField
from skcolora.pdes._inviscid_burgers import InviscidBurgers
from skcolora.pdes._mesh import Mesh
from skcolora.pdes._rotating_detonation import RotatingDetonation
from skcolora.pdes._solver import SolverError
from skcolora.pdes._vlasov import Vlasov
from skcolora.pdes._wave import Wave

__all__ = [
    "PDE",
    "Advection",
    "Burgers",
    "Burgers2D",
    "Field",
    "GridField",
    "InviscidBurgers",
    "Mesh",
    "RotatingDetonation",
    "SolverError",
    "Vlasov",
    "Wave",
]
