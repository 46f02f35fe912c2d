"""The network that the parameters of a `CoLoRARegressor` describe."""

from __future__ import annotations

from typing import Any

from skcolora._nn import CoLoRAModel
from skcolora._snapshots import SnapshotLayout, Units


def check_architecture(regressor: Any) -> tuple[int, ...]:
    """The adapted layers, or a ValueError where parameters contradict each other."""
    if regressor.rank > regressor.width:
        raise ValueError(
            f"`rank` must be at most `width`; got rank={regressor.rank}, width={regressor.width}."
        )
    depth, given = regressor.depth, regressor.adapted_layers
    adapted = tuple(sorted(int(i) for i in (range(depth) if given is None else given)))
    inside = all(0 <= i < depth for i in adapted)
    if not adapted or not inside or len(set(adapted)) != len(adapted):
        raise ValueError(
            "`adapted_layers` must be different indices from 0 to depth - 1 = "
            f"{depth - 1}; got {given!r}."
        )
    return adapted


def weight_shapes(
    regressor: Any, layout: SnapshotLayout, period: Any, adapted_layers: tuple[int, ...]
) -> tuple[Any, ...]:
    """What the shapes and the meaning of all weights depend on."""
    names = ("width", "depth", "rank", "adaptation", "hyper_width", "hyper_depth")
    architecture = tuple(getattr(regressor, name) for name in names)
    sizes = (regressor.n_features_in_, layout.grid.n_dims, layout.n_fields)
    scale = regressor.parameter_scale
    scales = scale if isinstance(scale, str) else tuple(scale)
    return (*architecture, scales, adapted_layers, *sizes, period)


def new_model(
    regressor: Any,
    layout: SnapshotLayout,
    units: Units,
    adapted_layers: tuple[int, ...],
    seed: int,
) -> CoLoRAModel:
    """A model with initial weights."""
    return CoLoRAModel.create(
        regressor.n_features_in_,
        layout.grid.n_dims,
        layout.n_fields,
        periodic=units.periodic,
        width=regressor.width,
        depth=regressor.depth,
        rank=regressor.rank,
        adaptation=regressor.adaptation,
        adapted_layers=adapted_layers,
        hyper_width=regressor.hyper_width,
        hyper_depth=regressor.hyper_depth,
        seed=seed,
    )
