"""What `sample_greedily` returns, and the error that keeps its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skcolora._snapshots import Array


@dataclass(frozen=True, eq=False, repr=False)
class GreedyResult:
    """Runs of a solver that were chosen one after the other, and the model of all of them.

    `sample_greedily` returns it.

    Attributes
    ----------
    X : ndarray or DataFrame of shape (n_runs, n_parameters)
        Parameters of all runs: those that existed, the initial ones, and those that the model
        asked for, in this order.  A data frame if the candidates are one.
    y : ndarray of shape (n_runs, n_times, ...)
        Snapshots of all runs.
    estimator : estimator or None
        The estimator, fitted on all runs.  After an interruption or an error it may be fitted on
        the first ones only, and is None before the first fit.
    errors : ndarray of shape (n_chosen,)
        Errors of the predictions at the last n_chosen rows of X, by models that were not yet
        trained on them: relative L2 errors about the mean.
    n_runs : ndarray of int of shape (n_chosen,)
        Number of runs that the model of each error was trained on.
    failed : ndarray of shape (n_failed, n_parameters)
        Candidates at which the solver returned no finite solution.
    stopped : {"target_error", "max_runs", "candidates", "interrupted", "error"}
        What ended the sampling.

    See Also
    --------
    sample_greedily : Run a solver where a model needs it most.
    """

    X: Any
    y: Array
    estimator: Any
    errors: Array
    n_runs: NDArray[np.int_]
    failed: Array
    stopped: str

    @property
    def reached(self) -> bool:
        """Whether the errors fell to ``target_error``."""
        return self.stopped == "target_error"

    def __repr__(self) -> str:
        last = f", last error {self.errors[-1]:.2g}" if len(self.errors) else ""
        return f"GreedyResult({len(self.y)} runs{last}, stopped by {self.stopped!r})"


class SamplingError(RuntimeError):
    """The sampling could not go on; the runs so far are kept.

    Parameters
    ----------
    message : str
        What failed, and how to go on.
    result : GreedyResult
        The runs so far, and the model of the last fit.
    """

    def __init__(self, message: str, result: GreedyResult) -> None:
        super().__init__(message, result)
        self.result = result

    def __str__(self) -> str:
        return str(self.args[0])
