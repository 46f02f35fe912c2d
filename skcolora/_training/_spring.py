"""SPRING: natural-gradient steps with momentum, solved in the space of the samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from skcolora._nn import Factor

# Mean of the diagonal of a Gram matrix below which there is nothing to solve.
_TINY = 1e-290
# Largest number of times that the damping is raised, from the smallest one to above 1.
_MAX_RAISES = 15


class SPRING:
    """Second-order optimiser of the second training phase [1]_.

    With the residual r of a batch, its Jacobian J, and λ̂ = λ mean(diag J Jᵀ), a step is:

        q = β p + (1 - β) ρ θ₀,   ζ = r - J q,   p ← Jᵀ (J Jᵀ + λ̂ I)⁻¹ ζ + q,
        θ ← θ - s min(1, c / ‖p‖) p

    The shrinkage ρ moves some weights towards the smallest ones that explain the data: θ₀ is θ,
    with zeros for all other weights.  If it holds for all weights, ρ = 1 and β = 0, p is the
    Gauss-Newton step for ``‖r‖² + λ̂ ‖θ‖²``.

    The damping decreases with the squared residual, ``λ = κ min(‖r‖², 1)``, as in the
    Levenberg–Marquardt method [2]_.  The radius c is adapted: a step is halved until the
    linear model of the batch is accurate, ``‖r(θ - s p) - (r - s J p)‖ ≤ η ‖r‖``, and c grows
    again while the model is more accurate than required.  J is given by outer products (`Factor`)
    and never formed: ``J Jᵀ`` is a sum of elementwise products of small Gram matrices.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
    shrunk : iterable of nn.Parameter, default=()
        Those of the ``parameters`` that the shrinkage holds for.
    momentum : float
        β after the warm-up.
    damping : float
        κ, for a residual whose squared norm is a mean squared relative error.
    max_norm : float
        Initial value of c.
    least_damping : float
        Smallest λ, for data with errors.

    References
    ----------
    .. [1] G. Goldshlager, N. Abrahamsen, L. Lin, "A Kaczmarz-inspired approach to
       accelerate the optimization of neural network wavefunctions", J. Comput.
       Phys. 516 (2024) 113351, arXiv:2401.10190, Algorithm 1.
    .. [2] N. Yamashita and M. Fukushima, "On the rate of convergence of the
       Levenberg-Marquardt method", Computing Suppl. 15 (2001), 239-249.
    """

    # Smallest λ for exact data, close to the precision of float64.
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
        shrunk: Iterable[nn.Parameter] = (),
        momentum: float = 0.95,
        damping: float = 1e-4,
        max_norm: float = 2.0,
        least_damping: float = 0.0,
    ) -> None:
        self.parameters, self._shrunk = list(parameters), list(shrunk)
        self.momentum, self.damping, self.max_norm = momentum, damping, max_norm
        self.least_damping = max(least_damping, self.LEAST_DAMPING)
        self._directions = {p: torch.zeros_like(p) for p in self.parameters}
        self._n_steps = 0

    @torch.no_grad()
    def step(
        self,
        factors: Sequence[Factor],
        residual: Tensor,
        step_size: float,
        evaluate: Callable[[], Tensor],
        *,
        shrinkage: float = 0.0,
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
        shrinkage : float
            ρ in [0, 1].

        Notes
        -----
        A residual that is not finite gives no step.  The step waits for the device twice, and once
        more each time that it is halved.
        """
        rows = _flatten(factors, residual.shape)
        r = residual.flatten()
        self._n_steps += 1
        momentum = min(self.momentum, self._n_steps / (self._n_steps + self.WARM_UP))
        for direction in self._directions.values():
            direction.mul_(momentum)
        for parameter in self._shrunk:
            self._directions[parameter].add_(parameter, alpha=(1 - momentum) * shrinkage)
        zeta = r - self._apply_jacobian(rows)
        damping = (self.damping * r.square().sum().clamp(max=1.0)).clamp(min=self.least_damping)
        multipliers = _solve(gram(rows), zeta, damping)
        if multipliers is None:
            return
        for parameter, left, right in rows:
            gradient = _transposed_product(left, right, multipliers)
            self._directions[parameter].add_(gradient.view_as(parameter))
        self._advance(r, self._apply_jacobian(rows), step_size, evaluate)

    def state(self) -> dict[str, Any]:
        """Directions p, number of steps and radius."""
        return {
            "directions": list(self._directions.values()),
            "n_steps": self._n_steps,
            "max_norm": self.max_norm,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with a state, and the current weights."""
        saved = [p.to(q) for p, q in zip(state["directions"], self.parameters, strict=True)]
        self._directions = dict(zip(self.parameters, saved, strict=True))
        self._n_steps, self.max_norm = state["n_steps"], state["max_norm"]

    def _apply_jacobian(self, rows: Sequence[Factor]) -> Tensor:
        """Product J p of the Jacobian and the direction."""
        products = [_product(left, right, self._directions[q]) for q, left, right in rows]
        return torch.stack(products).sum(0)

    def _advance(
        self, r: Tensor, slope: Tensor, step_size: float, evaluate: Callable[[], Tensor]
    ) -> None:
        """Take the step, halved until the linear model ``r - s J p`` is accurate enough."""
        start = [q.clone() for q in self.parameters]
        size, norm = r.norm(), torch.stack([d.norm() for d in self._directions.values()]).norm()
        # The division gives infinity, and so the whole step, where the direction is zero.
        length = step_size * (self.max_norm / norm).clamp(max=1.0)
        for _ in range(self.MAX_HALVINGS):
            for parameter, origin in zip(self.parameters, start, strict=True):
                torch.addcmul(origin, self._directions[parameter], -length, out=parameter)
            deviation = (evaluate().flatten() - r + length * slope).norm()
            error, allowed, whole, taken = torch.stack(
                [deviation, self.LINEARITY * size, norm, length]
            ).tolist()
            if error <= allowed:
                break
            length = length / 2
            self.max_norm = taken / 2 * whole / step_size
        else:  # the linear model fails for the shortest step too, so the weights are restored
            for parameter, origin in zip(self.parameters, start, strict=True):
                parameter.copy_(origin)
            return
        if error <= allowed / 4 and self.max_norm < whole:
            self.max_norm *= self.GROWTH


def _flatten(factors: Sequence[Factor], shape: torch.Size) -> list[Factor]:
    """Reshape the factors to arrays (n_rows, n_columns); shared arrays stay shared."""
    flat: dict[Tensor | None, Tensor | None] = {None: None}

    def rows(t: Tensor | None) -> Tensor | None:
        if t is not None and t not in flat:
            flat[t] = t.expand(*shape, t.shape[-1]).reshape(-1, t.shape[-1])
        return flat[t]

    return [Factor(f.parameter, rows(f.left), rows(f.right)) for f in factors]


def gram(rows: Sequence[Factor], *, block: int = 128) -> Tensor:
    """Lower triangle of ``J Jᵀ``, (n_rows, n_rows), from the factors of J.

    By ``(l ⊗ r)·(l' ⊗ r') = (l·l')(r·r')``, only small Gram matrices are needed; factors with
    the same right side are summed first.  Each thread processes one block of rows at a time, to
    keep the block in its cache.
    """
    n_rows = next(len(side) for factor in rows for side in factor[1:] if side is not None)
    n_blocks = min(torch.get_num_threads(), -(-n_rows // block))
    n_together = n_blocks * block

    def pad_rows(sides: Sequence[Tensor]) -> Tensor:
        return pad(torch.cat(list(sides), -1), (0, 0, 0, -n_rows % n_together))

    groups = defaultdict(list)
    for _, left, right in rows:
        if left is not None:
            groups[right].append(left)
        elif right is not None:
            groups[right].append(right.new_ones(n_rows, 1))
    sides = [
        [pad_rows(lefts), *([] if right is None else [pad_rows([right])])]
        for right, lefts in groups.items()
    ]
    n = len(sides[0][0])
    out = sides[0][0].new_zeros(n, n)
    # One buffer for all blocks, because repeated allocation is slow.
    scratch = out.new_empty(2, n_together * n)
    for start in range(0, n, n_together):
        stop = start + n_together
        out_block = out[start:stop, :stop].unflatten(0, (n_blocks, block))
        products = scratch[:, : out_block.numel()].view(2, *out_block.shape)
        for pair in sides:
            for side, product in zip(pair, products, strict=False):
                side_block = side[start:stop].unflatten(0, (n_blocks, block))
                torch.bmm(side_block, side[:stop].T.expand(n_blocks, -1, -1), out=product)
            if len(pair) == 2:
                out_block.addcmul_(*products)
            else:
                out_block.add_(products[0])
    return out[:n_rows, :n_rows]


def _product(left: Tensor | None, right: Tensor | None, direction: Tensor) -> Tensor:
    """Contribution of one weight to J p."""
    if left is None or right is None:
        return _single_side(left, right) @ direction.flatten()
    return ((left @ direction) * right).sum(-1)


def _transposed_product(left: Tensor | None, right: Tensor | None, v: Tensor) -> Tensor:
    """Entries of Jᵀ v for one weight."""
    if left is None or right is None:
        return v @ _single_side(left, right)
    return left.T @ (v.unsqueeze(-1) * right)


def _single_side(left: Tensor | None, right: Tensor | None) -> Tensor:
    """The side that is not None."""
    side = right if left is None else left
    assert side is not None
    return side


def _solve(lower: Tensor, rhs: Tensor, damping: Tensor) -> Tensor | None:
    """Solve with the damped Gram matrix, given by its lower triangle.

    The damping is increased until the matrix is positive definite.  None: no damping makes it so,
    as for a matrix that is zero or not finite, or the right side is not finite.
    """
    mean = lower.diagonal().mean()
    finite = torch.isfinite(rhs).all() & torch.isfinite(mean)
    for _ in range(_MAX_RAISES):
        lower.diagonal().add_(damping * mean)
        factor, info = torch.linalg.cholesky_ex(lower)
        size, usable, failed = torch.stack([mean, finite.to(mean), info.to(mean)]).tolist()
        if not (usable and size > _TINY):
            return None
        if not failed:
            return torch.cholesky_solve(rhs.unsqueeze(-1), factor).squeeze(-1)
        damping = 10 * damping
    return None
