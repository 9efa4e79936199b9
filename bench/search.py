"""How many trainings samplers of `ongen search` need: the same budget, tasks, seeds, constraints.

    python -m bench.search [--tasks fan/06/6dB,...] [--data DIR] [--seeds 5] [--trials 30]
        [--steps 300] [--kept FILE] [--out DIR]

Every candidate is really trained, for ``--steps`` steps, and judged by the proxies of the search;
detectors that are met again are not trained again (``--kept``, a line of JSON each): a benchmark
that was stopped goes on where it was. Only candidates within the limits count. A trial is worth its
NetScore if it also reaches the floor: a share of the AUC of the hand-made detector ``steady``. All
samplers begin with the same three hand-made detectors, as a search does.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from outliernets.config import Task
from outliernets.detectors.library import library
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import OngenError
from outliernets.pipeline.build import stages_of
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.stage import Silence, run_stages
from outliernets.search import space
from outliernets.search.costs import Limits
from outliernets.search.sampler import SAMPLERS, make_sampler
from outliernets.search.screen import BoardScreen
from outliernets.search.trial import Evaluator, Setting
from outliernets.train.fit import Recipe

TASKS = "fan/06/6dB,fan/04/0dB,slider/00/-6dB"
BOARD = "stm32f746"
LIMITS = Limits(max_params=100_000, max_flash=32 * 1024, max_ram=24 * 1024, max_latency=0.01)
Found = tuple[list[float], int]  #: the best NetScore after each candidate, and all trials
FLOOR = 0.95  #: of the AUC of the reference
REFERENCE = "steady"


@dataclass(frozen=True)
class Result:
    """What training a detector came to."""

    auc: float
    score: float
    params: int
    macs: int
    seconds: float


class Trainer:
    """Trains detectors of a task, each once."""

    def __init__(self, task: str, setting: Setting, kept: Path) -> None:
        self.task, self.kept = task, kept
        self.evaluator = Evaluator(setting)
        self._known: dict[str, Result] = {}
        if kept.exists():
            for line in kept.read_text().splitlines():
                found = json.loads(line)
                if (found.pop("task"), found.pop("steps")) == (task, setting.recipe.steps):
                    spec_name = found.pop("name")
                    self._known[spec_name] = Result(**found)

    def result(self, spec: DetectorSpec) -> Result:
        """Return what a detector is worth."""
        if spec.name not in self._known:
            import keras

            keras.backend.clear_session()
            told: dict[str, float] = {}
            _, judged = self.evaluator.train(spec, lambda *_: None, told.__setitem__)
            found = Result(
                judged.auc, judged.score, int(told["params"]), int(told["macs"]), told["seconds"]
            )
            self._known[spec.name] = found
            facts = {"task": self.task, "steps": self.evaluator.setting.recipe.steps}
            with self.kept.open("a") as file:
                file.write(json.dumps({**facts, "name": spec.name, **asdict(found)}) + "\n")
        return self._known[spec.name]


def curve(trainer: Trainer, sampler: str, seed: int, trials: int) -> Found:
    """Return the best NetScore after each trained candidate, and how many trials there were."""
    import optuna

    setting = trainer.evaluator.setting
    accuracy = setting.objective.of_accuracy
    screen = BoardScreen(trainer.evaluator.board, setting.limits, setting.objective.of_costs)
    made = make_sampler(
        sampler,
        seed,
        screen,
        accuracy(setting.floor),
        accuracy,
    )
    study = optuna.create_study(direction="maximize", sampler=made)
    for first in space.hand_made():
        study.enqueue_trial(dict(first))
    best: list[float] = []
    while len(best) < trials:
        trial = study.ask()
        candidate = trainer.evaluator.candidate(space.decide(trial))
        for limit, excess in candidate.constraints(setting.limits).items():
            trial.set_constraint(limit, excess)
        if candidate.refused:
            trial.set_user_attr("feasible", False)
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        found = trainer.result(candidate.spec)
        missing = setting.floor - found.auc
        trial.set_constraint("auc", missing)
        trial.set_user_attr("feasible", missing <= 0)
        trial.set_user_attr("auc", found.auc)
        study.tell(trial, found.score)
        best.append(max([found.score if missing <= 0 else -np.inf, *best[-1:]]))
    return best, len(study.trials)


def needed(curves: Sequence[Sequence[float]], goal: float) -> list[float]:
    """Return after how many trained candidates each curve is at ``goal``; infinite: never."""
    return [next((i for i, v in enumerate(c, 1) if v >= goal), np.inf) for c in curves]


def row(task: str, name: str, found: Mapping[str, Sequence[Found]]) -> str:
    """Return a sampler's line of the table; ``found``: what each sampler's studies came to."""
    curves = [curve for curve, _ in found[name]]
    ends = [curve[-1] for curve in curves]
    half = float(np.median([curve[len(curve) // 2 - 1] for curve in curves]))
    others = [final(found[other]) for other in found if other != name]
    goals = [final(found.get("random", [])), max(others, default=np.inf)]
    return (
        f"| {task} | {name} | {_shown(half)} | **{_shown(final(found[name]))}** | "
        f"{_shown(min(ends))} ... {_shown(max(ends))} | "
        f"{' | '.join(share(curves, goal) for goal in goals)} | "
        f"{np.median([count for _, count in found[name]]):.0f} |"
    )


def final(studies: Sequence[Found]) -> float:
    """Return the median of what studies reached in the end; infinite where there are none."""
    return float(np.median([curve[-1] for curve, _ in studies])) if studies else np.inf


def share(curves: Sequence[Sequence[float]], goal: float) -> str:
    """Return which share of its candidates a sampler needed to be at ``goal``, the median."""
    if not np.isfinite(goal):
        return "-"
    took = float(np.median(needed(curves, goal))) / len(curves[0])
    return f"{took:.2f}" if np.isfinite(took) else "never"


def _shown(score: float) -> str:
    return f"{score:.2f}" if np.isfinite(score) else "none"


def setting_of(task: str, options: argparse.Namespace) -> Setting:
    """Return what candidates of a task are judged by, its sound ready."""
    data = options.data if task.startswith("propeller") else None
    config = BuildConfig(task=Task.parse(task), out=options.out, data=data)
    stages = stages_of(replace(config, board=None), Silence(), last="features")[:2]
    run_stages(stages, Silence())
    recipe = Recipe(steps=options.steps)
    return Setting(features=stages[1].folder, board=BOARD, limits=LIMITS, recipe=recipe)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--data", type=Path, help="recordings of the propeller, MIMII's layout")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=30, help="trained candidates per study")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--kept", type=Path, default=Path("build/bench_search.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("build"))
    options = parser.parse_args(arguments)
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    print(
        "| task | sampler | half-way | NetScore | of seeds | share of trials for chance's | "
        "for the best other's | all trials |"
    )
    print("| --- | --- | ---: | ---: | --- | ---: | ---: | ---: |")
    for task in options.tasks.split(","):
        setting = setting_of(task, options)
        reference = Trainer(task, setting, options.kept).result(library()[REFERENCE])
        trainer = Trainer(task, replace(setting, floor=FLOOR * reference.auc), options.kept)
        found = {
            name: [curve(trainer, name, seed, options.trials) for seed in range(options.seeds)]
            for name in options.samplers.split(",")
        }
        for name in found:
            print(row(task, name, found), flush=True)


if __name__ == "__main__":
    try:
        main()
    except OngenError as error:
        sys.exit(f"search: {error}")
