"""The CoLoRA network and its hypernetwork as torch modules."""

from skcolora.nn._evaluation import evaluate_fields, evaluate_latent
from skcolora.nn._hypernetwork import Hypernetwork, widened
from skcolora.nn._jet import NetworkJet, first_layer
from skcolora.nn._layers import CoLoRALayer, Factor, Jet, LowRankUpdate
from skcolora.nn._model import CoLoRAModel
from skcolora.nn._network import CoLoRANetwork, Linearization
from skcolora.nn._periodic import PeriodicLayer
from skcolora.nn._space_time import SpaceTimeJet, SpaceTimeModel, jet_jacobian

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
    "evaluate_fields",
    "evaluate_latent",
    "first_layer",
    "jet_jacobian",
    "widened",
]
