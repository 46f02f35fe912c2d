"""Searches in parallel: on the cores of one machine, and on a Dask cluster."""

import os

import joblib
import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import GridSearchCV

from skcolora import CoLoRARegressor
from skcolora.metrics import neg_relative_l2_error

X, TIMES, POINTS = np.linspace(0.2, 0.4, 4)[:, None], np.linspace(0, 1, 5), np.arange(16) / 16
Y = np.sin(2 * np.pi * (POINTS - X[:, :, None] * TIMES[:, None]))


def threads_of_torch(model, X, y):
    return float(torch.get_num_threads())


def process(model, X, y):
    return float(os.getpid())


def search(**changes):
    model = CoLoRARegressor(
        times=TIMES, points=POINTS, width=6, depth=3, max_iter=10, random_state=0
    )
    scoring = {"error": neg_relative_l2_error, "threads": threads_of_torch, "process": process}
    grid = GridSearchCV(model, {"rank": [1, 2]}, scoring=scoring, refit=False, cv=2, **changes)
    return grid.fit(X, Y).cv_results_


@pytest.fixture
def no_limit_of_threads(monkeypatch):
    """The environment of a user who has set nothing."""
    for name in list(os.environ):
        if name.endswith("_NUM_THREADS"):
            monkeypatch.delenv(name)
    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


def test_workers_do_not_take_more_threads_than_there_are_cores(no_limit_of_threads):
    before, n_jobs = torch.get_num_threads(), 2
    results = search(n_jobs=n_jobs)
    threads = results["mean_test_threads"].max()
    assert os.getpid() not in results["split0_test_process"]
    assert 1 <= threads <= max(joblib.cpu_count() // n_jobs, 1)
    assert torch.get_num_threads() == before


def test_the_same_search_on_a_dask_cluster():
    distributed = pytest.importorskip("distributed")
    expected = search()
    # With one worker joblib would not leave this process.
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(**options, dashboard_address=":0") as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        results = search(n_jobs=-1)
    assert np.allclose(results["mean_test_error"], expected["mean_test_error"], rtol=1e-6)
    assert results["mean_test_threads"].max() == 1
    assert os.getpid() not in results["split0_test_process"]
