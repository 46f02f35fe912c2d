"""Errors of the solvers, for one trajectory and for a call with several trajectories."""

from __future__ import annotations

from skcolora._snapshots import Array


class TrajectoryError(ArithmeticError):
    """The solver failed for one trajectory.

    Parameters
    ----------
    time : float
        Time that the solver reached.
    reason : str
        Cause of the failure, for messages.
    """

    def __init__(self, time: float, reason: str) -> None:
        super().__init__(time, reason)
        self.time, self.reason = time, reason


class SolverError(RuntimeError):
    """Some trajectories could not be solved.

    Parameters
    ----------
    message : str
        Description of the failures.
    solutions : ndarray of shape (n, n_times, n_0, ...[, n_fields])
        Result of `PDE.solve`, with NaN for the trajectories that failed.
    failed : tuple of int
        Indices of the trajectories that failed.
    """

    def __init__(self, message: str, solutions: Array, failed: tuple[int, ...]) -> None:
        super().__init__(message, solutions, failed)
        self.solutions, self.failed = solutions, failed

    def __str__(self) -> str:
        return str(self.args[0])
