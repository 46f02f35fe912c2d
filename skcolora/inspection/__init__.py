"""Pictures of reduced models; they need matplotlib, ``pip install skcolora[plot]``."""

from skcolora.inspection._error_decay import ErrorDecayDisplay
from skcolora.inspection._latent import LatentDisplay

__all__ = ["ErrorDecayDisplay", "LatentDisplay"]
