"""CoLoRARegressor: the data-driven reduced model."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skcolora._base import SnapshotRegressor
from skcolora._decoding import decode_rows
from skcolora._encoding import encode_fields
from skcolora._scaling import input_scale, positive
from skcolora._snapshots import (
    Array,
    SnapshotLayout,
    check_period,
    parameter_time_rows,
    validate_parameters,
)
from skcolora._stored_rows import make_sampler, validate_rows
from skcolora.nn import (
    CoLoRAModel,
    CoLoRANetwork,
    Hypernetwork,
    evaluate_latent,
)
from skcolora.training import SnapshotSampler, train
from skcolora.utils._sklearn import Interval, StrOptions, fit_context
from skcolora.utils._torch import as_tensor, resolve_device, resolve_dtype

# Size of the pool of stored snapshots from which those are drawn that judge the training.
_VALIDATION_BYTES = 2**27


class CoLoRARegressor(SnapshotRegressor):
    """Reduced model of a parametrised evolution equation, learnt from snapshots.

    A small coordinate network û(x; θ, φ) carries low-rank updates, ``W + A diag(α) B``,
    in its layers.  After training only their few factors α, the latent state φ, change
    with the physics parameters and with time, as a hypernetwork φ = h(μ, t) says
    (CoLoRA-D [1]_).

    Parameters
    ----------
    times : array-like of shape (n_times,), default=None
        Strictly increasing times of the snapshots.  None: uniform on [0, 1], or a steady
        field where y is 1-D or 2-D.
    points : array-like of shape (n_points, n_dims) or tuple of 1-D axes, default=None
        Points of the snapshots; a tuple of axes is a tensor grid with
        ``indexing="ij"``.  None: uniform on [0, 1].
    period : None, float or tuple, default=None
        Period of the domain: one for all dimensions, or one entry for each, None where
        it is not periodic.  The model is then periodic exactly.
    width, depth : int, default=25, 8
        Width of the network's layers and their number, the first and last included.
    rank : int, default=3
        Rank of the updates, at most ``width``.
    adaptation : {"scalar", "diagonal"}, default="scalar"
        One online weight for each adapted layer, or ``rank`` of them.
    adapted_layers : sequence of int, default=None
        Layers with online weights, from 0, the first one.  None: all but the first.  The
        first layer's update translates the domain.
    hyper_width, hyper_depth : int, default=15, 3
        Size of the hypernetwork.
    max_iter : int, default=None
        Training steps.  None: 3000, or as many as fit into ``max_time``.
    max_time : float, default=None
        Seconds that training may take; its schedule runs to its end in them.
    tol : float, default=0.0
        Training stops as soon as the relative error, on a fixed sample of snapshots and
        points, is at most ``tol``.  0: the whole budget is used.
    validation_fraction : float, default=None
        Share of the trajectories that is not trained on.  Their error then decides which
        weights are kept, is what ``tol`` refers to, and ends training when it gets no
        better.  None: all trajectories are trained on and judged by.
    warm_start : bool, default=False
        Go on from the weights of the last ``fit``, if shapes and architecture are as
        they were.
    device : str, default="auto"
        A torch device; "auto" takes CUDA where there is one.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision of the fitted network and of predictions; "auto" follows y.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights and samples.  An int gives the same fit each time on the
        same machine, as long as ``max_time`` does not cut it.
    verbose : int, default=0
        Positive for a progress bar.

    Attributes
    ----------
    network_ : CoLoRANetwork
        The coordinate network û, a torch module.
    hypernetwork_ : Hypernetwork
        The map h from (μ, t) to the latent state, a torch module.
    n_latent_ : int
        Size of the latent state φ.
    n_weights_ : int
        Trained weights of both networks.
    loss_curve_ : list of float
        Relative error of the samples in each training step.
    n_iter_ : int
        Steps taken by the last ``fit``.
    best_loss_ : float
        Relative error, on a fixed sample, of the weights that were kept: of the
        trajectories set aside, where ``validation_fraction`` is given.
    n_features_in_ : int
        Number of physics parameters.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the parameters, where X had string column names.

    See Also
    --------
    ParameterInterpolator : Interpolation of the snapshots; the rival to beat where the
        parameters are sampled densely.
    PODRegressor : The linear counterpart.

    Notes
    -----
    Training first minimises the mean relative error of random samples with SOAP [2]_ in
    float32, then takes natural-gradient steps (SPRING [3]_) in float64.  The cost of a
    step does not depend on the grid.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA: Continuous low-rank adaptation for
       reduced implicit neural modeling of parameterized partial differential
       equations", ICML 2024, arXiv:2402.14646, equations (6) to (9).
    .. [2] N. Vyas et al., "SOAP: Improving and stabilizing Shampoo using Adam", ICLR
       2025, arXiv:2409.11321.
    .. [3] G. Goldshlager, N. Abrahamsen, L. Lin, "A Kaczmarz-inspired approach to
       accelerate the optimization of neural network wavefunctions", J. Comput. Phys.
       516 (2024), arXiv:2401.10190.

    Examples
    --------
    >>> from skcolora import CoLoRARegressor
    >>> from skcolora.datasets import make_advection
    >>> data = make_advection([0.5, 0.75, 1.0, 1.25, 1.5], n_points=64, n_times=11)
    >>> model = CoLoRARegressor(**data.grid, max_iter=10, random_state=0)
    >>> model.fit(data.X, data.y).predict([[0.9]]).shape
    (1, 11, 64)
    """

    network_: CoLoRANetwork
    hypernetwork_: Hypernetwork
    loss_curve_: list[float]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "times": "no_validation",
        "points": "no_validation",
        "period": "no_validation",
        "width": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 2, None, closed="left")],
        "rank": [Interval(Integral, 1, None, closed="left")],
        "adaptation": [StrOptions({"scalar", "diagonal"})],
        "adapted_layers": [None, "array-like"],
        "hyper_width": [Interval(Integral, 1, None, closed="left")],
        "hyper_depth": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [None, Interval(Integral, 1, None, closed="left")],
        "max_time": [None, Interval(Real, 0, None, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [None, Interval(Real, 0, 1, closed="neither")],
        "warm_start": ["boolean"],
        "device": [str],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        period: Any = None,
        width: int = 25,
        depth: int = 8,
        rank: int = 3,
        adaptation: str = "scalar",
        adapted_layers: Sequence[int] | None = None,
        hyper_width: int = 15,
        hyper_depth: int = 3,
        max_iter: int | None = None,
        max_time: float | None = None,
        tol: float = 0.0,
        validation_fraction: float | None = None,
        warm_start: bool = False,
        device: str = "auto",
        dtype: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.times = times
        self.points = points
        self.period = period
        self.width = width
        self.depth = depth
        self.rank = rank
        self.adaptation = adaptation
        self.adapted_layers = adapted_layers
        self.hyper_width = hyper_width
        self.hyper_depth = hyper_depth
        self.max_iter = max_iter
        self.max_time = max_time
        self.tol = tol
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike) -> CoLoRARegressor:
        """Train on snapshots.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots; with a tensor grid ``(n_trajectories, n_times, *grid[, n_fields])``,
            or flattened to ``(n_trajectories, n_times * n_points * n_fields)``.  May be a
            `numpy.memmap`, an h5py or zarr dataset or a dask array; see Notes.

        Returns
        -------
        self : CoLoRARegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y, times, points and period do not fit together, before any training.

        Warns
        -----
        ConvergenceWarning
            If the budget ended before the error fell to ``tol``.
        UserWarning
            If training is interrupted (Ctrl-C); the best weights so far are kept.

        Notes
        -----
        A memmap, dataset or dask array of more than 512 MB is never read as a whole.  A pool
        of snapshots of about that size, drawn at random, is in memory, and they are exchanged
        for others as training goes on; `fit` takes at most 1 GB besides what Python and torch
        need, whatever the size of y, as long as a snapshot takes at most 16 MB.  Values are
        checked as they are read.  A chunk of a dataset should hold one snapshot or a few.
        scikit-learn's cross-validation copies the trajectories of a fold into memory, save
        those of a dask array (``dask.array.from_array(dataset)``), which it slices unread.
        """
        adapted_layers = self._check_architecture()
        device = resolve_device(self.device)
        X, rows, layout = validate_rows(self, X, y, times=self.times, points=self.points)
        period = check_period(self.period, layout.grid.n_dims)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        aside = _set_aside(len(X), self.validation_fraction, seed)
        signature = self._signature(layout, period, adapted_layers)
        continued = self.warm_start and signature == getattr(self, "_fitted_signature", None)
        with contextlib.ExitStack() as readers:

            def sampler(chosen: NDArray[np.bool_], **options: Any) -> SnapshotSampler:
                some = X[chosen], rows if chosen.all() else rows[chosen]
                opened = make_sampler(*some, layout, device=device, seed=seed, **options)
                return readers.enter_context(contextlib.closing(opened))

            training = sampler(~aside)
            validation = sampler(aside, max_bytes=_VALIDATION_BYTES) if aside.any() else None
            if continued:
                model = copy.deepcopy(CoLoRAModel(self.network_, self.hypernetwork_))
                model.requires_grad_(True)
            else:
                model = self._new_model(X[~aside], training, layout, period, adapted_layers, seed)
            model.to(device=device, dtype=torch.float64)
            result = train(
                model,
                training,
                validation=validation,
                max_iter=self.max_iter,
                max_time=self.max_time,
                tol=self.tol,
                refine_only=continued,
                verbose=int(self.verbose),
            )
        if result.error > self.tol > 0 and not result.interrupted:
            warnings.warn(
                f"Training ended at a relative error of {result.error:.2g}, above tol="
                f"{self.tol:g}, after {len(result.losses)} steps; raise `max_iter` or `max_time`.",
                ConvergenceWarning,
                stacklevel=2,
            )
        model.to(resolve_dtype(self.dtype, rows.dtype)).requires_grad_(False)
        self.network_, self.hypernetwork_ = model.network, model.hypernetwork
        self.n_latent_ = self.network_.n_latent
        self.n_weights_ = sum(p.numel() for p in model.parameters())
        losses = torch.stack(result.losses).tolist() if result.losses else []
        self.loss_curve_ = (self.loss_curve_ if continued else []) + losses
        self.n_iter_ = len(result.losses)
        self.best_loss_ = result.error
        self._layout, self._X, self._fitted_signature = layout, X, signature
        return self

    def predict(self, X: ArrayLike, *, times: ArrayLike | None = None, points: Any = None) -> Array:
        """Fields at new parameters, at any times and points.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing.  None: those of ``fit``.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or a tensor grid.  None: those of ``fit``.

        Returns
        -------
        y : ndarray
            In the layout that ``fit`` was given.

        Raises
        ------
        ValueError
            If X, times or points do not fit the fitted model.
        """
        X = validate_parameters(self, X)
        layout = self._layout.at(times, points)
        return layout.from_rows(self._evaluate(self._latent(X, layout.times), layout))

    def predict_latent(self, X: ArrayLike, *, times: ArrayLike | None = None) -> Array:
        """Latent states φ = h(μ, t) along the trajectories.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing.  None: those of ``fit``.

        Returns
        -------
        latent : ndarray of shape (n_trajectories, n_times, n_latent)
            Online weights, layer by layer.
        """
        X = validate_parameters(self, X)
        latent = self._latent(X, self._layout.at(times, None).times)
        return np.asarray(latent.cpu().numpy())

    def decode(self, latent: ArrayLike, *, points: Any = None) -> Array:
        """Fields of given latent states.

        Parameters
        ----------
        latent : array-like of shape (n_trajectories, n_times, n_latent)
            Online weights, as `predict_latent` and `encode` give them.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or a tensor grid.  None: those of ``fit``.

        Returns
        -------
        y : ndarray
            In the layout that ``fit`` was given.
        """
        check_is_fitted(self)
        states = np.asarray(latent, dtype=np.float64)
        if states.ndim != 3 or states.shape[2] != self.n_latent_:
            raise ValueError(
                f"`latent` has shape {states.shape}; expected (n_trajectories, n_times, "
                f"{self.n_latent_})."
            )
        if not np.isfinite(states).all():
            raise ValueError("`latent` must be finite; got NaN or infinity.")
        layout = replace(self._layout.at(None, points), times=np.arange(float(states.shape[1])))
        network = self._on_device()[0]
        rows = self._evaluate(as_tensor(states).to(network.u_scale), layout)
        return layout.from_rows(rows)

    def encode(self, y: ArrayLike) -> Array:
        """Latent states whose fields are nearest to given snapshots.

        Solves ``min ‖û(·; φ) - u‖`` for each snapshot by itself, by Levenberg–Marquardt
        from the nearest training state, in float64.

        Parameters
        ----------
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots at the points of ``fit``, in its layout; n_times may differ.

        Returns
        -------
        latent : ndarray of shape (n_trajectories, n_times, n_latent)
            Online weights, in the precision of the fitted network.
        """
        check_is_fitted(self)
        rows = self._layout.check_rows(y)
        network, _ = self._on_device()
        dtype = network.u_scale.dtype
        candidates = self._latent(self._X, self._layout.times).flatten(0, 1).double()
        if len(candidates) > 512:
            spread = torch.linspace(0, len(candidates) - 1, 512).long()
            candidates = candidates[spread.to(candidates.device)]
        latent = encode_fields(
            copy.deepcopy(network).double(),
            as_tensor(self._layout.grid.points).to(candidates),
            as_tensor(rows.reshape(-1, *rows.shape[2:])).to(candidates),
            candidates,
        )
        return np.asarray(latent.to(dtype).reshape(*rows.shape[:2], -1).cpu().numpy())

    def _check_architecture(self) -> tuple[int, ...]:
        """The adapted layers, or a ValueError where parameters contradict each other."""
        if self.rank > self.width:
            raise ValueError(
                f"`rank` must be at most `width`; got rank={self.rank}, width={self.width}."
            )
        layers = range(1, self.depth) if self.adapted_layers is None else self.adapted_layers
        adapted = tuple(sorted(int(i) for i in layers))
        inside = all(0 <= i < self.depth for i in adapted)
        if not adapted or not inside or len(set(adapted)) != len(adapted):
            raise ValueError(
                "`adapted_layers` must be different indices from 0 to depth - 1 = "
                f"{self.depth - 1}; got {self.adapted_layers!r}."
            )
        return adapted

    def _signature(self, layout: SnapshotLayout, period: Any, adapted: Any) -> tuple[Any, ...]:
        """What the shapes of all weights depend on."""
        architecture = (self.width, self.depth, self.rank, self.adaptation, adapted)
        sizes = (self.n_features_in_, layout.grid.n_dims, layout.n_fields)
        return (*architecture, self.hyper_width, self.hyper_depth, *sizes, period)

    def _new_model(
        self,
        X: Array,
        sampler: SnapshotSampler,
        layout: SnapshotLayout,
        period: tuple[float | None, ...],
        adapted_layers: tuple[int, ...],
        seed: int,
    ) -> CoLoRAModel:
        """Initial weights, and the scaling of coordinates, fields, parameters and time."""
        generator = torch.Generator().manual_seed(seed)
        network = CoLoRANetwork(
            layout.grid.n_dims,
            layout.n_fields,
            width=self.width,
            depth=self.depth,
            rank=self.rank,
            adaptation=self.adaptation,
            adapted_layers=adapted_layers,
            period=period,
            generator=generator,
        )
        hypernetwork = Hypernetwork(
            X.shape[1] + 1,
            network.n_latent,
            width=self.hyper_width,
            depth=self.hyper_depth,
            generator=generator,
        )
        model = CoLoRAModel(network, hypernetwork).double()
        low, high = layout.grid.points.min(0), layout.grid.points.max(0)
        plain = np.array([length is None for length in period])
        inputs = parameter_time_rows(X, layout.times)
        for buffer, values in (
            (network.x_center, np.where(plain, (low + high) / 2, 0.0)),
            (network.x_scale, np.where(plain & (high > low), (high - low) / 2, 1.0)),
            (network.u_center, sampler.mean.cpu().numpy()),
            (network.u_scale, positive(sampler.std.cpu().numpy())),
            (hypernetwork.center, inputs.mean(0)),
            (hypernetwork.scale, input_scale(X, layout.times)),
        ):
            buffer.copy_(torch.from_numpy(values))
        return model

    def _on_device(self) -> tuple[CoLoRANetwork, Hypernetwork]:
        """The networks, on the device that ``device`` means on this machine."""
        device = resolve_device(self.device)
        return self.network_.to(device), self.hypernetwork_.to(device)

    def _latent(self, X: Array, times: Array) -> Tensor:
        """(n_trajectories, n_times, n_latent)"""
        _, hypernetwork = self._on_device()
        inputs = as_tensor(parameter_time_rows(X, times)).to(hypernetwork.center)
        return evaluate_latent(hypernetwork, inputs.reshape(len(X), len(times), -1))

    def _evaluate(self, latent: Tensor, layout: SnapshotLayout) -> Array:
        """Rows of fields."""
        return decode_rows(self._on_device()[0], latent, layout)

    def __getstate__(self) -> dict[str, Any]:
        """Pickled networks are on the CPU, so that any machine can load them."""
        state: dict[str, Any] = super().__getstate__()
        for name in ("network_", "hypernetwork_"):
            if name in state and next(state[name].parameters()).device.type != "cpu":
                state[name] = copy.deepcopy(state[name]).cpu()
        return state


def _set_aside(n: int, fraction: float | None, seed: int) -> NDArray[np.bool_]:
    """Which of n trajectories are not trained on, or a ValueError where none would be left."""
    aside = np.zeros(n, dtype=bool)
    if fraction is not None:
        aside[train_test_split(range(n), test_size=fraction, random_state=seed)[1]] = True
    return aside
