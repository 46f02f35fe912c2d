"""Which half to trust: the path of the equation, or that of the regressor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.neighbors import KNeighborsRegressor

from skcolora._galerkin._known_snapshots import KnownSnapshots
from skcolora._galerkin._solution import GalerkinSolution
from skcolora._snapshots import Array, power_function

# Indicators of the regressor above those of the nearest snapshots by less than this factor are
# usual: a small excess of large indicators is noise.
_USUAL = 1.1
# In place of infinite errors and indicators, which have no mean.
_LARGEST = 1e100


def path_difficulty(solution: GalerkinSolution) -> Array:
    """How difficult trajectories are: root mean squares of their error indicators, (n,).

    It is infinite for those that did not reach the last time.
    """
    with np.errstate(over="ignore"):
        size = np.sqrt(np.square(solution.error_indicator).mean(axis=1))
    return np.asarray(np.nan_to_num(size, nan=np.inf, posinf=np.inf))


@dataclass(frozen=True, eq=False)
class Trust:
    """Errors that the indicators of both halves let expect, from trajectories with snapshots.

    The indicator d adds up what a path violates of the equation.  The ratio of error and indicator
    of the paths of the equation is how errors of this equation grow; their error elsewhere is
    expected to be ``ratio d``, with d relative to the field of the regressor where that is smaller.
    The regressor has learnt the snapshots: there it has an error r, and violates the equation by d₀
    where this does not matter, at shocks or in thin layers.  What it violates beyond that is an
    error as it is for the equation, so that ``sqrt(r² + max(ratio² (d² - d₀²), ρ² p²))`` is
    expected, with r and d₀ of the nearest snapshots.  The second term is what trajectories that
    were left out of the training say: an interpolated state may obey the equation and yet be
    another solution of it.
    """

    ratio: float
    """Median ratio of error and indicator of the paths of the equation; infinite if most failed,
    and 1 if there was no time to find out"""
    nodes: Array
    """Scaled parameters of trajectories with snapshots, (n, n_parameters)"""
    errors: Array
    """Errors r of the regressor there, (n,)"""
    times: Array
    """Times of the snapshots, (n_times,)"""
    indicators: Array
    """Error indicators of the regressor there, (n, n_times)"""
    learnt: Array
    """Scaled parameters of all trajectories that the regressor was trained on"""
    known: KnownSnapshots
    """Snapshots of the trajectories at which the equation was solved"""
    unseen: float = 0.0
    """Error ρ of the regressor for each unit of their power function p"""

    def expected(
        self, nodes: Array, equation: GalerkinSolution, regressor: GalerkinSolution
    ) -> tuple[Array, Array]:
        """Errors (n_new,) that paths of both halves should have.

        Parameters
        ----------
        nodes : ndarray of shape (n_new, n_parameters)
            Scaled parameters.
        equation, regressor : GalerkinSolution
            The paths of both halves.
        """
        with np.errstate(all="ignore"):
            # An indicator is relative to the field of its own path, but an error to the true one:
            # a path that grows without bound has a small indicator.
            growth = np.fmax(equation._sizes / regressor._sizes, 1.0)
            grown = replace(equation, error_indicator=growth * equation.error_indicator)
            mine = self.ratio * path_difficulty(grown)
        return np.nan_to_num(mine, nan=np.inf, posinf=np.inf), self.of_regressor(nodes, regressor)

    def of_regressor(self, nodes: Array, solution: GalerkinSolution) -> Array:
        """Errors (n_new,) that paths of the regressor should have."""
        error, usual = self.nearest(nodes, solution.times)
        with np.errstate(all="ignore"):
            excess = np.sqrt(np.maximum(path_difficulty(solution) ** 2 - usual**2, 0.0))
            # If the paths of the equation failed, they say nothing about the regressor.
            rise = self.ratio * excess if np.isfinite(self.ratio) else 0.0 * excess
            rise = np.nan_to_num(rise, nan=0.0, posinf=np.inf)
            unseen = self.unseen * power_function(self.learnt, nodes) if self.unseen else 0.0
            return np.hypot(error, np.maximum(rise, unseen))

    def nearest(self, nodes: Array, times: Array) -> tuple[Array, Array]:
        """r and d₀ at some times, of the nearest snapshots.

        Both are weighted by the inverse distance; d₀ is somewhat larger, as indicators vary.
        """
        k = min(len(self.nodes), self.nodes.shape[1] + 1)
        near = KNeighborsRegressor(k, weights="distance")
        finite = np.nan_to_num(self.indicators, nan=_LARGEST, posinf=_LARGEST).clip(max=_LARGEST)
        errors = np.minimum(self.errors, _LARGEST)
        near.fit(self.nodes, np.column_stack([errors, finite**2]))
        error, *squares = near.predict(nodes).T
        usual = [np.interp(times, self.times, row).mean() for row in np.transpose(squares)]
        return error, _USUAL * np.sqrt(usual)


def error_ratio(indicators: Array, errors: Array) -> float:
    """Median ratio of the errors (n,) of paths and the mean squares of their indicators.

    Indicators (n, n_times) are NaN at times that were not reached, and errors infinite for failed
    paths.
    """
    with np.errstate(all="ignore"):
        ratios = errors / np.sqrt(np.nanmean(np.square(indicators), axis=1))
    # An indicator of 0 tells nothing.
    return float(np.median(np.nan_to_num(ratios, nan=1.0, posinf=np.inf)))
