"""The estimators, one public class a file."""

from skcolora._estimators._colora import CoLoRARegressor
from skcolora._estimators._colora_galerkin import CoLoRAGalerkin
from skcolora._estimators._parameter_interpolator import ParameterInterpolator
from skcolora._estimators._pod import PODRegressor
from skcolora._estimators._pod_galerkin import PODGalerkin

__all__ = [
    "CoLoRAGalerkin",
    "CoLoRARegressor",
    "PODGalerkin",
    "PODRegressor",
    "ParameterInterpolator",
]
