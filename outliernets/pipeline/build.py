"""Puts the stages of a build in order and turns their results into a report."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets import boards, detectors, evaluate, resources, target
from outliernets.config import MelConfig, Task
from outliernets.data import Dataset
from outliernets.detectors import DetectorSpec, fixed
from outliernets.detectors.library import library
from outliernets.errors import ConfigError, UnsupportedModelError
from outliernets.features import plan as features
from outliernets.importer import read
from outliernets.nets import zoo
from outliernets.nets.layers import INPUT_SHAPE
from outliernets.nets.space import ArchSpec
from outliernets.pipeline import firmware, learning
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.stage import (
    Narrator,
    Stage,
    Work,
    run_stages,
    select,
    write_atomically,
)
from outliernets.report import build_report
from outliernets.report.build import Results
from outliernets.target import cycles

REPORT = "report.json"
SETTINGS = "build.json"
LEARNING = ("data", "features", "train", "quantize")
FIRMWARE = ("emit", "compile", "run")
Facts = dict[str, dict[str, Any]]


def stage_names() -> tuple[str, ...]:
    """Return the names of all stages, in order."""
    return (*LEARNING, *FIRMWARE)


class _Stages:
    """Makes the stages; remembers what several of them need (facts, the data set, the board)."""

    def __init__(
        self, config: BuildConfig, specs: tuple[DetectorSpec, ...], dataset: Dataset
    ) -> None:
        self.config, self.specs, self.dataset = config, specs, dataset
        self.facts: Facts = {}

    def learning(self) -> tuple[Stage, ...]:
        config, specs = self.config, self.specs
        return (
            self.stage(
                "data", (), lambda: learning.listing(self.dataset),
                lambda work: learning.data_stage(self.dataset, work),
            ),
            self.stage(
                "features", ("data",), lambda: [learning.LAYOUT, config.mel, config.seed],
                lambda work: learning.features_stage(config, work),
            ),
            self.stage(
                "train", ("features",),
                lambda: [
                    learning.METHOD,
                    [s.to_toml() for s in specs],
                    config.seed,
                    learning.recipe_of(config),
                ],
                lambda work: learning.train_stage(config, specs, work),
            ),
            self.stage(
                "quantize", ("features", "train"),
                lambda: [learning.CONVERSION, config.seed, config.fine_tune],
                lambda work: learning.quantize_stage(config, work),
            ),
        )  # fmt: skip

    def firmware(self) -> tuple[Stage, ...]:
        config, board = self.config, firmware.load_board(self.config)
        where = [board, config.built_for]
        return (
            self.stage(
                "emit", ("features", "train", "quantize"),
                lambda: [where, config.task.identifier, _firmware_digest()],
                lambda work: firmware.emit_stage(
                    config, board, self.facts["quantize"]["threshold"], work
                ),
            ),
            self.stage(
                "compile", ("emit",), lambda: [where, config.toolchain],
                lambda work: firmware.compile_stage(config, board, self.facts["emit"], work),
            ),
            self.stage(
                "run", ("data", "features", "train", "quantize", "emit", "compile"),
                lambda: [
                    where,
                    config.target_name,
                    config.clips,
                    firmware.HEARD,
                    cycles.VERSION,
                ],
                lambda work: firmware.run_stage(config, board, self.facts["emit"], work),
            ),
        )  # fmt: skip

    def stage(
        self,
        name: str,
        needs: tuple[str, ...],
        settings: Callable[[], Any],
        run: Callable[[Work], None],
    ) -> Stage:
        return Stage(name, needs, self.folder(name), settings, run, self.facts.__setitem__)

    def folder(self, name: str) -> Path:
        number = stage_names().index(name) + 1
        if name in LEARNING:
            return self.config.task_folder / f"{number:02d}_{name}"
        where = self.config.built_for
        if name == "run" and target.is_port(self.config.target_name):
            where = "serial"
        usual = where == boards.load(str(self.config.board)).default_target
        other = "" if usual else f"-{where}"
        return self.config.board_folder / f"{number:02d}_{name}{other}"


def _firmware_digest() -> str:
    """Hash of the hand-written C and the templates, so that editing them makes stages stale."""
    digest = hashlib.sha256()
    for root in (resources.firmware(), resources.templates()):
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def candidates(config: BuildConfig, narrator: Narrator) -> tuple[DetectorSpec, ...]:
    """Return the detector to learn with, or several to choose from by normal sound.

    ``config.arch`` alone means the paper's way with that network.
    """
    name = config.detector or (detectors.PAPER if config.arch else detectors.DEFAULT)
    if name == detectors.DEFAULT and not config.arch:
        return tuple(library().values())
    if config.arch is None:
        if name == detectors.PAPER and zoo.paper_row(config.task) is None:
            network = zoo.default_for(config.task).name
            narrator.notice(f"{config.task} is not in the paper's Table 1: using {network}")
        return (detectors.specified(name, config.task),)
    if name != detectors.PAPER:
        raise ConfigError(
            f"--arch {config.arch} goes with --detector paper only; leave one of them out, or "
            "put the network into the detector's TOML file"
        )
    is_file = config.arch.endswith(".toml")
    chosen = ArchSpec.load(Path(config.arch)) if is_file else zoo.get(config.arch)
    return (DetectorSpec(chosen.name, chosen),)


def stages_of(
    config: BuildConfig, narrator: Narrator, first: str | None = None, last: str | None = None
) -> tuple[Stage, ...]:
    """Return the stages of a build; only the learning ones if no board is chosen.

    All choices are checked before anything is made: raises ConfigError or MissingToolError.
    """
    select(stage_names() if config.board else LEARNING, first, last)
    if config.board:
        firmware.check_tools(config)
    _check_window(config.mel)
    specs = candidates(config, narrator)
    made = _Stages(config, specs, learning.find_data(config, narrator))
    return made.learning() + (made.firmware() if config.board else ())


def _check_window(mel: MelConfig) -> None:
    """Raise ConfigError when the windows are not what the networks read, or cannot be made."""
    features.check(mel)
    if (mel.frames, mel.n_mels) != INPUT_SHAPE[:2]:
        frames, bands = INPUT_SHAPE[:2]
        raise ConfigError(
            f"front end: windows of {mel.frames} x {mel.n_mels}, the networks read {frames} x "
            f"{bands}; leave frames and n_mels as they are"
        )


def learn(
    config: BuildConfig, narrator: Narrator, first: str | None = None, last: str | None = None
) -> dict[str, Any]:
    """Train and quantise; return the evaluation."""
    stages = stages_of(replace(config, board=None), narrator, first, last)
    records = run_stages(stages, narrator, first, last)
    if "quantize" not in records:
        return _unfinished(records)
    return evaluation(config, stages, records)


def build(
    config: BuildConfig, narrator: Narrator, first: str | None = None, last: str | None = None
) -> dict[str, Any]:
    """Run the whole build; write and return the report, or what there is if ``last`` cuts it."""
    stages = stages_of(config, narrator, first, last)
    _remember(config)
    records = run_stages(stages, narrator, first, last)
    if "run" not in records:
        return _unfinished(records)
    report = _report(config, stages, records)
    path = config.board_folder / REPORT
    write_atomically(path, json.dumps(report, indent=1) + "\n")
    return report


def _unfinished(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"schema": 1, "stages": {name: record["facts"] for name, record in records.items()}}


def _remember(config: BuildConfig) -> None:
    """Write the resolved choices beside the results, for ``ongen run BUILD_DIR``."""
    choices = {
        "task": str(config.task),
        "board": str(config.board),
        "data": None if config.data is None else str(config.data.resolve()),
        "split": config.split,
        "detector": config.detector,
        "arch": config.arch,
        "toolchain": config.toolchain,
        "out": str(config.out.resolve()),
        "seed": config.seed,
        "steps": config.steps,
        "fine_tune": config.fine_tune,
        "clips": config.clips,
        "mel": asdict(config.mel),
    }
    write_atomically(config.board_folder / SETTINGS, json.dumps(choices, indent=1) + "\n")


def run_again(
    folder: Path,
    narrator: Narrator,
    target: str | None,
    clips: int | None,
    toolchain: str | None,
) -> dict[str, Any]:
    """Replay the clips of a finished build; return the new report.

    ``target`` None: the board's first.
    """
    config = remembered(folder)
    config = replace(
        config,
        target=target,
        toolchain=toolchain or config.toolchain,
        clips=clips if clips is not None else config.clips,
    )
    return build(config, narrator, first="run")


def remembered(folder: Path) -> BuildConfig:
    """Return the choices of a finished build, to run on the board's first target."""
    try:
        choices = json.loads((folder / SETTINGS).read_text())
    except OSError:
        raise ConfigError(
            f"{folder}: not a build (no {SETTINGS}); give the folder that holds report.json, "
            "such as build/fan/06/6dB/stm32f746"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{folder / SETTINGS}: damaged ({error}); build again") from None
    return BuildConfig(
        task=Task.parse(choices["task"]),
        board=choices["board"],
        data=Path(choices["data"]) if choices["data"] else None,
        split=choices.get("split", "mimii"),
        detector=choices.get("detector"),
        arch=choices["arch"],
        toolchain=choices["toolchain"],
        out=Path(choices["out"]),
        seed=choices["seed"],
        steps=choices["steps"],
        fine_tune=choices.get("fine_tune", False),
        clips=choices["clips"],
        mel=MelConfig(**choices.get("mel", {})),
    )


def evaluation(
    config: BuildConfig, stages: tuple[Stage, ...], records: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return AUC and pAUC of the float and the int8 network on the test clips."""
    folders = {s.name: s.folder for s in stages}
    facts = {name: record["facts"] for name, record in records.items()}
    owners = np.load(folders["features"] / "test_clip.npy")
    legs = _host_scores(config, folders)
    auc, pauc = _figures(folders, owners, legs)
    return {
        "schema": 1,
        "task": str(config.task),
        "data": facts["data"]["kind"],
        "clips": facts["data"],
        "arch": facts["train"],
        "detector": facts["train"]["detector"],
        "auc": auc,
        "pauc": pauc,
        "model": str(folders["quantize"] / learning.MODEL),
        "fine_tuned": facts["quantize"]["fine_tuned"],
        "seconds": {name: record["seconds"] for name, record in records.items()},
    }


def evaluate_model(config: BuildConfig, model: Path, narrator: Narrator) -> dict[str, Any]:
    """Return AUC and pAUC of any int8 .tflite with 32 x 128 windows on the task's test clips."""
    graph = read(model)
    size = config.mel.frames * config.mel.n_mels
    if (graph.x.size, graph.y.size) != (size, size):
        raise UnsupportedModelError(
            f"{model.name}: maps {graph.x.dims} to {graph.y.dims}; a detector rebuilds windows of "
            f"{config.mel.frames}x{config.mel.n_mels}"
        )
    stages = stages_of(replace(config, board=None), narrator)
    records = run_stages(stages, narrator, last="features")
    folders = {s.name: s.folder for s in stages}
    x = np.load(folders["features"] / "test.npy")
    narrator.begin("scores", 1, 1)
    twin, row, score = fixed.window_twin(model)
    scores = {"int8": score.real(twin.sums(fixed.rows_of(x, row)))}
    auc, pauc = _figures(folders, np.load(folders["features"] / "test_clip.npy"), scores)
    facts = records["data"]["facts"]
    return {
        "schema": 1,
        "task": str(config.task),
        "data": facts["kind"],
        "clips": facts,
        "model": str(model),
        "auc": auc,
        "pauc": pauc,
    }


def _host_scores(
    config: BuildConfig, folders: Mapping[str, Path]
) -> dict[str, NDArray[np.float64]]:
    return {
        "float": np.load(folders["train"] / "test_scores.npy").astype(np.float64),
        "int8": learning.plans_of(config, folders).score.real(
            np.load(folders["quantize"] / "test_sums.npy")
        ),
    }


def _figures(
    folders: Mapping[str, Path],
    owners: NDArray[np.int64],
    legs: Mapping[str, NDArray[np.float64]],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return AUC and pAUC of each leg; ``owners`` [windows] are numbers of test clips."""
    labels = learning.labels_of(learning.read_clips(folders["data"], "test"))
    clips, index = np.unique(owners, return_inverse=True)
    auc, pauc = {}, {}
    for leg, scores in legs.items():
        measured = evaluate.evaluate(labels[clips], scores, index)
        auc[leg], pauc[leg] = measured.as_json(), {"clip": measured.clip_pauc}
    return auc, pauc


def _report(
    config: BuildConfig, stages: tuple[Stage, ...], records: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    folders = {s.name: s.folder for s in stages}
    run = folders["run"]
    sums, twin = np.load(run / "sums.npy"), np.load(run / "twin_sums.npy")
    firmware.require_same_windows(sums, twin)
    replayed = np.load(run / "clips.npy")
    owners = np.load(folders["features"] / "test_clip.npy")
    chosen = np.isin(owners, replayed)
    legs = {leg: scores[chosen] for leg, scores in _host_scores(config, folders).items()}
    legs["target"] = learning.plans_of(config, folders).score.real(sums)
    auc, pauc = _figures(folders, owners[chosen], legs)
    results = Results(
        task=str(config.task),
        board=firmware.load_board(config),
        facts={name: record["facts"] for name, record in records.items()},
        seconds={name: record["seconds"] for name, record in records.items()},
        auc=auc,
        pauc=pauc,
        float_scores=legs["float"],
        target_scores=legs["target"],
        sums=sums,
        twin_sums=twin,
    )
    return build_report(results, config.mel)
