"""What a solver raises: the failure of one trajectory, and that of a whole call."""

from __future__ import annotations

from skcolora._snapshots import Array


class TrajectoryError(ArithmeticError):
    """A trajectory that could not be solved beyond some time."""

    def __init__(self, time: float, reason: str) -> None:
        super().__init__(time, reason)
        self.time, self.reason = time, reason


class SolverError(RuntimeError):
    """Some trajectories could not be solved.

    Parameters
    ----------
    message : str
        What failed, and where.
    solutions : ndarray of shape (n, n_times, n_0, ...[, n_fields])
        What `PDE.solve` would have returned, NaN where a trajectory failed.
    failed : tuple of int
        Indices of the trajectories that failed.
    """

    def __init__(self, message: str, solutions: Array, failed: tuple[int, ...]) -> None:
        super().__init__(message, solutions, failed)
        self.solutions, self.failed = solutions, failed

    def __str__(self) -> str:
        return str(self.args[0])
