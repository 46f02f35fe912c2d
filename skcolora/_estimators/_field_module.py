"""A fitted model as one torch module, in the units of the user."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skcolora._nn import CoLoRAModel
from skcolora._snapshots import Scale, Units
from skcolora.utils._torch import any_weight, as_tensor


class FieldModule(nn.Module):
    """The map from parameters, times and points to fields, all in the units of the user.

    It is a module of torch like any other: `torch.export` and `torch.onnx` take it, and gradients
    flow through it.  Inputs are in float64, because scaling them may cancel digits; the networks
    compute in their own precision.

    Parameters
    ----------
    model : CoLoRAModel
    units : Units
    """

    def __init__(self, model: CoLoRAModel, units: Units) -> None:
        super().__init__()
        self.model = model
        self._periodic = list(units.periodic)
        self._origin, self._shift = units.times.coordinate.origin, units.times.coordinate.shift
        scales = {
            "parameters": units.parameters,
            "times": units.times.affine,
            "points": units.points,
            "fields": units.fields,
        }
        for name, scale in scales.items():
            self._keep(name, scale)
        self.register_buffer("logarithmic", torch.from_numpy(units.parameters.logarithmic.copy()))

    def _keep(self, name: str, scale: Scale) -> None:
        # The slope of a constant is 0.
        self.register_buffer(f"{name}_center", as_tensor(scale.center))
        self.register_buffer(f"{name}_scale", as_tensor(scale.scale))
        self.register_buffer(f"{name}_slope", as_tensor(scale.slope))

    def forward(self, parameters: Tensor, times: Tensor, points: Tensor) -> Tensor:
        """Fields (n, n_points, n_fields) of n pairs of parameters and a time.

        Parameters
        ----------
        parameters : Tensor of shape (n, n_parameters)
            Positive where the fit takes their logarithm; elsewhere the result is NaN.
        times : Tensor of shape (n,)
        points : Tensor of shape (n_points, n_dims)
        """
        buffers: Any = self
        dtype = any_weight(self.model).dtype
        logarithms = torch.log(torch.where(self.logarithmic, parameters, 1.0))  # type: ignore[arg-type]
        mu = torch.where(self.logarithmic, logarithms, parameters)  # type: ignore[arg-type]
        t = times.unsqueeze(1)
        if self._shift:
            # asinh, which not every runtime has in double precision.
            t = (t - self._origin) / self._shift
            t = torch.sign(t) * torch.log(t.abs() + torch.sqrt(t * t + 1.0))
        inputs = torch.cat(
            [
                (mu - buffers.parameters_center) * buffers.parameters_slope,
                (t - buffers.times_center) * buffers.times_slope,
            ],
            1,
        )
        x = (points - buffers.points_center) * buffers.points_slope
        turns = torch.floor(x / (2 * torch.pi)) * (2 * torch.pi)
        x = x - torch.where(torch.tensor(self._periodic, device=x.device), turns, 0.0)
        latent = self.model.hypernetwork(inputs.to(dtype))
        scaled = self.model.network(x.to(dtype).unsqueeze(0), latent)
        return buffers.fields_center + buffers.fields_scale * scaled.double()
