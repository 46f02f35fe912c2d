"""Plots of reduced models.  They need matplotlib: ``pip install skcolora[plot]``."""

from skcolora.inspection._error_decay import ErrorDecayDisplay
from skcolora.inspection._latent import LatentDisplay
from skcolora.inspection._snapshot import SnapshotDisplay

__all__ = ["ErrorDecayDisplay", "LatentDisplay", "SnapshotDisplay"]
