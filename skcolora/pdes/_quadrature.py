"""Quadrature rules along one axis, and their tensor products: the only ones of the package.

A rule is a pair (nodes, weights).  Its weights are proportional to those of the integral; what
uses a rule scales them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import roots_legendre

from skcolora._snapshots import Array

# Gaps that differ by less than this share are equal: coordinates in single precision.
_UNIFORM = 1e-4
# A repeated end of a period is found within this share of the period.
_REPEATED = 1e-5
# Weights at either end of a uniform axis that make the trapezoidal rule exact for cubics.
_GREGORY = np.array([3 / 8, 7 / 6, 23 / 24])

Rule = tuple[Array, Array]
"""Nodes and weights"""


def axis_rule(axis: Array, period: float | None) -> Rule:
    """The rule on the nodes of an axis.

    On a uniform periodic axis all weights are equal, which is spectrally accurate; the repeated
    end of a period is left out.  On a uniform axis with two ends it is Gregory's rule of order
    4 [1]_, the trapezoidal rule with three corrected weights at either end.  On other axes it is
    the trapezoidal rule.

    Parameters
    ----------
    axis : ndarray of shape (n,)
        Distinct coordinates in any order.
    period : float or None

    References
    ----------
    .. [1] P. J. Davis and P. Rabinowitz, "Methods of Numerical Integration", 2nd edition,
       Academic Press (1984), Section 2.9.
    """
    nodes = np.sort(axis)
    if period is not None:
        if len(nodes) > 1 and nodes[-1] - nodes[0] > period * (1 - _REPEATED):
            nodes = nodes[:-1]
        gaps = np.diff(np.append(nodes, nodes[0] + period))
        if _are_equal(gaps):
            return nodes, np.ones(len(nodes))
        return nodes, 0.5 * (gaps + np.roll(gaps, 1))
    if len(nodes) == 1:
        return nodes, np.ones(1)
    gaps = np.diff(nodes)
    if len(nodes) >= 2 * len(_GREGORY) and _are_equal(gaps):
        weights = np.full(len(nodes), gaps.mean())
        weights[: len(_GREGORY)] *= _GREGORY
        weights[-len(_GREGORY) :] *= _GREGORY[::-1]
        return nodes, weights
    return nodes, 0.5 * (np.append(gaps, 0.0) + np.append(0.0, gaps))


def _are_equal(gaps: Array) -> bool:
    return bool(np.ptp(gaps) < _UNIFORM * gaps.mean())


def gauss_rule(low: float, high: float, period: float | None, n: int) -> Rule:
    """Gauss–Legendre nodes between two ends, or equispaced ones in one period.

    n nodes integrate polynomials of degree 2n - 1, or n - 1 waves, exactly.  The weights sum to
    one.
    """
    if period is not None:
        return low + period / n * np.arange(n), np.full(n, 1 / n)
    nodes, weights = roots_legendre(n)
    return low + (high - low) * (1 + nodes) / 2, weights / 2


def tensor_rule(rules: Sequence[Rule]) -> Rule:
    """Points (n_points, n_dims) and weights of the product of one rule for each axis."""
    mesh, shares = (np.meshgrid(*entries, indexing="ij") for entries in zip(*rules, strict=True))
    points = np.stack([m.ravel() for m in mesh], axis=-1)
    return points, np.prod([s.ravel() for s in shares], axis=0)
