"""What the field reports: the relative L2 error."""

from skcolora.metrics._relative_error import neg_relative_l2_error, relative_l2_error

__all__ = ["neg_relative_l2_error", "relative_l2_error"]
