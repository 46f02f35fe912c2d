"""Animation of a trajectory as GIF or MP4."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skcolora.inspection._images import image_values, panel_ratio
from skcolora.inspection._trajectory import (
    ERROR_NAME,
    Trajectory,
    add_colorbar,
    error_scale,
    shared_scale,
)
from skcolora.utils._files import replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.colors import Colormap

    Update = Callable[[int], None]


def save_animation(
    path: Path,
    trajectory: Trajectory,
    *,
    fps: float,
    dpi: int,
    title: str,
    cmap: str | Colormap,
) -> None:
    """Write the animation of a trajectory.

    The file is written to a temporary folder first, so that an incomplete file never appears.

    Parameters
    ----------
    path : Path
        File with extension .gif or .mp4.
    trajectory : Trajectory
    fps, dpi, cmap
        See `SnapshotDisplay.save_animation`.
    title : str

    Raises
    ------
    ValueError, FileNotFoundError, RuntimeError
        See `SnapshotDisplay.save_animation`.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    writer = _writer(path, fps, dpi, len(trajectory.times))
    # A figure without pyplot opens no window and needs not be closed.
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    draw = _start_lines if trajectory.grid.n_dims == 1 else _start_images
    update = draw(figure, trajectory, cmap)
    figure.suptitle(title, fontsize="medium")
    widest = max(range(len(trajectory.times)), key=lambda i: len(trajectory.time_label(i)))
    update(widest)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # keeps the panels fixed in all frames
    with replaced(path) as unfinished:
        try:
            with rc_context({"savefig.bbox": None}), writer.saving(figure, unfinished, dpi):
                for i in range(len(trajectory.times)):
                    update(i)
                    writer.grab_frame()
        except subprocess.CalledProcessError as error:
            message = str(error.stderr or "").strip() or str(error)
            raise RuntimeError(
                f"ffmpeg could not write {path.name}: {message.splitlines()[-1]}"
            ) from error


def _writer(path: Path, fps: Any, dpi: Any, n_times: int) -> Any:
    """Matplotlib writer for the extension of the path; checks all arguments."""
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if not isinstance(fps, (int, float)) or not 0 < fps < float("inf"):
        raise ValueError(f"`fps` must be a positive number of frames per second; got {fps!r}.")
    if not isinstance(dpi, int) or dpi < 1:
        raise ValueError(f"`dpi` must be a positive integer; got {dpi!r}.")
    if n_times < 2:
        raise ValueError("An animation needs at least two times; the trajectory has one.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} of `path` does not exist.")
    rate: Any = fps  # matplotlib accepts fractions, but its annotation is int
    kind = path.suffix.lower()
    if kind == ".gif":
        return PillowWriter(fps=rate)
    if kind != ".mp4":
        raise ValueError(f"`path` must end in .gif or .mp4; got {path.name!r}.")
    if not FFMpegWriter.isAvailable():
        raise RuntimeError(
            "Writing .mp4 needs the program ffmpeg, which was not found; install ffmpeg, or write "
            "a .gif file instead."
        )
    return FFMpegWriter(fps=rate, codec="h264")


def _start_lines(figure: Any, trajectory: Trajectory, cmap: Any) -> Update:
    """Draw the first frame in one dimension; returns the function that draws frame i."""
    del cmap
    figure.set_size_inches(6.0, 4.6)
    ax, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    order, names = trajectory.order(), trajectory.names
    x = trajectory.grid.points[order, 0]
    (true,) = ax.plot(x, trajectory.true[0, order], color="0.7", lw=4, label="truth")
    (predicted,) = ax.plot(
        x, trajectory.predicted[0, order], color="C0", lw=1.5, ls="--", label="prediction"
    )
    (error,) = below.plot(x, trajectory.error[0, order], color="C3", lw=1.2)
    low, high = float(trajectory.true.min()), float(trajectory.true.max())
    margin = 0.08 * (high - low) or 1.0
    limit = 1.08 * error_scale(trajectory)["vmax"]
    ax.set(ylabel=names.value, ylim=(low - margin, high + margin))
    below.set(xlabel=names.coordinate(0, 1), ylabel="error", ylim=(-limit, limit))
    below.axhline(0.0, color="0.8", lw=0.8, zorder=0)
    below.ticklabel_format(axis="y", style="sci", scilimits=(-2, 4), useMathText=True)
    figure.align_ylabels()
    for each in (ax, below):
        each.margins(x=0)
        each.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False)

    def update(i: int) -> None:
        true.set_ydata(trajectory.true[i, order])
        predicted.set_ydata(trajectory.predicted[i, order])
        error.set_ydata(trajectory.error[i, order])
        ax.set_title(trajectory.time_label(i), loc="left", fontsize="medium")

    return update


def _start_images(figure: Any, trajectory: Trajectory, cmap: Any) -> Update:
    """Draw the first frame in two dimensions; returns the function that draws frame i."""
    ratio = panel_ratio(trajectory.grid)
    figure.set_size_inches(10.0, min(8.0, 2.6 * ratio + 1.2))
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    scale, of_error, names = shared_scale(trajectory), error_scale(trajectory), trajectory.names
    extend, beyond = scale.pop("extend"), of_error.pop("extend")
    panels = (
        (trajectory.true, "truth", scale | {"cmap": cmap}),
        (trajectory.predicted, "prediction", scale | {"cmap": cmap}),
        (trajectory.error, ERROR_NAME, of_error),
    )
    images = []
    for ax, (values, name, colours) in zip(axes, panels, strict=True):
        images.append(trajectory.image(ax, values[0], **colours))
        ax.set_title(name, fontsize="medium")
        ax.set_xlabel(names.coordinate(0, 2))
    axes[0].set_ylabel(names.coordinate(1, 2))
    add_colorbar(images[1], names.value, extend)
    add_colorbar(images[2], extend=beyond)

    def update(i: int) -> None:
        for image, (values, _, _) in zip(images, panels, strict=True):
            image.set_array(image_values(trajectory.grid, values[i]))
        axes[0].set_title(trajectory.time_label(i), loc="left", fontsize="medium")

    return update
