"""The relative L2 error, the usual error measure of reduced models."""

from skcolora.metrics._relative_error import neg_relative_l2_error, relative_l2_error

__all__ = ["neg_relative_l2_error", "relative_l2_error"]
