"""The first layer of a network on a domain that is periodic in some dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skcolora._nn._layers import Factor, Jet, LowRankUpdate, Pullback, lecun_normal


class PeriodicLayer(nn.Module):
    """First layer on a periodic domain.

    The output is the mean over the dimensions of ``a cos(x + c) + b``, with a and b of shape
    (n_out, n_dims), c of shape (n_out, n_periodic), and the angle x.  A dimension without a
    period contributes ``a x + b``.

    Parameters
    ----------
    n_out : int
        Number of outputs.
    periodic : sequence of bool
        Whether each dimension is periodic.
    rank, adaptation, generator
        As in `CoLoRALayer`.  The low-rank update shifts the phases, ``c + (A diag(α) B)ᵀ``,
        and so can represent a translation of the domain.
    """

    def __init__(
        self,
        n_out: int,
        *,
        periodic: Sequence[bool],
        rank: int | None,
        adaptation: str,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        n_dims = len(periodic)
        # Indices on the device of the weights: a list would be sent there in each call.
        self.periodic: Tensor
        self.plain: Tensor
        for name, chosen in (("periodic", True), ("plain", False)):
            dims = [d for d, angle in enumerate(periodic) if bool(angle) is chosen]
            index = torch.tensor(dims, dtype=torch.long, device="cpu")
            self.register_buffer(name, index, persistent=False)
        self.a = lecun_normal(n_out, n_dims, generator=generator, fan_in=1)
        self.b = lecun_normal(n_out, n_dims, generator=generator, fan_in=1)
        phase = torch.rand(
            n_out, len(self.periodic), generator=generator, dtype=torch.float32, device="cpu"
        )
        self.c = nn.Parameter(2 * math.pi * phase)
        self.update = (
            None
            if rank is None
            else LowRankUpdate(
                len(self.periodic), n_out, rank=rank, adaptation=adaptation, generator=generator
            )
        )
        if self.update is not None:
            # All phases are shifted alike, so that the initial update is a translation.
            nn.init.constant_(self.update.B, 1 / math.sqrt(len(self.update.B)))

    @property
    def n_online(self) -> int:
        return 0 if self.update is None else self.update.n_online

    def _phase(self, x: Tensor, alpha: Tensor) -> Tensor:
        """Arguments of the cosines, (..., n_points, n_out, n_periodic)."""
        phase = x[..., self.periodic].unsqueeze(-2) + self.c
        if self.update is not None:
            phase = phase + self.update.matrix(alpha).mT.unsqueeze(-3)
        return phase

    def features(self, x: Tensor) -> Tensor:
        """Cosines and sines of the angles, and the other coordinates, (..., n_features)."""
        angles = x[..., self.periodic]
        return torch.cat([torch.cos(angles), torch.sin(angles), x[..., self.plain]], dim=-1)

    def merged(self, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """Weight (..., n_features, n_out) and bias (n_out,), with the low-rank update added.

        They multiply the `features`, as ``cos(x + c) = cos(x) cos(c) - sin(x) sin(c)``.
        """
        phase = self.c.T if self.update is None else self.c.T + self.update.matrix(alpha)
        waves, straight = self.a[:, self.periodic].T, self.a[:, self.plain].T
        parts = [
            waves * torch.cos(phase),
            -waves * torch.sin(phase),
            straight.expand(*phase.shape[:-2], *straight.shape),
        ]
        n_dims = self.a.shape[1]
        return torch.cat(parts, dim=-2) / n_dims, self.b.sum(-1) / n_dims

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        """Map x (..., n_points, n_dims) and alpha (..., n_online) to (..., n_points, n_out)."""
        weight, bias = self.merged(alpha)
        return torch.matmul(self.features(x), weight) + bias

    def _slopes(self, x: Tensor, weight: Tensor) -> Tensor:
        """Derivatives of the output in the angles, (n_periodic, ..., n_points, n_out)."""
        n, angles = len(self.periodic), x[..., self.periodic]
        turned = torch.stack([-torch.sin(angles), torch.cos(angles)], dim=-1)
        pairs = torch.stack([weight[..., :n, :], weight[..., n : 2 * n, :]], dim=-2)
        return (turned.movedim(-2, -3) @ pairs).movedim(-3, 0)

    def jet(self, x: Tensor, alpha: Tensor, slopes: Tensor) -> Jet:
        """Output and its derivatives in space, as in `CoLoRALayer.jet`."""
        weight, bias = self.merged(alpha)
        features, n = self.features(x), len(self.periodic)
        value = features @ weight + bias
        frequency = slopes[self.periodic]
        grad = value.new_empty(len(slopes), *value.shape)
        ones = [1] * (value.ndim - 1)
        grad[self.periodic] = self._slopes(x, weight) * frequency.reshape(n, 1, *ones)
        if len(self.plain):
            straight = self.a[:, self.plain].T / len(slopes) * slopes[self.plain].unsqueeze(-1)
            grad[self.plain] = straight.reshape(-1, *ones, value.shape[-1])
        squares = -torch.cat([frequency, frequency]).square()
        laplacian = (features[..., : 2 * n] * squares) @ weight[..., : 2 * n, :]
        return Jet(*(t.movedim(-1, 0) for t in (value, grad, laplacian)))

    def series(self, x: Tensor, alpha: Tensor, directions: Tensor, order: int) -> list[Tensor]:
        """Taylor series along directions, as in `CoLoRALayer.series`."""
        phase, n_dims = self._phase(x, alpha), self.a.shape[1]
        value = self(x, alpha).movedim(-1, 0).unsqueeze(1)
        waves = directions[:, self.periodic]
        coefficients = [value]
        for k in range(1, order + 1):
            turned = self.a[:, self.periodic] * torch.cos(phase + 0.5 * math.pi * k)
            along = torch.einsum("spod,jd->ojsp", turned, waves**k / (math.factorial(k) * n_dims))
            if k == 1 and len(self.plain):
                straight = self.a[:, self.plain] @ directions[:, self.plain].T / n_dims
                along = along + straight[:, :, None, None]
            coefficients.append(along)
        return coefficients

    def online_pullback(self, x: Tensor, alpha: Tensor, sensitivity: Tensor) -> Tensor | None:
        """Sensitivity to the online weights, as in `CoLoRALayer.online_pullback`."""
        if self.update is None:
            return None
        weight, n = self.merged(alpha)[0], len(self.periodic)
        # Derivatives of the phases in the online weights, (n_online, n_periodic, n_out).
        shifts = self.update.A.T.unsqueeze(2) * self.update.B.unsqueeze(1)
        if self.n_online == 1:
            shifts = shifts.sum(0, keepdim=True)
        cosines, sines = weight[..., None, :n, :], weight[..., None, n : 2 * n, :]
        change = torch.cat([sines * shifts, -cosines * shifts], dim=-2)
        waves = self.features(x)[..., : 2 * n]
        # (n_states, n_online, n_out, n_points)
        rates = change.mT @ waves.mT.unsqueeze(-3)
        parts = [
            (sensitivity * rate.movedim(-2, 0).unsqueeze(1)).sum(0) for rate in rates.unbind(-3)
        ]
        return torch.stack(parts)

    def pullback(self, x: Tensor, alpha: Tensor, sensitivity: Tensor) -> Pullback:
        n_dims = self.a.shape[1]
        phase = self._phase(x, alpha)
        basis = phase.new_empty(*phase.shape[:-1], n_dims)
        basis[..., self.periodic] = torch.cos(phase)
        basis[..., self.plain] = x[..., self.plain].unsqueeze(-2)
        mean = sensitivity.unsqueeze(-1) / n_dims
        phase_sensitivity = -mean * self.a[:, self.periodic] * torch.sin(phase)
        input_sensitivity = torch.empty(
            *phase_sensitivity.shape[:-2], n_dims, dtype=x.dtype, device=x.device
        )
        input_sensitivity[..., self.periodic] = phase_sensitivity.sum(-2)
        input_sensitivity[..., self.plain] = (mean * self.a[:, self.plain]).sum(-2)
        factors = [
            Factor(self.a, (mean * basis).flatten(-2), None),
            Factor(self.b, mean.expand(*mean.shape[:-1], n_dims).flatten(-2), None),
            Factor(self.c, phase_sensitivity.flatten(-2), None),
        ]
        online = None
        if self.update is not None:
            online, update_factors = self._shift_pullback(alpha, phase_sensitivity)
            factors += update_factors
        return Pullback(input_sensitivity, online, factors)

    def _shift_pullback(
        self, alpha: Tensor, phase_sensitivity: Tensor
    ) -> tuple[Tensor, list[Factor]]:
        """Sensitivities to α, A and B, from the sensitivity to the phase.

        The phase contains the shift ``(A diag(α) B)ᵀ``.
        """
        assert self.update is not None
        A, B = self.update.A, self.update.B
        up = phase_sensitivity.mT @ B.T  # (..., n_periodic, rank)
        down = phase_sensitivity @ A  # (..., n_out, rank)
        online = (A * up).sum(-2)
        if self.n_online == 1:
            online = online.sum(-1, keepdim=True)
        alpha = alpha.unsqueeze(-2).unsqueeze(-2)
        return online, [
            Factor(A, (alpha * up).flatten(-2), None),
            Factor(B, (alpha * down).mT.flatten(-2), None),
        ]
