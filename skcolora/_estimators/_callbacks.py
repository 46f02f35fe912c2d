"""Reports of a fit to the callbacks of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Number of tasks of a training: callbacks are called after each of these equal parts.
_N_PARTS = 50


class FitReport:
    """A fit, and the equal parts of its training, as tasks of `sklearn.callback`.

    Parameters
    ----------
    estimator : CallbackSupportMixin
    X, y : array-like
        What is trained on, as the user has given it.
    metadata : dict or None
    """

    def __init__(self, estimator: Any, X: Any, y: Any, metadata: dict[str, Any] | None) -> None:
        self._estimator = estimator
        self._given = {"X": X, "y": y, "metadata": metadata}
        self._context = estimator._init_callback_context(max_subtasks=_N_PARTS)
        self._context.call_on_fit_task_begin(estimator=estimator, **self._given)
        self._n_done, self._stopped = 0, False

    def part(self, share: float, attributes: Callable[[], dict[str, Any]]) -> bool:
        """Report the parts that are done, and return whether a callback ends the training.

        Parameters
        ----------
        share : float
            Share of the training that is done.
        attributes : callable
            Attributes of the estimator as if the training ended now, if a callback asks for them.
        """
        # The last part ends with the training.  What was ended once stays ended, also where the
        # training goes on with the trajectories that it left out at first.
        while not self._stopped and self._n_done < min(int(_N_PARTS * share), _N_PARTS - 1):
            task = self._context.subcontext(task_name="training")
            task.call_on_fit_task_begin(estimator=self._estimator, **self._given)
            self._stopped = task.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=attributes, **self._given
            )
            self._n_done += 1
        return self._stopped

    def end(self) -> None:
        """Report the end of the fit, with the fitted estimator."""
        self._context.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes={}, **self._given
        )


def report_to_callbacks(
    estimator: Any, X: Any, y: Any, metadata: dict[str, Any] | None
) -> FitReport | None:
    """The report of a fit, or None if nobody listens."""
    listened = getattr(estimator, "_skl_callbacks", None)
    if listened or hasattr(estimator, "_parent_callback_ctx"):
        return FitReport(estimator, X, y, metadata)
    return None
