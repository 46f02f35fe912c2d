"""SnapshotDisplay: predicted snapshots against the truth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skcolora.inspection._animation import save_animation
from skcolora.inspection._checks import check_kind_and_times
from skcolora.inspection._images import image_figure_size
from skcolora.inspection._matplotlib import axes_for, figure_for, require_matplotlib, whole_figure
from skcolora.inspection._names import Names
from skcolora.inspection._selection import describe_errors
from skcolora.inspection._sources import from_data, from_estimator, from_predictions
from skcolora.inspection._trajectory import draw_images, draw_lines, draw_map, trajectory_of
from skcolora.metrics import relative_l2_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from skcolora.datasets import SnapshotData


class SnapshotDisplay:
    """Predicted snapshots of one trajectory against the truth.

    Snapshots in one dimension are shown as lines at a few times, or as a map of space and time.
    Snapshots in two dimensions are shown as images at a few times, those in three dimensions as
    images of a plane.  The title gives the relative L2 error of what is shown, over all times, and
    that of the variation.  Create a display with `from_estimator`, `from_predictions`, or
    `from_data`, which knows names, units and the mesh.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_times, n_points) or (n_times, n_0, n_1)
        One field of one trajectory.  NaN in y_pred is not drawn and gives error infinity.
    times : array-like of shape (n_times,)
        Strictly increasing times.
    points : array-like of shape (n_points, n_dims) or tuple of 1-D axes
        Points of the snapshots, in one or two dimensions.
    label : str, default=None
        First part of the title, such as the parameters of the trajectory.
    field_name : str, default="$u$"
        Name of the field.
    coordinate_names : sequence of str, default=()
        Names of the dimensions.  Empty: x, or x with an index.
    units : mapping of str to str, default=None
        Units of these names, and of "time".
    cells : mapping of str to ndarray, default=None
        Cells of a mesh whose nodes are the points, as in `SnapshotData`.  None: scattered points in
        two dimensions are joined by triangles, without those across holes.

    Attributes
    ----------
    error_ : float
        Relative L2 error of the field over all times.
    centered_error_ : float
        Error relative to the variation of the field about its mean over all times and points.
    ax_ : matplotlib Axes
        Axes with the lines, or the first panel of other kinds.
    axes_ : ndarray of matplotlib Axes
        Panels of shape (1, 1) for lines, (1, 3) for a map, (3, n_shown) for images.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    LatentDisplay : Latent states over time.
    ErrorDecayDisplay : Error over the number of latent variables.

    Examples
    --------
    >>> from skcolora import PODRegressor
    >>> from skcolora.datasets import make_advection
    >>> from skcolora.inspection import SnapshotDisplay
    >>> data = make_advection([0.5, 0.75, 1.0, 1.25, 1.5])
    >>> model = PODRegressor(**data.grid, n_components=20).fit(data.X, data.y)
    >>> test = make_advection([0.9])
    >>> SnapshotDisplay.from_estimator(model, test.X, test.y, times=[0, 0.5, 1])
    <...>
    """

    ax_: Axes
    axes_: NDArray[Any]
    figure_: Figure

    def __init__(
        self,
        *,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        times: ArrayLike,
        points: Any,
        label: str | None = None,
        field_name: str = "$u$",
        coordinate_names: Sequence[str] = (),
        units: Mapping[str, str] | None = None,
        cells: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.y_true = np.asarray(y_true)
        self.y_pred = np.asarray(y_pred)
        self.times = times
        self.points = points
        self.label = label
        self.field_name = field_name
        self.coordinate_names = coordinate_names
        self.units = units
        self.cells = cells
        both = self.y_true[None], self.y_pred[None]
        self.error_ = relative_l2_error(*both)
        self.centered_error_ = relative_l2_error(*both, centered=True)
        self._title = describe_errors(label, self.error_, self.centered_error_)
        names = Names(field_name, coordinate_names, units or {})
        self._trajectory = trajectory_of(self.y_true, self.y_pred, times, points, names, cells)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y_true: ArrayLike,
        *,
        trajectory: int = 0,
        field: int = 0,
        section: Mapping[Any, float] | None = None,
        kind: str = "auto",
        times: ArrayLike | None = None,
        ax: Axes | None = None,
        cmap: str | Colormap = "viridis",
    ) -> SnapshotDisplay:
        """Predict one trajectory and draw it against the truth.

        Parameters
        ----------
        estimator : fitted estimator of skcolora
            The estimator may be in a meta-estimator, or at the end of a pipeline.
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        y_true : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            True snapshots, at the times and points of ``fit`` and in its layout.
        trajectory, field : int, default=0
            Indices of the trajectory and the field to show.
        section : mapping, default=None
            Plane to show of snapshots in three dimensions: one dimension and a position, such as
            ``{2: 0.5}``.  None: the middle of the last dimension.
        kind, times, ax, cmap
            See `plot`.

        Returns
        -------
        display : SnapshotDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If the estimator does not know its times and points.
        ValueError
            If the arguments do not fit together.
        """
        require_matplotlib("SnapshotDisplay.from_estimator")
        chosen: dict[str, Any] = {"trajectory": trajectory, "field": field, "section": section}
        found = from_estimator(estimator, X, y_true, kind=kind, times=times, **chosen)
        return cls(**found).plot(ax, kind=kind, times=times, cmap=cmap)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        grid: Mapping[str, Any] | None = None,
        trajectory: int = 0,
        field: int = 0,
        section: Mapping[Any, float] | None = None,
        kind: str = "auto",
        times: ArrayLike | None = None,
        ax: Axes | None = None,
        cmap: str | Colormap = "viridis",
    ) -> SnapshotDisplay:
        """Draw one of several predicted trajectories against the truth.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            True and predicted snapshots, in any layout.
        grid : mapping, default=None
            ``times`` and ``points``, such as ``data.grid``.  None: uniform on [0, 1].
        trajectory, field : int, default=0
            Indices of the trajectory and the field to show.
        section, kind, times, ax, cmap
            See `from_estimator` and `plot`.

        Returns
        -------
        display : SnapshotDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the arguments do not fit together.
        """
        require_matplotlib("SnapshotDisplay.from_predictions")
        found = from_predictions(
            y_true, y_pred, grid=grid, trajectory=trajectory, field=field, section=section
        )
        return cls(**found).plot(ax, kind=kind, times=times, cmap=cmap)

    @classmethod
    def from_data(
        cls,
        estimator: Any,
        data: SnapshotData,
        *,
        trajectory: int = 0,
        field: int | str = 0,
        section: Mapping[Any, float] | None = None,
        kind: str = "auto",
        times: ArrayLike | None = None,
        ax: Axes | None = None,
        cmap: str | Colormap = "viridis",
    ) -> SnapshotDisplay:
        """Predict one trajectory of a data set, and draw it with names, units and mesh.

        Parameters
        ----------
        estimator : fitted estimator of skcolora
            As in `from_estimator`.
        data : SnapshotData
            True snapshots at the times and points of ``fit``.
        trajectory : int, default=0
            Index of the trajectory to show.
        field : int or str, default=0
            Index or name of the field to show.
        section, kind, times, ax, cmap
            See `from_estimator` and `plot`.

        Returns
        -------
        display : SnapshotDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the arguments do not fit together.
        """
        require_matplotlib("SnapshotDisplay.from_data")
        chosen: dict[str, Any] = {"trajectory": trajectory, "field": field, "section": section}
        found = from_data(estimator, data, kind=kind, times=times, **chosen)
        return cls(**found).plot(ax, kind=kind, times=times, cmap=cmap)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str = "auto",
        times: ArrayLike | None = None,
        cmap: str | Colormap = "viridis",
    ) -> SnapshotDisplay:
        """Draw the trajectory.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in.  Several panels replace these axes.  None: a new figure.
        kind : {"auto", "lines", "map", "images"}, default="auto"
            One dimension: "lines" at a few times (default), or "map" of truth, prediction and
            error over space and time.  Two dimensions: "images" of truth, prediction and error
            at a few times.  The error is prediction minus truth.
        times : array-like of shape (n_shown,), default=None
            Times of the lines or images; the nearest snapshots are drawn and labelled with
            their times.  None: four times from the first to the last.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the field, or of the lines at different times.

        Returns
        -------
        display : SnapshotDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the kind does not fit the dimension, or a time is outside the snapshots.
        """
        require_matplotlib("SnapshotDisplay.plot")
        trajectory = self._trajectory
        kind, shown = check_kind_and_times(kind, times, trajectory.times, trajectory.grid.n_dims)
        if kind == "lines":
            ax = axes_for(ax, (6.5, 3.6))
            draw_lines(ax, trajectory, shown, cmap)
            ax.set_title(self._title, fontsize="medium")
            axes = np.array([[ax]])
        else:
            if kind == "map":
                figure = figure_for(ax, (10.0, 3.4), "constrained")
                axes = draw_map(figure, trajectory, cmap)[None]
            else:
                figure = figure_for(
                    ax, image_figure_size(trajectory.grid, len(shown)), "compressed"
                )
                axes = draw_images(figure, trajectory, shown, cmap)
            figure.suptitle(self._title, fontsize="medium")
        self.ax_, self.axes_, self.figure_ = axes[0, 0], axes, whole_figure(axes[0, 0])
        return self

    def save_animation(
        self,
        path: str | os.PathLike[str],
        *,
        fps: float = 10,
        dpi: int = 100,
        cmap: str | Colormap = "viridis",
    ) -> None:
        """Write an animation of truth, prediction and error over time as GIF or MP4.

        The error is prediction minus truth.  An existing file is replaced after the animation is
        complete.

        Parameters
        ----------
        path : str or path
            File name that ends in ``.gif`` or ``.mp4``.  The latter needs the program ffmpeg.
        fps : float, default=10
            Number of frames per second.  Each snapshot is a frame.
        dpi : int, default=100
            Pixels per inch.  The animation is 6 inches wide in one dimension, 10 in two.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the field in two dimensions.

        Raises
        ------
        ValueError
            If the extension is unknown, a number is out of range, or there is only one time.
        FileNotFoundError
            If the folder does not exist.
        RuntimeError
            If ffmpeg is missing.
        """
        require_matplotlib("SnapshotDisplay.save_animation")
        save_animation(Path(path), self._trajectory, fps=fps, dpi=dpi, title=self._title, cmap=cmap)
