import warnings

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from outliernets import boards
from outliernets.errors import ConfigError
from outliernets.search import space
from outliernets.search.costs import Limits, learned_costs
from outliernets.search.generator import Generator
from outliernets.search.inquisitor import Inquisitor, Observation, expected_improvement
from outliernets.search.objective import NetScore
from outliernets.search.sampler import SAMPLERS, START, GeneratorSampler, History, make_sampler
from outliernets.search.screen import BoardScreen, Screened, decisive

OPTIONS = {
    "kind": ("plain", "round", "square"),
    **{f"size_{i}": (1, 2, 4, 8, 16) for i in range(4)},
    "extra": (0, 1, 2),
}


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def price(point):
    return sum(point[f"size_{i}"] for i in range(4))


def known(point):
    return -5 * np.log2(price(point))


def accuracy(point):
    """Larger sizes help less and less; one kind is best, and only with it does ``extra``."""
    helped = sum(np.log2(point[f"size_{i}"]) * (i + 1) for i in range(4))
    return (
        2.5 * helped
        + {"plain": 0, "round": 6, "square": 3}[point["kind"]]
        + (2 * point["extra"] if point["kind"] == "round" else 0)
    )


def worth(point):
    return known(point) + accuracy(point)


def screen(point):
    """Sizes are limited, and ``extra`` says something only of one kind."""
    names = frozenset(OPTIONS) - (frozenset() if point["kind"] == "round" else {"extra"})
    key = tuple(point[name] for name in OPTIONS if name in names)
    return Screened(known(point), key, names) if price(point) <= 40 else None


def points():
    grid = np.indices([len(o) for o in OPTIONS.values()]).reshape(len(OPTIONS), -1).T
    return [{n: o[i] for (n, o), i in zip(OPTIONS.items(), row, strict=True)} for row in grid]


BEST = max(worth(p) for p in points() if screen(p))


def decide(trial):
    return {name: trial.suggest_categorical(name, options) for name, options in OPTIONS.items()}


def searched(sampler, trials, objective=worth):
    """Return a study with so many feasible trials; the others are pruned and do not count."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    left = trials
    while left:
        trial = study.ask()
        point = decide(trial)
        if screen(point) is None:
            study.tell(trial, state=TrialState.PRUNED)
            continue
        study.tell(trial, objective(point))
        left -= 1
    return study


def generator(seed=0, **more):
    return GeneratorSampler(seed, screen, options=OPTIONS, **more)


def finished(point, value=None, **more):
    distributions = {n: optuna.distributions.CategoricalDistribution(o) for n, o in OPTIONS.items()}
    return create_trial(params=point, distributions=distributions, value=value, **more)


def proposed(study, sampler):
    study.sampler = sampler
    return decide(study.ask())


def test_beats_chance_with_half_of_the_trials():
    ours = [searched(generator(seed), 16).best_value for seed in range(3)]
    chance = [searched(make_sampler("random", seed), 32).best_value for seed in range(3)]
    assert all(a >= b for a, b in zip(ours, chance, strict=True))
    feasible = [worth(p) for p in points() if screen(p)]
    assert np.mean(np.array(feasible) > np.median(ours)) < 0.01


def test_proposes_nothing_infeasible_and_nothing_twice():
    study = searched(generator(), 12)
    tried = [screen(t.params) for t in study.trials]
    assert all(s is not None for s in tried)
    assert len({s.key for s in tried}) == len(tried)


def test_same_seed_and_history_same_proposal():
    first, second = (searched(generator(3), 9) for _ in range(2))
    assert [t.params for t in first.trials] == [t.params for t in second.trials]
    other = searched(generator(4), 9)
    assert [t.params for t in first.trials] != [t.params for t in other.trials]


def test_a_sampler_made_anew_goes_on_as_the_old_one_would(tmp_path):
    whole = searched(generator(3), 9)
    storage = f"sqlite:///{tmp_path}/study.db"
    study = optuna.create_study(direction="maximize", storage=storage, study_name="s")
    for _ in range(9):
        study = optuna.load_study(study_name="s", storage=storage, sampler=generator(3))
        trial = study.ask()
        study.tell(trial, worth(decide(trial)))
    assert [t.params for t in study.trials] == [t.params for t in whole.trials]


def test_workers_propose_different_points():
    study = searched(generator(), 10)
    asked = [screen(decide(study.ask())).key for _ in range(5)]
    assert len(set(asked)) == 5


def test_minimises():
    study = optuna.create_study(direction="minimize", sampler=generator())
    study.sampler = GeneratorSampler(0, options=OPTIONS)
    for _ in range(15):
        trial = study.ask()
        study.tell(trial, -worth(decide(trial)))
    at_random = optuna.create_study(direction="minimize", sampler=make_sampler("random", 0))
    at_random.optimize(lambda t: -worth(decide(t)), n_trials=15)
    assert study.best_value < at_random.best_value


def test_reads_every_kind_of_trial():
    some = points()[::97][:8]
    study = optuna.create_study(direction="maximize")
    study.add_trial(finished(some[0], 10.0, intermediate_values={1: 4.0}))
    study.add_trial(finished(some[1], state=TrialState.FAIL))
    study.add_trial(finished(some[2], state=TrialState.PRUNED))
    study.add_trial(finished(some[3], state=TrialState.PRUNED, intermediate_values={1: 3.0}))
    study.add_trial(finished(some[4], state=TrialState.RUNNING))
    study.add_trial(finished(some[5], state=TrialState.WAITING))
    study.add_trial(finished(some[6], 2.0, user_attrs={"feasible": False}))
    study.add_trial(finished(some[7], float("-inf")))
    study.add_trial(create_trial(value=1.0))  # another search's: it decided nothing
    history = History.of(study, OPTIONS)
    found = {tuple(o.decisions.values()): o for o in history.seen}
    assert {tuple(p.values()) for p in (some[0], some[3], some[6])} == found.keys()
    late = found[tuple(some[3].values())]
    assert late.rest == 3.0 + (10.0 - 4.0)  # what the whole one gained after that step
    assert late.weight < 1
    assert not late.feasible
    assert not found[tuple(some[6].values())].feasible
    assert history.best(floor=-np.inf) == 10.0
    assert [p for p, _ in history.pending] == [some[4], some[5]]
    assert len(history.taken) == 8


def test_an_early_end_is_judged_by_its_accuracy_where_that_is_known():
    study = optuna.create_study(direction="maximize")
    study.add_trial(
        finished(
            points()[0],
            state=TrialState.PRUNED,
            intermediate_values={1: -500.0},  # with a penalty that says nothing of the accuracy
            user_attrs={"auc": 0.75},
        )
    )
    history = History.of(study, OPTIONS, accuracy=NetScore().of_accuracy)
    assert history.seen[0].rest == pytest.approx(40 * np.log10(75))


def test_what_is_below_the_floor_is_not_sought():
    def cheap_but_deaf(sampler):
        study = searched(sampler, 14)
        return [accuracy(t.params) >= 25 for t in study.trials[START:]]

    assert np.mean(cheap_but_deaf(generator(floor=25.0))) > 0.5


def test_reaches_a_high_floor_before_it_saves():
    floor = np.quantile([accuracy(p) for p in points() if screen(p)], 0.995)

    def first(sampler):
        study = searched(sampler, 20)
        counts = (screen(t.params) and accuracy(t.params) >= floor for t in study.trials)
        return next((number for number, does in enumerate(counts, 1) if does), np.inf)

    ours = np.median([first(generator(seed, floor=floor)) for seed in range(3)])
    chance = np.median([first(make_sampler("random", seed)) for seed in range(5)])
    assert ours <= START + 3 < 20 < chance


def test_what_breaks_a_constraint_is_not_the_best():
    study = optuna.create_study(direction="maximize")
    for point, value, excess in zip(points()[:3], (1.0, 2.0, 3.0), (-1.0, 0.0, 0.1), strict=True):
        study.add_trial(finished(point, value, constraints={"ram": -1.0, "auc": excess}))
    assert History.of(study, OPTIONS).best(floor=-np.inf) == study.best_value == 2.0


def test_without_anything_feasible_it_still_decides():
    study = optuna.create_study(direction="maximize")
    sampler = GeneratorSampler(0, lambda _: None, options=OPTIONS)
    assert proposed(study, sampler).keys() == OPTIONS.keys()


def test_a_last_check_is_made_before_a_point_is_proposed():
    def narrow(point):
        return Screened(known(point), fits=lambda: point["kind"] == "plain")

    study = optuna.create_study(
        direction="maximize", sampler=GeneratorSampler(0, narrow, options=OPTIONS)
    )
    for _ in range(START + 3):
        trial = study.ask()
        point = decide(trial)
        assert point["kind"] == "plain"
        study.tell(trial, worth(point))


def test_other_parameters_are_drawn_by_chance():
    def asked():
        study = optuna.create_study(sampler=generator())
        trial = study.ask()
        decide(trial)
        return trial.suggest_float("rate", 0, 1), trial.suggest_float("decay", 0, 1)

    assert asked() == asked()
    assert len(set(asked())) == 2


def test_one_objective_only():
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=generator())
    with pytest.raises(ConfigError, match="has 2: use nsga2"):
        study.ask().suggest_categorical("kind", OPTIONS["kind"])


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_is_made(name):
    study = searched(make_sampler(name, 1, screen, options=OPTIONS), 3)
    assert len(study.trials) >= 3


def test_unknown_samplers_are_refused():
    with pytest.raises(ConfigError, match=r"unknown sampler 'genrator'; did you mean 'generator'"):
        make_sampler("genrator", 0)


def test_generator_draws_what_it_was_taught():
    random = np.random.default_rng(0)
    first = random.integers(0, 3, 300)
    good = np.stack([first, random.integers(0, 4, 300), (first + 1) % 3], axis=1)
    taught = Generator.taught([3, 4, 3], good)
    assert taught.parents == [None, None, 0]
    drawn = taught.draw(1000, random)
    assert np.mean((drawn[:, 0] + 1) % 3 == drawn[:, 2]) > 0.95
    for preferences, column in zip(taught.preferences, drawn.T, strict=True):
        assert preferences.sum() == pytest.approx(1)
        found = np.bincount(column, minlength=len(preferences)) / len(column)
        assert found == pytest.approx(preferences, abs=0.06)


def test_inquisitor_tells_what_mattered_and_knows_what_it_does_not():
    random = np.random.default_rng(0)
    some = [points()[i] for i in random.choice(len(points()), 80, replace=False)]
    seen = [Observation(p, Screened(), 10.0 * (p["kind"] == "round")) for p in some]
    asked = Inquisitor(OPTIONS, seen, 0)
    assert max(asked.importance, key=asked.importance.get) == "kind"
    assert sum(asked.importance.values()) == pytest.approx(1)
    mean, deviation = asked.predict([o.point for o in seen])
    assert mean == pytest.approx([o.rest for o in seen], abs=1e-6)
    _, elsewhere = Inquisitor(OPTIONS, seen[:10], 0).predict([o.point for o in seen[10:]])
    assert elsewhere.mean() > deviation.mean()


def test_expected_improvement_is_the_mean_of_drawn_improvements():
    draws = np.random.default_rng(0).normal(3.0, 2.0, 400_000)
    gained = np.where(draws >= 4.0, np.maximum(1.0 + draws - 4.5, 0), 0).mean()
    one, half = np.array([1.0]), np.array([3.0])
    found = expected_improvement(half, np.array([2.0]), one, 4.5, 4.0)
    assert found == pytest.approx([gained], abs=0.01)
    hopeless = expected_improvement(np.array([0.0, 1.0]), one, one, 1e4, -np.inf)
    assert hopeless[0] < hopeless[1] <= 0


def test_decisions_without_say_change_nothing_others_do():
    random = np.random.default_rng(0)
    told = 0
    for _ in range(10):
        point = {n: o[random.integers(len(o))] for n, o in space.DECISIONS.items()}
        names = decisive(point)
        name = space.detector(point).name
        for decision in space.DECISIONS.keys() - names:
            for option in space.DECISIONS[decision]:
                assert space.detector(point | {decision: option}).name == name
        told += sum(
            space.detector(point | {decision: option}).name != name
            for decision in names
            for option in space.DECISIONS[decision]
        )
    assert told > 100


def test_screen_knows_what_training_would_not_change():
    board, objective = boards.load("stm32f746"), NetScore()
    look = BoardScreen(board, Limits(max_params=2000), objective.of_costs)
    point = space.hand_made()[0] | {"score": "mahalanobis", "bands": 16, "factors": 1}
    params, macs = learned_costs(space.detector(point))
    assert look(point).known == objective.of_costs(params, macs)
    assert params > space.detector(point).network.params
    large = (
        point | {"view": "window", "levels": 5} | {f"encoder_{i}_width": 32 for i in range(1, 6)}
    )
    assert look(large | {"frames_network": "dense", "hidden": 64}) is None


def test_counts_of_a_score_are_those_of_a_learned_one():
    from outliernets.detectors.normal import Normal

    spec = space.detector(space.hand_made()[0] | {"score": "mahalanobis", "bands": 16})
    normal = Normal.fit(np.random.default_rng(0).normal(size=(40, 16)))
    network = spec.network
    assert learned_costs(spec) == (network.params + normal.params, network.macs + normal.macs)
