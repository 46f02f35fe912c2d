"""TrainingDisplay: errors during a training, and those to expect afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import median_filter

from skcolora._estimators import CoLoRAGalerkin
from skcolora._estimators._unwrap import find_model
from skcolora.inspection._matplotlib import axes_for, require_matplotlib, whole_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Share of the steps over which the running median is taken.
_WINDOW = 0.02


class TrainingDisplay:
    """Errors of the samples in each training step, with their running median.

    A curve that still falls at its end asks for more steps.  Where the error at unseen parameters
    lies far above the end of the curve, more steps do not help: more runs do.

    Parameters
    ----------
    losses : array-like of shape (n_steps,)
        Errors of the training steps.
    best_loss : float, default=None
        Error of the fitted model.
    unseen_error : float, default=None
        Error to expect at unseen parameters.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    ErrorBudgetDisplay : The parts that an error is made of.

    Examples
    --------
    >>> from skcolora import CoLoRARegressor
    >>> from skcolora.datasets import make_advection
    >>> from skcolora.inspection import TrainingDisplay
    >>> data = make_advection([0.5, 1.0, 1.5], n_points=64, times=np.linspace(0, 1, 11))
    >>> model = CoLoRARegressor(**data.grid, max_iter=10, random_state=0).fit(data.X, data.y)
    >>> TrainingDisplay.from_estimator(model)
    <...>
    """

    ax_: Axes
    figure_: Figure

    def __init__(
        self,
        *,
        losses: ArrayLike,
        best_loss: float | None = None,
        unseen_error: float | None = None,
    ) -> None:
        self.losses = np.asarray(losses, dtype=np.float64)
        self.best_loss = best_loss
        self.unseen_error = unseen_error
        if self.losses.ndim != 1 or not self.losses.size:
            raise ValueError(
                f"`losses` has shape {self.losses.shape}; expected one error for each step, and at "
                "least one step."
            )

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> TrainingDisplay:
        """Draw the training of a fitted network.

        Parameters
        ----------
        estimator : CoLoRARegressor or CoLoRAGalerkin
            The estimator may be in a meta-estimator, or at the end of a pipeline.
        ax : matplotlib Axes, default=None
            Axes to draw in.  None: a new figure.

        Returns
        -------
        display : TrainingDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If no network was trained.
        """
        require_matplotlib("TrainingDisplay.from_estimator")
        model = find_model(estimator)[0]
        if isinstance(model, CoLoRAGalerkin):
            model = find_model(model.regressor_)[0]
        if not hasattr(model, "loss_curve_"):
            raise TypeError(
                f"{type(model).__name__} has no `loss_curve_`; give a CoLoRARegressor or a "
                "CoLoRAGalerkin."
            )
        display = cls(
            losses=model.loss_curve_,
            best_loss=model.best_loss_,
            unseen_error=model.unseen_error_,
        )
        return display.plot(ax)

    def plot(self, ax: Axes | None = None) -> TrainingDisplay:
        """Draw the errors over the steps.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in.  None: a new figure.

        Returns
        -------
        display : TrainingDisplay
            The drawn display.
        """
        require_matplotlib("TrainingDisplay.plot")
        ax = axes_for(ax, (6.5, 3.6))
        steps = np.arange(1, len(self.losses) + 1)
        window = max(1, round(_WINDOW * len(steps)))
        ax.semilogy(steps, self.losses, color="0.8", lw=0.8, label="each step")
        middle = median_filter(self.losses, window, mode="reflect")
        ax.semilogy(steps, middle, color="C0", lw=1.8, label="running median")
        for level, colour, name in (
            (self.best_loss, "0.3", "fitted model"),
            (self.unseen_error, "C3", "unseen parameters, expected"),
        ):
            if level:
                ax.axhline(level, color=colour, ls="--", lw=1.2, label=f"{name}: {level:.1e}")
        ax.set(xlabel="training step", ylabel="error, relative to the variation")
        ax.margins(x=0)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="upper right")
        self.ax_, self.figure_ = ax, whole_figure(ax)
        return self
