"""
=================================
Three runs, and your own equation
=================================

Three runs are few.  But where the equation is known, the latent state of the network can follow
it, and ``CoLoRAGalerkin`` is then far more accurate than any model that has only the snapshots.
Here dye enters a channel at one end and leaves it at the other.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

from skcolora import CoLoRAGalerkin, CoLoRARegressor, ParameterInterpolator, PODGalerkin
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Dirichlet, Neumann

parser = argparse.ArgumentParser(description="Three runs, and an equation with its boundary.")
parser.add_argument(
    "--max-time", type=float, default=30.0, help="seconds that training may take (default: 30)"
)
parser.add_argument("--tiny", action="store_true", help="hardly any training: does it run?")
args, _ = parser.parse_known_args()
budget = {"max_iter": 20} if args.tiny else {"max_time": args.max_time}
limits = {"max_steps": 20} if args.tiny else {}

# %%
# The equation
# ------------
# ``∂u/∂t = -c ∂u/∂x + 0.005 ∂²u/∂x²``: a pulse of dye enters a channel at its left end, and flows
# out at the right one, where nothing diffuses.


class Channel(PDE):
    parameter_names = ("speed",)
    domain = ((0.0, 1.0),)
    boundary = ((Dirichlet(lambda t, points, mu: np.exp(-(((t - 0.3) / 0.1) ** 2))), Neumann()),)

    def initial(self, points, mu):
        return np.full_like(points[0], np.exp(-9.0)) * (1 - points[0]) ** 2

    def rhs(self, t, field, mu):
        return -mu[0] * field.grad[0] + 0.005 * field.laplacian


# %%
# The same class drives the solver that makes the snapshots.
pde = Channel()
times, x = np.linspace(0, 1, 51), np.linspace(0, 1, 129)
X, X_new = np.array([[0.6], [1.0], [1.5]]), np.array([[0.8], [1.25]])
y, y_new = pde.solve(X, times, x), pde.solve(X_new, times, x)

# %%
# Models
# ------
grid = {"times": times, "points": x}
network = CoLoRARegressor(**grid, **budget, random_state=0)
models = {
    "interpolation of the snapshots": ParameterInterpolator(**grid),
    "POD and the equation": PODGalerkin(pde, **grid, n_components=15),
    "CoLoRA and the equation": CoLoRAGalerkin(pde, regressor=network, **limits, random_state=0),
}
errors = {}
for name, model in models.items():
    errors[name] = relative_l2_error(y_new, model.fit(X, y).predict(X_new), centered=True)
# The network that the equation moves predicts by itself, too.
alone = models["CoLoRA and the equation"].regressor_
errors["CoLoRA, snapshots only"] = relative_l2_error(y_new, alone.predict(X_new), centered=True)
for name, error in errors.items():
    print(f"{name:32}{error:.1e}")

# %%
# The error of each model at two speeds without a run, relative to the variation.  The pulse is
# wide, so that the linear rival needs no more than fifteen modes to be as good, where the network
# moves eight numbers.  Try it with a shorter pulse.
figure, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
ax.barh(list(errors), list(errors.values()), color="0.6", height=0.6)
ax.set(xscale="log", xlabel="error at speeds without a run")
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
figure.savefig("own_equation.png", dpi=150)
print("own_equation.png")
plt.show()
