"""The tables that stand beside other packages and the paper, and what they are computed from."""

import warnings

import numpy as np

from skcolora import CoLoRARegressor
from skcolora.pdes import Burgers


def test_the_best_setting_of_a_method_counts(benchmark_module):
    module = benchmark_module("peers_table")

    def row(contestant, error, **more):
        return {"problem": "one", "title": "One", "contestant": contestant, "error": error, **more}

    rows = [row("CoLoRARegressor", error, seed=seed) for seed, error in enumerate((1e-3, 4e-3))]
    rows += [row("opinf, quadratic", error, setting=i) for i, error in enumerate(("inf", 5e-3))]
    fno = "FNO, of parameters and time"
    rows += [row(fno, 1e-1, setting=0, factor=1.0, seed=0)]
    rows += [row(fno, 1e-3, setting=1, factor=10.0, seed=0)]
    assert module.errors(rows).rows == [
        ["`CoLoRARegressor`", "2.0e-3"],
        ["opinf, quadratic", "5.0e-3"],
        [fno, "1.0e-1"],
        [f"{fno}, 10 times as long", "**1.0e-3**"],
    ]


def test_the_quadratic_manifold_takes_the_mode_that_explains_another(benchmark_module):
    module = benchmark_module("quadratic_manifold")
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 1000))
    quadratic = np.column_stack([a * b, a**2 - b**2, a, b])
    assert module.fitted(quadratic, [2, 3], 1e-14)[1] < 1e-12
    # The first mode has more energy, but follows from the square of the second one.
    values = np.column_stack([2.0 * (a**2 - 1 / 3), a])
    assert np.square(values[:, 0]).sum() > np.square(values[:, 1]).sum()
    assert module.greedy_modes(values, 1, 1e-12, 2) == [1]


def test_the_formula_of_cole_and_hopf_is_the_solution(benchmark_module):
    reynolds = benchmark_module("reynolds")
    x, times = np.arange(64) / 64, np.array([0.0, 0.1, 0.3, 0.6, 1.0])
    for viscosity in (0.1, 0.01):
        solved = Burgers().solve([[viscosity]], times, x[:, None], rtol=1e-10)[0]
        np.testing.assert_allclose(reynolds.exact(viscosity, times, x), solved, atol=1e-7)


def test_a_method_is_ahead_from_its_last_crossing_on(benchmark_module):
    crossing = benchmark_module("reynolds").crossing
    numbers = [10.0, 100.0, 1000.0]
    assert crossing(numbers, [0.1, 10.0, 20.0]) == "32"
    assert crossing(numbers, [2.0, 0.5, 8.0]) == "180"
    assert crossing(numbers, [2.0, 3.0, 4.0]) == "below 10"
    assert crossing(numbers, [2.0, 3.0, 0.5]) == "above 1,000"


def reynolds_row(number, contestant, error, **more):
    return {"problem": "1d", "number": number, "contestant": contestant, "error": error, **more}


def test_each_reynolds_number_has_the_best_of_each_kind(benchmark_module):
    module = benchmark_module("reynolds")
    rows = []
    for number, pod in ((10.0, 1e-4), (1000.0, 1e-1)):
        rows += [reynolds_row(number, module.PROJECTION, pod / 10)]
        rows += [
            reynolds_row(number, module.NETWORK, e, seed=i) for i, e in enumerate((1e-3, 4e-3))
        ]
        rows += [
            reynolds_row(number, "POD, 8 modes", pod),
            reynolds_row(number, "POD, 20 modes", 5e-2),
        ]
        rows += [reynolds_row(number, "interpolation, linear", 8e-3)]
    low, high, foot = module.table(rows).rows
    assert low[2:] == [
        "1.0e-5",
        "2.0e-3",
        "**1.0e-4**",
        "**1.0e-4**, 8 modes",
        "",
        "8.0e-3, linear",
    ]
    assert high[2:] == ["1.0e-2", "**2.0e-3**", "1.0e-1", "5.0e-2, 20 modes", "", "8.0e-3, linear"]
    assert foot == ["1-D", "ahead from", "340", "", "74", "92", "below 10", "below 10"]


def network_row(settings, error, seed=0, **more):
    common = {"problem": "one", "title": "One", "contestant": "CoLoRARegressor", "seed": seed}
    return {**common, "settings": settings, "error": error, **more}


def test_an_error_over_n_stands_beside_other_spaces(benchmark_module):
    module = benchmark_module("architecture")
    rows = [
        {"problem": "one", "title": "One", "contestant": kind, "n": n, "decoder_error": scale / n}
        for kind, scale in (("POD", 1e-1), ("quadratic manifold", 1e-3))
        for n in (1, 2, 4)
    ]
    for n in (1, 2, 4):
        rows += [network_row(module.LATENT[n], 1e-1 / n**3, decoder_error=1e-2 / n**2)]
    pod, quadratic, decoder, prediction = module.over_n(rows).rows
    assert pod[1:5] == ["POD", "1.0e-1", "5.0e-2", "2.5e-2"]
    assert (pod[-1], quadratic[-1], decoder[-1], prediction[-1]) == ("1", "1", "2", "3")
    assert quadratic[2] == "**1.0e-3**"
    assert decoder[2:4] == ["1.0e-2", "2.5e-3"]
    assert prediction[2:4] == ["1.0e-1", "1.3e-2"]


def test_a_changed_setting_is_related_to_the_default(benchmark_module):
    module = benchmark_module("architecture")
    rows = [network_row({}, error, seed, steps=100) for seed, error in enumerate((1e-3, 4e-3))]
    changed = module.CHANGES["width 40"]
    rows += [network_row(changed, error, seed, steps=50) for seed, error in enumerate((2e-3, 8e-3))]
    assert module.sensitivity(rows).rows == [["width 40", "2", "2", "0.5"]]


def test_published_errors_stand_beside_ours(benchmark_module):
    module = benchmark_module("paper")
    rows = [
        {"problem": "wave", "title": "Wave", "contestant": "interpolation, rbf", "plain": 1e-2},
        {"problem": "wave", "title": "Wave", "size": "defaults", "plain": 5e-5},
        {"problem": "wave", "title": "Wave", "size": "published size", "plain": 9.22e-5},
        {"problem": "rde", "title": "Detonation", "distance": [1e-3]},
        {"problem": "rde", "title": "Detonation", "contestant": "POD, 5 modes", "plain": 1e-2},
        {"problem": "rde", "title": "Detonation", "size": "defaults", "plain": 5e-5},
    ]
    wave, detonation = module.table(rows).rows
    assert wave[1:] == [
        "7,505, 49",
        "9.2e-4",
        "6.9e-3, DINo",
        "9.2e-5",
        "10",
        "5.0e-5",
        "1.0e-2, interpolation, rbf",
    ]
    assert detonation[1:] == ["", "", "", "", "", "5.0e-5", "1.0e-2, POD, 5 modes"]


def test_a_network_of_the_published_size_has_no_more_weights(benchmark_module):
    module = benchmark_module("paper")
    inputs = {"vlasov": (1, 2, 1), "burgers": (1, 2, 1), "wave": (4, 2, 2), "inviscid": (2, 1, 1)}
    assert inputs.keys() == module.PUBLISHED.keys()
    for name, (n_parameters, n_dims, n_fields) in inputs.items():
        published = module.PUBLISHED[name]
        period = None if name == "inviscid" else 1.0
        model = CoLoRARegressor(
            times=[0.0, 1.0],
            points=tuple(np.linspace(0, 1, 4) for _ in range(n_dims)),
            period=period,
            max_iter=2,
            random_state=0,
            **published.settings,
        )
        rng = np.random.default_rng(0)
        y = rng.normal(size=(3, 2, *[4] * n_dims, *[n_fields] * (n_fields > 1)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(rng.uniform(1, 2, (3, n_parameters)), y)
        assert model.n_latent_ == published.n_latent
        assert model.n_weights_ <= published.weights
