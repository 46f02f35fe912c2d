"""
===========
Quick start
===========

Train a reduced model on snapshots of a few parameters, predict parameters it never saw,
and compare it with the simple alternatives.

As it stands the snapshots are those of particles in a fixed potential, which are known
exactly.  For your own, give a folder of HDF5 files, one a parameter (see
:func:`skcolora.datasets.load_snapshots`):

.. code-block:: sh

    python examples/plot_quickstart.py folder --hold-out 2 --period 2.0
"""

import argparse
import time

import matplotlib.pyplot as plt
import numpy as np

from skcolora import CoLoRARegressor, ParameterInterpolator, PODGalerkin, PODRegressor
from skcolora.datasets import load_snapshots, make_vlasov
from skcolora.inspection import LatentDisplay, SnapshotDisplay
from skcolora.metrics import relative_l2_error

parser = argparse.ArgumentParser(description="Train on snapshots and compare.")
parser.add_argument("data", nargs="?", help="folder, file pattern: HDF5 files, one a parameter")
parser.add_argument(
    "--hold-out", type=int, default=1, help="trajectories that no model sees (default: 1)"
)
parser.add_argument("--period", type=float, help="period of the domain, if it is periodic")
parser.add_argument(
    "--max-time", type=float, default=150.0, help="seconds that training may take (default: 150)"
)
parser.add_argument(
    "--tiny", action="store_true", help="coarse snapshots and hardly any training: does it run?"
)
args, _ = parser.parse_known_args()
resolution = {"n_points": 21, "times": [0.0, 0.1, 0.2, 0.3]} if args.tiny else {}
budget = {"max_iter": 20} if args.tiny else {"max_time": args.max_time}

# %%
# Snapshots
# ---------
# Seven trajectories to learn from, two others to be judged by; or, of a folder, some
# held out from the middle of the range of parameters.
if args.data is None:
    data = make_vlasov(np.linspace(0.2, 0.4, 7), **resolution)
    new = make_vlasov([0.25, 0.35], **resolution)
    X, y, X_new, y_new = data.X, data.y, new.X, new.y
else:
    data = load_snapshots(args.data, period=args.period)
    n = len(data.X)
    if not 1 <= args.hold_out <= n - 2:
        parser.error(
            f"--hold-out must leave two trajectories or more to learn from; got {args.hold_out} of "
            f"{n} in {args.data}."
        )
    inner = np.linspace(0, n - 1, args.hold_out + 2)[1:-1].round().astype(int)
    held_out = np.isin(np.arange(n), inner)
    X, y = data.X[~held_out], data.y[~held_out]
    X_new, y_new = data.X[held_out], data.y[held_out]
print(f"Snapshots: {data!r}; unseen parameters: {X_new.tolist()}")

# %%
# Models
# ------
# The rivals matter: interpolation of the snapshots is a strong one where a parameter is
# sampled densely, and the projection on POD modes shows how far any linear model can get.
colora = CoLoRARegressor(**data.grid, **budget, random_state=0, verbose=1)
n_latent = 8
models = {
    "CoLoRARegressor": colora,
    "PODRegressor": PODRegressor(**data.grid, n_components=n_latent),
    "ParameterInterpolator": ParameterInterpolator(**data.grid),
}
if data.pde is not None:  # files do not tell their equation
    models["PODGalerkin"] = PODGalerkin(data.pde, **data.grid, n_components=n_latent)
table = []
predictions = {}
for name, model in models.items():
    started = time.perf_counter()
    model.fit(X, y)
    fitted = time.perf_counter()
    predictions[name] = model.predict(X_new)
    done = time.perf_counter()
    error = relative_l2_error(y_new, predictions[name])  # infinite where a model fails
    table.append((name, error, fitted - started, done - fitted))
best = relative_l2_error(y_new, models["PODRegressor"].project(y_new))
table.insert(2, ("POD projection", best, None, None))

pod = models["PODRegressor"]
n_pod = pod.components_.size + pod.mean_.size
sizes = {
    "CoLoRARegressor": (colora.n_latent_, colora.n_weights_),
    "PODRegressor": (n_latent, n_pod),
    "POD projection": (n_latent, n_pod),
    "PODGalerkin": (n_latent, n_pod),
    "ParameterInterpolator": (None, y.size),
}
print(f"\n{'':22}{'error':>10}{'latent':>8}{'weights':>11}{'fit':>10}{'predict':>11}")
for name, error, fit_time, predict_time in table:
    latent, weights = sizes[name]
    times = f"{fit_time:8.2f} s{predict_time:9.3f} s" if fit_time is not None else ""
    print(f"{name:22}{error:10.2e}{latent or '':>8}{weights:11,}{times}")

if colora.unseen_error_ is not None:
    # One of the trajectories was left out at first.
    print(
        f"\nError that CoLoRARegressor expects at unseen parameters: {colora.unseen_error_:.1e} of "
        f"the variation; at those it was trained on: {colora.best_loss_:.1e}."
    )

# %%
# Picture
# -------
# The first of the unseen parameters: truth, prediction and error, and the latent states
# that the hypernetwork gives at all parameters.
figure = plt.figure(figsize=(13, 5.2), layout="constrained")
fields, states = figure.subplots(1, 2, width_ratios=(1.4, 1))
SnapshotDisplay.from_estimator(colora, X_new, y_new, ax=fields)
LatentDisplay.from_estimator(colora, np.vstack([X, X_new]), ax=states)
figure.savefig("quickstart.png", dpi=130)
print("\nThe picture is in quickstart.png.")
