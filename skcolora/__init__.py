"""Reduced models of parametrised PDEs by continuous low-rank adaptation."""

from skcolora._colora import CoLoRARegressor

__all__ = ["CoLoRARegressor"]
__version__ = "0.1.0.dev0"
