"""ErrorDecayDisplay: error over the number of latent variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora._estimators._unwrap import find_model
from skcolora._snapshots import Array
from skcolora._snapshots._pod import POD
from skcolora.inspection._matplotlib import axes_for, require_matplotlib, whole_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


class ErrorDecayDisplay:
    """Error over the number n of latent variables or modes, on a logarithmic scale.

    `from_estimator` draws the projection error of POD modes, which is a lower bound for models
    with these modes.  Curves of other models can be added to the same axes.

    Parameters
    ----------
    n_components : array-like of shape (n,)
        Numbers of latent variables.
    errors : array-like of shape (n,)
        Relative L2 errors.
    label : str, default=None
        Name of the curve in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    SnapshotDisplay : Predicted snapshots against the truth.

    Examples
    --------
    >>> from skcolora import PODRegressor
    >>> from skcolora.datasets import make_advection
    >>> from skcolora.inspection import ErrorDecayDisplay
    >>> data = make_advection([0.5, 1.0, 1.5])
    >>> model = PODRegressor(**data.grid, n_components=40).fit(data.X, data.y)
    >>> display = ErrorDecayDisplay.from_estimator(model, data.y)
    >>> other = ErrorDecayDisplay([2, 4, 7], [0.1, 0.01, 0.002], label="CoLoRA")
    >>> other.plot(ax=display.ax_)
    <...>
    """

    line_: Line2D
    ax_: Axes
    figure_: Figure

    def __init__(
        self, n_components: ArrayLike, errors: ArrayLike, label: str | None = None
    ) -> None:
        self.n_components = np.asarray(n_components)
        self.errors = np.asarray(errors, dtype=np.float64)
        self.label = label
        if self.n_components.ndim != 1 or self.n_components.shape != self.errors.shape:
            raise ValueError(
                "`n_components` and `errors` must have the same shape (n,); got "
                f"{self.n_components.shape} and {self.errors.shape}."
            )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        y: ArrayLike,
        *,
        label: str | None = "POD projection",
        ax: Axes | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> ErrorDecayDisplay:
        """Draw the projection error of snapshots onto the first n modes, for each n.

        Parameters
        ----------
        estimator : fitted PODRegressor, or pipeline that ends in one
            Estimator with many modes; the last n is its number of modes.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots at the points of ``fit`` and in its layout.  The times may differ.
        label : str, default="POD projection"
            Name of the curve in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw in.  None: a new figure.
        line_kwargs : dict, default=None
            Keywords for matplotlib's ``plot``.

        Returns
        -------
        display : ErrorDecayDisplay
            The drawn display with the mean `relative_l2_error` for n = 1, 2, … modes.

        Raises
        ------
        TypeError
            If the estimator has no modes.
        ValueError
            If the layout of y differs from the layout of ``fit``.
        """
        require_matplotlib("ErrorDecayDisplay.from_estimator")
        model, _ = find_model(estimator)
        if not hasattr(model, "project"):
            raise TypeError(
                f"{type(model).__name__} has no modes to project on (method `project`); give its "
                "errors to `ErrorDecayDisplay(n_components, errors)`."
            )
        errors = _projection_errors(model._pod, model._layout.check_rows(y))
        display = cls(np.arange(1, len(errors) + 1), errors, label)
        return display.plot(ax, line_kwargs=line_kwargs)

    def plot(
        self, ax: Axes | None = None, *, line_kwargs: dict[str, Any] | None = None
    ) -> ErrorDecayDisplay:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in, for example the axes of another display.  None: a new figure.
        line_kwargs : dict, default=None
            Keywords for matplotlib's ``plot``.

        Returns
        -------
        display : ErrorDecayDisplay
            The drawn display.
        """
        require_matplotlib("ErrorDecayDisplay.plot")
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        ax = axes_for(ax, (5.0, 3.6))
        style: dict[str, Any] = {
            "marker": "o",
            "markersize": 3.5,
            "linewidth": 1.5,
            "label": self.label,
        }
        style |= normalize_kwargs(line_kwargs or {}, Line2D)
        (self.line_,) = ax.plot(self.n_components, self.errors, **style)
        if (self.errors > 0).any():
            ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        ax.grid(visible=True, which="major", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set(xlabel="latent variables $n$", ylabel="relative $L^2$ error")
        if ax.get_legend_handles_labels()[1]:
            ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, whole_figure(ax)
        return self


def _projection_errors(pod: POD, snapshots: Array) -> Array:
    """Mean relative errors of the projection onto the mean and 1, 2, … modes, (n_modes,).

    The modes are subtracted from the snapshots (n, n_times, n_points, n_fields) one after the
    other, which avoids cancellation.
    """
    errors = np.empty((len(snapshots), len(pod.modes)))
    for trajectory, error in zip(snapshots, errors, strict=True):
        coefficients = pod.encode(trajectory)
        rest = trajectory - pod.mean
        size = np.linalg.norm(trajectory.astype(np.float64))
        for i, mode in enumerate(pod.modes):
            rest -= coefficients[:, i, None, None] * (mode * pod.scale)
            left = float(np.linalg.norm(rest))
            error[i] = left / size if size > 0 else (np.inf if left > 0 else 0.0)
    return errors.mean(axis=0)
