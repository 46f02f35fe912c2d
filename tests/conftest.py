"""Settings that all tests share."""

import os

# Without it scikit-learn leaves its array-API checks out.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
import torch

# Each test worker keeps to one core.
torch.set_num_threads(1)
