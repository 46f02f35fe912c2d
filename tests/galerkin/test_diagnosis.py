"""What is said of a path between the times at which it is looked at."""

import numpy as np
import torch

from skcolora._galerkin._diagnosis import _TIMES, _between, _looked_at


def test_paths_are_looked_at_from_start_to_end():
    paths = torch.zeros(3, 200, 2)
    paths[1, 60:] = torch.nan
    paths[2, 5:] = torch.nan
    at, when = _looked_at(paths)
    for i, end in enumerate((200, 60, 5)):
        here = when[at == i]
        assert here[0] == 0
        assert here[-1] == end - 1
        assert len(here) == min(_TIMES, end)
        assert (here.diff() >= 1).all()


def test_a_path_that_never_started_is_not_looked_at():
    paths = torch.full((2, 50, 3), torch.nan)
    paths[0] = 0.0
    at, when = _looked_at(paths)
    out = _between(torch.ones(len(at)), at, torch.arange(50.0)[when], paths, torch.arange(50.0))
    assert (out[0] == 1).all()
    assert out[1].isnan().all()


def test_linear_functions_of_time_are_continued_exactly():
    times = torch.linspace(0, 1, 150, dtype=torch.float64) ** 2
    paths = torch.zeros(2, 150, 3)
    paths[1, 100:] = torch.nan
    at, when = _looked_at(paths)
    values = 3 * times[when] - 1 + at
    out = _between(values, at, times[when], paths, times)
    np.testing.assert_allclose(out[0], 3 * times - 1)
    np.testing.assert_allclose(out[1, :100], 3 * times[:100])
    assert out[1, 100:].isnan().all()
