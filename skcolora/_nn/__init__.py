"""The CoLoRA network and its hypernetwork as torch modules."""

from skcolora._nn._evaluation import decode_rows, evaluate_fields, evaluate_latent
from skcolora._nn._free_output import free_output
from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._nn._jet import NetworkJet, first_layer
from skcolora._nn._layers import CoLoRALayer, Factor, Jet, LowRankUpdate
from skcolora._nn._model import CoLoRAModel
from skcolora._nn._network import CoLoRANetwork, Linearization
from skcolora._nn._periodic import PeriodicLayer
from skcolora._nn._space_time import SpaceTimeJet, SpaceTimeModel, jet_jacobian

__all__ = [
    "CoLoRALayer",
    "CoLoRAModel",
    "CoLoRANetwork",
    "Factor",
    "Hypernetwork",
    "Jet",
    "Linearization",
    "LowRankUpdate",
    "NetworkJet",
    "PeriodicLayer",
    "SpaceTimeJet",
    "SpaceTimeModel",
    "decode_rows",
    "evaluate_fields",
    "evaluate_latent",
    "first_layer",
    "free_output",
    "jet_jacobian",
]
