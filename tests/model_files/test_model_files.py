"""Files of models: what is saved is loaded, and nothing else."""

import copy
import json
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save as to_bytes
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skcolora
from skcolora import (
    CoLoRAGalerkin,
    CoLoRARegressor,
    ParameterInterpolator,
    PODGalerkin,
    PODRegressor,
)
from skcolora._model_files import _file
from skcolora.datasets import make_advection
from skcolora.pdes import PDE, Dirichlet, Neumann

DATA = make_advection(
    [0.5, 0.75, 1.0, 1.25, 1.5], n_points=32, times=np.linspace(0, 1, 9), width=0.2
)
NEW = [[0.9], [1.1]]
NETWORK = CoLoRARegressor(**DATA.grid, width=8, depth=3, max_iter=20, random_state=0)


class Heated(PDE):
    """Diffusion with conditions that only this module knows."""

    domain = ((0.0, 1.0),)
    boundary = ((Dirichlet(lambda t, points, mu: t * mu[0]), Neumann()),)
    parameter_names = ("k",)

    def __init__(self, strength=1.0):
        self.strength = strength

    def initial(self, points, mu):
        return np.zeros_like(points[0])

    def rhs(self, t, u, mu):
        return self.strength * mu[0] * u.laplacian


def heated():
    points, times = np.linspace(0, 1, 24), np.linspace(0, 0.5, 7)
    X = np.array([[0.1], [0.2], [0.3]])
    y = X[:, :, None] * times[:, None] * (1 - points) ** 2
    grid = {"times": times, "points": points}
    network = CoLoRARegressor(**grid, width=6, depth=3, max_iter=10, random_state=0)
    fixed = {"norm": "L2", "regularization": 1e-3, "free_output": False, "max_steps": 20}
    return CoLoRAGalerkin(Heated(2.0), regressor=network, random_state=0, **fixed).fit(X, y)


MODELS = {
    "regressor": NETWORK,
    "bands": clone(NETWORK).set_params(cv=3),
    "random state": clone(NETWORK).set_params(random_state=np.random.RandomState(3)),
    "galerkin": CoLoRAGalerkin(DATA.pde, regressor=NETWORK, random_state=0),
    "free output": CoLoRAGalerkin(
        DATA.pde, regressor=make_pipeline(StandardScaler(), NETWORK), free_output=True
    ),
    "weak norm": CoLoRAGalerkin(DATA.pde, regressor=NETWORK, norm="H-1", n_collocation=20),
    "POD": PODRegressor(**DATA.grid),
    "POD and GP": PODRegressor(**DATA.grid, regressor=GaussianProcessRegressor()),
    "POD Galerkin": PODGalerkin(DATA.pde, **DATA.grid),
    "interpolator": ParameterInterpolator(**DATA.grid),
    "pipeline": make_pipeline(FunctionTransformer(np.log), NETWORK),
    "frozen": FrozenEstimator(PODRegressor(**DATA.grid).fit(DATA.X, DATA.y)),
}


@pytest.fixture(scope="module")
def fitted():
    models = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model in MODELS.items():
            models[name] = model.fit(DATA.X, DATA.y)
    return models


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_what_is_saved_is_loaded(fitted, name, tmp_path):
    model, path = fitted[name], tmp_path / "model.safetensors"
    skcolora.save(model, path)
    loaded = skcolora.load(path)
    assert type(loaded) is type(model)
    assert np.array_equal(loaded.predict(NEW), model.predict(NEW))
    skcolora.save(loaded, tmp_path / "again")
    (description, arrays), (again, others) = contents(path), contents(tmp_path / "again")
    assert again == description
    # The archives of skops hold the time at which they were made.
    numbers = [key for key in arrays if arrays[key].dtype != np.uint8]
    assert all(np.array_equal(arrays[key], others[key], equal_nan=True) for key in numbers)
    if name == "bands":
        for option in ({"return_std": True}, {"return_interval": 0.5}):
            both = (each.predict(NEW, **option) for each in (model, loaded))
            assert all(map(np.array_equal, *both))


@pytest.mark.filterwarnings("ignore")
def test_a_loaded_model_goes_on(fitted, tmp_path):
    path = tmp_path / "model"
    skcolora.save(fitted["galerkin"], path)
    loaded = skcolora.load(path)
    refined = [each.refine([[0.9]], max_iter=3) for each in (fitted["galerkin"], loaded)]
    assert np.array_equal(*(each.predict(NEW) for each in refined))
    assert loaded.fit(DATA.X, DATA.y).predict(NEW).shape == (2, 9, 32)


@pytest.mark.filterwarnings("ignore")
def test_an_equation_of_the_user(tmp_path):
    model, path = heated(), tmp_path / "model"
    skcolora.save(model, path)
    with pytest.raises(skcolora.ModelFileError, match=r"equation .*:Heated.*trusted=\[Heated\]"):
        skcolora.load(path)
    named = f"{Heated.__module__}:Heated"
    sys.modules.setdefault(Heated.__module__, sys.modules[__name__])
    for trusted in ([Heated], [named]):
        loaded = skcolora.load(path, trusted=trusted)
        assert loaded.pde.strength == 2.0
        assert np.array_equal(loaded.predict([[0.15]]), model.predict([[0.15]]))


def test_nothing_is_imported_that_is_not_trusted(tmp_path):
    content = {"model": {"object": 0}, "objects": [{"equation": ["antigravity:Gravity", {}]}]}
    path = tmp_path / "model"
    path.write_bytes(file_of(content, {}))
    with pytest.raises(skcolora.ModelFileError, match="not part of skcolora"):
        skcolora.load(path)
    assert "antigravity" not in sys.modules
    content["objects"][0]["equation"][0] = "os:system"
    path.write_bytes(file_of(content, {}))
    with pytest.raises(skcolora.ModelFileError, match="no class of an equation"):
        skcolora.load(path, trusted=["os:system"])


def file_of(content, arrays, **changes):
    metadata = {
        "format": "skcolora model",
        "format_version": "1",
        "description": json.dumps(content),
        **changes,
    }
    metadata["sha256"] = _file._checksum(metadata, arrays)
    return to_bytes(arrays, metadata)


def contents(path):
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    return json.loads(metadata["description"]), arrays


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "model"
    skcolora.save(fitted["galerkin"], path)
    return SimpleNamespace(path=path, right=fitted["galerkin"].predict(NEW))


def check_error_or_model(data, path, right=None):
    """A damaged file gives a `ModelFileError`, or the right model."""
    path.write_bytes(data)
    try:
        loaded = skcolora.load(path)
    except skcolora.ModelFileError:
        return
    if right is not None:
        assert np.array_equal(loaded.predict(NEW), right)


def check_damaged_bytes(saved, path, data):
    damaged = bytearray(saved.path.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"]))
    # Most of the file are arrays, but most accidents are worth trying in the header.
    place = data.draw(st.one_of(st.integers(0, len(damaged) - 1), st.integers(0, 400)))
    if kind == "flip":
        damaged[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del damaged[place : place + data.draw(st.integers(1, len(damaged)))]
    elif kind == "insert":
        damaged[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    else:
        damaged[place:place] = damaged[:place]
    check_error_or_model(bytes(damaged), path, saved.right)


def nodes_of(tree, path=()):
    """All places in a description."""
    yield path
    if isinstance(tree, (dict, list)):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from nodes_of(value, (*path, key))


def check_forged_description(saved, path, data):
    """Also with the right checksum, the worst is an error or another model."""
    content, arrays = contents(saved.path)
    *place, last = data.draw(st.sampled_from([each for each in nodes_of(content) if each]))
    parent = content
    for key in place:
        parent = parent[key]
    junk = st.sampled_from(
        [None, -1, 10**30, "0", "os:system", [], {}, {"object": 0}, {"array": "9999"}, [[]], 1e300]
    )
    kind = data.draw(st.sampled_from(["replace", "remove", "rename", "array"]))
    if kind == "array":
        name = data.draw(st.sampled_from(sorted(arrays)))
        arrays[name] = arrays[name].ravel()[: data.draw(st.integers(0, 3))]
    elif kind == "rename" and isinstance(parent, dict):
        parent[data.draw(st.text(max_size=5))] = parent.pop(last)
    elif kind == "remove":
        del parent[last]
    else:
        parent[last] = data.draw(junk)
    check_error_or_model(file_of(content, arrays), path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", [check_damaged_bytes, check_forged_description])
@pytest.mark.parametrize("n", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_wrong_files(saved, tmp_path, check, n):
    @settings(max_examples=n, deadline=None)
    @given(data=st.data())
    def each(data):
        check(saved, tmp_path / "wrong", data)

    each()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no model file, or is damaged"),
        (b"PK\x03\x04 a zip file", "no model file, or is damaged"),
        (b"\xff" * 8 + b"{}", "no model file, or is damaged"),
        (to_bytes({"0": np.zeros(2)}), "no model of skcolora"),
        (file_of({}, {}, format_version="2", skcolora="9.1"), "newer skcolora 9.1.*Update"),
        (file_of({}, {}), "cannot be read: KeyError"),
        (file_of({"model": 1, "objects": []}, {}), "holds no model"),
        (
            to_bytes({}, {"format": "skcolora model", "format_version": "1", "description": "{}"}),
            "checksum is wrong",
        ),
    ],
    # The order of a header is not always the same, and so no name of a test.
    ids=["empty", "zip", "long", "foreign", "newer", "no model", "a number", "no checksum"],
)
def test_other_files(tmp_path, data, message):
    path = tmp_path / "other"
    path.write_bytes(data)
    with pytest.raises(skcolora.ModelFileError, match=message):
        skcolora.load(path)


def test_an_announced_size_is_not_believed(tmp_path):
    header = json.dumps(
        {"0": {"dtype": "F64", "shape": [10**12], "data_offsets": [0, 8 * 10**12]}}
    ).encode()
    path = tmp_path / "huge"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(skcolora.ModelFileError, match="damaged"):
        skcolora.load(path)


def test_a_file_has_the_rights_of_any_other_file(fitted, tmp_path):
    (tmp_path / "other").write_text("")
    skcolora.save(fitted["POD"], tmp_path / "model")
    modes = [(tmp_path / name).stat().st_mode for name in ("other", "model")]
    assert modes[0] == modes[1]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError):
        skcolora.load(tmp_path / "none")


def test_what_cannot_be_saved(fitted, tmp_path):
    path = tmp_path / "model"
    path.write_text("precious")
    with pytest.raises(NotFittedError):
        skcolora.save(PODRegressor(), path)
    with pytest.raises(TypeError, match="must be an estimator; got str"):
        skcolora.save("model", path)
    with_function = make_pipeline(FunctionTransformer(np.log), PODRegressor(**DATA.grid))
    search = GridSearchCV(with_function, {"podregressor__n_components": [1, 2]}, cv=2)
    with pytest.raises(TypeError, match="holds no model of skcolora alone"):
        skcolora.save(search.fit(DATA.X, DATA.y), path)
    with pytest.raises(TypeError, match="holds no model of skcolora alone"):
        skcolora.save(LinearRegression().fit(DATA.X, DATA.X), path)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_what_belongs_to_the_process_is_not_saved(fitted, tmp_path):
    """Callbacks, which may be any objects; the path of a checkpoint is kept as words."""
    model = copy.copy(fitted["regressor"]).set_params(checkpoint=tmp_path / "fit.pt")
    model._skl_callbacks = [object()]
    skcolora.save(model, tmp_path / "model.skc")
    loaded = skcolora.load(tmp_path / "model.skc")
    assert not hasattr(loaded, "_skl_callbacks")
    assert loaded.checkpoint == str(tmp_path / "fit.pt")


def test_another_version(fitted, tmp_path, monkeypatch):
    path = tmp_path / "model"
    with monkeypatch.context() as patched:
        patched.setattr("skcolora._estimators._base.__version__", "0.0.1")
        skcolora.save(fitted["POD"], path)
    with pytest.warns(InconsistentVersionWarning, match=r"saved by skcolora 0\.0\.1"):
        loaded = skcolora.load(path)
    assert np.array_equal(loaded.predict(NEW), fitted["POD"].predict(NEW))
