"""LatentDisplay: latent states over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skcolora._estimators._unwrap import find_model
from skcolora._snapshots import Array, check_times
from skcolora.inspection._matplotlib import (
    figure_for,
    line_colormap,
    require_matplotlib,
    whole_figure,
)
from skcolora.inspection._selection import (
    check_index,
    column_names,
    describe_parameters,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_MAX_COLUMNS = 4
_MAX_PANELS = 12


class LatentDisplay:
    """Latent variables φ over time, with one panel each, coloured by a parameter.

    A reduced model interpolates well between its training parameters if the paths are smooth and
    change slowly with the parameters.

    Parameters
    ----------
    times : array-like of shape (n_times,)
        Strictly increasing times.
    latent : array-like of shape (n_trajectories, n_times, n_latent)
        Latent states.
    parameters : array-like of shape (n_trajectories, n_parameters)
        Physics parameters.
    parameter_names : sequence of str, default=None
        Names of the parameters.  None: μ.

    Attributes
    ----------
    lines_ : ndarray of shape (n_panels, n_trajectories)
        Lines of the latent paths, matplotlib Line2D.
    axes_ : ndarray of shape (n_panels,)
        Axes of the panels, matplotlib Axes.
    figure_ : matplotlib Figure
        Figure with the panels.

    See Also
    --------
    SnapshotDisplay : Predicted snapshots against the truth.

    Examples
    --------
    >>> from skcolora import CoLoRARegressor
    >>> from skcolora.datasets import make_advection
    >>> from skcolora.inspection import LatentDisplay
    >>> data = make_advection([0.5, 1.0, 1.5], n_points=64, times=np.linspace(0, 1, 11))
    >>> model = CoLoRARegressor(**data.grid, max_iter=10, random_state=0)
    >>> LatentDisplay.from_estimator(model.fit(data.X, data.y), [[0.7], [1.2]])
    <...>
    """

    lines_: NDArray[Any]
    axes_: NDArray[Any]
    figure_: Figure

    def __init__(
        self,
        *,
        times: ArrayLike,
        latent: ArrayLike,
        parameters: ArrayLike,
        parameter_names: Sequence[str] | None = None,
    ) -> None:
        self.times = check_times(times)
        self.latent = np.asarray(latent)
        self.parameters = np.asarray(parameters)
        self.parameter_names = parameter_names
        if self.latent.ndim != 3 or self.latent.shape[1] != len(self.times):
            raise ValueError(
                f"`latent` has shape {self.latent.shape}; expected (n_trajectories, "
                f"{len(self.times)}, n_latent)."
            )
        if self.parameters.ndim != 2 or len(self.parameters) != len(self.latent):
            raise ValueError(
                f"`parameters` has shape {self.parameters.shape}; expected ({len(self.latent)}, "
                "n_parameters), with one row for each trajectory of `latent`."
            )
        n_parameters = self.parameters.shape[1]
        if parameter_names is not None and len(parameter_names) != n_parameters:
            raise ValueError(
                f"`parameter_names` has {len(parameter_names)} entries, but there are "
                f"{n_parameters} parameter(s)."
            )
        if len(self.times) < 2:
            raise ValueError("A latent path needs at least two times; got one.")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        times: ArrayLike | None = None,
        components: Sequence[int] | None = None,
        color_by: int | None = None,
        ax: Axes | None = None,
        cmap: str | Colormap = "viridis",
    ) -> LatentDisplay:
        """Draw the latent states that a fitted model predicts.

        Parameters
        ----------
        estimator : fitted CoLoRARegressor, or pipeline that ends in one
            The transformers of a pipeline are applied to X.
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing times.  None: the times of ``fit``.
        components, color_by, ax, cmap
            See `plot`.

        Returns
        -------
        display : LatentDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If the estimator has no ``predict_latent``.
        ValueError
            If X or times do not fit the estimator, or there is only one time.
        """
        require_matplotlib("LatentDisplay.from_estimator")
        model, inputs = find_model(estimator, X)
        if not hasattr(model, "predict_latent"):
            raise TypeError(
                f"{type(model).__name__} has no latent states (method `predict_latent`); give a "
                "fitted CoLoRARegressor."
            )
        display = cls(
            times=model._layout.at(times, None).times,
            latent=model.predict_latent(inputs, times=times),
            parameters=np.asarray(X),
            parameter_names=column_names(X),
        )
        return display.plot(ax, components=components, color_by=color_by, cmap=cmap)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        components: Sequence[int] | None = None,
        color_by: int | None = None,
        cmap: str | Colormap = "viridis",
    ) -> LatentDisplay:
        """Draw the latent paths.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes that the panels replace.  None: a new figure.
        components : sequence of int, default=None
            Indices of the latent variables to show.  None: the first 12.
        color_by : int, default=None
            Index of the parameter for the colours.  None: the first parameter that varies.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the paths; the light end of the map is not used.

        Returns
        -------
        display : LatentDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If an index is out of range.
        """
        require_matplotlib("LatentDisplay.plot")
        n_latent = self.latent.shape[2]
        wanted = range(min(n_latent, _MAX_PANELS)) if components is None else components
        shown = [check_index(i, n_latent, "components") for i in wanted]
        if not shown:
            raise ValueError("`components` must name at least one latent variable; got none.")
        column = self._colour_column(color_by)
        n_columns = min(_MAX_COLUMNS, len(shown))
        n_rows = math.ceil(len(shown) / n_columns)
        size = (max(4.5, 2.2 * n_columns + 0.9), 1.6 * n_rows + 0.8)
        figure = figure_for(ax, size, "constrained")
        panels = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False).ravel()
        colours, bar = self._colours(column, cmap)
        lines = np.empty((len(shown), len(self.latent)), dtype=object)
        for j, (panel, i) in enumerate(zip(panels, shown, strict=False)):
            for k, path in enumerate(self.latent):
                lines[j, k] = panel.plot(self.times, path[:, i], color=colours[k], lw=1.4)[0]
            panel.set_title(rf"$\varphi_{{{i}}}$", loc="left", fontsize="medium")
            panel.spines[["top", "right"]].set_visible(False)
            panel.margins(x=0)
            # The labels of small panels must not meet.
            panel.locator_params(axis="y", nbins=4)
            panel.locator_params(axis="x", nbins=2, integer=True)
            if j + n_columns >= len(shown):
                panel.tick_params(labelbottom=True)
        for panel in panels[len(shown) :]:
            panel.remove()
        figure.supxlabel("$t$", fontsize="medium")
        if bar is None:
            figure.suptitle(
                describe_parameters(self.parameters[0], self._names()), fontsize="medium"
            )
        else:
            used = panels[: len(shown)].tolist()
            label = r"$\mu$" if self.parameters.shape[1] == 1 else rf"$\mu_{{{column}}}$"
            names = self._names()
            figure.colorbar(bar, ax=used, label=label if names is None else names[column])
        self.lines_, self.axes_ = lines, panels[: len(shown)]
        self.figure_ = whole_figure(panels[0])
        return self

    def _names(self) -> list[str] | None:
        return None if self.parameter_names is None else list(self.parameter_names)

    def _colour_column(self, color_by: int | None) -> int:
        """Index of the parameter for the colours."""
        if color_by is not None:
            return check_index(color_by, self.parameters.shape[1], "color_by")
        varies = (self.parameters != self.parameters[:1]).any(axis=0)
        return int(np.argmax(varies))

    def _colours(self, column: int, cmap: str | Colormap) -> tuple[Array, Any]:
        """Colours of the trajectories, (n_trajectories, 4), and the mappable of the colour bar.

        The mappable is None if the parameter does not vary.
        """
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        values = self.parameters[:, column].astype(np.float64)
        bar = ScalarMappable(Normalize(values.min(), values.max()), line_colormap(cmap))
        colours = np.asarray(bar.to_rgba(values))
        return colours, bar if np.ptp(values) > 0 else None
