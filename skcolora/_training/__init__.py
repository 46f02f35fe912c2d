"""Training of a `CoLoRAModel` on snapshots or on an equation, and least-squares fits."""

from skcolora._training._checkpoint import Checkpoint
from skcolora._training._cost import TrainingCost, expected_cost
from skcolora._training._encoding import encode_fields
from skcolora._training._equation import EquationPhase
from skcolora._training._left_out import train_leaving_out
from skcolora._training._loop import DEFAULT_STEPS, train, train_in_stages
from skcolora._training._phase import Stage
from skcolora._training._pool import PooledSampler, SnapshotSource, make_sampler
from skcolora._training._progress import Progress
from skcolora._training._result import TrainingResult, warn_of_target
from skcolora._training._sampling import Batch, SnapshotSampler

__all__ = [
    "DEFAULT_STEPS",
    "Batch",
    "Checkpoint",
    "EquationPhase",
    "PooledSampler",
    "Progress",
    "SnapshotSampler",
    "SnapshotSource",
    "Stage",
    "TrainingCost",
    "TrainingResult",
    "encode_fields",
    "expected_cost",
    "make_sampler",
    "train",
    "train_in_stages",
    "train_leaving_out",
    "warn_of_target",
]
