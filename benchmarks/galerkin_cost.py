"""Cost of the latent equation's right-hand side over points, online weights and width.

    python benchmarks/galerkin_cost.py

2-D Burgers.  The networks are hardly trained, for the cost does not depend on the weights.  Beside
the reduced models stands the right-hand side of the full-order solver on grids of several sizes, in
the same run: an evaluation of the equation in the latent space pays where it costs less than one
on the grid, times the ratio of the steps they take.  Writes ``galerkin_cost.json``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from results import Record, argument_parser, parse

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_burgers
from skcolora.pdes import Burgers2D, GridField

NETWORKS = {
    "scalar, width 25": {},
    "diagonal, rank 2": {"adaptation": "diagonal", "rank": 2},
    "diagonal, rank 3": {"adaptation": "diagonal", "rank": 3},
    "diagonal, rank 7": {"adaptation": "diagonal", "rank": 7},
    "scalar, width 50": {"width": 50},
}


def milliseconds(run: Callable[[], object], repeat: int = 15) -> float:
    """The median of some runs, after one that does not count."""
    run()
    durations = []
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        durations.append(time.perf_counter() - started)
    return 1e3 * float(np.median(durations))


def full_order(record: Record, sizes: list[int]) -> None:
    print(f"{torch.get_num_threads()} thread(s)\n\nfull-order right-hand side, ms")
    pde, mu = Burgers2D(), np.array([0.01])
    for n in sizes:
        mesh = pde.mesh(n)
        u = pde.initial(mesh.points, mu)[None]
        took = milliseconds(lambda mesh=mesh, u=u: pde.rhs(0.0, GridField(mesh, u), mu))
        record.add(table="full order", points_along_an_axis=n, milliseconds=took)
        print(f"{f'{n}² points':24}{took:10.2f}")


def latent(record: Record, counts: list[int], networks: list[str], batch: int) -> None:
    data = make_burgers([0.008, 0.01], kind="2d", times=np.linspace(0, 0.5, 5), rtol=1e-3)
    X = np.geomspace(0.008, 0.01, batch)[:, None]
    at, t = torch.arange(batch), torch.zeros(batch, dtype=torch.float64)
    print(f"\nlatent right-hand side, ms for each of {batch} trajectories at once")
    print(f"{'network':24}{'n':>6}" + "".join(f"{f'{n} points':>14}" for n in counts))
    for name in networks:
        regressor = CoLoRARegressor(**data.grid, **NETWORKS[name], max_iter=20, random_state=0)
        row, n_latent = [], 0
        for n in counts:
            points = {"collocation": "sample", "n_collocation": n}
            model = CoLoRAGalerkin(data.pde, regressor=regressor, **points, random_state=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(data.X, data.y)
            projection = model._equation.projection(X)
            trained = model._equation.model.states
            states = trained[at % len(trained)]
            n_latent = states.shape[1]
            took = milliseconds(lambda p=projection, s=states: p.rate(at, t, s)) / batch
            row.append(took)
            record.add(table="latent", network=name, n_latent=n_latent, points=n, milliseconds=took)
        print(f"{name:24}{n_latent:6}" + "".join(f"{took:14.3f}" for took in row), flush=True)


def main() -> None:
    parser = argument_parser(__doc__, trained=False)
    parser.add_argument("--batch", type=int, default=20, help="trajectories at once")
    parser.add_argument("--points", type=int, nargs="+", default=[100, 300, 1000, 3000, 10000])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    tiny = {"batch": 2, "points": [100], "sizes": [32], "networks": list(NETWORKS)[:1]}
    args = parse(parser, tiny)
    record = Record("galerkin_cost", args)
    full_order(record, args.sizes)
    latent(record, args.points, args.networks, args.batch)


if __name__ == "__main__":
    main()
