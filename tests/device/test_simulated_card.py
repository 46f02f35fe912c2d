"""The simulated card computes as the CPU does, and finds what a real card would punish."""

import pytest
import torch


def on_card(*shape):
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape).to("card")


def test_numbers_views_and_gradients_are_those_of_the_cpu(card):
    x = on_card(3, 2)
    x[:, 1:].add_(10.0)
    assert x.device.type == "card"
    assert x.tolist() == [[0.0, 11.0], [2.0, 13.0], [4.0, 15.0]]
    weight = torch.nn.Linear(2, 1).to("card").weight
    (x @ weight.T).sum().backward()
    assert weight.grad.tolist() == [[6.0, 39.0]]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x + torch.ones(2),
        lambda x: torch.ones(3, 2) @ x.T,
        lambda x: x[torch.tensor([0, 1])[:, None].cpu(), :1],
        lambda x: torch.where(torch.ones(2, dtype=torch.bool), x, x),
    ],
)
def test_arrays_of_the_host_do_not_meet_those_of_the_card(card, wrong):
    with pytest.raises((RuntimeError, NotImplementedError)):
        wrong(on_card(3, 2))


@pytest.mark.parametrize(
    "hidden", [lambda x: x[:, [0, 1]], lambda x: x[[True, False, True]], lambda x: x.numpy()]
)
def test_what_would_be_sent_or_fetched_without_a_word_is_an_error(card, hidden):
    with pytest.raises((RuntimeError, NotImplementedError)):
        hidden(on_card(3, 2))


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        (lambda x: float(x.sum()), 1),
        (lambda x: x.cpu(), 1),
        (lambda x: x.tolist(), 1),
        (lambda x: bool((x > 1).any()), 1),
        (lambda x: x[x > 1], 1),
        (lambda x: x.nonzero(), 1),
        (lambda x: torch.zeros(3, 2).copy_(x), 1),
        (lambda x: torch.where(x > 1, x, 0.0).sum() + 1.0, 0),
    ],
)
def test_waits_are_counted(card, wait, expected):
    x = on_card(3, 2)
    before = card.n_waits
    wait(x)
    assert card.n_waits - before == expected
