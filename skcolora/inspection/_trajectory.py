"""One trajectory, true and predicted, drawn as lines, a map or images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skcolora._snapshots import Array, Grid, infer_layout
from skcolora.inspection._checks import check_dimensions
from skcolora.inspection._images import draw_image, triangles_of
from skcolora.inspection._matplotlib import line_colormap
from skcolora.inspection._names import Names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

ERROR_NAME = "prediction − truth"
# Colour map that is perceptually ordered on both sides of a neutral middle.
_ERROR_COLORS = "RdBu_r"
# Quantile of the errors that sets the ends of their colours, if the largest is so many times as
# large: otherwise a few points at a front would leave everything else white.
_ERROR_QUANTILE, _OUTLIERS = 0.995, 2.0


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A field of one trajectory on a 1-D or 2-D grid."""

    times: Array
    grid: Grid
    true: Array
    """True values, (n_times, n_points)"""
    predicted: Array
    """Predicted values, (n_times, n_points); NaN is not drawn"""
    names: Names
    triangles: NDArray[np.intp] | None = None
    """Triangles of a mesh of scattered points, (n, 3); None: no mesh"""

    @property
    def error(self) -> Array:
        """Prediction minus truth, (n_times, n_points)."""
        return self.predicted - self.true

    def time_label(self, i: int) -> str:
        """Label of snapshot i; empty if there is only one time."""
        return self.names.time_text(self.times[i]) if len(self.times) > 1 else ""

    def image(self, ax: Axes, values: Array, **colours: Any) -> Any:
        """Draw values (n_points,) of a 2-D grid as an image."""
        return draw_image(ax, self.grid, values, self.triangles, **colours)

    def order(self) -> NDArray[np.intp]:
        """Indices that sort the points of a 1-D grid from left to right."""
        return np.argsort(self.grid.points[:, 0], kind="stable")


def trajectory_of(
    y_true: Array,
    y_pred: Array,
    times: ArrayLike,
    points: Any,
    names: Names,
    cells: Mapping[str, ArrayLike] | None,
) -> Trajectory:
    """The trajectory of the arguments of `SnapshotDisplay`, or a ValueError."""
    layout = infer_layout((1, *y_true.shape), times, points)
    if layout.n_fields > 1:
        raise ValueError(
            f"`y_true` has shape {y_true.shape}, with {layout.n_fields} fields; expected one "
            "field of one trajectory."
        )
    check_dimensions(layout.grid, most=2)
    true, predicted = (each.reshape(layout.n_times, -1) for each in (y_true, y_pred))
    mesh = triangles_of(cells) if cells and layout.grid.n_dims == 2 else None
    return Trajectory(layout.times, layout.grid, true, predicted, names, mesh)


def shared_scale(trajectory: Trajectory, shown: Any = slice(None)) -> dict[str, Any]:
    """Colour limits from the true values of the shown snapshots.

    The entry ``extend`` tells whether finite predicted values are outside the limits.
    """
    true, predicted = trajectory.true[shown], trajectory.predicted[shown]
    low, high = float(true.min()), float(true.max())
    slack = 0.01 * (high - low)
    finite = np.isfinite(predicted)
    below = predicted.min(where=finite, initial=low) < low - slack
    above = predicted.max(where=finite, initial=high) > high + slack
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}
    return {"vmin": low, "vmax": high, "extend": extend[int(below), int(above)]}


def error_scale(trajectory: Trajectory, shown: Any = slice(None)) -> dict[str, Any]:
    """Colour limits symmetric about zero, which few points with much larger errors do not set.

    The entry ``extend`` tells whether there are such points.
    """
    error = trajectory.error[shown]
    error = np.abs(error[np.isfinite(error)])
    largest = float(error.max(initial=0.0))
    limit = float(np.quantile(error, _ERROR_QUANTILE)) if error.size else 0.0
    if largest <= _OUTLIERS * limit or not limit:
        limit = largest
    extend = "both" if largest > limit else "neither"
    return {"vmin": -(limit or 1.0), "vmax": limit or 1.0, "cmap": _ERROR_COLORS, "extend": extend}


def add_colorbar(image: Any, label: str = "", extend: str = "neither") -> None:
    """Add a colour bar with the height of the axes of the image."""
    place = image.axes.inset_axes((1.05, 0.0, 0.05, 1.0))
    bar = image.axes.figure.colorbar(image, cax=place, label=label, extend=extend)
    bar.ax.ticklabel_format(axis="y", style="sci", scilimits=(-2, 4), useMathText=True)
    bar.outline.set_visible(False)


def draw_lines(ax: Axes, trajectory: Trajectory, shown: list[int], cmap: Any) -> None:
    """Draw the field over x at a few times: the truth wide and pale, the prediction dashed."""
    from matplotlib.lines import Line2D

    order = trajectory.order()
    x = trajectory.grid.points[order, 0]
    colours = line_colormap(cmap)(np.linspace(0, 1, max(2, len(shown))))
    for i, colour in zip(shown, colours, strict=False):
        ax.plot(x, trajectory.true[i, order], color=colour, lw=3.5, alpha=0.4)
        ax.plot(x, trajectory.predicted[i, order], color=colour, lw=1.3, ls="--")
    handles = [
        Line2D([], [], color="0.25", lw=3.5, alpha=0.4, label="truth"),
        Line2D([], [], color="0.25", lw=1.3, ls="--", label="prediction"),
    ]
    if len(trajectory.times) > 1:
        for i, colour in zip(shown, colours, strict=False):
            handles.append(Line2D([], [], color=colour, lw=2, label=trajectory.time_label(i)))
    ax.legend(handles=handles, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0)
    ax.set(xlabel=trajectory.names.coordinate(0, 1), ylabel=trajectory.names.value)


def draw_map(figure: Any, trajectory: Trajectory, cmap: str | Colormap) -> NDArray[Any]:
    """Draw truth, prediction and error over space and time; returns the three axes."""
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    order = trajectory.order()
    x, t = trajectory.grid.points[order, 0], trajectory.times
    scale, of_error, names = shared_scale(trajectory), error_scale(trajectory), trajectory.names
    extend, beyond = scale.pop("extend"), of_error.pop("extend")
    images = []
    for ax, values, name, colours in (
        (axes[0], trajectory.true, "truth", scale | {"cmap": cmap}),
        (axes[1], trajectory.predicted, "prediction", scale | {"cmap": cmap}),
        (axes[2], trajectory.error, ERROR_NAME, of_error),
    ):
        image = ax.pcolormesh(x, t, values[:, order], shading="nearest", rasterized=True, **colours)
        images.append(image)
        ax.set_title(name, fontsize="medium")
        ax.set_xlabel(names.coordinate(0, 1))
    axes[0].set_ylabel(names.time)
    add_colorbar(images[1], names.value, extend)
    add_colorbar(images[2], extend=beyond)
    return np.asarray(axes)


def draw_images(
    figure: Any, trajectory: Trajectory, shown: list[int], cmap: str | Colormap
) -> NDArray[Any]:
    """Draw rows of truth, prediction and error, with a column for each time, (3, n_shown)."""
    axes = figure.subplots(3, len(shown), sharex=True, sharey=True, squeeze=False)
    scale, of_error = shared_scale(trajectory, shown), error_scale(trajectory, shown)
    extend, beyond, names = scale.pop("extend"), of_error.pop("extend"), trajectory.names
    rows = (
        ("truth", trajectory.true, scale | {"cmap": cmap}),
        ("prediction", trajectory.predicted, scale | {"cmap": cmap}),
        ("error", trajectory.error, of_error),
    )
    images = np.empty(axes.shape, dtype=object)
    for r, (name, values, colours) in enumerate(rows):
        for c, i in enumerate(shown):
            images[r, c] = trajectory.image(axes[r, c], values[i], **colours)
        axes[r, 0].set_ylabel(f"{name}\n{names.coordinate(1, 2)}")
    for c, i in enumerate(shown):
        axes[0, c].set_title(trajectory.time_label(i), fontsize="medium")
        axes[2, c].set_xlabel(names.coordinate(0, 2))
    for image in images[:2, -1]:
        add_colorbar(image, names.value, extend)
    add_colorbar(images[2, -1], extend=beyond)
    return np.asarray(axes)
