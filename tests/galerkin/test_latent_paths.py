"""Latent paths that a hypernetwork learns from."""

import numpy as np
import pytest
import torch

from skcolora._galerkin._latent_paths import LatentPaths, thin


@pytest.mark.parametrize(("n_entries", "n_kept"), [(1, 2), (60, 5), (61, 6), (10**6, 40)])
def test_thinned_paths_keep_their_ends_and_enough_entries(n_entries, n_kept):
    times = np.linspace(0, 1, 40) ** 2
    latent = torch.arange(4 * 40 * 3.0).reshape(4, 40, 3)
    metric = torch.arange(4 * 40 * 9.0).reshape(4, 40, 3, 3)
    paths = LatentPaths(np.zeros((4, 1)), times, latent, metric)
    few = thin(paths, n_entries)
    assert few.latent.shape == (4, n_kept, 3)
    assert few.latent.numel() >= min(n_entries, latent.numel())
    assert few.times[0] == times[0]
    assert few.times[-1] == times[-1]
    kept = np.searchsorted(times, few.times)
    torch.testing.assert_close(few.latent, latent[:, kept])
    torch.testing.assert_close(few.metric, metric[:, kept])
