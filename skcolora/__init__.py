"""Reduced models of parametrised PDEs by continuous low-rank adaptation."""

from skcolora._estimators import (
    CoLoRAGalerkin,
    CoLoRARegressor,
    ParameterInterpolator,
    PODGalerkin,
    PODRegressor,
)
from skcolora._galerkin import GalerkinSolution

__all__ = [
    "CoLoRAGalerkin",
    "CoLoRARegressor",
    "GalerkinSolution",
    "PODGalerkin",
    "PODRegressor",
    "ParameterInterpolator",
]
__version__ = "0.1.0.dev0"
