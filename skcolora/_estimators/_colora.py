"""CoLoRARegressor: the data-driven reduced model."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skcolora._estimators._base import SnapshotRegressor
from skcolora._estimators._callbacks import report_to_callbacks
from skcolora._estimators._colora_training import (
    check_training,
    open_checkpoint,
    train_networks,
    weighted_trajectories,
)
from skcolora._estimators._field_module import FieldModule
from skcolora._estimators._latent_states import LatentStates
from skcolora._estimators._left_out import Fold, when_seen
from skcolora._estimators._spread import spread
from skcolora._estimators._uncertain import UncertainRegressor
from skcolora._estimators._unseen_error import (
    cross_validate,
    unseen_errors,
    warn_of_unseen_error,
)
from skcolora._nn import (
    CoLoRAModel,
    CoLoRANetwork,
    Hypernetwork,
)
from skcolora._snapshots import (
    MISSING,
    ON_EXTRAPOLATION,
    PARAMETER_SCALES,
    Array,
    SnapshotLayout,
    Units,
    check_extrapolation,
    power_function,
    validate_parameters,
    validate_rows,
    warn_of_constants,
)
from skcolora._training import (
    warn_of_target,
)
from skcolora.utils._deadline import Deadline
from skcolora.utils._sklearn import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    StrOptions,
    fit_context,
)
from skcolora.utils._torch import (
    any_weight,
    with_default_torch_settings,
)


class CoLoRARegressor(CallbackSupportMixin, LatentStates, UncertainRegressor):  # type: ignore[misc]
    """Reduced model of a parametrised evolution equation, learnt from snapshots.

    A small coordinate network û(x; θ, φ) carries low-rank updates, ``W + A diag(α) B``,
    in its layers.  After training only their few factors α, the latent state φ, change
    with the physics parameters and with time, as a hypernetwork φ = h(μ, t) says
    (CoLoRA-D [1]_).

    Parameters
    ----------
    {times, points, period}
    width, depth : int, default=25, 8
        Width of the network's layers, and number of layers with the first and the last.
    rank : int, default=3
        Rank of the low-rank updates, at most ``width``.
    adaptation : {"scalar", "diagonal"}, default="scalar"
        One online weight for each adapted layer, or ``rank`` online weights.
    adapted_layers : sequence of int, default=None
        Indices of the layers with online weights; 0 is the first layer, whose update translates
        the domain.  None: all layers.
    hyper_width, hyper_depth : int, default=15, 3
        Width of the hypernetwork's layers, and their number.
    parameter_scale : {"auto", "linear", "log"} or sequence, default="auto"
        How the hypernetwork sees the parameters: as they are or by their logarithms, all alike
        or one entry for each parameter.  "auto": the logarithm of a positive parameter that
        spans more than a factor of two, unless the snapshots are better interpolated in the
        parameter as it is; see the Notes.
    max_iter : int, default=None
        Number of training steps.  None: 3000, or as many as fit into ``max_time``.
    max_time : float, default=None
        Seconds that the whole call of ``fit`` may take.  The schedule of the training adapts.
    target_error : float, default=0.0
        The training stops as soon as the error, on a fixed sample of snapshots and points, is at
        most ``target_error``; see the Notes.  With 0 the training uses its whole budget.
    early_stopping : bool, default=False
        Set some trajectories aside and do not train on them.  Their error then decides which
        weights are kept, is compared with ``target_error``, and ends the training when it has
        not improved for ``n_iter_no_change`` steps of the second phase.
    validation_fraction : float, default=0.1
        Share of the trajectories that is set aside, rounded up to whole trajectories.  Used only
        with ``early_stopping``.
    n_iter_no_change : int, default=250
        Number of steps without a smaller error that end the training, rounded up to a multiple
        of 25.  Used only with ``early_stopping``.
    cv : {"once"}, int or None, default="once"
        How ``unseen_error_`` is found.  "once": a tenth of the trajectories, from among those that
        the others surround, is left out at first, for about half of ``max_time``.  It takes no
        more time, and all trajectories are trained on in the end.  It needs five different
        parameters, snapshots in memory, and at least eight steps.  An int: that many more
        networks are trained, each without a fold of the trajectories, on the workers of
        `joblib.parallel_config`.  All of them take half of ``max_time``, or ``max_iter`` steps
        each.  Then ``predict`` has bands too.  None: not at all.
    checkpoint : str or path, default=None
        File to which the training writes its state about once a second, and from which a fit that
        was cut off goes on: call ``fit`` again with the same data and parameters.  The result is
        that of one fit, to the last bit for the same number of steps and threads and snapshots in
        memory, and the seconds before count for ``max_time``.  The file is removed at the end.
        None: no file.
    warm_start : bool, default=False
        Continue from the weights of the last ``fit`` if the shapes of the data and the
        architecture have not changed.
    {on_extrapolation}
    missing : {"error", "ignore"}, default="error"
        What NaN, masked entries and fill values in y mean.  "error": they are mistakes.  "ignore":
        these values were not observed, and the training does not see them; no gap is filled.
    device : str, default="auto"
        A torch device.  "auto" is the CPU: the networks are small, and no time on a card was
        measured yet.  "cuda" trains and predicts on the card.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision of the fitted network and its predictions.  "auto" is the precision of y.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights and of the samples.  With an int, and the same number of torch
        threads, the fit is the same each time on the same machine, unless ``max_time`` ends it or
        other processes keep the cores busy: then fewer threads are used, which round differently.
    verbose : int, default=0
        A positive number shows what the training will take in steps, time and memory, and then the
        progress: a bar in a terminal, elsewhere a line twice a minute.

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
        Error of the samples in each training step; see the Notes.
    n_iter_ : int
        Number of steps of the last training.
    best_loss_ : float
        Error of the fitted model on a fixed sample, with ``early_stopping`` of the trajectories
        set aside; see the Notes.  After `CoLoRAGalerkin.refine` these three attributes describe
        the refinement and the violation of the equation, after `CoLoRAGalerkin.distill` the fit
        to the latent paths.
    unseen_error_ : float or None
        Error to expect of predictions at unseen parameters between those of ``fit``, from
        trajectories that were left out; see the Notes.  None where there are none.
    cv_error_ : ndarray of shape (n_trajectories,) or None
        The same from each trajectory, and NaN for those that were never left out.
    parameter_scale_ : list of str
        How the hypernetwork sees each parameter, "linear" or "log".
    time_scale_ : str
        How the hypernetwork sees the time, "linear" or "log"; see the Notes.
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
    Training first minimises the mean error of random samples with Adam [2]_ in float32, then
    takes natural-gradient steps (SPRING [3]_) in float64.  The cost of a step does not depend on
    the grid.  The error is the mean over the snapshots of ``‖(û - u) / σ‖ / ‖(u - ū) / σ‖``, with
    the mean ū and the standard deviation σ of each field; the divisor is at least a tenth of its
    root mean square over all snapshots.  The networks see centred and scaled numbers, so that
    the fit does not depend on units.  A constant parameter, coordinate or field takes no part.

    ``parameter_scale="auto"`` takes logarithms first, since diffusivities, speeds and periods act
    through their ratios.  It drops one where this lowers the leave-one-out error of an
    interpolation of the snapshots by more than 3 %.  The time is seen by its logarithm where half
    of the training times lie in the first tenth of their range.

    A trajectory that was left out has the error e, where its network has the training error s.
    It may lie farther from the other trajectories than new parameters do, above all at the edge.
    Therefore what it has beyond the training error, ``sqrt(max(e² - s², 0))``, is multiplied by
    the ratio of the power functions [4]_ at typical new parameters and at its own, and combined
    with the training error.  The power function is the error bound of an interpolation.  These are
    errors of trajectories, ``‖(û - u) / σ‖ / ‖(u - ū) / σ‖`` with norms over all times.

    References
    ----------
    .. [1] J. Berman and B. Peherstorfer, "CoLoRA: Continuous low-rank adaptation for
       reduced implicit neural modeling of parameterized partial differential
       equations", ICML 2024, arXiv:2402.14646, equations (6) to (9).
    .. [2] D. P. Kingma and J. Ba, "Adam: A method for stochastic optimization", ICLR 2015,
       arXiv:1412.6980.
    .. [3] G. Goldshlager, N. Abrahamsen, L. Lin, "A Kaczmarz-inspired approach to
       accelerate the optimization of neural network wavefunctions", J. Comput. Phys.
       516 (2024), arXiv:2401.10190.
    .. [4] H. Wendland, "Scattered Data Approximation", Cambridge (2004), chapter 11.

    Examples
    --------
    >>> from skcolora import CoLoRARegressor
    >>> from skcolora.datasets import make_advection
    >>> data = make_advection([0.5, 0.75, 1.0, 1.25, 1.5], n_points=64, times=np.linspace(0, 1, 11))
    >>> model = CoLoRARegressor(**data.grid, max_iter=10, random_state=0)
    >>> model.fit(data.X, data.y).predict([[0.9]]).shape
    (1, 11, 64)
    """

    network_: CoLoRANetwork
    hypernetwork_: Hypernetwork
    loss_curve_: list[float]
    _units: Units

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **SnapshotRegressor._grid_constraints,
        "width": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 2, None, closed="left")],
        "rank": [Interval(Integral, 1, None, closed="left")],
        "adaptation": [StrOptions({"scalar", "diagonal"})],
        "adapted_layers": [None, "array-like"],
        "hyper_width": [Interval(Integral, 1, None, closed="left")],
        "hyper_depth": [Interval(Integral, 1, None, closed="left")],
        "parameter_scale": [StrOptions(set(PARAMETER_SCALES)), "array-like"],
        "max_iter": [None, Interval(Integral, 1, None, closed="left")],
        "max_time": [None, Interval(Real, 0, None, closed="neither")],
        "target_error": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "cv": [None, StrOptions({"once"}), Interval(Integral, 2, None, closed="left")],
        "checkpoint": [None, str, HasMethods("__fspath__")],
        "warm_start": ["boolean"],
        "on_extrapolation": [StrOptions(set(ON_EXTRAPOLATION))],
        "missing": [StrOptions(set(MISSING))],
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
        parameter_scale: str | Sequence[str] = "auto",
        max_iter: int | None = None,
        max_time: float | None = None,
        target_error: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 250,
        cv: int | str | None = "once",
        checkpoint: Any = None,
        warm_start: bool = False,
        on_extrapolation: str = "warn",
        missing: str = "error",
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
        self.parameter_scale = parameter_scale
        self.max_iter = max_iter
        self.max_time = max_time
        self.target_error = target_error
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.cv = cv
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.on_extrapolation = on_extrapolation
        self.missing = missing
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    @with_default_torch_settings
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> CoLoRARegressor:
        """Train on snapshots.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        y : array-like of shape (n_trajectories, n_times, n_points[, n_fields])
            Snapshots; with a tensor grid ``(n_trajectories, n_times, *grid[, n_fields])``,
            or flattened to ``(n_trajectories, n_times * n_points * n_fields)``.  May be a
            `numpy.memmap`, an h5py or zarr dataset or a dask array; see Notes.
        sample_weight : array-like of shape (n_trajectories,), default=None
            Weights of the trajectories, by which their squared errors are multiplied; one without
            weight is left out.  None: all alike.

        Returns
        -------
        self : CoLoRARegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If X, y, times, points and period do not fit together, or the file of ``checkpoint``
            belongs to another fit, before any training.

        Warns
        -----
        ConvergenceWarning
            If the budget ended before the error fell to ``target_error``.
        UserWarning
            If ``cv`` finds an error at unseen parameters far above the training error, or the
            training is interrupted (Ctrl-C); the best weights so far are kept.  In a search
            the interruption ends the search.

        Notes
        -----
        A memmap, dataset or dask array of more than 512 MB is never read as a whole.  Memory
        holds a pool of random snapshots of about that size, and a thread exchanges them for
        others during the training.  `fit` takes at most 1 GB besides Python and torch, whatever
        the size of y, as long as one snapshot takes at most 16 MB.  The values are checked when
        they are read.  One chunk of a dataset should hold one snapshot or a few.
        scikit-learn's cross-validation copies the trajectories of a fold into memory.  Dask
        arrays (``dask.array.from_array(dataset)``) are sliced lazily instead.

        With ``missing="ignore"`` runs may have their own times, see `SnapshotData.from_runs`, end
        early, or miss sensors or cells.  A snapshot counts as much as the share of it that was
        observed.  Each trajectory and field needs a value, and each snapshot of a stored y.
        """
        deadline = Deadline(self.max_time)
        given = X, y
        X, rows, layout = validate_rows(
            self, X, y, times=self.times, points=self.points, missing=self.missing
        )
        X, rows, weights = weighted_trajectories(X, rows, sample_weight)
        check_training(self, X, rows, layout)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        checkpoint = open_checkpoint(self, X, rows, layout, weights=weights, seed=seed)
        if checkpoint is not None:
            seed, deadline = checkpoint.seed, deadline.earlier(checkpoint.used)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        report = report_to_callbacks(self, *given, metadata)
        trained = train_networks(
            self,
            X,
            rows,
            layout,
            weights=weights,
            seed=seed,
            deadline=deadline,
            checkpoint=checkpoint,
            report=report,
        )
        warn_of_target(trained.result, self.target_error)
        model, units, result, continued = trained[:4]
        earlier = self.loss_curve_ if continued else []
        self._set_up(units, layout, X)
        self._set_model(model)
        self._set_history(result.loss_curve, result.error)
        self.loss_curve_ = earlier + self.loss_curve_
        self._fitted_signature = trained.signature if all(units.fields.varies) else ()
        folds, seen = trained.folds, 0.0
        if not result.interrupted:
            folds += cross_validate(self, X, rows, seed=seed, deadline=deadline)
        if folds:
            folds, seen = when_seen(self, layout, X, cast(Array, rows), folds, trained.left_out)
        self._set_folds(folds, seen)
        if checkpoint is not None and not result.interrupted:
            checkpoint.remove()
        if report is not None:
            report.end()
        return self

    @with_default_torch_settings
    def predict(
        self,
        X: ArrayLike,
        *,
        times: ArrayLike | None = None,
        points: Any = None,
        return_std: bool = False,
        return_interval: float | None = None,
    ) -> Any:
        """Fields at new parameters, at any times and points.

        Parameters
        ----------
        X : array-like of shape (n_trajectories, n_parameters)
            Physics parameters.
        times : array-like of shape (n_times,), default=None
            Strictly increasing times.  None: the times of ``fit``.
        points : array-like of shape (n_points, n_dims) or tuple of axes, default=None
            Scattered points or a tensor grid.  None: the points of ``fit``.
        return_std : bool, default=False
            Whether to return standard deviations too.  They need ``cv``.
        return_interval : float, default=None
            Level of a band that is returned too, for example 0.9: this share of new trajectories
            lies in it as a whole, at all times and points of ``fit``.  It needs ``cv``, and for
            a level p at least p / (1 - p) training trajectories: 9 for 0.9, and 19 for 0.95.

        Returns
        -------
        y : ndarray
            Fields in the layout that ``fit`` was given.
        std : ndarray of the shape of y
            Standard deviations of the fields, only with ``return_std``.
        lower, upper : ndarray of the shape of y
            The ends of the band, only with ``return_interval``.

        Raises
        ------
        ValueError
            If X, times or points do not fit the fitted model, or the prediction extrapolates and
            ``on_extrapolation`` is "raise"; or if the fit had no cross-validation, or too few
            trajectories, for the uncertainty that is asked for.

        Warns
        -----
        ExtrapolationWarning
            If X or times lie outside those of ``fit``, and ``on_extrapolation`` is "warn".
        """
        X = validate_parameters(self, X)
        uncertain = self._check_asked(return_std, return_interval)
        layout = self._layout.at(times, points)
        names = getattr(self, "feature_names_in_", None)
        warn_of_constants(self._units, X, layout, names)
        trained, asked = self._layout.user_times, layout.user_times
        check_extrapolation(self.on_extrapolation, self._X, X, trained, asked, names)
        rows = self._evaluate(self._latent(X, layout.times), layout)
        if not uncertain:
            return layout.from_rows(rows)

        def deviations() -> Array:
            expected = self.expected_error(X)[:, None, None, None]
            return np.asarray(expected * spread(self, X, layout))

        return self._with_uncertainty(rows, layout, deviations, return_interval)

    @with_default_torch_settings
    def to_module(self) -> nn.Module:
        """The fitted model as one module of torch, in your units.

        Called with parameters (n, n_parameters), times (n,) and points (n_points, n_dims), tensors
        in float64 on the CPU, it returns the fields (n, n_points, n_fields) of n pairs of
        parameters and a time.  Gradients flow through it, and `torch.export` and `torch.onnx` take
        it, for programs without Python.

        Returns
        -------
        module : torch.nn.Module
            With copies of the networks.

        Examples
        --------
        >>> import torch
        >>> from skcolora import CoLoRARegressor
        >>> from skcolora.datasets import make_advection
        >>> data = make_advection([0.5, 1.0], n_points=64, times=np.linspace(0, 1, 11))
        >>> model = CoLoRARegressor(**data.grid, max_iter=2, random_state=0).fit(data.X, data.y)
        >>> module = model.to_module()
        >>> speed = torch.tensor([[0.7]], dtype=torch.float64, requires_grad=True)
        >>> time, place = torch.tensor([0.5]).double(), torch.tensor([[0.1]]).double()
        >>> module(speed, time, place).shape
        torch.Size([1, 1, 1])
        """
        check_is_fitted(self)
        networks = copy.deepcopy(CoLoRAModel(self.network_, self.hypernetwork_)).cpu()
        return FieldModule(networks, self._units)

    def _with_model(
        self, model: CoLoRAModel, inputs: Array, loss_curve: list[float], error: float
    ) -> CoLoRARegressor:
        """A copy with other networks, which were trained at ``inputs``, and their history."""
        out = copy.copy(self)
        like = any_weight(self.network_)
        out._set_model(model.to(device=like.device, dtype=like.dtype))
        out._set_history(loss_curve, error)
        out.hyper_width = model.hypernetwork.width
        out._X = inputs
        out._set_folds([])
        # A further `fit` must not start from these weights.
        out._fitted_signature = ()
        return out

    def _set_up(self, units: Units, layout: SnapshotLayout, X: Array) -> CoLoRARegressor:
        self._units, self._layout, self._X = units, layout, X
        self.parameter_scale_ = ["log" if log else "linear" for log in units.parameters.logarithmic]
        self.time_scale_ = "log" if units.times.coordinate.logarithmic else "linear"
        return self

    def _set_folds(self, folds: list[Fold], seen: float = 0.0) -> None:
        """The trajectories that were left out, and the errors that they say others have."""
        # Errors of trajectories, where `best_loss_` is the mean of errors of snapshots.
        self._training_error = seen if folds else self.best_loss_
        self._folds, scale = folds, self._units.parameters
        found = unseen_errors(folds, scale, self._X, self._training_error)
        self._uncertainty, self.cv_error_, self.unseen_error_ = found
        if folds:
            warn_of_unseen_error(self)

    def _coordinates(self, X: Array) -> Array:
        return self._units.parameters.apply(X)

    def _difficulty(self, X: Array) -> Array:
        return power_function(self._coordinates(self._X), self._coordinates(X))
