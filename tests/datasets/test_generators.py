"""The generators: grids, parameters, the cache, and what is refused."""

import numpy as np
import pytest
from joblib import Memory

from skcolora.datasets import (
    make_advection,
    make_burgers,
    make_rotating_detonation,
    make_vlasov,
    make_wave,
)
from skcolora.pdes import PDE

SHORT = [0.0, 0.05]
CASES = {
    "advection": (make_advection, {"parameters": 2, "n_points": 20, "times": SHORT}, (2, 2, 20)),
    "vlasov": (make_vlasov, {"parameters": 2, "n_points": 11, "times": SHORT}, (2, 2, 11, 11)),
    "burgers": (make_burgers, {"parameters": 2, "n_points": 20, "times": SHORT}, (2, 2, 20)),
    "inviscid": (
        make_burgers,
        {"parameters": 2, "kind": "inviscid", "n_points": 20, "times": SHORT},
        (2, 2, 20),
    ),
    "2d": (
        make_burgers,
        {"parameters": [0.01], "kind": "2d", "n_points": 9, "times": [0.0, 0.01]},
        (1, 2, 9, 9),
    ),
    "wave": (make_wave, {"parameters": 2, "n_points": 8, "times": SHORT}, (2, 2, 8, 8, 2)),
    "rde": (
        make_rotating_detonation,
        {"parameters": 2, "n_points": 17, "times": SHORT},
        (2, 2, 17, 2),
    ),
}


@pytest.mark.parametrize(("make", "arguments", "shape"), CASES.values(), ids=CASES)
def test_all_return_the_common_object(make, arguments, shape):
    data = make(**arguments, random_state=0)
    assert data.y.shape == shape
    assert data.X.shape == (shape[0], len(data.pde.parameter_names))
    assert np.isfinite(data.y).all()
    assert isinstance(data.pde, PDE)
    if data.pde.n_dims == 1 and data.period is not None:
        start = data.pde.initial_value(data.points.T, data.X[0])
        assert np.allclose(data.y[0, 0].reshape(len(data.points), -1), start.T, atol=1e-6)
    assert np.array_equal(data.y, make(**arguments, random_state=0).y)


def test_default_grids():
    data = make_advection([0.5, 1.0])
    assert data.y.shape == (2, 51, 256)
    assert data.points[-1, 0] == 255 / 256
    assert data.period == 1.0
    data = make_vlasov([0.3], times=[0.0])
    assert data.y.shape == (1, 1, 101, 101)
    assert data.points[0][-1] == 1.0
    assert data.period == (2.0, 2.0)


def test_parameters_are_drawn_from_their_range_and_sorted():
    X = make_burgers(20, times=[0.0], n_points=4, random_state=1).X[:, 0]
    assert (np.diff(X) > 0).all()
    assert X.min() > 0.002
    assert X.max() < 0.2
    assert np.median(X) < 0.05  # uniform in the logarithm


@pytest.mark.parametrize("as_memory", [False, True])
def test_the_cache(tmp_path, monkeypatch, as_memory):
    cache = Memory(tmp_path, verbose=0) if as_memory else tmp_path
    first = make_wave(2, n_points=6, times=SHORT, random_state=0, cache=cache)
    monkeypatch.setattr("skcolora.pdes.PDE.solve", lambda *args, **kwargs: pytest.fail("solved"))
    again = make_wave(2, n_points=6, times=SHORT, random_state=0, cache=cache)
    assert np.array_equal(first.y, again.y)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (make_burgers, {"kind": "turbulent"}, "`kind` must be 'viscous', 'inviscid' or '2d'"),
        (make_burgers, {"parameters": [[1.0, 2.0]]}, r"must have shape \(n, 1\)"),
        (make_burgers, {"parameters": [0.1], "times": [1.0, 0.5]}, "`times` must increase"),
        (make_burgers, {"parameters": [0.1], "n_points": 1}, "n_points == 1, must be >= 2"),
        (make_wave, {"parameters": [0.1]}, r"must have shape \(n, 4\)"),
        (make_wave, {"parameters": [[np.nan] * 4]}, "`parameters` must be finite"),
        (make_vlasov, {"times": [-1.0]}, "must not be negative"),
        (make_advection, {"width": 0.0}, "width == 0.0, must be > 0"),
        (make_advection, {"times": []}, r"`times` must have shape \(n_times,\)"),
        (make_wave, {"cache": 3}, "`cache` must be None, a folder or a joblib.Memory"),
    ],
)
def test_bad_arguments(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


@pytest.mark.slow
def test_the_whole_range_of_viscosities_in_two_dimensions_can_be_solved():
    data = make_burgers([0.001, 0.01], kind="2d")
    assert np.isfinite(data.y).all()
    # The spot fades, and sooner the more viscous it is.
    assert (np.ptp(data.y[:, -1], axis=(1, 2)) < np.ptp(data.y[:, 0], axis=(1, 2))).all()
    assert np.ptp(data.y[1, -1]) < np.ptp(data.y[0, -1])
