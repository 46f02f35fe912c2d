"""What cross-validation says about predictions: expected errors, standard deviations and bands."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skcolora._snapshots import Array


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Errors of trajectories that were left out, and what they say about new trajectories.

    Each trajectory was predicted by a model that was trained on others.  The error e of the
    prediction, beyond the training error s of that model, is compared with a measure d of how
    difficult the prediction is, known before the solution is: the error that is expected elsewhere
    is ``sqrt(r² + (ρ d)²)``, with the training error r there, and the median ρ of the ratios
    ``sqrt(max(e² - s², 0)) / d``.

    Bands are conformal [1]_: the largest error of each trajectory that was left out, at any time
    and point, is measured in standard deviations.  A new trajectory lies within the k-th smallest
    of these n numbers with probability ``k / (n + 1)``, if it is like the others.

    References
    ----------
    .. [1] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free
       predictive inference for regression", J. Am. Stat. Assoc. 113 (2018), arXiv:1604.04173,
       section 5.2 on locally weighted bands.
    """

    errors: Array
    """Errors e of the n trajectories, relative to their variation, (n,)"""
    training: Array
    """Training errors s of the models that predicted them, (n,)"""
    difficulty: Array
    """Measure d of the difficulty of each prediction, (n,)"""
    peaks: Array
    """Largest error at any time and point, in units of the `spread` of the prediction, (n,)"""

    @property
    def gaps(self) -> Array:
        """Errors beyond the training error, (n,)."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(np.maximum(self.errors**2 - self.training**2, 0.0))

    @property
    def ratio(self) -> float:
        """Error beyond the training error for a difficulty of 1, ρ."""
        known = self.difficulty > 0
        return float(np.median(self.gaps[known] / self.difficulty[known])) if known.any() else 0.0

    def transferred(self, difficulty: float, training: float) -> Array:
        """Errors (n,) that the trajectories would have, were they of this difficulty."""
        share = np.divide(
            difficulty, self.difficulty, out=np.ones_like(self.gaps), where=self.difficulty > 0
        )
        return np.hypot(self.gaps * share, training)

    def expected(self, difficulty: Array | float, training: Array | float) -> Array:
        """Errors (n_new,) that predictions of this difficulty should have."""
        return np.hypot(self.ratio * difficulty, training)

    def factor(self, level: float) -> float:
        """Half the width of a band in standard deviations.

        Raises
        ------
        ValueError
            If there are too few trajectories for the level.
        """
        scores = np.sort(self.peaks / self.expected(self.difficulty, self.training))
        n, rank = len(scores), math.ceil(level * (len(scores) + 1))
        if rank > n:
            raise ValueError(
                f"`return_interval` of {level:g} needs the errors of at least "
                f"{math.ceil(level / (1 - level) - 1e-9)} training trajectories; the fit had {n} "
                "that were left out.  Fit on enough of them with cv=5, which leaves out each once, "
                f"or give a level of at most {n / (n + 1):.3g}."
            )
        return float(scores[rank - 1])
