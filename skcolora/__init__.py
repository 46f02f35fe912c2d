"""Reduced models of parametrised PDEs by continuous low-rank adaptation."""

from skcolora._estimators import (
    CoLoRAGalerkin,
    CoLoRARegressor,
    ParameterInterpolator,
    PODGalerkin,
    PODRegressor,
)
from skcolora._galerkin import GalerkinSolution
from skcolora._model_files import ModelFileError, load, save
from skcolora._snapshots import ExtrapolationWarning
from skcolora.utils._version import __version__ as __version__

__all__ = [
    "CoLoRAGalerkin",
    "CoLoRARegressor",
    "ExtrapolationWarning",
    "GalerkinSolution",
    "ModelFileError",
    "PODGalerkin",
    "PODRegressor",
    "ParameterInterpolator",
    "load",
    "save",
]
