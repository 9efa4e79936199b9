"""The stages from sound to an int8 network: data, features, train, quantize."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from outliernets import data
from outliernets.config import MelConfig
from outliernets.data import Clip, Dataset, SplitRule
from outliernets.detectors import DetectorSpec, fixed, learned
from outliernets.detectors.choice import choose
from outliernets.detectors.fixed import Plans
from outliernets.detectors.scores import summary
from outliernets.detectors.views import described
from outliernets.errors import DataError
from outliernets.features.windows import Standardizer, windows
from outliernets.importer import read
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.log_mels import LogMels
from outliernets.pipeline.stage import Narrator, Work
from outliernets.train.equalise import equalise
from outliernets.train.fine_tune import fine_tune
from outliernets.train.fit import Recipe, hold_out
from outliernets.train.principal import is_solved
from outliernets.train.quantize import GOOD_CALIBRATION, MIN_CALIBRATION, quantize, widened

MODEL = "model.tflite"
LAYOUT = 3  #: of the files of the features stage; another number makes old ones stale
METHOD = 2  #: of choosing and training a detector; another number makes trained ones stale
CONVERSION = 2  #: to int8; another number makes converted networks stale
HOLD_OUT = 0.1  #: part of the normal clips that early stopping and the threshold are judged on
CALIBRATION_WINDOWS = 500
THRESHOLD_QUANTILE = 0.99  #: of the held-out normal windows' int8 scores
Floats = NDArray[np.float32]


def find_data(config: BuildConfig, narrator: Narrator) -> Dataset:
    """Return the task's clips: the user's recordings, else simulated ones (made if missing)."""
    rule = SplitRule.parse(config.split)
    if config.data is not None:
        return data.find(config.task, config.data, rule)
    started = time.perf_counter()
    data.simulate(
        config.task,
        config.simulated_folder,
        progress=lambda done, total: narrator.progress(done, total, "simulating"),
    )
    narrator.end("simulate", time.perf_counter() - started, fresh=False)
    return data.find(config.task, config.simulated_folder, rule)


def listing(dataset: Dataset) -> dict[str, Any]:
    """Return all that identifies the recordings, without reading them."""

    def entries(clips: Sequence[Clip]) -> list[list[Any]]:
        facts = ((c, c.path.stat()) for c in clips)
        return [[str(c.path), c.label, c.name, s.st_size, s.st_mtime_ns] for c, s in facts]

    return {
        "kind": dataset.kind,
        "split": dataset.split,
        "train": entries(dataset.train),
        "test": entries(dataset.test),
        "notices": list(dataset.notices),
    }


def data_stage(dataset: Dataset, work: Work) -> None:
    """Write ``clips.json``: which recording is for what."""
    (work.folder / "clips.json").write_text(json.dumps(listing(dataset), indent=1) + "\n")
    for notice in dataset.notices:
        work.narrator.notice(notice)
    labels = [c.label for c in dataset.test]
    work.facts |= {
        "kind": dataset.kind,
        "split": dataset.split,
        "train": len(dataset.train),
        "test_normal": labels.count("normal"),
        "test_abnormal": labels.count("abnormal"),
    }


def read_clips(folder: Path, part: str) -> list[Clip]:
    """Return the clips of ``train`` or ``test`` that the data stage wrote down."""
    entries = json.loads((folder / "clips.json").read_text())[part]
    return [Clip(Path(path), label, name) for path, label, name, *_ in entries]


def features_stage(config: BuildConfig, work: Work) -> None:
    """Turn clips into standardised log-Mel windows.

    Writes ``{train,held_out,test}.npy`` float32 [n, 32, 128], standardised and clipped,
    ``{train,held_out,test}_clip.npy`` (clip number of each window) and ``standardizer.json``.
    """
    clips = {part: read_clips(work.inputs["data"], part) for part in ("train", "test")}
    kept = LogMels(config.log_mel_folder, config.mel)
    kept.make(clips["train"] + clips["test"], work.narrator)
    standardizer = Standardizer.fit(kept.load(clip) for clip in clips["train"])
    train, held_out = hold_out(clips["train"], HOLD_OUT, config.seed)
    counts = {
        name: _write_windows(
            work.folder / f"{name}.npy", map(kept.load, part), standardizer, kept.mel
        )
        for name, part in (("train", train), ("held_out", held_out), ("test", clips["test"]))
    }
    _check_amount(sum(counts["train"]), config, work)
    for name, each in counts.items():
        np.save(work.folder / f"{name}_clip.npy", np.repeat(np.arange(len(each)), each))
    (work.folder / "standardizer.json").write_text(json.dumps(standardizer.to_dict()) + "\n")
    work.facts |= {"held_out_clips": len(held_out)}


def _write_windows(
    path: Path, log_mels: Iterable[Floats], standardizer: Standardizer, mel: MelConfig
) -> list[int]:
    """Write the windows of all clips as one array, a clip at a time; return how many each has."""
    counts = []
    with path.open("wb") as file:
        _write_header(file, 0, mel)
        for log_mel in log_mels:
            cut = standardizer.apply(windows(log_mel, mel), mel)
            file.write(cut.tobytes())
            counts.append(len(cut))
        file.seek(0)
        _write_header(file, sum(counts), mel)
    return counts


def _write_header(file: BinaryIO, count: int, mel: MelConfig) -> None:
    """Write a .npy header; numpy leaves room in it for any ``count``."""
    shape = (count, mel.frames, mel.n_mels)
    facts = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, facts)


def _check_amount(windows_: int, config: BuildConfig, work: Work) -> None:
    """Refuse too little sound before the training, and say when more would be better."""

    def seconds(wanted: int) -> float:
        return (wanted - windows_) * config.mel.window_ms / 1000

    if windows_ < MIN_CALIBRATION:
        raise DataError(
            f"{config.task}: only {windows_} windows of normal sound to train on, "
            f"{MIN_CALIBRATION} are needed: record {seconds(MIN_CALIBRATION):.0f} seconds more"
        )
    if windows_ < GOOD_CALIBRATION:
        work.narrator.notice(
            f"only {windows_} windows of normal sound to train on; below {GOOD_CALIBRATION} the "
            f"int8 network loses accuracy: record {seconds(GOOD_CALIBRATION):.0f} seconds more"
        )


def train_stage(config: BuildConfig, candidates: Sequence[DetectorSpec], work: Work) -> None:
    """Learn the machine; write the detector, and float scores of all test windows.

    Of several ``candidates`` the one is taken that suits the normal sound best.
    """
    train, held_out, test = (_windows(work, n) for n in ("train", "held_out", "test"))
    spec, proxies = candidates[0], dict[str, float]()
    if len(candidates) > 1:
        choice = choose(candidates, [train, held_out], config.mel.clip_sigma, config.seed)
        spec, proxies = choice.spec, choice.proxy_auc
    found = learned.learn(
        spec,
        train,
        held_out,
        config.mel.clip_sigma,
        config.seed,
        recipe_of(config),
        lambda step, total, loss, _: work.narrator.progress(step, total, f"loss {loss:.4f}"),
    )
    found.save(work.folder)
    np.save(work.folder / "test_scores.npy", found.scores(test, _clips(work, "test")))
    work.facts |= {
        "arch": spec.network.name,
        "params": found.params,
        "macs": found.macs,
        "detector": {
            "name": spec.name,
            "view": described(spec.view),
            "score": summary(spec.score),
            "proxy_auc": proxies,
        },
    }
    if found.trained is not None:
        history = [asdict(check) for check in found.trained.history]
        (work.folder / "history.json").write_text(json.dumps(history, indent=1) + "\n")
        work.facts |= {
            "steps": found.trained.best.step,
            "restarts": found.trained.restarts,
            "held_out_loss": found.trained.best.held_out,
        }


def recipe_of(config: BuildConfig) -> Recipe:
    """Return how to train."""
    return Recipe() if config.steps is None else Recipe(steps=config.steps)


def quantize_stage(config: BuildConfig, work: Work) -> None:
    """Convert to full int8; write ``model.tflite``, int8 scores and the alarm threshold."""
    path = work.folder / MODEL
    train = _windows(work, "train")
    found = learned.load(work.inputs["train"])
    calibration = equalised(found, train, config.seed)
    fine_tuned = config.fine_tune and not is_solved(found.spec.network)
    if fine_tuned:
        errors = fine_tune(found.model, found.view, train, config.seed, work.narrator.progress)
        work.facts["rounding_error"] = dict(zip(("before", "after"), errors, strict=True))
    elif config.fine_tune:
        work.narrator.notice(f"{found.spec.name} is solved, not trained: nothing to fine-tune")
    quantize(found.model, calibration, path, found.view.limit)
    integers = plans_of(config, {**work.inputs, "quantize": work.folder})
    scores = {}
    for name in ("test", "held_out"):
        windows_ = _windows(work, name)
        work.narrator.progress(0, len(windows_), name)
        scores[name] = int8_sums(integers, path, windows_, _clips(work, name))
    np.save(work.folder / "test_sums.npy", scores["test"])
    work.facts |= {
        "threshold": int(np.quantile(scores["held_out"].astype(np.float64), THRESHOLD_QUANTILE)),
        "tflite_bytes": path.stat().st_size,
        "fine_tuned": fine_tuned,
    }


def equalised(found: learned.Learned, train: Floats, seed: int) -> Floats:
    """Equalise a detector's network in place; return views of windows to convert it with."""
    chosen = np.random.default_rng(seed).permutation(len(train))[:CALIBRATION_WINDOWS]
    calibration = found.view.apply(train[np.sort(chosen)])
    equalise(found.model, widened(calibration, found.view.limit))
    return calibration


def _windows(work: Work, name: str) -> Floats:
    """Return ``train``, ``held_out`` or ``test`` windows, read from the disk when touched."""
    loaded: Floats = np.load(work.inputs["features"] / f"{name}.npy", mmap_mode="r")
    return loaded


def _clips(work: Work, name: str) -> NDArray[np.int64]:
    """Return the number of the clip of each ``held_out`` or ``test`` window."""
    loaded: NDArray[np.int64] = np.load(work.inputs["features"] / f"{name}_clip.npy")
    return loaded


def plans_of(config: BuildConfig, folders: Mapping[str, Path], name: str | None = None) -> Plans:
    """Return all integers of the detector that the stages features, train, quantize left.

    ``name`` is that of its network in messages.
    """
    spec = DetectorSpec.load(folders["train"] / learned.SPEC)
    table = json.loads((folders["features"] / "standardizer.json").read_text())
    graph = read(folders["quantize"] / MODEL, name)
    numbers = learned.numbers(folders["train"], spec)
    return fixed.plans(spec, numbers, config.mel, Standardizer.from_dict(table), graph)


def int8_sums(
    integers: Plans, model: Path, x: Floats, clips: NDArray[np.int64] | None
) -> NDArray[np.uint64]:
    """Return the integer score of each window, the network by the reference interpreter."""
    return fixed.twin(integers, model).sums(fixed.rows_of(x, integers.row), clips)


def labels_of(clips: Sequence[Clip]) -> NDArray[np.int64]:
    """Return 1 for abnormal clips and 0 for normal ones."""
    return np.array([c.label == "abnormal" for c in clips], np.int64)
