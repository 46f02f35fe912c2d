"""Training of a `CoLoRAModel` on samples of snapshots."""

from skcolora.training._loop import TrainingResult, train
from skcolora.training._pool import PooledSampler, SnapshotSource
from skcolora.training._sampling import Batch, SnapshotSampler

__all__ = [
    "Batch",
    "PooledSampler",
    "SnapshotSampler",
    "SnapshotSource",
    "TrainingResult",
    "train",
]
