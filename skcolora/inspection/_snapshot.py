"""SnapshotDisplay: predicted snapshots against the truth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skcolora._estimators._unwrap import find_model
from skcolora._snapshots import SnapshotLayout, infer_layout
from skcolora.inspection._animation import save_animation
from skcolora.inspection._checks import check_dimensions, check_kind_and_times
from skcolora.inspection._images import image_figure_size
from skcolora.inspection._matplotlib import axes_for, figure_for, require_matplotlib, whole_figure
from skcolora.inspection._selection import (
    check_index,
    column_names,
    describe_errors,
    describe_parameters,
    take_row,
)
from skcolora.inspection._trajectory import Trajectory, draw_images, draw_lines, draw_map
from skcolora.metrics import relative_l2_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


class SnapshotDisplay:
    """Predicted snapshots of one trajectory against the truth.

    Snapshots in one dimension are shown as lines at a few times, or as a map of space and time.
    Snapshots in two dimensions are shown as images at a few times.  The title gives the relative
    L2 error over all times, and that of the variation.  Create a display with `from_estimator` or
    `from_predictions`.

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
    symbol : str, default="$u$"
        Name of the field.

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
        symbol: str = "$u$",
    ) -> None:
        self.y_true = np.asarray(y_true)
        self.y_pred = np.asarray(y_pred)
        self.times = times
        self.points = points
        self.label = label
        self.symbol = symbol
        both = self.y_true[None], self.y_pred[None]
        self.error_ = relative_l2_error(*both)
        self.centered_error_ = relative_l2_error(*both, centered=True)
        self._title = describe_errors(label, self.error_, self.centered_error_)
        layout = infer_layout((1, *self.y_true.shape), times, points)
        if layout.n_fields > 1:
            raise ValueError(
                f"`y_true` has shape {self.y_true.shape}, with {layout.n_fields} fields; expected "
                "one field of one trajectory."
            )
        check_dimensions(layout.grid)
        self._trajectory = Trajectory(
            times=layout.times,
            grid=layout.grid,
            true=self.y_true.reshape(layout.n_times, -1),
            predicted=self.y_pred.reshape(layout.n_times, -1),
            symbol=symbol,
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y_true: ArrayLike,
        *,
        trajectory: int = 0,
        field: int = 0,
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
            If the arguments do not fit together, or the points have three dimensions.
        """
        require_matplotlib("SnapshotDisplay.from_estimator")
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
        check_kind_and_times(kind, times, layout.times, layout.grid.n_dims)
        row = take_row(X, trajectory)
        predicted = layout.to_rows(np.asarray(estimator.predict(row)))
        label = describe_parameters(row, column_names(X))
        display = cls._from_rows(rows[trajectory], predicted[0], layout, field, label)
        return display.plot(ax, kind=kind, times=times, cmap=cmap)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        grid: Mapping[str, Any] | None = None,
        trajectory: int = 0,
        field: int = 0,
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
        kind, times, ax, cmap
            See `plot`.

        Returns
        -------
        display : SnapshotDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the arguments do not fit together, or the points have three dimensions.
        """
        require_matplotlib("SnapshotDisplay.from_predictions")
        grid = {} if grid is None else grid
        unknown = set(grid) - {"times", "points", "period"}
        if unknown:
            raise ValueError(f"`grid` has times, points and period; got {sorted(unknown)}.")
        true, predicted = np.asarray(y_true), np.asarray(y_pred)
        if true.shape != predicted.shape:
            raise ValueError(f"y_true has shape {true.shape}, but y_pred has {predicted.shape}.")
        layout = infer_layout(true.shape, grid.get("times"), grid.get("points"))
        trajectory = check_index(trajectory, len(true), "trajectory")
        display = cls._from_rows(
            layout.to_rows(true)[trajectory],
            layout.to_rows(predicted)[trajectory],
            layout,
            field,
            None,
        )
        return display.plot(ax, kind=kind, times=times, cmap=cmap)

    @classmethod
    def _from_rows(
        cls, true: Any, predicted: Any, layout: SnapshotLayout, field: int, label: str | None
    ) -> SnapshotDisplay:
        """Display of one field of rows (n_times, n_points, n_fields)."""
        field = check_index(field, layout.n_fields, "field")
        shape = (layout.n_times, *layout.grid.shape)
        return cls(
            y_true=true[..., field].reshape(shape),
            y_pred=predicted[..., field].reshape(shape),
            times=layout.times,
            points=layout.grid.points if layout.grid.axes is None else layout.grid.axes,
            label=label,
            symbol="$u$" if layout.n_fields == 1 else f"$u_{{{field}}}$",
        )

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
        """Write an animation of truth and prediction over time as GIF or MP4.

        In two dimensions it also shows the error, prediction minus truth.  An existing file is
        replaced after the animation is complete.

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
