"""The fitted model as a module of torch, and in a runtime without torch."""

import numpy as np
import pytest
import torch

from skcolora import CoLoRARegressor

TIMES = {"linear": np.linspace(1.0, 3.0, 9), "log": np.append(0.0, np.geomspace(1e-3, 10.0, 14))}
OPTIONS = {"width": 8, "depth": 3, "max_iter": 15, "random_state": 0, "cv": None}


def fitted(times="linear", period=2.0, **options):
    """Two fields of two parameters, one of which is seen by its logarithm."""
    times = TIMES[times]
    points = np.column_stack([np.linspace(0.0, 1.9, 20), 1e3 + np.sin(np.arange(20.0))])
    X = np.array([[0.1, -1.0], [1.0, 0.5], [5.0, 1.0], [9.0, 0.0]])
    wave = np.sin(np.pi * points[:, 0] + X[:, 1, None, None] * times[:, None])
    y = np.stack([300.0 + wave, np.log(X[:, :1, None]) * wave], -1)
    grid = {"times": times, "points": points, "period": (period, None)}
    return CoLoRARegressor(**grid, **OPTIONS, **options).fit(X, y)


NEW = np.array([[0.3, 0.2], [7.0, -0.5]])
POINTS = np.array([[0.33, 1000.2], [1.99, 999.5], [0.0, 1000.9]])


def tensors(model, t):
    times = torch.full((len(NEW),), float(t), dtype=torch.float64)
    return torch.from_numpy(NEW), times, torch.from_numpy(POINTS)


CASES = [
    {},
    {"times": "log"},
    {"period": None, "adaptation": "diagonal"},
    {"dtype": "float32"},
    {"adapted_layers": (1, 2)},
]


@pytest.mark.parametrize("options", CASES, ids=str)
def test_the_module_is_the_prediction(options):
    model = fitted(**options)
    module = model.to_module()
    for t in (1.0, 1.7, 3.0):
        expected = model.predict(NEW, times=[t], points=POINTS)[:, 0]
        found = module(*tensors(model, t)).detach().numpy()
        single = options.get("dtype") == "float32"
        np.testing.assert_allclose(found, expected, rtol=1e-5 if single else 1e-11, atol=1e-6)


def test_gradients_flow_through_it():
    module = fitted().to_module()
    parameters, times, points = tensors(None, 1.5)
    parameters.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda mu: module(mu, times, points), parameters)


def test_it_is_a_copy():
    model = fitted()
    before = model.predict(NEW)
    for weight in model.to_module().parameters():
        weight.data.zero_()
    np.testing.assert_array_equal(model.predict(NEW), before)


@pytest.mark.parametrize("options", [{}, {"times": "log"}], ids=str)
def test_torch_export(options):
    model = fitted(**options)
    module = model.to_module()
    program = torch.export.export(module, tensors(model, 1.7))
    torch.testing.assert_close(program.module()(*tensors(model, 2.2)), module(*tensors(model, 2.2)))


@pytest.mark.parametrize("options", CASES, ids=str)
def test_onnx(options, tmp_path):
    """The exported file is run without torch, for another number of parameters and points."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = fitted(**options)
    path = tmp_path / "model.onnx"
    names = ["parameters", "times", "points"]
    n, n_points = torch.export.Dim("n"), torch.export.Dim("n_points")
    torch.onnx.export(
        model.to_module(),
        tensors(model, 1.7),
        path,
        dynamo=True,
        input_names=names,
        dynamic_shapes=({0: n}, {0: n}, {0: n_points}),
        verbose=False,
    )
    session = runtime.InferenceSession(path)
    X = np.vstack([NEW, [[2.0, 0.1]]])
    points = np.linspace(POINTS.min(axis=0), POINTS.max(axis=0), 5)
    inputs = dict(zip(names, (X, np.full(3, 2.2), points), strict=True))
    (found,) = session.run(None, inputs)
    expected = model.predict(X, times=[2.2], points=points)[:, 0]
    # The runtime may compute the networks in another order.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
