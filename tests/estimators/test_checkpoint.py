"""A fit that is cut off goes on from its checkpoint, as if nothing had happened."""

import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from skcolora import CoLoRAGalerkin, CoLoRARegressor
from skcolora._training import _checkpoint
from skcolora.datasets import make_advection

DATA = make_advection(np.linspace(0.5, 1.5, 6), n_points=32, times=np.linspace(0, 1, 11))
OPTIONS = {"width": 8, "depth": 3, "hyper_width": 6, "max_iter": 150, "random_state": 0}


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def every_look(monkeypatch):
    """A checkpoint is written at each look at the error."""
    monkeypatch.setattr(_checkpoint, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(_checkpoint, "_TIMES_WRITING", 0.0)


@pytest.fixture(autouse=True)
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def fit_with_kills(path, monkeypatch, n_writes=1, **options):
    """Fit again and again; each process ends after some more states are written."""
    write = _checkpoint.Checkpoint.write
    left = [0]

    def writes_and_dies(self, state):
        write(self, state)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    monkeypatch.setattr(_checkpoint.Checkpoint, "write", writes_and_dies)
    for n_kills in range(100):
        left[0] = n_writes
        try:
            model = CoLoRARegressor(**DATA.grid, **{**OPTIONS, **options}, checkpoint=path)
            return model.fit(DATA.X, DATA.y), n_kills
        except Killed:
            assert path.exists()
    raise AssertionError("The fit never ends.")


def assert_same(model, other):
    for one, two in ((model.network_, other.network_), (model.hypernetwork_, other.hypernetwork_)):
        for mine, theirs in zip(one.parameters(), two.parameters(), strict=True):
            assert torch.equal(mine, theirs)
    assert model.loss_curve_ == other.loss_curve_
    assert model.best_loss_ == other.best_loss_


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cv": None, "dtype": "float32"},
        {"cv": 2, "max_iter": 60},
        {"early_stopping": True, "n_iter_no_change": 50},
        {"adaptation": "diagonal", "target_error": 0.5},
    ],
    ids=["defaults", "single", "folds", "early stopping", "target"],
)
def test_a_fit_in_pieces_is_the_same(tmp_path, monkeypatch, every_look, options):
    with np.testing.suppress_warnings() as silent:
        silent.filter(UserWarning)
        whole = CoLoRARegressor(**DATA.grid, **{**OPTIONS, **options}).fit(DATA.X, DATA.y)
        path = tmp_path / "fit.pt"
        pieces, n_kills = fit_with_kills(path, monkeypatch, **options)
    assert n_kills >= 1
    assert_same(pieces, whole)
    assert pieces.unseen_error_ == whole.unseen_error_
    assert list(tmp_path.iterdir()) == []


def test_two_pieces_of_a_seed_that_is_not_known(tmp_path, monkeypatch, every_look):
    """The seed of the first piece is kept."""
    path = tmp_path / "fit.pt"
    model, n_kills = fit_with_kills(path, monkeypatch, n_writes=3, random_state=None, cv=None)
    assert n_kills == 1
    assert np.isfinite(model.predict(DATA.X)).all()


def killed_fit(path, monkeypatch, **options):
    monkeypatch.setattr(
        _checkpoint.Checkpoint,
        "write",
        lambda self, state, write=_checkpoint.Checkpoint.write: (write(self, state), _die()),
    )
    with pytest.raises(Killed):
        CoLoRARegressor(**DATA.grid, **{**OPTIONS, **options}, checkpoint=path).fit(DATA.X, DATA.y)


def _die():
    raise Killed


def test_the_file_of_another_fit(tmp_path, monkeypatch, every_look):
    path = tmp_path / "fit.pt"
    killed_fit(path, monkeypatch)
    content = path.read_bytes()
    other = CoLoRARegressor(**DATA.grid, **{**OPTIONS, "width": 9}, checkpoint=path)
    with pytest.raises(ValueError, match=r"another fit; different are `width`\.  Remove"):
        other.fit(DATA.X, DATA.y)
    same = CoLoRARegressor(**DATA.grid, **OPTIONS, checkpoint=path, verbose=0)
    with pytest.raises(ValueError, match="different are X, y"):
        same.fit(DATA.X + 0.1, 2 * DATA.y)
    with pytest.raises(ValueError, match="different are `sample_weight`"):
        same.fit(DATA.X, DATA.y, sample_weight=np.arange(1.0, 7.0))
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", ["empty", "cut", "words", "pickle", "tensor"])
def test_a_file_that_is_no_checkpoint(tmp_path, monkeypatch, every_look, damage):
    path = tmp_path / "fit.pt"
    killed_fit(path, monkeypatch)
    content = path.read_bytes()
    if damage == "tensor":
        torch.save({"a": torch.zeros(2)}, path)
    else:
        path.write_bytes(
            {
                "empty": b"",
                "cut": content[: len(content) // 2],
                "words": b"The measurements of last week.",
                "pickle": pickle.dumps(Harmful()),
            }[damage]
        )
    monkeypatch.setattr(Harmful, "harm", [])
    with pytest.raises(ValueError, match=r"'.*fit\.pt' of `checkpoint` is no checkpoint"):
        CoLoRARegressor(**DATA.grid, **OPTIONS, checkpoint=path).fit(DATA.X, DATA.y)
    assert Harmful.harm == []


class Harmful:
    harm = []  # noqa: RUF012

    def __reduce__(self):
        return Harmful.harm.append, (1,)


def test_what_does_not_go_together(tmp_path):
    for options, message in (
        ({"warm_start": True}, "does not go with warm_start"),
        ({"checkpoint": tmp_path}, "must be the name of a file"),
        ({"checkpoint": tmp_path / "missing" / "fit.pt"}, "in a folder that exists"),
    ):
        model = CoLoRARegressor(
            **DATA.grid, **OPTIONS, **{"checkpoint": tmp_path / "fit.pt", **options}
        )
        with pytest.raises(ValueError, match=message):
            model.fit(DATA.X, DATA.y)
    model = CoLoRARegressor(**DATA.grid, **OPTIONS, checkpoint=tmp_path / "fit.pt")
    search = GridSearchCV(model, {"rank": [1]}, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="one fit, but a search fits many"):
        search.fit(DATA.X, DATA.y)


def test_seconds_before_count(tmp_path, monkeypatch, every_look):
    """A limit of some seconds holds for all pieces together."""
    path, options = tmp_path / "fit.pt", {"max_iter": None, "max_time": 2.0, "cv": None}
    killed_fit(path, monkeypatch, **options)
    monkeypatch.undo()
    saved = torch.load(path, weights_only=True)
    saved["used"] = 1.9
    saved["state"]["remaining"] = [0.05, 0.1]
    torch.save(saved, path)
    started = time.perf_counter()
    model = CoLoRARegressor(**DATA.grid, **{**OPTIONS, **options}, checkpoint=path)
    model.fit(DATA.X, DATA.y)
    # Of 2 s a tenth is left; without the seconds before it would be all of them.
    assert time.perf_counter() - started < 1.5


def test_an_interrupted_fit_keeps_its_file(tmp_path, monkeypatch, every_look):
    path = tmp_path / "fit.pt"
    looks = []

    def interrupted(self, state, write=_checkpoint.Checkpoint.write):
        write(self, state)
        looks.append(1)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(_checkpoint.Checkpoint, "write", interrupted)
    model = CoLoRARegressor(**DATA.grid, **OPTIONS, cv=None, checkpoint=path)
    with pytest.warns(UserWarning, match="interrupted after 55 steps"):
        model.fit(DATA.X, DATA.y)
    assert path.exists()
    whole = CoLoRARegressor(**DATA.grid, **OPTIONS, cv=None).fit(DATA.X, DATA.y)
    assert_same(model.fit(DATA.X, DATA.y), whole)
    assert not path.exists()


def test_the_regressor_of_an_equation(tmp_path, monkeypatch, every_look):
    path = tmp_path / "fit.pt"
    killed_fit(path, monkeypatch)
    monkeypatch.undo()
    regressor = CoLoRARegressor(**DATA.grid, **OPTIONS, checkpoint=path)
    model = CoLoRAGalerkin(DATA.pde, regressor=regressor, random_state=0).fit(DATA.X, DATA.y)
    whole = CoLoRARegressor(**DATA.grid, **OPTIONS).fit(DATA.X, DATA.y)
    assert_same(model.regressor_, whole)


SCRIPT = """
import sys
import numpy as np, torch, skcolora
from skcolora._training import _checkpoint
from skcolora.datasets import make_advection
torch.set_num_threads(1)
_checkpoint._LEAST_SECONDS = 0.1
data = make_advection(np.linspace(0.5, 1.5, 6), n_points=32, times=np.linspace(0, 1, 11))
model = skcolora.CoLoRARegressor(
    **data.grid, width=12, depth=4, max_iter=1500, random_state=0, checkpoint=sys.argv[1] or None
)
print("fit", flush=True)
skcolora.save(model.fit(data.X, data.y), sys.argv[2])
"""


@pytest.mark.slow
def test_twenty_kills(tmp_path):
    """Processes that are killed at random times, and one that ends."""
    import skcolora

    def begin(path):
        command = [sys.executable, "-c", SCRIPT, str(path), str(tmp_path / f"{bool(path)}.skc")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    started = time.perf_counter()
    assert begin("").wait() == 0
    seconds = time.perf_counter() - started
    rng, n_kills = np.random.default_rng(0), 0
    path = tmp_path / "fit.pt"
    while n_kills < 20:
        process = begin(path)
        time.sleep(rng.uniform(0.0, 0.06) * seconds)
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        n_kills += 1
    else:
        assert begin(path).wait() == 0
    assert n_kills == 20
    whole, pieces = (skcolora.load(tmp_path / f"{name}.skc") for name in (False, True))
    assert_same(pieces, whole)
    assert not path.exists()
