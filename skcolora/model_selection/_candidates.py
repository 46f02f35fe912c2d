"""The candidates: rows as the user gave them, and as numbers to compare them by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skcolora._snapshots import Array, as_real_floats, merge_close, rows_among

# Largest distance of a suggested row from a candidate, in shares of the candidates' ranges.
_SAME = 1e-6


class Candidates:
    """Different rows of parameters, in a data frame or an array.

    Parameters
    ----------
    candidates : array-like of shape (n_candidates, n_parameters)

    Raises
    ------
    ValueError
        If they are no finite numbers in two dimensions.
    """

    def __init__(self, candidates: Any) -> None:
        self.numbers = parameters_of(candidates, "candidates")
        self._is_frame = hasattr(candidates, "iloc")
        # Integers remain integers, for a solver that counts with them.
        self._given: Any = candidates if self._is_frame else np.asarray(candidates)
        if not self._is_frame and self._given.dtype.kind not in "iuf":
            self._given = self.numbers
        first = np.unique(merge_close(self.numbers), axis=0, return_index=True)[1]
        self._different = np.sort(first)

    @property
    def n_parameters(self) -> int:
        return int(self.numbers.shape[1])

    def rows(self, chosen: Sequence[int] | NDArray[np.intp]) -> Any:
        """Rows as the user gave them."""
        indices = np.asarray(chosen, dtype=np.intp)
        return self._given.iloc[indices] if self._is_frame else self._given[indices]

    def open(self, known: Array) -> NDArray[np.intp]:
        """Indices of the different candidates that are not among known parameters."""
        return self._different[~rows_among(self.numbers[self._different], known)]

    def like(self, X: Any) -> Any:
        """The parameters of runs that exist, with the columns of the candidates.

        Raises
        ------
        ValueError
            If they have other columns, or are no finite numbers.
        """
        numbers = parameters_of(X, "X")
        if not self._is_frame:
            if numbers.shape[1] != self.n_parameters:
                raise ValueError(
                    f"X has {numbers.shape[1]} columns, but `candidates` has "
                    f"{self.n_parameters}; expected the same parameters in the same order."
                )
            return numbers
        names, given = list(self._given.columns), list(getattr(X, "columns", []))
        if sorted(map(str, given)) != sorted(map(str, names)):
            raise ValueError(
                f"X has the columns {given or 'without names'}, but `candidates` has {names}.  "
                "Give X as a data frame with these columns."
            )
        return X[names]

    def joined(self, parts: Sequence[Any]) -> Any:
        """Rows one below the other, under the names of the candidates."""
        if not parts:
            return self.rows([])
        if self._is_frame:
            from pandas import concat  # the user has it, who gave a data frame

            return concat(parts, ignore_index=True)
        return np.concatenate(parts)


def parameters_of(values: Any, name: str) -> Array:
    """Parameters (n, n_parameters) as numbers, or a ValueError."""
    numbers = as_real_floats(values, name)
    if numbers.ndim != 2 or not numbers.size:
        mend = f"  For one parameter give {name}.reshape(-1, 1)." if numbers.ndim == 1 else ""
        raise ValueError(
            f"`{name}` has shape {numbers.shape}; expected (n, n_parameters), one row for each "
            f"set of parameters.{mend}"
        )
    return numbers


def find_rows(wanted: Any, among: Any) -> list[int]:
    """Indices of the rows among which the wanted ones are, each once, in the order wanted.

    Parameters
    ----------
    wanted : array-like of shape (n, n_parameters)
    among : array-like of shape (n_candidates, n_parameters)

    Raises
    ------
    RuntimeError
        If a row is not among them to rounding, or there is no row.
    """
    rows, all_rows = np.asarray(wanted, dtype=np.float64), np.asarray(among, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != all_rows.shape[1] or not len(rows):
        raise RuntimeError(
            f"`suggest` returned an array of shape {rows.shape}; expected (n, "
            f"{all_rows.shape[1]}), rows of the candidates."
        )
    width = np.ptp(all_rows, axis=0)
    size = np.abs(all_rows).max(axis=0)
    scale = np.where(width > 0, width, np.where(size > 0, size, 1.0))
    distances = (np.abs(rows[:, None] - all_rows) / scale).max(axis=2)
    if (distances.min(axis=1) > _SAME).any():
        strange = rows[int(np.argmax(distances.min(axis=1)))]
        raise RuntimeError(f"`suggest` returned {strange}, which is not among the candidates.")
    return list(dict.fromkeys(int(i) for i in distances.argmin(axis=1)))
