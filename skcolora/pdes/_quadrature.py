"""Quadrature rules along one axis, and their tensor products.

A rule is a pair (nodes, weights).  The weights are proportional to those of the integral; the
caller of a rule normalises them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import roots_legendre

from skcolora._snapshots import Array

# Relative difference below which gaps are equal, for coordinates in single precision.
_UNIFORM = 1e-4
# Distance, relative to the period, within which the last node repeats the first.
_REPEATED = 1e-5
# Weights at both ends of a uniform axis that make the trapezoidal rule exact for cubics.
_GREGORY = np.array([3 / 8, 7 / 6, 23 / 24])

Rule = tuple[Array, Array]
"""Nodes and weights"""


def axis_rule(axis: Array, period: float | None) -> Rule:
    """Quadrature rule on the nodes of an axis.

    A uniform periodic axis has equal weights, which is spectrally accurate.  A repeated end of a
    period is removed.  A uniform non-periodic axis has Gregory's rule of order 4 [1]_, the
    trapezoidal rule with three corrected weights at both ends.  Other axes have the trapezoidal
    rule.

    Parameters
    ----------
    axis : ndarray of shape (n,)
        Distinct coordinates in any order.
    period : float or None
        Period of the axis.  None: the axis is not periodic.

    Returns
    -------
    nodes, weights : ndarray of shape (n_nodes,)

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
    """Gauss–Legendre rule between two ends, or equispaced nodes in one period.

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
