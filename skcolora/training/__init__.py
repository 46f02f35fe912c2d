"""Training of a `CoLoRAModel` on samples of snapshots."""

from skcolora.training._loop import TrainingResult, train
from skcolora.training._sampling import Batch, SnapshotSampler

__all__ = ["Batch", "SnapshotSampler", "TrainingResult", "train"]
