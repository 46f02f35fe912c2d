"""The loop of `sample_greedily`, and what it knows so far."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from tqdm import tqdm

from skcolora._estimators._unwrap import find_suggesting
from skcolora._snapshots import Array, check_real
from skcolora.metrics import relative_l2_error
from skcolora.model_selection._candidates import Candidates, find_rows, parameters_of
from skcolora.model_selection._farthest import farthest_points, ranks
from skcolora.model_selection._result import GreedyResult, SamplingError
from skcolora.pdes import SolverError
from skcolora.utils._stack import caller_stacklevel


@dataclass(frozen=True)
class StopRule:
    """When the sampling ends."""

    target_error: float | None
    n_below: int
    max_runs: int

    def reached(self, errors: list[float], n_last: int) -> bool:
        """Whether all errors of the last round, and enough before them, are small enough."""
        n = max(self.n_below, n_last)
        if self.target_error is None or len(errors) < n:
            return False
        return max(errors[-n:]) <= self.target_error


class Sampling:
    """Runs of a solver, and models of them.

    Parameters
    ----------
    estimator : estimator
    solve : callable
    candidates : Candidates
    stop : StopRule
    n_per_round : int
    multioutput : str
    verbose : int
    """

    def __init__(
        self,
        estimator: Any,
        solve: Callable[[Any], Any],
        candidates: Candidates,
        *,
        stop: StopRule,
        n_per_round: int,
        multioutput: str,
        verbose: int,
    ) -> None:
        self.estimator, self.solve, self.candidates = estimator, solve, candidates
        self.stop, self.n_per_round, self.multioutput = stop, n_per_round, multioutput
        self.model: Any = None
        self.errors: list[float] = []
        self.n_trained: list[int] = []
        self._X: list[Any] = []
        self._y: list[Array] = []
        empty = np.empty((0, candidates.n_parameters))
        self._known, self._failed = empty, empty
        self._n_fitted = self._n_new = self._n_spent = self._n_last = 0
        self._verbose = verbose

    @property
    def n_known(self) -> int:
        """Number of runs with a solution, those that existed among them."""
        return len(self._known)

    @property
    def n_left(self) -> int:
        """Number of runs that are still allowed."""
        return self.stop.max_runs - self._n_spent

    def open(self) -> NDArray[np.intp]:
        """Indices of the candidates that were not run."""
        return self.candidates.open(np.vstack([self._known, self._failed]))

    def take(self, X: Any, y: Any) -> None:
        """Take runs that exist, or raise a ValueError."""
        X = self.candidates.like(X)
        numbers = parameters_of(X, "X")
        rows = _checked(y, "y", len(numbers))
        finite = _finite(rows)
        if not finite.all():
            raise ValueError(
                f"y holds NaN or infinity in {np.count_nonzero(~finite)} of {len(rows)} "
                "trajectories.  Leave these runs out of X and y."
            )
        self._add(X, numbers, rows)

    def run(self, n_initial: int) -> GreedyResult:
        """Sample to the end."""
        shown = self._verbose > 0
        with tqdm(total=self.stop.max_runs, unit="run", disable=not shown) as self._bar:
            try:
                return self.result(self._sample(n_initial))
            except KeyboardInterrupt:
                if self.model is None and not self._n_new:
                    raise
                self._warn(f"The sampling was interrupted.  The result holds {self._kept()}.")
                return self.result("interrupted")
            except Exception as error:
                if not self._n_new:
                    raise
                raise SamplingError(
                    f"{type(error).__name__}: {error}\nThe attribute `result` of this error holds "
                    f"{self._kept()}.  To go on, mend what failed and call `sample_greedily` with "
                    "the X and the y of this result.",
                    self.result("error"),
                ) from error

    def result(self, stopped: str) -> GreedyResult:
        """All that is known."""
        return GreedyResult(
            X=self.candidates.joined(self._X),
            y=np.concatenate(self._y) if self._y else np.empty((0,)),
            estimator=self.model,
            errors=np.array(self.errors),
            n_runs=np.array(self.n_trained, dtype=int),
            failed=self._failed,
            stopped=stopped,
        )

    def _sample(self, n_initial: int) -> str:
        """Run rounds until one of the limits is reached, and name it."""
        self._start(n_initial)
        while True:
            self._fit()
            if self.stop.reached(self.errors, self._n_last):
                return "target_error"
            if not self.n_left:
                return "max_runs"
            if not self.open().size:
                return "candidates"
            self._round()

    def _start(self, n_initial: int) -> None:
        """Run candidates that are spread evenly, until there are enough runs."""
        numbers = self.candidates.numbers
        while (missing := min(n_initial - self.n_known, self.n_left)) > 0 and self.open().size:
            rows, known = self.open(), np.vstack([self._known, self._failed])
            spread = farthest_points(
                ranks(numbers[rows], numbers), min(missing, len(rows)), ranks(known, numbers)
            )
            self._run_solver(rows[spread])
        if not self.n_known:
            raise RuntimeError(
                f"`solve` returned no finite solution at any of {self._n_spent} candidates, "
                f"among them {self._failed[0].tolist()}.  Check `solve`, or give other candidates."
            )

    def _fit(self) -> None:
        model = clone(self.estimator)
        model.fit(self.candidates.joined(self._X), np.concatenate(self._y))
        self.model, self._n_fitted = model, self.n_known

    def _round(self) -> None:
        """Ask the model for candidates, run the solver there, and measure the errors."""
        rows = self.open()
        n = min(self.n_per_round, self.n_left, len(rows))
        model, inputs = find_suggesting(self.model, self.candidates.rows(rows))
        with _silent_on_extrapolation(model):
            rows = rows[find_rows(model.suggest(inputs, n), inputs)[:n]]
            predicted = np.asarray(self.model.predict(self.candidates.rows(rows)))
        solved, y = self._run_solver(rows)
        self._n_last = len(y)
        if not len(y):
            return
        errors = relative_l2_error(
            y, predicted[solved], average=False, centered=True, multioutput=self.multioutput
        )
        self.errors += [float(error) for error in errors]
        self.n_trained += [self._n_fitted] * len(y)
        self._bar.set_postfix(error=f"{max(errors):.2g}")

    def _run_solver(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.bool_], Array]:
        """Run candidates; return which of them have a solution, and the solutions."""
        parameters = self.candidates.rows(rows)
        try:
            found, reason = self.solve(parameters), ""
        except SolverError as error:
            if len(error.solutions) != len(rows):
                raise
            found, reason = error.solutions, f"  {error}"
        y = _checked(found, "solve(X)", len(rows), self._y[0].shape[1:] if self._y else None)
        solved, numbers = _finite(y), self.candidates.numbers[rows]
        self._n_spent += len(rows)
        self._n_new += int(np.count_nonzero(solved))
        self._bar.update(len(rows))
        if not solved.all():
            self._failed = np.vstack([self._failed, numbers[~solved]])
            where = ", ".join(str(row.tolist()) for row in numbers[~solved])
            self._warn(
                f"The solver gave no finite solution at {where}.  These candidates are left "
                f"out.{reason}"
            )
        if solved.any():
            self._add(self.candidates.rows(rows[solved]), numbers[solved], y[solved])
        return solved, y[solved]

    def _add(self, X: Any, numbers: Array, y: Array) -> None:
        self._X.append(X)
        self._y.append(y)
        self._known = np.vstack([self._known, numbers])

    def _kept(self) -> str:
        fitted = f"an estimator that was fitted on {self._n_fitted} of them"
        return f"{self.n_known} runs and {fitted if self._n_fitted else 'no fitted estimator'}"

    def _warn(self, message: str) -> None:
        warnings.warn(message, UserWarning, stacklevel=caller_stacklevel())


@contextlib.contextmanager
def _silent_on_extrapolation(model: Any) -> Iterator[None]:
    """Let a model extrapolate: the prediction is compared with the solution at once."""
    before = getattr(model, "on_extrapolation", None)
    if before is None:
        yield
        return
    model.on_extrapolation = "ignore"
    try:
        yield
    finally:
        model.on_extrapolation = before


def _finite(y: Array) -> NDArray[np.bool_]:
    """Mask (n,) of the trajectories that are finite."""
    return np.array([np.isfinite(trajectory).all() for trajectory in y], dtype=bool)


def _checked(values: Any, name: str, n: int, shape: tuple[int, ...] | None = None) -> Array:
    """Snapshots of n trajectories as an array, or a ValueError.

    ``shape`` is that of one trajectory, if it is known.
    """
    y = np.asarray(check_real(values, name))
    try:
        y = y if y.dtype.kind == "f" else y.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be an array of numbers; got {type(values).__name__} ({error})."
        ) from error
    like = "n_times, ..." if shape is None else ", ".join(map(str, shape))
    if y.ndim < 2 or len(y) != n or (shape is not None and y.shape[1:] != shape):
        given = "is None" if values is None else f"has shape {y.shape}"
        mend = f"  Return the array with a first axis, {name}[None]." if y.shape == shape else ""
        raise ValueError(
            f"`{name}` {given}; expected ({n}, {like}), one trajectory for each row "
            f"of X, in the layout of the others.{mend}"
        )
    return y
