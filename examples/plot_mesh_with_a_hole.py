"""
========================================
Files of a solver, on a mesh with a hole
========================================

Solvers on unstructured meshes write one file for each time, which ParaView opens.  Here are such
files of a warm spot that a flow carries around a hole, for five speeds.  They are read, learnt, and
the prediction at a new speed is written as a series of files again.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skcolora import CoLoRARegressor, ParameterInterpolator
from skcolora.datasets import SnapshotData, read_meshes, write_vtk
from skcolora.inspection import SnapshotDisplay
from skcolora.metrics import relative_l2_error

parser = argparse.ArgumentParser(description="Files of a mesh with a hole, in and out.")
parser.add_argument(
    "--max-time", type=float, default=30.0, help="seconds that training may take (default: 30)"
)
parser.add_argument("--tiny", action="store_true", help="hardly any training: does it run?")
args, _ = parser.parse_known_args()
budget = {"max_iter": 20} if args.tiny else {"max_time": args.max_time}

# %%
# Files, as your solver writes them
# ---------------------------------
# A ring of triangles stands for the mesh, and a formula for the solver.
radii, angles = np.meshgrid(np.linspace(0.3, 1, 15), np.linspace(0, 2 * np.pi, 90, endpoint=False))
nodes = np.column_stack([(radii * np.cos(angles)).ravel(), (radii * np.sin(angles)).ravel()])
index = np.arange(nodes.shape[0]).reshape(radii.shape)
first, last = index[:, :-1], np.roll(index, -1, axis=0)[:, :-1]
triangles = np.concatenate(
    [
        np.stack(corners, -1).reshape(-1, 3)
        for corners in ((first, first + 1, last), (first + 1, last + 1, last))
    ]
)


def temperature(speed, t):
    """A spot at the angle ``speed * t``, which grows by diffusion."""
    center = 0.65 * np.array([np.cos(speed * t), np.sin(speed * t)])
    size = 0.01 + 0.01 * t
    return 293.0 + 5.0 * np.exp(-((nodes - center) ** 2).sum(1) / size) * 0.01 / size


times, speeds = np.linspace(0, 2, 21), np.linspace(1.0, 3.0, 5)
folder = Path(tempfile.mkdtemp())
runs = SnapshotData(
    X=speeds[:, None],
    y=np.array([[temperature(speed, t) for t in times] for speed in speeds]),
    times=times,
    points=nodes,
    field_names=("T",),
    cells={"triangle": triangles},
)
write_vtk(runs, folder, name="run")

# %%
# Read them
# ---------
# One list of files for each run.  The mesh comes along, and is used for the pictures.
files = [sorted(folder.glob(f"run_{i}_*.vtu")) for i in range(len(speeds))]
data = read_meshes(speeds[:, None], files, times=times)
print("y:", data.y.shape, " nodes:", data.points.shape, " cells:", data.cells["triangle"].shape)

# %%
# Names and units are those of the pictures.  Files of meshes do not hold them all.
names = {"parameter_names": ("speed",), "units": {"T": "K", "x": "m", "y": "m", "time": "s"}}
data = SnapshotData(**{**vars(data), **names})

# %%
# Learn and predict
# -----------------
model = CoLoRARegressor(**data.grid, random_state=0, **budget).fit(data.X, data.y)
rival = ParameterInterpolator(**data.grid).fit(data.X, data.y)
new = SnapshotData(
    **{
        **vars(data),
        "X": np.array([[1.7]]),
        "y": np.array([[temperature(1.7, t) for t in times]]),
    }
)
for name, each in (("CoLoRARegressor", model), ("interpolation", rival)):
    error = relative_l2_error(new.y, each.predict(new.X), centered=True)
    print(f"{name:18}{error:.1e} of the variation")

# %%
# The triangles are those of the mesh: nothing is drawn across the hole.
display = SnapshotDisplay.from_data(model, new, times=[0, 0.7, 1.3, 2.0])
display.figure_.savefig("mesh_with_a_hole.png", dpi=150)
print("mesh_with_a_hole.png")
plt.show()

# %%
# Write the prediction
# --------------------
# ParaView opens ``predicted_0.pvd``, with its times.
write_vtk(data.predicted(model, new.X), folder, name="predicted")
print(len(list(folder.glob("predicted_0_*.vtu"))), "files and", folder / "predicted_0.pvd")
