"""
==================
Larger than memory
==================

Snapshots of real solvers do not fit into memory.  ``fit`` takes what slices: a memory-mapped
array, a dataset of h5py or zarr, or a dask array.  Here are a few hundred megabytes in a file,
which are never read as a whole, and a training that may be cut off at any time.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skcolora import CoLoRARegressor
from skcolora.inspection import SnapshotDisplay

parser = argparse.ArgumentParser(description="Snapshots in a file, and a checkpoint.")
parser.add_argument(
    "--max-time", type=float, default=60.0, help="seconds that training may take (default: 60)"
)
parser.add_argument("--tiny", action="store_true", help="hardly any training: does it run?")
args, _ = parser.parse_known_args()
budget = {"max_iter": 20} if args.tiny else {"max_time": args.max_time}
n = 32 if args.tiny else 256

# %%
# Snapshots in a file
# -------------------
# A vortex turns a field, faster or slower.  Each run is written as it comes; the array is larger
# than the 512 MB that ``fit`` would load.
speeds, times = np.linspace(1.0, 3.0, 24), np.linspace(0, 1, 100)
axis = np.linspace(-1, 1, n)
x0, x1 = np.meshgrid(axis, axis, indexing="ij")
radius = np.hypot(x0, x1)
angle = np.arctan2(x1, x0)


def field(speed, t):
    turned = angle - speed * t * np.exp(-2 * radius**2)
    return radius * np.sin(turned) * np.exp(-3 * radius**2)


folder = Path(tempfile.mkdtemp())
shape = (len(speeds), len(times), n, n)
y = np.lib.format.open_memmap(folder / "runs.npy", "w+", np.float32, shape)
for i, speed in enumerate(speeds):
    for k, t in enumerate(times):
        y[i, k] = field(speed, t)
y.flush()
print(f"{y.nbytes / 2**20:.0f} MB in {folder / 'runs.npy'}")

# %%
# A fit that may be cut off
# -------------------------
# The array is given as it is.  ``checkpoint`` names a file for the state of the training: if the
# machine goes down, the same call goes on from there.  ``verbose=1`` shows how long it will take.
y = np.load(folder / "runs.npy", mmap_mode="r")
model = CoLoRARegressor(
    times=times,
    points=(axis, axis),
    checkpoint=folder / "fit.pt",
    random_state=0,
    **budget,
)
started = time.perf_counter()
model.fit(speeds[:, None], y)
print(f"fit in {time.perf_counter() - started:.0f} s, training error {model.best_loss_:.1e}")

# %%
# Only what you ask for is computed: here four times of one new run.
shown = [0.0, 0.3, 0.7, 1.0]
truth = np.array([[field(2.04, t) for t in shown]])
predicted = model.predict([[2.04]], times=shown)
grid = {"times": shown, "points": (axis, axis)}
display = SnapshotDisplay.from_predictions(truth, predicted, grid=grid)
display.figure_.savefig("larger_than_memory.png", dpi=120)
print("larger_than_memory.png")
plt.show()

# %%
# Many machines
# -------------
# ``cv=5`` and the searches of scikit-learn train several networks at once, wherever joblib finds
# workers; those of a Dask cluster need one line::
#
#     with joblib.parallel_config(backend="dask"):
#         GridSearchCV(model, {"rank": [2, 3, 4]}).fit(X, y)
del y
os.remove(folder / "runs.npy")
