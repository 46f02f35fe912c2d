"""Reduced models of parametrised PDEs by continuous low-rank adaptation."""

from skcolora._colora import CoLoRARegressor
from skcolora._galerkin import CoLoRAGalerkin
from skcolora._interpolation import ParameterInterpolator
from skcolora._pod import PODRegressor
from skcolora._pod_galerkin import PODGalerkin

__all__ = [
    "CoLoRAGalerkin",
    "CoLoRARegressor",
    "PODGalerkin",
    "PODRegressor",
    "ParameterInterpolator",
]
__version__ = "0.1.0.dev0"
