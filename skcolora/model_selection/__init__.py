"""Sampling of the parameters: where to run the solver next."""

from skcolora.model_selection._greedy import sample_greedily
from skcolora.model_selection._result import GreedyResult, SamplingError

__all__ = ["GreedyResult", "SamplingError", "sample_greedily"]
