"""
======================================
How wrong it is, and where to run next
======================================

A prediction without an error bar is a guess.  Here a front steepens and moves, for ten viscosities.
Networks that were trained without some of the runs tell how wrong predictions are, a band
around the prediction contains the whole new run with a chosen probability, and the model says
where another run would help most.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

from skcolora import CoLoRARegressor
from skcolora.datasets import make_burgers
from skcolora.metrics import relative_l2_error

parser = argparse.ArgumentParser(description="Bands of predictions, and the next run.")
parser.add_argument(
    "--max-time", type=float, default=60.0, help="seconds that training may take (default: 60)"
)
parser.add_argument("--tiny", action="store_true", help="hardly any training: does it run?")
args, _ = parser.parse_known_args()
budget = {"max_iter": 20} if args.tiny else {"max_time": 1.5 * args.max_time}

data = make_burgers(np.geomspace(0.005, 0.1, 10), kind="viscous")
new = make_burgers([0.0065, 0.03], kind="viscous")

# %%
# Errors of runs that were left out
# ---------------------------------
# Even the default leaves out a run at first, at no cost: ``unseen_error_`` tells its error.
# ``cv=5`` trains five more networks, each without a fifth of the runs, which makes bands possible.
model = CoLoRARegressor(**data.grid, cv=5, random_state=0, **budget).fit(data.X, data.y)
print(f"error to expect between the runs: {model.unseen_error_:.1e} of the variation")
for viscosity, error in zip(data.X[:, 0], model.cv_error_, strict=True):
    print(f"  without the run at {viscosity:.4f}: {error:.1e}")

# %%
# The same for given parameters, and what is true:
expected = model.expected_error(new.X)
true = relative_l2_error(new.y, model.predict(new.X), centered=True, average=False)
for row in zip(new.X[:, 0], expected, true, strict=True):
    print("viscosity {:.4f}: expected {:.1e}, true {:.1e}".format(*row))

# %%
# A band around the prediction
# ----------------------------
# Nine of ten new runs lie in this band as a whole, at all times and points.
predicted, lower, upper = model.predict(new.X[:1], return_interval=0.9)
x, last = np.ravel(data.points), -1
below, above, deviation = (each[0, last] - predicted[0, last] for each in (lower, upper, new.y))
figure, axes = plt.subplots(2, 1, figsize=(6.5, 4.6), layout="constrained", sharex=True)
axes[0].plot(x, new.y[0, last], color="0.7", lw=4, label="truth")
axes[0].plot(x, predicted[0, last], "C0--", lw=1.5, label="prediction")
axes[0].set(ylabel="$u$ at the last time", title="a run that was never solved", xmargin=0)
axes[1].fill_between(x, below, above, color="C0", alpha=0.25, lw=0, label="band, 90 %")
axes[1].plot(x, deviation, color="0.3", lw=1.2, label="truth")
axes[1].axhline(0.0, color="C0", ls="--", lw=1.5, label="prediction")
axes[1].set(xlabel="$x$", ylabel="minus prediction")
for ax in axes:
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    ax.spines[["top", "right"]].set_visible(False)
figure.savefig("uncertainty.png", dpi=150)
print("uncertainty.png")
plt.show()

# %%
# Where to run next
# -----------------
# The candidate with the largest expected error comes first, and the others lie apart from it.
candidates = np.geomspace(0.003, 0.15, 60)[:, None]
print("run next at the viscosities", model.suggest(candidates, n=3).ravel().round(4))
