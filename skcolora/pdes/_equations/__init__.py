"""Built-in equations, one in each file."""

from skcolora.pdes._equations._advection import Advection
from skcolora.pdes._equations._burgers import Burgers
from skcolora.pdes._equations._burgers2d import Burgers2D
from skcolora.pdes._equations._inviscid_burgers import InviscidBurgers
from skcolora.pdes._equations._rotating_detonation import RotatingDetonation
from skcolora.pdes._equations._vlasov import Vlasov
from skcolora.pdes._equations._wave import Wave

__all__ = [
    "Advection",
    "Burgers",
    "Burgers2D",
    "InviscidBurgers",
    "RotatingDetonation",
    "Vlasov",
    "Wave",
]
