"""Times of the diagnostics of a path, and interpolation between them."""

import numpy as np
import torch

from skcolora._galerkin._diagnosis import _N_TIMES, _diagnosed_states, _interpolate


def test_diagnostics_cover_paths_from_start_to_end():
    paths = torch.zeros(3, 200, 2)
    paths[1, 60:] = torch.nan
    paths[2, 5:] = torch.nan
    trajectories, time_indices = _diagnosed_states(paths)
    for i, end in enumerate((200, 60, 5)):
        here = time_indices[trajectories == i]
        assert here[0] == 0
        assert here[-1] == end - 1
        assert len(here) == min(_N_TIMES, end)
        assert (here.diff() >= 1).all()


def test_a_path_that_never_started_has_no_diagnostics():
    paths = torch.full((2, 50, 3), torch.nan)
    paths[0] = 0.0
    trajectories, time_indices = _diagnosed_states(paths)
    out = _interpolate(
        torch.ones(len(trajectories)),
        trajectories,
        torch.arange(50.0)[time_indices],
        paths,
        torch.arange(50.0),
    )
    assert (out[0] == 1).all()
    assert out[1].isnan().all()


def test_linear_functions_of_time_are_continued_exactly():
    times = torch.linspace(0, 1, 150, dtype=torch.float64) ** 2
    paths = torch.zeros(2, 150, 3)
    paths[1, 100:] = torch.nan
    trajectories, time_indices = _diagnosed_states(paths)
    values = 3 * times[time_indices] - 1 + trajectories
    out = _interpolate(values, trajectories, times[time_indices], paths, times)
    np.testing.assert_allclose(out[0], 3 * times - 1)
    np.testing.assert_allclose(out[1, :100], 3 * times[:100])
    assert out[1, 100:].isnan().all()
