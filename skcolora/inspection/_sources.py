"""The trajectory that a `SnapshotDisplay` shows, from an estimator, predictions or a data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora._estimators._unwrap import find_model
from skcolora._snapshots import SnapshotLayout, infer_layout
from skcolora.inspection._checks import check_dimensions, check_kind_and_times
from skcolora.inspection._names import Names
from skcolora.inspection._section import cut, section_of
from skcolora.inspection._selection import (
    check_index,
    column_names,
    describe_parameters,
    take_row,
)


def from_estimator(
    estimator: Any,
    X: ArrayLike,
    y_true: ArrayLike,
    *,
    trajectory: int,
    field: int,
    section: Any,
    kind: str,
    times: ArrayLike | None,
    names: Names | None = None,
    parameters: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Arguments of the display of one prediction; everything is checked before it is made."""
    names = names or Names()
    layout: SnapshotLayout = find_model(estimator)[0]._layout
    check_dimensions(layout.grid)
    rows = layout.check_rows(y_true)
    n_rows = len(X)  # type: ignore[arg-type]
    if n_rows != len(rows):
        raise ValueError(f"X has {n_rows} rows, but y_true has {len(rows)} trajectories.")
    if rows.shape[1] != layout.n_times:
        raise ValueError(
            f"y_true has {rows.shape[1]} times, but the estimator was fitted on "
            f"{layout.n_times}; for other times use `from_predictions`."
        )
    trajectory = check_index(trajectory, len(rows), "trajectory")
    check_index(field, layout.n_fields, "field")
    check_kind_and_times(kind, times, layout.times, min(layout.grid.n_dims, 2))
    if layout.grid.n_dims == 3:
        section_of(section, names.coordinates, layout.grid)
    row = take_row(X, trajectory)
    predicted = layout.to_rows(np.asarray(estimator.predict(row)))
    if parameters:
        label = describe_parameters(row, list(parameters), [names.unit(p) for p in parameters])
    else:
        label = describe_parameters(row, column_names(X))
    return _arguments(rows[trajectory], predicted[0], layout, field, label, section, names)


def from_predictions(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    grid: Mapping[str, Any] | None,
    trajectory: int,
    field: int,
    section: Any,
) -> dict[str, Any]:
    """Arguments of the display of one of several predictions."""
    grid = {} if grid is None else grid
    unknown = set(grid) - {"times", "points", "period"}
    if unknown:
        raise ValueError(f"`grid` has times, points and period; got {sorted(unknown)}.")
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if true.shape != predicted.shape:
        raise ValueError(f"y_true has shape {true.shape}, but y_pred has {predicted.shape}.")
    layout = infer_layout(true.shape, grid.get("times"), grid.get("points"))
    trajectory = check_index(trajectory, len(true), "trajectory")
    true, predicted = (layout.to_rows(each)[trajectory] for each in (true, predicted))
    return _arguments(true, predicted, layout, field, None, section, Names())


def from_data(
    estimator: Any, data: Any, *, trajectory: int, field: int | str, **options: Any
) -> dict[str, Any]:
    """Arguments of the display of a prediction of `SnapshotData`, with its names and units."""
    names = tuple(data.field_names)
    if isinstance(field, str):
        if field not in names:
            raise ValueError(f"`field` must be one of {list(names)}; got {field!r}.")
        field = names.index(field)
    found = from_estimator(
        estimator,
        data.X,
        data.y,
        trajectory=trajectory,
        field=field,
        names=Names(coordinates=tuple(data.coordinate_names), units=data.units),
        parameters=tuple(data.parameter_names),
        **options,
    )
    if names:
        found["field_name"] = names[field]
    # Cells in three dimensions are none of a plane.
    flat = len(found["coordinate_names"]) == len(data.coordinate_names)
    return {**found, "units": dict(data.units), "cells": dict(data.cells) if flat else {}}


def _arguments(
    true: Any,
    predicted: Any,
    layout: SnapshotLayout,
    field: int,
    label: str | None,
    section: Any,
    names: Names,
) -> dict[str, Any]:
    """Arguments of the display of one field of rows (n_times, n_points, n_fields)."""
    field = check_index(field, layout.n_fields, "field")
    true, predicted, grid = true[..., field], predicted[..., field], layout.grid
    points: Any = grid.points if grid.axes is None else grid.axes
    shape: tuple[int, ...] = grid.shape
    coordinates = tuple(names.coordinates)
    if grid.n_dims == 3:
        d, position = section_of(section, coordinates, grid)
        points, position, (true, predicted) = cut(grid, d, position, true, predicted)
        shape = tuple(map(len, points)) if isinstance(points, tuple) else (len(points),)
        coordinates = coordinates or ("$x_0$", "$x_1$", "$x_2$")
        where = f"{coordinates[d]} = {position:.4g} {names.unit(coordinates[d])}".rstrip()
        label = f"{label}, {where}" if label else where
        coordinates = tuple(name for i, name in enumerate(coordinates) if i != d)
    elif section is not None:
        raise ValueError(
            f"`section` is for snapshots in three dimensions; these have {grid.n_dims}."
        )
    return {
        "y_true": true.reshape(layout.n_times, *shape),
        "y_pred": predicted.reshape(layout.n_times, *shape),
        "times": layout.times,
        "points": points,
        "label": label,
        "field_name": "$u$" if layout.n_fields == 1 else f"$u_{{{field}}}$",
        "coordinate_names": coordinates,
    }
