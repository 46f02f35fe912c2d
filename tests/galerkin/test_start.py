"""States at time 0: found from their fields, and guessed from those of the training."""

import numpy as np
import pytest
import torch

from skcolora._galerkin import _start as module
from skcolora._galerkin._collocation import grid_collocation
from skcolora._galerkin._projection import Projection
from skcolora._galerkin._start import Start, TrainedStarts, find_start, trained_starts
from skcolora._nn._network import CoLoRANetwork
from skcolora._snapshots import Scale, Units, check_points
from skcolora.pdes import Burgers
from skcolora.utils._deadline import Deadline


def starts(inputs, latent, defect=0.0):
    latent = torch.as_tensor(latent, dtype=torch.float64)
    same = latent.new_zeros(len(latent))
    return TrainedStarts(np.asarray(inputs, dtype=float), Start(latent, same, same + defect))


def test_states_of_one_field_are_guessed_to_the_last_digit():
    state = np.array([0.1, -1 / 3, 1e3])
    guesses = starts([[1.0], [2.0], [4.0]], np.tile(state, (3, 1))).guesses(
        np.array([[1.7], [9.0], [np.nan]])
    )
    assert (guesses.numpy() == state).all()


@pytest.mark.parametrize("n_parameters", [1, 2])
def test_states_that_are_linear_in_the_parameters_are_continued_exactly(n_parameters):
    rng = np.random.default_rng(0)
    inputs, slope = rng.random((8, n_parameters)), rng.random((n_parameters, 3))
    new = rng.random((5, n_parameters))
    guesses = starts(inputs, inputs @ slope + 1).guesses(new)
    np.testing.assert_allclose(guesses, new @ slope + 1, rtol=1e-10)


def test_a_start_is_good_that_is_hardly_worse_than_at_the_parameters_around():
    known = starts([[0.0], [1.0], [2.0]], np.zeros((3, 2)), torch.tensor([0.1, 0.4, 0.0]).double())
    good_defect = known.good_defect(np.array([[0.2], [1.9], [2.2]])).numpy()
    np.testing.assert_allclose(good_defect, [0.6, 0.6, 0.6])
    alone = starts([[0.0]], np.zeros((1, 2)), 0.2).good_defect(np.array([[7.0]]))
    np.testing.assert_allclose(alone, [0.3])


@pytest.fixture
def parts():
    generator = torch.Generator().manual_seed(0)
    layout = {"width": 8, "depth": 4, "rank": 2, "adaptation": "diagonal", "periodic": (True,)}
    network = CoLoRANetwork(1, 1, adapted_layers=(1, 2), generator=generator, **layout)
    network.double().requires_grad_(False)
    grid = check_points(np.linspace(0, 1, 64, endpoint=False))
    rule = grid_collocation(Burgers(), grid)
    mu = torch.full((4, 1), 0.1, dtype=torch.float64)
    true = 0.5 * torch.randn(2, network.n_latent, generator=generator, dtype=torch.float64)
    units = Units.of(mu.numpy(), np.linspace(0, 1, 3), grid.points, (1.0,), 1)
    units = units.with_fields(Scale(np.array([0.3]), np.array([2.0])))
    x = torch.from_numpy(units.coordinates(grid.points))
    fields = 0.3 + 2.0 * network(x.expand(2, -1, -1), true)
    return Projection(network, units, Burgers(), mu, rule, 1e-8), rule.points, true, fields


def test_fields_of_the_network_are_found_again_each_once(parts, monkeypatch):
    projection, points, true, fields = parts
    encoded = []
    encode_fields = module.encode_fields

    def counting(network, points, fields, *args, **kwargs):
        encoded.append(len(fields))
        return encode_fields(network, points, fields, *args, **kwargs)

    monkeypatch.setattr(module, "encode_fields", counting)
    which = [0, 1, 0, 0]
    guess = (true + 0.05)[which].unsqueeze(1)
    start = find_start(
        projection,
        (points.numpy(), fields[which].numpy()),
        [guess],
        good_defect=torch.full((4,), 1e9, dtype=torch.float64),
    )
    assert encoded == [2]
    assert start.misfit.max() < 1e-4
    assert (start.latent[0] == start.latent[2]).all()
    assert (start.latent[0] == start.latent[3]).all()
    assert (start.latent[0] != start.latent[1]).any()


def test_other_guesses_are_tried_where_the_first_is_not_good(parts):
    projection, points, true, fields = parts
    known = points.numpy(), fields.numpy()
    two_trajectories = Projection(
        projection.network,
        projection.units,
        projection.pde,
        projection.mu[:2],
        projection.collocation,
        1e-8,
    )
    bad = torch.full_like(true, 30.0).unsqueeze(1)
    first = find_start(
        two_trajectories, known, [bad, true.unsqueeze(1)], good_defect=torch.full((2,), 1e9)
    )
    both = find_start(
        two_trajectories, known, [bad, true.unsqueeze(1)], good_defect=torch.full((2,), -1.0)
    )
    assert 1e-2 < first.misfit.min() < torch.inf
    assert both.misfit.max() < 1e-8
    assert (both.defect <= first.defect).all()


def test_a_guess_that_is_not_finite_is_passed_over(parts):
    projection, points, true, fields = parts
    which = [0, 1, 0, 1]
    known = points.numpy(), fields[which].numpy()
    nan = torch.full((1, 1, true.shape[1]), torch.nan, dtype=torch.float64)
    guesses = [nan, true[which].unsqueeze(1)]
    start = find_start(projection, known, guesses, good_defect=torch.full((4,), -1.0))
    assert start.misfit.max() < 1e-8


def test_of_few_steps_and_many_the_better_start_is_taken(parts, monkeypatch):
    """By misfit and residual together: a field that the network cannot hold, nearly reached."""
    projection, points, true, fields = parts
    generator = torch.Generator().manual_seed(2)
    which = [0, 1, 0, 1]
    rough = fields[which] + 1e-2 * torch.randn(4, *fields.shape[1:], generator=generator).double()
    known = points.numpy(), rough.numpy()
    guess = [(true + 0.3)[which].unsqueeze(1)]
    no_good_defect = torch.full((4,), -1.0)
    both = find_start(projection, known, guess, good_defect=no_good_defect)
    for small_gain in module._SMALL_GAINS:
        monkeypatch.setattr(module, "_SMALL_GAINS", (small_gain,))
        alone = find_start(projection, known, guess, good_defect=no_good_defect)
        assert (both.defect <= alone.defect / module._IMPROVEMENT).all()


def test_trajectories_of_one_field_are_trained_from_one_state(parts):
    projection, points, true, fields = parts
    which = [0, 1, 0, 1]
    predicted = true[which] + 0.01 * torch.arange(4.0).double().unsqueeze(1)
    inputs = np.arange(4.0)[:, None]
    known = points.numpy(), fields[which].numpy()
    start = trained_starts(projection, known, inputs, predicted, true + 0.1).start
    assert start.misfit.max() < 1e-4
    assert (start.latent[0] == start.latent[2]).all()
    assert (start.latent[1] == start.latent[3]).all()
    unknown = trained_starts(projection, None, inputs, predicted, true).start
    assert (unknown.latent == predicted).all()
    assert unknown.misfit.isnan().all()


def test_trained_starts_for_which_there_is_no_time_are_those_predicted(parts):
    projection, points, true, fields = parts
    which = [0, 1, 0, 1]
    inputs = np.arange(4.0)[:, None]
    known = points.numpy(), fields[which].numpy()
    arguments = projection, known, inputs, true[which] + 0.1, true
    late = trained_starts(*arguments, deadline=Deadline(0.0))
    assert (late.start.latent == true[which] + 0.1).all()
    # What was not tried does not count as bad.
    np.testing.assert_allclose(late.good_defect(inputs), module._GOOD_DEFECT)
    in_time = trained_starts(*arguments, deadline=Deadline(1e9)).start
    torch.testing.assert_close(in_time, trained_starts(*arguments).start, rtol=1e-4, atol=1e-6)


def test_no_guess_is_tried_after_the_end(parts):
    projection, points, true, fields = parts
    which = [0, 1, 0, 1]
    known = points.numpy(), fields[which].numpy()
    guess = (true + 0.05)[which].unsqueeze(1)
    start = find_start(
        projection, known, [guess], good_defect=torch.full((4,), -1.0), deadline=Deadline(0.0)
    )
    assert torch.equal(start.latent, guess[:, 0])
    assert torch.isinf(start.misfit).all()


def test_a_constant_parameter_does_not_change_the_start_of_a_path():
    """The guess is a cubic interpolant with and without it."""
    many, between = np.linspace(0.5, 1.5, 5)[:, None], np.array([[0.8], [1.2]])

    def with_column(value, X):
        return np.column_stack([X, np.full(len(X), value)])

    states = torch.from_numpy(np.column_stack([np.sin(3 * many), np.cos(3 * many)]))
    start = Start(states, states[:, 0], states[:, 0].square())
    plain, constant = (TrainedStarts(X, start) for X in (many, with_column(0.1, many)))
    for value in (0.1, 7.0):
        new = with_column(value, between)
        assert np.array_equal(constant.guesses(new), plain.guesses(between))
        assert torch.equal(constant.good_defect(new), plain.good_defect(between))
    exact = np.column_stack([np.sin(3 * between), np.cos(3 * between)])
    assert np.abs(constant.guesses(new).numpy() - exact).max() < 0.02
    one = TrainedStarts(with_column(0.1, many)[:1], Start(*(part[:1] for part in start)))
    assert torch.equal(one.guesses(new), states[:1].expand(2, -1))
