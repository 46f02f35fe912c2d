"""Settings and fixtures that all tests share."""

import importlib
import os
from pathlib import Path

# Without it scikit-learn leaves its array-API checks out.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
import pytest
import torch

# Each test worker keeps to one core.
torch.set_num_threads(1)


@pytest.fixture
def benchmark_module(monkeypatch):
    """Imports a module of the folder of benchmarks."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "benchmarks"))
    return importlib.import_module
