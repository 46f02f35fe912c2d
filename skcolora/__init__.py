"""Reduced models of parametrised PDEs by continuous low-rank adaptation."""

from skcolora._colora import CoLoRARegressor
from skcolora._interpolation import ParameterInterpolator
from skcolora._pod import PODRegressor

__all__ = ["CoLoRARegressor", "PODRegressor", "ParameterInterpolator"]
__version__ = "0.1.0.dev0"
