"""
=================================
Initial conditions it never saw
=================================

A network is trained on five clouds of particles at rest, in a fixed potential.  The equation
then carries four others through it: two that start outside the range of the training, and two
that start with a velocity, of which the hypernetwork cannot even be told.

The network is only the space in which the solution is sought.  Its latent state is first fitted
to the new initial field, and then follows the equation (Neural Galerkin).
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_vlasov
from skcolora.metrics import relative_l2_error
from skcolora.pdes import Vlasov

parser = argparse.ArgumentParser(description="One network, four initial conditions.")
parser.add_argument(
    "--max-time", type=float, default=120.0, help="seconds that training may take (default: 120)"
)
parser.add_argument(
    "--tiny", action="store_true", help="coarse snapshots and hardly any training: does it run?"
)
args, _ = parser.parse_known_args()
coarse = {"n_points": 21, "times": [0.0, 0.1, 0.2, 0.3]}
resolution = coarse if args.tiny else {"n_points": 61, "times": 0.16 * np.arange(32)}
budget = {"max_iter": 20} if args.tiny else {"max_time": args.max_time}

# %%
# One network
# -----------
data = make_vlasov([0.2, 0.25, 0.3, 0.35, 0.4], **resolution)
network = CoLoRARegressor(**data.grid, **budget, random_state=0, verbose=1)
model = CoLoRAGalerkin(data.pde, regressor=network, conserve="mass", random_state=0)
model.fit(data.X, data.y)


# %%
# Four initial conditions
# -----------------------
# The equation of the moving clouds is the same; they are written down as a class only to have
# the exact solution to compare with.
class MovingCloud(Vlasov):
    """A cloud that starts with a velocity."""

    def __init__(self, velocity: float) -> None:
        super().__init__()
        self.velocity = velocity

    def initial(self, points, mu):
        x, v = points
        return super().initial((x, v - self.velocity), mu)


mesh = np.stack(np.meshgrid(*data.points, indexing="ij"))
cases = [(0.15, 0.0), (0.45, 0.0), (0.25, 0.02), (0.35, -0.02)]
X = np.array([[position] for position, _ in cases])
clouds = [MovingCloud(velocity) for _, velocity in cases]
initial = np.stack([cloud.initial(mesh, mu) for cloud, mu in zip(clouds, X, strict=True)])
truth = np.concatenate(
    [cloud.solve(mu[None], data.times, data.points) for cloud, mu in zip(clouds, X, strict=True)]
)

# %%
# Predicted by the equation
# -------------------------
# The indicator is what the model can say about its error without knowing the truth.
solution = model.solve(X, initial=initial)
moved = solution.predict()
guessed = model.regressor_.predict(X)
print(f"\n{'position':>9}{'velocity':>10}{'equation':>11}{'indicator':>11}{'hypernetwork':>14}")
for i, (position, velocity) in enumerate(cases):
    errors = (relative_l2_error(truth[i : i + 1], fields[i : i + 1]) for fields in (moved, guessed))
    by_equation, by_hypernetwork = errors
    print(
        f"{position:9.2f}{velocity:10.2f}{by_equation:11.1e}"
        f"{solution.error_indicator[i, -1]:11.1e}{by_hypernetwork:14.1e}"
    )

# %%
# Animation
# ---------
figure, axes = plt.subplots(2, 4, figsize=(10, 5.4), layout="constrained", sharex=True, sharey=True)
options = {"origin": "lower", "extent": (-1, 1, -1, 1), "vmin": 0.0, "vmax": 1.0}
images = []
for row, (name, fields) in zip(axes, {"exact": truth, "predicted": moved}.items(), strict=True):
    row[0].set_ylabel(f"{name}\nvelocity")
    for ax, trajectory in zip(row, fields, strict=True):
        images.append((ax.imshow(trajectory[0].T, **options), trajectory))
for ax, (position, velocity) in zip(axes[0], cases, strict=True):
    ax.set_title(f"μ = {position}, v₀ = {velocity}", fontsize=10)
for ax in axes[1]:
    ax.set_xlabel("position")


def show(i):
    for image, trajectory in images:
        image.set_data(trajectory[i].T)
    figure.suptitle(f"t = {data.times[i]:.2f}")
    return [image for image, _ in images]


show(0)
figure.canvas.draw()
figure.set_layout_engine("none")  # the panels stay where they are, which saves most of the time
animation = FuncAnimation(figure, show, frames=len(data.times))
animation.save("initial_conditions.gif", writer=PillowWriter(fps=8), dpi=80)
print("\nThe animation is in initial_conditions.gif.")
