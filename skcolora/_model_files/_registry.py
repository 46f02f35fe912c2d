"""The classes and functions that a model file may name."""

from __future__ import annotations

import types
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from torch import nn

from skcolora import _estimators, pdes
from skcolora._estimators._left_out import Fold
from skcolora._estimators._uncertainty import Uncertainty
from skcolora._estimators._unwrap import transform_parameters
from skcolora._galerkin import (
    Collocation,
    KnownSnapshots,
    LatentEquation,
    PODEquation,
    SampledModes,
    TrainedModel,
    Trust,
)
from skcolora._galerkin._boundary_rows import Boundary, SidePoints
from skcolora._galerkin._start import Start, TrainedStarts
from skcolora._nn import CoLoRANetwork, Hypernetwork
from skcolora._nn._layers import CoLoRALayer, LowRankUpdate
from skcolora._nn._periodic import PeriodicLayer
from skcolora._snapshots import Grid, ParameterScale, Scale, SnapshotLayout, Times, Units
from skcolora._snapshots._time_coordinate import TimeCoordinate
from skcolora._snapshots._units import TimeScale
from skcolora.pdes._conditions import Condition

ESTIMATORS: tuple[type, ...] = (
    *(getattr(_estimators, name) for name in _estimators.__all__),
    Pipeline,
    FrozenEstimator,
)
"""Estimators that are kept attribute by attribute; others are left to skops"""

MODULES: tuple[type[nn.Module], ...] = (
    CoLoRANetwork,
    Hypernetwork,
    CoLoRALayer,
    LowRankUpdate,
    PeriodicLayer,
    nn.ModuleList,
    nn.ParameterList,
)

_EQUATIONS = [
    each
    for each in vars(pdes).values()
    if isinstance(each, type) and issubclass(each, (pdes.PDE, Condition, pdes.Surface))
]
RECORDS: tuple[type, ...] = (
    Boundary,
    Collocation,
    Fold,
    Grid,
    KnownSnapshots,
    LatentEquation,
    PODEquation,
    ParameterScale,
    SampledModes,
    Scale,
    SidePoints,
    SnapshotLayout,
    Start,
    TimeCoordinate,
    TimeScale,
    Times,
    TrainedModel,
    TrainedStarts,
    Trust,
    Uncertainty,
    Units,
    types.SimpleNamespace,
    *_EQUATIONS,
)

FUNCTIONS = (transform_parameters,)


def by_name(entries: tuple[Any, ...]) -> dict[str, Any]:
    """Entries by their names, which must differ."""
    found = {entry.__name__: entry for entry in entries}
    assert len(found) == len(entries)
    return found


def import_path(cls: Any) -> str:
    """Module and name of a class or function of a user."""
    return f"{cls.__module__}:{cls.__qualname__}"
