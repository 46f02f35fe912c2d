"""Plots and error budgets of models.  Plots need matplotlib: ``pip install skcolora[plot]``."""

from skcolora.inspection._error_budget import ErrorBudget, error_budget
from skcolora.inspection._error_budget_display import ErrorBudgetDisplay
from skcolora.inspection._error_decay import ErrorDecayDisplay
from skcolora.inspection._latent import LatentDisplay
from skcolora.inspection._snapshot import SnapshotDisplay
from skcolora.inspection._training import TrainingDisplay

__all__ = [
    "ErrorBudget",
    "ErrorBudgetDisplay",
    "ErrorDecayDisplay",
    "LatentDisplay",
    "SnapshotDisplay",
    "TrainingDisplay",
    "error_budget",
]
