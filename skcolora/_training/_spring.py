"""SPRING: natural-gradient steps with momentum, solved in the space of the samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from skcolora._nn import Factor

# Mean of the diagonal of a Gram matrix below which there is nothing to solve.
_TINY = 1e-290


class SPRING:
    """Second-order optimiser of the second training phase [1]_.

    With the residual r of a batch, its Jacobian J, and λ̂ = λ mean(diag J Jᵀ), a step is:

        ζ = r - J (β p),   p ← Jᵀ (J Jᵀ + λ̂ I)⁻¹ ζ + β p,   θ ← θ - s min(1, c / ‖p‖) p

    The damping decreases with the squared residual, ``λ = κ min(‖r‖², 1)``, as in the
    Levenberg–Marquardt method [2]_.  The radius c is adapted: a step is halved until the
    linear model of the batch is accurate, ``‖r(θ - s p) - (r - s J p)‖ ≤ η ‖r‖``, and c grows
    again while the model is more accurate than required.  J is given by outer products (`Factor`)
    and never formed: ``J Jᵀ`` is a sum of elementwise products of small Gram matrices.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
    momentum : float
        β after the warm-up.
    damping : float
        κ, for a residual whose squared norm is a mean squared relative error.
    max_norm : float
        Initial value of c.

    References
    ----------
    .. [1] G. Goldshlager, N. Abrahamsen, L. Lin, "A Kaczmarz-inspired approach to
       accelerate the optimization of neural network wavefunctions", J. Comput.
       Phys. 516 (2024) 113351, arXiv:2401.10190, Algorithm 1.
    .. [2] N. Yamashita and M. Fukushima, "On the rate of convergence of the
       Levenberg-Marquardt method", Computing Suppl. 15 (2001), 239-249.
    """

    # Smallest λ, close to the precision of float64.
    LEAST_DAMPING = 1e-13
    LINEARITY = 0.5  # η
    GROWTH = 1.3  # factor by which c grows
    MAX_HALVINGS = 12
    # The momentum of the n-th step is at most n / (n + WARM_UP).
    WARM_UP = 5.0

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        momentum: float = 0.95,
        damping: float = 1e-4,
        max_norm: float = 2.0,
    ) -> None:
        self.parameters = list(parameters)
        self.momentum, self.damping, self.max_norm = momentum, damping, max_norm
        self._directions = {p: torch.zeros_like(p) for p in self.parameters}
        self._n_steps = 0

    @torch.no_grad()
    def step(
        self,
        factors: Sequence[Factor],
        residual: Tensor,
        step_size: float,
        evaluate: Callable[[], Tensor],
    ) -> None:
        """Move the weights along the damped natural gradient.

        Parameters
        ----------
        factors : sequence of Factor
            Jacobian of ``residual``, with rows in the same order.
        residual : Tensor of any shape
            Residual r of the batch.
        step_size : float
            Step size s.
        evaluate : callable
            Function that computes the residual of the same batch at the current weights.
        """
        rows = _flatten(factors, residual.shape)
        r = residual.flatten()
        self._n_steps += 1
        momentum = min(self.momentum, self._n_steps / (self._n_steps + self.WARM_UP))
        zeta = r - momentum * self._apply_jacobian(rows)
        damping = max(self.damping * min(float(r.square().sum()), 1.0), self.LEAST_DAMPING)
        multipliers = _solve(gram(rows), zeta, damping)
        for direction in self._directions.values():
            direction.mul_(momentum)
        for parameter, left, right in rows:
            gradient = _transposed_product(left, right, multipliers)
            self._directions[parameter].add_(gradient.view_as(parameter))
        self._advance(r, self._apply_jacobian(rows), step_size, evaluate)

    def _apply_jacobian(self, rows: Sequence[Factor]) -> Tensor:
        """Product J p of the Jacobian and the direction."""
        products = [_product(left, right, self._directions[q]) for q, left, right in rows]
        return torch.stack(products).sum(0)

    def _advance(
        self, r: Tensor, slope: Tensor, step_size: float, evaluate: Callable[[], Tensor]
    ) -> None:
        """Take the step, halved until the linear model ``r - s J p`` is accurate enough."""
        start = [q.clone() for q in self.parameters]
        norm = float(torch.stack([d.norm() for d in self._directions.values()]).norm())
        length = step_size * min(1.0, self.max_norm / norm) if norm > 0 else 0.0
        residual_norm = float(r.norm())
        for _ in range(self.MAX_HALVINGS):
            for parameter, origin in zip(self.parameters, start, strict=True):
                torch.sub(origin, self._directions[parameter], alpha=length, out=parameter)
            deviation = float((evaluate().flatten() - r + length * slope).norm())
            if deviation <= self.LINEARITY * residual_norm:
                break
            length /= 2
            self.max_norm = length * norm / step_size
        else:  # the linear model fails for the shortest step too, so the weights are restored
            for parameter, origin in zip(self.parameters, start, strict=True):
                parameter.copy_(origin)
            return
        if deviation <= self.LINEARITY / 4 * residual_norm and self.max_norm < norm:
            self.max_norm *= self.GROWTH


def _flatten(factors: Sequence[Factor], shape: torch.Size) -> list[Factor]:
    """Reshape the factors to arrays (n_rows, n_columns); shared arrays stay shared."""
    flat: dict[Tensor | None, Tensor | None] = {None: None}

    def rows(t: Tensor | None) -> Tensor | None:
        if t is not None and t not in flat:
            flat[t] = t.expand(*shape, t.shape[-1]).reshape(-1, t.shape[-1])
        return flat[t]

    return [Factor(f.parameter, rows(f.left), rows(f.right)) for f in factors]


def gram(rows: Sequence[Factor], *, tile: int = 128) -> Tensor:
    """Lower triangle of ``J Jᵀ``, (n_rows, n_rows), from the factors of J.

    By ``(l ⊗ r)·(l' ⊗ r') = (l·l')(r·r')``, only small Gram matrices are needed; factors with
    the same right side are summed first.  The matrix is computed in tiles of a fixed size, one row
    of tiles at a time: they fit into the cache, and no sum depends on the number of threads.
    """
    n_rows = next(len(side) for factor in rows for side in factor[1:] if side is not None)

    def tiles(sides: Sequence[Tensor]) -> Tensor:
        padded = pad(torch.cat(list(sides), -1), (0, 0, 0, -n_rows % tile))
        return padded.unflatten(0, (-1, tile))

    groups = defaultdict(list)
    for _, left, right in rows:
        if left is not None:
            groups[right].append(left)
        elif right is not None:
            groups[right].append(right.new_ones(n_rows, 1))
    sides = [
        [tiles(lefts), *([] if right is None else [tiles([right])])]
        for right, lefts in groups.items()
    ]
    n = len(sides[0][0])
    out = sides[0][0].new_zeros(n, tile, n, tile)
    # One buffer for all rows, because repeated allocation is slow.
    scratch = out.new_empty(2, n, tile, tile)
    for i in range(n):
        out_tiles = out[i, :, : i + 1].transpose(0, 1)
        products = scratch[:, : i + 1]
        for pair in sides:
            for side, product in zip(pair, products, strict=False):
                torch.bmm(side[i].expand(i + 1, -1, -1), side[: i + 1].mT, out=product)
            if len(pair) == 2:
                out_tiles.addcmul_(*products)
            else:
                out_tiles.add_(products[0])
    return out.view(n * tile, n * tile)[:n_rows, :n_rows]


def _product(left: Tensor | None, right: Tensor | None, direction: Tensor) -> Tensor:
    """Contribution of one weight to J p."""
    if left is None or right is None:
        return _single_side(left, right) @ direction.flatten()
    return ((left @ direction) * right).sum(-1)


def _transposed_product(left: Tensor | None, right: Tensor | None, v: Tensor) -> Tensor:
    """Entries of Jᵀ v for one weight."""
    if left is None or right is None:
        return _sum_over_rows(v.unsqueeze(-1), _single_side(left, right)).squeeze(0)
    return _sum_over_rows(left, v.unsqueeze(-1) * right)


def _sum_over_rows(left: Tensor, right: Tensor, block: int = 128) -> Tensor:
    """``leftᵀ right``, summed in blocks of rows that do not depend on the number of threads."""
    n = len(left) // block * block
    blocks = [side[:n].unflatten(0, (-1, block)) for side in (left, right)]
    return torch.bmm(blocks[0].mT, blocks[1]).sum(0).addmm_(left[n:].T, right[n:])


def _single_side(left: Tensor | None, right: Tensor | None) -> Tensor:
    """The side that is not None."""
    side = right if left is None else left
    assert side is not None
    return side


def _solve(lower: Tensor, rhs: Tensor, damping: float) -> Tensor:
    """Solve with the damped Gram matrix, given by its lower triangle.

    The damping is increased until the matrix is positive definite.  The solution is zero where
    no damping makes it so: for a matrix that is zero or not finite.
    """
    mean = float(lower.diagonal().mean())
    if not mean > _TINY:
        return torch.zeros_like(rhs)
    while damping <= 10:
        lower.diagonal().add_(damping * mean)
        factor = cholesky(lower)
        if factor is not None:
            return torch.cholesky_solve(rhs.unsqueeze(-1), factor).squeeze(-1)
        damping *= 10
    return torch.zeros_like(rhs)


def cholesky(lower: Tensor, *, block: int = 64) -> Tensor | None:
    """Cholesky factor of a matrix, given by its lower triangle; None if it is not positive.

    LAPACK's routine rounds differently for each number of threads.  This one divides the
    matrix into blocks of a fixed size; its speed is the same.
    """
    factor = lower.tril()
    for start in range(0, len(factor), block):
        columns = factor[start:, start : start + block]
        width = columns.shape[1]
        for before in range(0, start, block):
            left = factor[start:, before : before + block]
            columns.addmm_(left, left[:width].T, alpha=-1)
        corner, info = torch.linalg.cholesky_ex(columns[:width])
        if info.item():
            return None
        columns[:width] = corner
        columns[width:] = torch.linalg.solve_triangular(
            corner.T, columns[width:], upper=True, left=False
        )
    return factor
