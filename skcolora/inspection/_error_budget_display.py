"""ErrorBudgetDisplay: the errors of the parts of a model over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from skcolora.inspection._error_budget import ErrorBudget, error_budget
from skcolora.inspection._error_parts import mean_error
from skcolora.inspection._matplotlib import axes_for, require_matplotlib, whole_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Label, colour and line style of each error; the colours differ for colour-blind readers too.
_STYLES: dict[str, tuple[str, str, Any]] = {
    "training_fit": ("training, best fit", "0.65", ":"),
    "training": ("training", "0.35", "--"),
    "best_fit": ("unseen, best fit", "#0072B2", "-."),
    "prediction": ("unseen, predicted", "#D55E00", "-"),
    "equation": ("unseen, equation", "#009E73", "-"),
}
# Number of times up to which each time has a marker.
_MANY_TIMES = 30


class ErrorBudgetDisplay:
    """Errors of the parts of a model over time, with a verdict as the title.

    Each line is the error of one part, averaged over the trajectories, on a logarithmic scale.
    The distance between two lines tells what a part costs: from training to the best fit of
    unseen snapshots what the manifold lacks, from there to the prediction what the map from
    parameters and time to the latent state misses.  A rise between the training times, which are
    marked, tells that they are too coarse.

    Parameters
    ----------
    budget : ErrorBudget
        The errors, as `error_budget` returns them.

    Attributes
    ----------
    lines_ : dict of matplotlib Line2D
        The lines, by the names of the errors in `ErrorBudget`.
    ax_ : matplotlib Axes
        Axes with the lines.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    error_budget : The errors, the verdict and the advice without a picture.

    Examples
    --------
    >>> from skcolora import CoLoRARegressor
    >>> from skcolora.datasets import make_advection
    >>> from skcolora.inspection import ErrorBudgetDisplay
    >>> grid = {"n_points": 32, "times": np.linspace(0, 1, 6), "width": 0.1}
    >>> data, new = make_advection([0.5, 1.0, 1.5], **grid), make_advection([0.9], **grid)
    >>> model = CoLoRARegressor(**data.grid, width=8, depth=3, max_iter=5, random_state=0)
    >>> display = ErrorBudgetDisplay.from_estimator(
    ...     model.fit(data.X, data.y), new.X, new.y, X_train=data.X, y_train=data.y
    ... )
    >>> print(display.budget.title)
    Most of the error: the training was too short
    """

    lines_: dict[str, Line2D]
    ax_: Axes
    figure_: Figure

    def __init__(self, budget: ErrorBudget) -> None:
        self.budget = budget

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        X_train: ArrayLike,
        y_train: ArrayLike,
        times: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> ErrorBudgetDisplay:
        """Compute the error budget of a fitted model, and draw it.

        Parameters
        ----------
        estimator : fitted CoLoRARegressor or CoLoRAGalerkin, or pipeline that ends in one
            The transformers of a pipeline are applied to X.
        X, y, X_train, y_train, times
            Unseen snapshots and snapshots of the training; see `error_budget`.
        ax : matplotlib Axes, default=None
            Axes to draw in.  None: a new figure.

        Returns
        -------
        display : ErrorBudgetDisplay
            The drawn display; its ``budget.advice`` says what mends the error.

        Raises
        ------
        TypeError, ValueError
            See `error_budget`.
        """
        require_matplotlib("ErrorBudgetDisplay.from_estimator")
        budget = error_budget(estimator, X, y, X_train=X_train, y_train=y_train, times=times)
        return cls(budget).plot(ax)

    def plot(self, ax: Axes | None = None) -> ErrorBudgetDisplay:
        """Draw the errors over time.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in.  None: a new figure.

        Returns
        -------
        display : ErrorBudgetDisplay
            The drawn display.
        """
        require_matplotlib("ErrorBudgetDisplay.plot")
        budget, ax = self.budget, axes_for(ax, (6.8, 3.6))
        self.lines_, positive = {}, False
        for name, (label, colour, style) in _STYLES.items():
            errors = getattr(budget, name)
            if errors is None:
                continue
            seen = name.startswith("training")
            times = budget.training_times if seen else budget.times
            (self.lines_[name],) = ax.plot(
                times,
                errors.mean(axis=0),
                color=colour,
                linestyle=style,
                linewidth=1.6,
                marker="o",
                markersize=3.5,
                markevery=_marked(times, budget, seen),
                label=f"{label}: {mean_error(errors):.2g}",
            )
            positive |= bool((errors > 0).any())
        if positive:
            ax.set_yscale("log")
        ax.grid(visible=True, which="major", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set(xlabel="$t$", ylabel="error relative to the variation")
        ax.set_title(budget.title, loc="left", fontsize="medium")
        ax.legend(
            frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), title="over all times"
        )
        if len(budget.training_times) == 1 == len(budget.times):
            ax.set_xticks([])
            ax.set_xlabel("steady field")
        self.ax_, self.figure_ = ax, whole_figure(ax)
        return self


def _marked(times: Any, budget: ErrorBudget, seen: bool) -> list[int]:
    """Indices of the training times among the times of a line, for its markers."""
    chosen = np.arange(len(times)) if seen else np.flatnonzero(~budget.between)
    spread = np.linspace(0, len(chosen) - 1, min(len(chosen), _MANY_TIMES)).round().astype(int)
    return [int(i) for i in chosen[spread]]
