"""Levenberg–Marquardt on latent paths."""

import itertools
import time

import numpy as np
import torch

from skcolora._nn._hypernetwork import Hypernetwork
from skcolora._training._latent_fit import (
    fit_latent,
)
from skcolora.utils._deadline import Deadline


def make(width, seed):
    generator = torch.Generator().manual_seed(seed)
    network = Hypernetwork(2, 3, width=width, depth=3, generator=generator).double()
    return network.requires_grad_(False)


def rows(n=60):
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (n, 2)))


def test_learns_another_hypernetwork():
    inputs = rows()
    targets = make(3, 1)(inputs)
    metric = torch.eye(3, dtype=torch.float64).expand(len(inputs), 3, 3)
    learner = make(8, 0)
    errors = fit_latent(learner, inputs, targets, metric, max_iter=150)
    assert all(after <= before for before, after in itertools.pairwise(errors))
    assert errors[-1] < 1e-3 * errors[0]
    assert (learner(inputs) - targets).abs().max() < 1e-2


def test_directions_that_do_not_count_are_left_alone():
    """The metric sees the first component alone; the others may be anything."""
    inputs = rows()
    targets = make(3, 1)(inputs)
    targets[:, 1:] = torch.randn(60, 2, generator=torch.Generator().manual_seed(2))
    metric = torch.zeros(60, 3, 3, dtype=torch.float64)
    metric[:, 0, 0] = 1.0
    learner = make(8, 0)
    assert fit_latent(learner, inputs, targets, metric)[-1] < 1e-3


def test_nothing_to_learn():
    inputs, learner = rows(), make(4, 0)
    metric = torch.eye(3, dtype=torch.float64).expand(len(inputs), 3, 3)
    errors = fit_latent(learner, inputs, learner(inputs), metric)
    assert errors[-1] < 1e-12


def test_a_metric_that_sees_nothing_changes_nothing():
    inputs, learner = rows(), make(4, 0)
    before = learner(inputs)
    metric = torch.zeros(len(inputs), 3, 3, dtype=torch.float64)
    assert set(fit_latent(learner, inputs, before + 1.0, metric)) == {0.0}
    assert torch.equal(learner(inputs), before)


def test_a_fit_that_has_no_time_for_a_step_changes_nothing(monkeypatch):
    """A clock that each look moves by a second."""
    clock = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    inputs, learner = rows(), make(4, 0)
    metric = torch.eye(3, dtype=torch.float64).expand(len(inputs), 3, 3)
    before = learner(inputs)
    errors = fit_latent(learner, inputs, before + 1.0, metric, deadline=Deadline(20.0))
    assert len(errors) == 1
    assert torch.equal(learner(inputs), before)
    assert len(fit_latent(learner, inputs, before + 1.0, metric, deadline=Deadline(1e9))) > 2
