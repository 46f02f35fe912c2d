"""Settings of torch that a user has changed do not matter."""

import contextlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora.datasets import make_advection

DATA = make_advection([0.5, 1.0, 1.5], n_points=32, times=np.linspace(0, 1, 6))


def results():
    network = CoLoRARegressor(**DATA.grid, max_iter=20, width=8, depth=3, random_state=0)
    model = CoLoRAGalerkin(DATA.pde, regressor=network, conserve=["mass"], random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regressor = model.fit(DATA.X, DATA.y).regressor_
        return [
            regressor.predict([[0.7]]),
            regressor.encode(DATA.y[:1]),
            regressor.decode(regressor.predict_latent([[0.7]])),
            model.solve([[0.7]]).predict(),
            model.refine([[0.8]], max_iter=2).predict([[0.7]]),
            model.distill([[0.8]], max_iter=2).predict([[0.7]]),
        ]


@pytest.fixture(scope="module")
def usual():
    return results()


@contextlib.contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device():
    # A tensor that is made on this device by accident has no numbers.
    torch.set_default_device("meta")
    try:
        yield
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize(
    "setting", [default_dtype, default_device, torch.no_grad, torch.inference_mode]
)
def test_results_do_not_depend_on_settings(usual, setting):
    with setting():
        found = results()
    for ours, expected in zip(found, usual, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_the_package_may_be_imported_with_any_default_device():
    code = (
        "import torch; torch.set_default_device('meta')\n"
        "from skcolora._galerkin import _integration, _recorder\n"
        "constants = [*_integration._A, _integration._C, _integration._E, _recorder._P]\n"
        "assert {c.device.type for c in constants} == {'cpu'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
