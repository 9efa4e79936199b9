"""Small studies for tests: windows of a made-up machine, a space of cheap networks."""

from pathlib import Path

import numpy as np

from outliernets.search import space, storage
from outliernets.search.costs import Limits
from outliernets.search.study import Plan
from outliernets.search.trial import Setting, Space
from outliernets.train.fit import Recipe
from tests.detectors.sound import hums

SOLVED = Space(
    {
        **space.DECISIONS,
        "view": ("means", "steady", "transient"),
        "statistics_network": ("linear",),
    },
    first=(),
)
TRAINED = Space(
    {**SOLVED.decisions, "view": ("means", "steady"), "statistics_network": ("dense",)}, first=()
)
IDENTITY = {"storage": storage.VERSION, "space": space.VERSION, "data": "1", "seed": 1}


def features(folder: Path, clips: int = 5) -> Path:
    """Write what the features stage does, as far as a search reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "train.npy", hums(160))
    np.save(folder / "train_clip.npy", np.repeat(np.arange(40), 4))
    np.save(folder / "held_out.npy", hums(4 * clips, seed=1))
    np.save(folder / "held_out_clip.npy", np.repeat(np.arange(clips), 4))
    return folder


def setting(folder: Path, steps: int = 20, **others) -> Setting:
    return Setting(features(folder), "stm32f746", recipe=Recipe(steps=steps), **others)


def plan(folder: Path, trials: int, searched: Space = SOLVED, **others) -> Plan:
    limits = others.pop("limits", Limits())
    return Plan(
        folder / "study",
        "test",
        others.pop("identity", IDENTITY),
        setting(
            folder / "features",
            others.pop("steps", 20),
            limits=limits,
            inherit=others.pop("inherit", False),
        ),
        searched,
        sampler=others.pop("sampler", "random"),
        trials=trials,
        **others,
    )


def states(study) -> list[str]:
    return [t.state.name for t in study.get_trials(deepcopy=False)]


def told_nothing(_study) -> None:
    pass
