"""
===============
Many parameters
===============

With four parameters a grid of runs is out of reach: five values of each are 625 runs.  Here are 48
runs at well-spread parameters of a pulse with its own start, speed, width and decay.  No
interpolation of the snapshots follows a pulse that moves.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import qmc

from skcolora import CoLoRARegressor, ParameterInterpolator, PODRegressor
from skcolora.metrics import relative_l2_error

parser = argparse.ArgumentParser(description="A pulse with four parameters.")
parser.add_argument(
    "--max-time", type=float, default=60.0, help="seconds that training may take (default: 60)"
)
parser.add_argument("--tiny", action="store_true", help="hardly any training: does it run?")
args, _ = parser.parse_known_args()
budget = {"max_iter": 20} if args.tiny else {"max_time": args.max_time}

# %%
# Well-spread parameters
# ----------------------
# A Sobol sequence, as scipy makes it.  Names of columns are for you; a data frame has them.
low, high = [-0.3, 0.4, 0.08, 0.1], [0.3, 1.0, 0.16, 1.0]
X = qmc.scale(qmc.Sobol(4, rng=0).random(64), low, high)[:48]
X_new = qmc.scale(qmc.Sobol(4, rng=1).random(8), low, high)
times, x = np.linspace(0, 1, 21), np.linspace(-1, 1.5, 161)


def pulse(mu):
    start, speed, width, decay = mu
    t = times[:, None]
    return np.exp(-decay * t - ((x - start - speed * t) / width) ** 2)


y, y_new = (np.array([pulse(mu) for mu in each]) for each in (X, X_new))

# %%
# Models
# ------
# With several parameters the network has more to adapt: give it more online weights, by the
# ``rank`` with ``adaptation="diagonal"``.
grid = {"times": times, "points": x}
models = {
    "interpolation": ParameterInterpolator(**grid),
    "POD and interpolation": PODRegressor(**grid),
    "CoLoRA": CoLoRARegressor(**grid, **budget, random_state=0),
    "CoLoRA, diagonal": CoLoRARegressor(**grid, **budget, adaptation="diagonal", random_state=0),
}
errors = {}
for name, model in models.items():
    predicted = model.fit(X, y).predict(X_new)
    errors[name] = relative_l2_error(y_new, predicted, centered=True, average=False)
    print(f"{name:24}{errors[name].mean():.1e} of the variation")
print(f"CoLoRA expected {models['CoLoRA'].unseen_error_:.1e}")

# %%
# The errors at eight new pulses:
figure, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
for row, each in enumerate(errors.values()):
    ax.plot(each, np.full(len(each), row), "o", ms=6, alpha=0.6)
ax.set(xscale="log", xlabel="error at parameters without a run", ylim=(-0.6, 3.6))
ax.set_yticks(range(len(errors)), list(errors))
ax.invert_yaxis()
ax.grid(axis="x", color="0.9")
ax.spines[["top", "right", "left"]].set_visible(False)
figure.savefig("many_parameters.png", dpi=150)
print("many_parameters.png")
plt.show()
