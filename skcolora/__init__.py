"""Reduced models of parametrised PDEs by continuous low-rank adaptation."""

from skcolora._estimators import (
    CoLoRAGalerkin,
    CoLoRARegressor,
    ParameterInterpolator,
    PODGalerkin,
    PODRegressor,
)
from skcolora._galerkin import GalerkinSolution
from skcolora._snapshots import ExtrapolationWarning

__all__ = [
    "CoLoRAGalerkin",
    "CoLoRARegressor",
    "ExtrapolationWarning",
    "GalerkinSolution",
    "PODGalerkin",
    "PODRegressor",
    "ParameterInterpolator",
]
__version__ = "0.1.0.dev0"
