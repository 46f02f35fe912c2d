"""
=========================
Runs with their own times
=========================

An adaptive solver chooses its own time steps, so that no two runs have the same times.  Here
scipy solves the equation of Fisher and Kolmogorov, in which a front spreads, for six growth
rates.  The network learns from the snapshots as they are: nothing is interpolated.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import solve_ivp

import skcolora
from skcolora import CoLoRARegressor
from skcolora.datasets import SnapshotData
from skcolora.inspection import SnapshotDisplay

parser = argparse.ArgumentParser(description="Runs of an adaptive solver, as they are.")
parser.add_argument(
    "--max-time", type=float, default=30.0, help="seconds that training may take (default: 30)"
)
parser.add_argument("--tiny", action="store_true", help="hardly any training: does it run?")
args, _ = parser.parse_known_args()
budget = {"max_iter": 20} if args.tiny else {"max_time": args.max_time}

# %%
# A solver with adaptive steps
# ----------------------------
# ``∂u/∂t = D ∂²u/∂x² + β u (1 - u)`` on [0, 1], without flux through the ends.
x = np.linspace(0, 1, 101)
h = x[1] - x[0]


def solve(growth, times=None):
    """Times and snapshots (n_times, n_points); without times those of the steps."""

    def rate(t, u):
        inside = np.pad(u, 1, mode="reflect")
        return 0.004 * np.diff(inside, 2) / h**2 + growth * u * (1 - u)

    start = 1 / (1 + np.exp((x - 0.15) / 0.03))
    found = solve_ivp(rate, (0, 1), start, method="LSODA", t_eval=times, rtol=1e-6, atol=1e-8)
    return found.t, found.y.T


growths = np.array([4.0, 6.0, 8.0, 10.0, 12.0, 14.0])
runs = [solve(growth) for growth in growths]
print("snapshots of the runs:", [len(t) for t, _ in runs])

# %%
# From runs to snapshots
# ----------------------
# The common axis holds all times of all runs, and NaN stands where a run has no snapshot.
data = SnapshotData.from_runs(
    growths[:, None], [t for t, _ in runs], [y for _, y in runs], points=x
)
share = np.isfinite(data.y).mean()
print(f"{len(data.times)} times in all, of which each run has {share:.0%} on average")

# %%
# ``missing="ignore"`` says that NaN means "not observed".
model = CoLoRARegressor(**data.grid, missing="ignore", random_state=0, **budget)
model.fit(data.X, data.y)

# %%
# A growth rate without a run
# ---------------------------
# The prediction is asked for at times of our own.
times = np.linspace(0, 1, 41)
truth = solve(9.0, times)[1]
predicted = model.predict([[9.0]], times=times)
display = SnapshotDisplay.from_predictions(
    truth[None], predicted, grid={"times": times, "points": x}, kind="map"
)
display.figure_.savefig("own_times.png", dpi=150)
print("own_times.png")
plt.show()

# %%
# The model goes into one file, from which nothing is executed when it is loaded.
skcolora.save(model, "front.safetensors")
again = skcolora.load("front.safetensors")
print("same prediction:", np.array_equal(again.predict([[9.0]], times=times), predicted))
Path("front.safetensors").unlink()
