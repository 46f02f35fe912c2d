"""
===================
Boundary conditions
===================

What holds at the ends of the domain belongs to the equation, in the words of the equation.  Here
a rod is heated at its left end, in cycles, and loses heat at its right end.  The solver of the
snapshots and the reduced model obey the same conditions.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

from skcolora import CoLoRARegressor, ParameterInterpolator, PODGalerkin
from skcolora.metrics import relative_l2_error
from skcolora.pdes import PDE, Dirichlet, Robin

parser = argparse.ArgumentParser(description="A rod with conditions at both ends.")
parser.add_argument(
    "--max-time", type=float, default=20.0, help="seconds that training may take (default: 20)"
)
parser.add_argument("--tiny", action="store_true", help="hardly any training: does it run?")
args, _ = parser.parse_known_args()
budget = {"max_iter": 20} if args.tiny else {"max_time": args.max_time}

# %%
# The equation and its ends
# -------------------------
# ``∂T/∂t = κ ∂²T/∂x²`` with ``T = sin(2πt)²`` at the left end, and ``-∂T/∂x = 3 (T - 0.2)`` at the
# right end, where the surroundings have the temperature 0.2.  `Neumann` gives a flux, `Outflow`
# lets the field leave, and a `Surface` inside the domain has conditions too.


class Rod(PDE):
    parameter_names = ("conductivity",)
    domain = ((0.0, 1.0),)
    boundary = (
        (
            Dirichlet(lambda t, points, mu: np.sin(2 * np.pi * t) ** 2),
            Robin(a=3.0, b=1.0, g=3.0 * 0.2),
        ),
    )

    def initial(self, points, mu):
        # It agrees with both conditions at the time 0.
        return 0.15 * points[0] ** 2 * (2.0 - points[0])

    def rhs(self, t, field, mu):
        return mu[0] * field.laplacian


pde = Rod()
times, x = np.linspace(0, 1, 41), np.linspace(0, 1, 61)
X, X_new = np.array([[0.02], [0.04], [0.08], [0.12]]), np.array([[0.03], [0.1]])
y, y_new = pde.solve(X, times, x), pde.solve(X_new, times, x)

# %%
# Three models
# ------------
# The field only diffuses: a linear space of ten modes holds it, and `PODGalerkin` is hard to beat.
# Where something moves through the domain, give the same equation to `CoLoRAGalerkin`, as in
# :doc:`plot_own_equation`: it obeys the same conditions.
grid = {"times": times, "points": x}
models = {
    "interpolation": ParameterInterpolator(**grid),
    "CoLoRA, snapshots only": CoLoRARegressor(**grid, **budget, random_state=0),
    "POD and the equation": PODGalerkin(pde, **grid, n_components=10),
}
predicted = {name: model.fit(X, y).predict(X_new) for name, model in models.items()}
for name, each in predicted.items():
    print(f"{name:26}{relative_l2_error(y_new, each, centered=True):.1e} of the variation")

# %%
# Are the conditions obeyed?
# --------------------------
# What each model violates at the ends, over time.  Interpolation of the snapshots obeys both as
# well as they do, because both are linear and the same for all parameters; that does not make it
# accurate.  A network that has only the snapshots does not know the conditions.
h = x[1] - x[0]
figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained", sharex=True)
for name, each in predicted.items():
    u = each[0]
    slope = (25 * u[:, -1] - 48 * u[:, -2] + 36 * u[:, -3] - 16 * u[:, -4] + 3 * u[:, -5]) / 12 / h
    left = np.abs(u[:, 0] - np.sin(2 * np.pi * times) ** 2)
    right = np.abs(slope + 3 * (u[:, -1] - 0.2))
    for ax, gap in zip(axes, (left, right), strict=True):
        ax.semilogy(times, np.maximum(gap, 1e-12), label=name, lw=1.4)
for ax, name in zip(axes, ("value, left end", "loss of heat, right end"), strict=True):
    ax.set(xlabel="$t$", title=name)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("violation")
axes[1].legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
figure.savefig("boundary_conditions.png", dpi=150)
print("boundary_conditions.png")
plt.show()
