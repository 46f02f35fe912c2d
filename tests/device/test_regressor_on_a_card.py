"""Every public method of `CoLoRARegressor` on another device than the CPU, which is simulated."""

import copy
import pickle

import numpy as np
import pytest
import torch

import skcolora
from skcolora import CoLoRARegressor
from skcolora._nn import CoLoRAModel
from skcolora._snapshots import _stored
from skcolora._training import _encoding
from skcolora._training._first_order import FirstOrderPhase
from skcolora._training._natural_gradient import NaturalGradientPhase
from skcolora._training._pool import make_sampler
from skcolora.datasets import make_vlasov
from skcolora.utils._torch import any_weight

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
OPTIONS = {"width": 6, "depth": 4, "max_iter": 8, "random_state": 0, "cv": None}
NEW = np.array([[0.25]])


class Case:
    """Snapshots with their grid."""

    def __init__(self, X, y, **grid):
        self.X, self.y, self.grid = X, y, grid


def periodic():
    data = make_vlasov([0.2, 0.25, 0.3, 0.4], n_points=8, times=[0.0, 0.1, 0.2, 0.3])
    return Case(data.X, data.y, **data.grid)


def scattered():
    """Two fields at scattered points, in single precision."""
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    X, times = np.array([[0.2], [0.25], [0.3], [0.4]]), np.linspace(0, 1, 4)
    shifted = x[:, 0] - X[:, :, None] * times[:, None]
    y = np.stack([np.exp(-(shifted**2)), np.sin(shifted + x[:, 1])], axis=-1)
    return Case(X, y.astype(np.float32), times=times, points=x)


def half_periodic():
    axes = (np.linspace(0, 1, 9), np.linspace(0, 2, 6))
    a, b = np.meshgrid(*axes, indexing="ij")
    X, times = np.array([[0.2], [0.25], [0.3], [0.4]]), np.linspace(0, 1, 4)
    y = np.sin(2 * np.pi * (a - X[:, :, None, None] * times[:, None, None])) + b
    return Case(X, y, times=times, points=axes, period=(1.0, None))


CASES = {"periodic": periodic, "scattered": scattered, "half periodic": half_periodic}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]()


@pytest.fixture(scope="module")
def here(case):
    """A model that was fitted on the CPU, before there is a card."""
    return fitted(case, device="cpu", cv=2)


def fitted(case, device="card", **options):
    model = CoLoRARegressor(**case.grid, **{**OPTIONS, **options}, device=device)
    return model.fit(case.X, case.y)


def moved(model, device):
    """The same model on another device, as a pickle brings it there."""
    return pickle.loads(pickle.dumps(model)).set_params(device=device)


def test_fit_computes_on_the_card(card, case):
    model = fitted(case)
    assert card.n_operations > 1000
    assert any_weight(model.network_).device.type == "card"
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("options", [{"cv": "once", "max_iter": 16}, {"early_stopping": True}])
def test_left_out_trajectories(card, options):
    model = fitted(periodic(), **options)
    assert np.isfinite(model.predict(NEW)).all()


@pytest.mark.parametrize("name", ["decode", "encode", "predict", "predict_latent", "score", "std"])
def test_methods_give_what_they_give_on_the_cpu(card, case, here, name, monkeypatch):
    # As with many points, of which the search takes some.
    monkeypatch.setattr(_encoding, "_GUESS_POINTS", 12)
    monkeypatch.setattr(_encoding, "_SEARCH_POINTS", 24)
    there = moved(here, "card")
    latent = here.predict_latent(NEW)
    call = {
        "decode": lambda model: model.decode(latent),
        "encode": lambda model: model.encode(case.y[:1]),
        "predict": lambda model: model.predict(NEW, times=[0.05, 0.15]),
        "predict_latent": lambda model: model.predict_latent(NEW),
        "score": lambda model: model.score(case.X, case.y),
        "std": lambda model: model.predict(case.X, return_std=True)[1],
    }[name]
    before = card.n_operations
    tolerance = 1e-4 if case.y.dtype == np.float32 else 1e-8
    assert np.allclose(call(there), call(here), rtol=tolerance, atol=tolerance)
    assert card.n_operations > before


def test_predict_does_not_move_the_networks(card, here):
    model = copy.deepcopy(here).set_params(device="card")
    model.predict(NEW)
    assert any_weight(model.network_).device.type == "cpu"


def test_files_and_pickles_are_on_the_cpu(card, tmp_path):
    model = fitted(periodic())
    expected = model.predict(NEW)
    assert any_weight(pickle.loads(pickle.dumps(model)).network_).device.type == "cpu"
    skcolora.save(model, tmp_path / "model.skcolora")
    loaded = skcolora.load(tmp_path / "model.skcolora").set_params(device="cpu")
    assert np.allclose(loaded.predict(NEW), expected, atol=1e-10)
    module = model.to_module()
    assert next(module.parameters()).device.type == "cpu"


@pytest.mark.parametrize("kind", ["stored", "gaps", "weights", "warm", "checkpoint"])
def test_other_ways_to_fit(card, kind, tmp_path, monkeypatch):
    case = periodic()
    options, arguments = {}, {}
    if kind == "stored":
        monkeypatch.setattr(_stored, "MAX_RESIDENT", 0)
        case.y = np.lib.format.open_memmap(
            tmp_path / "y.npy", "w+", dtype=case.y.dtype, shape=case.y.shape
        )
        case.y[:] = periodic().y
    elif kind == "gaps":
        case.y[1, 2:] = np.nan
        options = {"missing": "ignore"}
    elif kind == "weights":
        arguments = {"sample_weight": [1.0, 2.0, 0.0, 1.0]}
    elif kind == "warm":
        options = {"warm_start": True}
    else:
        options = {"checkpoint": tmp_path / "fit.pt"}
    model = CoLoRARegressor(**case.grid, **{**OPTIONS, **options}, device="card")
    model.fit(case.X, case.y, **arguments)
    if kind == "warm":
        model.fit(case.X, case.y)
    assert np.isfinite(model.predict(NEW)).all()


def phase_of(kind, case, model, device, dtype):
    networks = copy.deepcopy(CoLoRAModel(model.network_, model.hypernetwork_)).to(device, dtype)
    networks.requires_grad_(True)
    layout = model._layout
    sampler = make_sampler(
        case.X,
        layout.check_rows(case.y),
        layout,
        model._units,
        device=torch.device(device),
        seed=0,
    )
    phase = kind(networks, sampler)
    phase.restart()
    return phase


@pytest.mark.parametrize("kind", [FirstOrderPhase, NaturalGradientPhase])
def test_steps_change_the_weights_as_on_the_cpu(card, case, here, kind):
    phases = [phase_of(kind, case, here, device, torch.float64) for device in ("cpu", "card")]
    for phase in phases:
        phase.dtype = torch.float64
        phase.step(0.5, 1.0)
    weights = [[p.tolist() for p in phase.model.parameters()] for phase in phases]
    # Adam divides by the size of a gradient, and so enlarges the rounding errors of a small one.
    tolerance = 1e-6 if kind is FirstOrderPhase else 1e-9
    for mine, other in zip(*weights, strict=True):
        assert np.allclose(mine, other, rtol=0.0, atol=tolerance)


@pytest.mark.parametrize(("kind", "n_waits"), [(FirstOrderPhase, 0), (NaturalGradientPhase, 2)])
def test_a_step_hardly_waits_for_the_card_and_sends_nothing(card, case, here, kind, n_waits):
    phase = phase_of(kind, case, here, "card", kind.dtype)
    phase.step(0.5, 1e-3)
    before = card.n_waits, card.n_uploads
    phase.step(0.5, 1e-3)
    found = card.n_waits - before[0], card.n_uploads - before[1]
    assert found == (n_waits, 0), card.places
