"""``ongen eval --compare``: detectors side by side, on the same clips, with honest intervals.

Every detector and seed is a stage: what has been trained is kept, so a long comparison that was
stopped goes on where it was, and adding a detector trains only that one.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from outliernets import detectors
from outliernets.data import Clip
from outliernets.detectors import Detector
from outliernets.errors import DataError
from outliernets.evaluate import Bootstrap, Judged, difference, interval
from outliernets.pipeline import learning
from outliernets.pipeline.build import stages_of
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.stage import Narrator, Stage, Work, run_stages

SEEDS = 5  #: of detectors that chance has a part in
ROUNDS = 1000  #: draws of clips
COMMON = 2  #: stages that all detectors share: data, features


def compare_detectors(
    config: BuildConfig, names: str, narrator: Narrator, seeds: int = SEEDS
) -> dict[str, Any]:
    """Return what each detector of the comma-separated ``names`` reaches on ``config.task``.

    The first named is the one the others are compared with. Detectors that chance has a part in are
    trained with ``seeds`` seeds, counting from ``config.seed``. The clips for training, early
    stopping and testing are the same for all detectors and seeds.

    Raise ConfigError for an unknown name and DataError where the test has only one kind of clips.
    """
    chosen = detectors.listed(names, config.task, config.steps)
    common = stages_of(replace(config, board=None), narrator, last="features")[:COMMON]
    own = {d.name: _stages(d, config, seeds) for d in chosen}
    records = run_stages((*common, *(s for stages in own.values() for s in stages)), narrator)
    folders = {stage.name: stage.folder for stage in common}
    facts = records["data"]["facts"]
    judged = _judged(folders, own)
    rows = [
        _row(d, [records[s.name]["facts"] for s in own[d.name]], judged, chosen[0]) for d in chosen
    ]
    return {
        "schema": 1,
        "task": str(config.task),
        "data": facts["kind"],
        "clips": facts,
        "rounds": ROUNDS,
        "seeds": seeds,
        "first_seed": config.seed,
        "detectors": rows,
    }


def _stages(detector: Detector, config: BuildConfig, seeds: int) -> list[Stage]:
    """Return one stage per seed; one alone where chance has no part."""
    numbers = [config.seed + i for i in range(seeds if detector.seeded else 1)]
    return [_stage(detector, config, number) for number in numbers]


def _stage(detector: Detector, config: BuildConfig, seed: int) -> Stage:
    name = f"{detector.name}, seed {seed}" if detector.seeded else detector.name
    folder = f"{detector.name}-{seed}" if detector.seeded else detector.name

    def run(work: Work) -> None:
        _fit_and_score(detector, seed, work)

    return Stage(
        name,
        ("data", "features"),
        config.task_folder / "detectors" / folder,
        lambda: [learning.METHOD, type(detector).__name__, detector, seed],
        run,
        lambda _name, _facts: None,
    )


def _fit_and_score(detector: Detector, seed: int, work: Work) -> None:
    """Write ``test_scores.npy``, float64 [windows]; remember what the detector costs."""
    _refuse_one_kind(learning.read_clips(work.inputs["data"], "test"))
    features = work.inputs["features"]
    train, held_out, test = (
        np.load(features / f"{part}.npy", mmap_mode="r") for part in ("train", "held_out", "test")
    )
    clips = np.load(features / "test_clip.npy")
    started = time.perf_counter()
    fitted = detector.fit(train, held_out, seed, work.narrator.progress)
    seconds = time.perf_counter() - started
    np.save(work.folder / "test_scores.npy", fitted.scores(test, clips))
    work.facts |= {"params": fitted.params, "macs": fitted.macs, "train_seconds": seconds}


def _refuse_one_kind(test: Sequence[Clip]) -> None:
    """Raise DataError, before anything is trained, where there is nothing to tell apart."""
    if not any(clip.label == "abnormal" for clip in test):
        raise DataError(
            f"none of the {len(test)} test clips is abnormal: comparing detectors needs both "
            "kinds; record some faults into abnormal/"
        )


def _judged(folders: Mapping[str, Path], own: Mapping[str, Sequence[Stage]]) -> dict[str, Judged]:
    labels = learning.labels_of(learning.read_clips(folders["data"], "test"))
    bootstrap = Bootstrap(labels, np.load(folders["features"] / "test_clip.npy"), ROUNDS)
    return {
        name: bootstrap.judge([np.load(s.folder / "test_scores.npy") for s in stages])
        for name, stages in own.items()
    }


def _row(
    detector: Detector,
    facts: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Judged],
    first: Detector,
) -> dict[str, Any]:
    """Return all figures of one detector; differences are paired, in clip AUC and clip pAUC."""
    mine, other = judged[detector.name], judged[first.name]
    apart = {
        "auc": asdict(difference(mine.clip, other.clip)),
        "pauc": asdict(difference(mine.clip_pauc, other.clip_pauc)),
    }
    return {
        "name": detector.name,
        "summary": detector.summary,
        "params": facts[0]["params"],
        "macs": facts[0]["macs"],
        "seeds": len(facts),
        "train_seconds": float(np.mean([f["train_seconds"] for f in facts])),
        "auc": {"clip": asdict(interval(mine.clip)), "window": asdict(interval(mine.window))},
        "pauc": {
            "clip": asdict(interval(mine.clip_pauc)),
            "window": asdict(interval(mine.window_pauc)),
        },
        "auc_of_seeds": mine.clip.measured.tolist(),
        "ahead_of_first": None if detector is first else apart,
    }
