"""Training of a `CoLoRAModel` on samples of snapshots."""

from skcolora.training._loop import Stage, TrainingResult, train, train_in_stages
from skcolora.training._phases import NaturalGradientPhase, Phase, batch_shape
from skcolora.training._pool import PooledSampler, SnapshotSource
from skcolora.training._sampling import Batch, SnapshotSampler
from skcolora.training._spring import SPRING

__all__ = [
    "SPRING",
    "Batch",
    "NaturalGradientPhase",
    "Phase",
    "PooledSampler",
    "SnapshotSampler",
    "SnapshotSource",
    "Stage",
    "TrainingResult",
    "batch_shape",
    "train",
    "train_in_stages",
]
