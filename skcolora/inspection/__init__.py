"""Pictures of reduced models; they need matplotlib, ``pip install skcolora[plot]``."""

from skcolora.inspection._error_decay import ErrorDecayDisplay

__all__ = ["ErrorDecayDisplay"]
