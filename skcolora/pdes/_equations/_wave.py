"""Acoustic waves in two dimensions, with exact solutions in Fourier space."""

from __future__ import annotations

from typing import Any

import numpy as np

from skcolora._snapshots import Array
from skcolora.pdes._field import Field
from skcolora.pdes._pde import PDE


def _energy(field: Field) -> Any:
    """Energy density ½ (v² + |∇u|²)."""
    return 0.5 * (field.value[1] ** 2 + (field.grad[:, 0] ** 2).sum(0))


class Wave(PDE):
    """``∂ₜu = v, ∂ₜv = Δu`` on [-1, 1]², periodic: a pulse that spreads with speed 1.

    The initial fields are ``v = 0`` and the Gaussian ``u = a exp(-|x - c|² / (2 r²))``, summed
    over its periodic images, with the parameters (a, c₀, c₁, r).  The Fourier coefficients of the
    exact solution are ``u_k(t) = u_k(0) cos(|k| t)``.  The series is truncated at machine
    precision.
    """

    n_dims = 2
    n_fields = 2
    parameter_names = ("amplitude", "center_0", "center_1", "radius")
    field_names = ("u", "v")
    domain = ((-1.0, 1.0), (-1.0, 1.0))
    period = (2.0, 2.0)
    resolution = 64
    conserved = {"energy": _energy}  # noqa: RUF012

    def rhs(self, t: float, field: Field, mu: Any) -> Any:
        return field.value[1], field.laplacian[0]

    def initial(self, points: Any, mu: Any) -> Any:
        u, v = self.exact(np.zeros(1), points, mu)
        return u.reshape(points[0].shape), v.reshape(points[0].shape)

    def exact(self, t: Any, points: Any, mu: Any) -> Any:
        times = np.asarray(t, dtype=np.float64).ravel()
        parameters = np.stack([np.ravel(entry) for entry in mu], axis=-1)
        u, v = np.stack([_series(times, points, row) for row in parameters], axis=1)
        return u, v


def _series(times: Array, points: Any, mu: Array) -> Array:
    """Fields u and v of one trajectory from its Fourier series, (2, n_times, *points[0].shape)."""
    amplitude, *center, radius = mu
    if not radius > 0:
        raise ValueError(f"Wave's parameter `radius` must be positive; got {radius:g}.")
    # exp(-(r k)² / 2) falls to 1e-17 at r k = 8.9.
    n = int(np.ceil(8.9 / (np.pi * radius)))
    k = np.pi * np.arange(-n, n + 1)
    weight = radius * np.sqrt(np.pi / 2) * np.exp(-0.5 * (radius * k) ** 2)
    frequency = np.hypot(k[:, None], k)
    # The sums over k are matrix products of the waves along the axes of a tensor grid.
    shape = points[0].shape
    (x, at_x), (y, at_y) = (np.unique(np.ravel(p), return_inverse=True) for p in points)
    waves_x, waves_y = (
        np.exp(1j * np.outer(x - center[0], k)),
        np.exp(1j * np.outer(y - center[1], k)),
    )
    tensor = len(x) * len(y) <= 2 * at_x.size
    out = np.empty((2, len(times), at_x.size))
    for i, t in enumerate(times):
        factors = (np.cos(frequency * t), -frequency * np.sin(frequency * t))
        for field, factor in zip(out, factors, strict=True):
            coefficients = amplitude * np.outer(weight, weight) * factor
            if tensor:
                values = (waves_x @ coefficients @ waves_y.T).real
                field[i] = values[at_x, at_y]
            else:
                half = waves_x[at_x] @ coefficients
                field[i] = np.einsum("pk,pk->p", half, waves_y[at_y]).real
    return out.reshape(2, len(times), *shape)
