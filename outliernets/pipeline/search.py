"""``ongen search``: from recordings to the detector that suits them and fits a board."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from outliernets import boards, data, detectors
from outliernets.config import MelConfig, fingerprint
from outliernets.data import Clip
from outliernets.data.clips import audio_files, named_clips
from outliernets.data.machines import MACHINES
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError, OngenError
from outliernets.evenly import evenly
from outliernets.features.windows import Standardizer, windows
from outliernets.pipeline import learning
from outliernets.pipeline.build import stages_of
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.log_mels import LogMels
from outliernets.pipeline.stage import Narrator, Stage, Work, run_stages, write_atomically
from outliernets.report.tables import markdown
from outliernets.score import ScoreSpec
from outliernets.search import results, storage
from outliernets.search.costs import Limits, check_possible
from outliernets.search.objective import NetScore
from outliernets.search.proxies import CLIPS
from outliernets.search.storage import HEARTBEAT
from outliernets.search.study import Plan, run
from outliernets.search.trial import Evaluator, Setting, Space
from outliernets.view import ViewSpec

COMMON = 2  #: stages that a search shares with all builds of the task: data, features
REFERENCE = "default"
MIN_AUC = 0.95  #: of the reference's
MINUTES = 60.0
PROXIES = "proxies for faults, made of normal sound"
LABELLED = "labelled faults of a half of the test clips (the paper's protocol)"
WINNER = "winner"
TELL_EVERY = 0.5  #: seconds
Told = Mapping[str, Any]


@dataclass(frozen=True)
class SearchConfig:
    """The user's choices, beside those that a build has, too."""

    limits: Limits = field(default_factory=Limits)
    trials: int | None = None  #: finished ones in all; None: as many as the minutes allow
    minutes: float | None = None
    url: str | None = None  #: None: a journal in the study's folder
    study: str | None = None  #: None: named after task and board
    workers: int = 1
    sampler: str = "generator"
    min_auc: float = MIN_AUC  #: share of the reference's AUC
    reference: str = REFERENCE  #: detectors, comma-separated; the best of them counts
    paper_protocol: bool = False
    inherit: bool = False  #: candidates begin with the weights of similar ones
    heartbeat: int = HEARTBEAT
    objective: NetScore = field(default_factory=NetScore)
    space: Space = field(default_factory=Space)


def study_folder(config: BuildConfig, search: SearchConfig) -> Path:
    """Return where a study's journal and results are."""
    board = _board_name(config)
    name = board if search.study is None else f"{board}-{search.study}"
    return config.task_folder / "search" / name


def _study_name(config: BuildConfig, chosen: SearchConfig) -> str:
    return chosen.study or f"{config.task} on {_board_name(config)}"


def _board_name(config: BuildConfig) -> str:
    """Return the board's name; it may have been given as a file."""
    return Path(str(config.board)).stem


def search(config: BuildConfig, chosen: SearchConfig, narrator: Narrator) -> dict[str, Any]:
    """Search, or go on with a search; return and write what was found.

    Raise ConfigError where nothing can be found, before anything is trained, and where nothing was.
    """
    _check(config, chosen)
    common = stages_of(replace(config, board=None), narrator, last="features")[:COMMON]
    others = _others_stage(config, common)
    reference = _reference_stage(config, chosen, common, others)
    records = run_stages((*common, others, reference), narrator)
    facts = records[reference.name]["facts"]
    setting = replace(
        _setting(config, chosen, common, others),
        reference=facts["by_kind"],
        floor=chosen.min_auc * facts["auc"],
    )
    plan = Plan(
        folder=study_folder(config, chosen),
        name=_study_name(config, chosen),
        identity=_identity(config, chosen, setting, records),
        setting=setting,
        space=chosen.space,
        sampler=chosen.sampler,
        url=chosen.url,
        trials=chosen.trials,
        deadline=_deadline(chosen),
        heartbeat=chosen.heartbeat,
    )
    narrator.begin("search", 1, 1)
    started = time.perf_counter()
    study = run(plan, chosen.workers, _teller(chosen, narrator))
    narrator.end("search", time.perf_counter() - started, fresh=False)
    return _written(plan, study, facts, records)


def report(config: BuildConfig, chosen: SearchConfig) -> Path:
    """Draw a study as one HTML page; return its path. ConfigError if there is no such study."""
    from outliernets.report.search import write_report

    folder = study_folder(config, chosen)
    if chosen.url is None and not (folder / storage.JOURNAL).is_file():
        raise ConfigError(f"{folder} has no study; run 'ongen search' first, with the same --out")
    found = storage.load_study(
        storage.open_storage(chosen.url, folder), _study_name(config, chosen)
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "search.html"
    write_report(found, path)
    return path


def _check(config: BuildConfig, chosen: SearchConfig) -> None:
    """Raise an error for choices that cannot work, before anything is made."""
    assert config.board is not None
    if chosen.trials is not None and chosen.minutes is not None:
        raise ConfigError("give either --trials or --minutes, not both")
    if config.mel != MelConfig():
        raise ConfigError("a search knows the costs of the default front end only; leave --mel out")
    check_possible(chosen.limits, boards.load(config.board))
    detectors.listed(chosen.reference, config.task, config.steps)
    storage.open_storage(chosen.url, study_folder(config, chosen), chosen.heartbeat)
    from outliernets.search.sampler import make_sampler

    make_sampler(chosen.sampler, config.seed)


def _deadline(chosen: SearchConfig) -> float | None:
    if chosen.trials is not None:
        return None
    return time.time() + 60 * (chosen.minutes or MINUTES)


def _setting(
    config: BuildConfig, chosen: SearchConfig, common: Sequence[Stage], others: Stage
) -> Setting:
    features = common[1].folder
    labels = None
    if chosen.paper_protocol:
        test = learning.read_clips(common[0].folder, "test")
        labels = tuple(bool(label) for label in learning.labels_of(test))
    return Setting(
        features=features,
        board=str(config.board),
        others=others.folder if (others.folder / "others.npy").is_file() else None,
        limits=chosen.limits,
        objective=chosen.objective,
        recipe=learning.recipe_of(config),
        clip_sigma=config.mel.clip_sigma,
        seed=config.seed,
        labels=labels,
        inherit=chosen.inherit,
    )


def _identity(
    config: BuildConfig, chosen: SearchConfig, setting: Setting, records: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what must be equal for all workers of a study, as JSON has it."""
    found = {
        "storage": storage.VERSION,
        "space": chosen.space.version,
        "task": str(config.task),
        "board": _board_name(config),
        "data": fingerprint(records["features"]["digest"], records["others"]["digest"]),
        "limits": asdict(chosen.limits),
        "objective": asdict(chosen.objective),
        "judged by": LABELLED if chosen.paper_protocol else PROXIES,
        "reference": chosen.reference,
        "min-auc": chosen.min_auc,
        "recipe": asdict(setting.recipe),
        "inherit": setting.inherit,
        "seed": config.seed,
    }
    as_json: dict[str, Any] = json.loads(json.dumps(found))
    return as_json


def _others_stage(config: BuildConfig, common: Sequence[Stage]) -> Stage:
    """Return the stage that writes ``others.npy``: normal sound of machines of the same kind."""
    found = _other_clips(config)

    def settings() -> Any:
        return [[clip.name, clip.path.stat().st_size] for clip in found]

    def make(work: Work) -> None:
        work.facts |= {"clips": len(found)}
        if not found:
            return
        table = json.loads((work.inputs["features"] / "standardizer.json").read_text())
        standardizer, kept = (
            Standardizer.from_dict(table),
            LogMels(config.log_mel_folder, config.mel),
        )
        kept.make(found, work.narrator)
        cut = [
            standardizer.apply(windows(kept.load(clip), config.mel), config.mel) for clip in found
        ]
        np.save(work.folder / "others.npy", np.concatenate(cut))
        np.save(
            work.folder / "others_clip.npy", np.repeat(np.arange(len(cut)), list(map(len, cut)))
        )

    folder = config.task_folder / "search" / "others"
    return Stage("others", ("data", "features"), folder, settings, make, lambda _name, _facts: None)


def _other_clips(config: BuildConfig) -> list[Clip]:
    """Return some normal clips of other machines of the task's kind, under the same conditions."""
    task = config.task
    if config.data is None:
        units = [unit for unit in sorted(MACHINES[task.machine]) if unit != task.unit]
        each = -(-CLIPS // max(len(units), 1))
        # apart from the task's own: a folder of simulated clips holds what was asked for last
        place = config.out / "simulated_others"
        made = [data.simulate(replace(task, unit=u), place, each, 0) for u in units]
        parts = [named_clips(audio_files(f / "normal"), "normal", f"{f.name}/") for f in made]
        return [clip for part in parts for clip in part]
    root = config.data
    tasks = [info.task for info in data.list_tasks(root) if info.normal]
    others = [t for t in tasks if (t.machine, t.snr) == (task.machine, task.snr) and t != task]
    each = -(-CLIPS // max(len(others), 1))
    found = []
    for other in others:
        try:
            normal = data.find(other, root).train
        except OngenError:  # too few clips to learn from, or several folders: not needed
            continue
        some = [normal[i] for i in evenly(len(normal), each)]
        found += [replace(clip, name=f"{other}/{clip.name}") for clip in some]
    return found


def _reference_stage(
    config: BuildConfig, chosen: SearchConfig, common: Sequence[Stage], others: Stage
) -> Stage:
    """Return the stage that finds what the floor of the AUC is measured by."""
    judged = detectors.listed(chosen.reference, config.task, config.steps)

    def make(work: Work) -> None:
        setting = _setting(config, chosen, common, others)
        evaluator = Evaluator(setting, chosen.space)
        heard = {}
        for detector in judged:
            fitted = detector.fit(
                setting.lesson,
                setting.windows("held_out"),
                config.seed,
                work.narrator.progress,
            )
            heard[detector.name] = evaluator.judge(fitted)
        best = max(heard, key=lambda name: heard[name].auc)
        areas = {name: found.auc for name, found in heard.items()}
        by_kind = dict(heard[best].by_kind)
        work.facts |= {"auc": areas[best], "name": best, "all": areas, "by_kind": by_kind}

    def settings() -> Any:
        trained = [[type(d).__name__, d] for d in judged]
        return [trained, config.seed, chosen.paper_protocol, learning.METHOD, storage.VERSION]

    label = fingerprint(chosen.reference, chosen.paper_protocol, config.steps)
    folder = config.task_folder / "search" / f"reference-{label}"
    needs = ("data", "features", "others")
    return Stage("reference", needs, folder, settings, make, lambda _name, _facts: None)


def _teller(chosen: SearchConfig, narrator: Narrator) -> Any:
    """Return what tells the narrator how far a study is, now and then."""
    began, last, before = time.monotonic(), [-TELL_EVERY], list[int]()
    total = 60 * (chosen.minutes or MINUTES)

    def told(study: Any) -> None:
        now = time.monotonic() - began
        if now - last[0] < TELL_EVERY:
            return
        last[0] = now
        found = results.Progress.of(study.get_trials(deepcopy=False))
        before.append(found.finished)
        if chosen.trials is None:
            narrator.progress(round(min(now, total)), round(total), _note(found, total - now))
            return
        made = found.finished - before[0]
        left = now / made * (chosen.trials - found.finished) if made else None
        narrator.progress(found.finished, chosen.trials, _note(found, left))

    return told


def _note(found: results.Progress, left: float | None) -> str:
    best = "none yet" if found.best is None else f"{found.best:.1f} dB"
    parts = [f"best {best}", f"{found.finished} tried", f"{found.share:.0%} feasible"]
    if left is not None:
        parts.append(f"{max(left, 0) / 60:.0f} min left")
    return ", ".join(parts)


def _written(
    plan: Plan,
    study: Any,
    reference: Told,
    records: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Write ``search.json``, ``pareto.md`` and the winner; return the first."""
    trials = study.get_trials(deepcopy=False)
    best = results.winner(trials)
    front = results.pareto(trials)
    progress = results.Progress.of(trials)
    identity = plan.identity
    found = {
        "schema": 1,
        "task": identity["task"],
        "board": identity["board"],
        "data": records["data"]["facts"]["kind"],
        "study": plan.name,
        "storage": storage.hidden(plan.url) if plan.url else storage.JOURNAL,
        "judged_by": identity["judged by"],
        "reference": {"name": reference["name"], "auc": reference["auc"]},
        "floor": plan.setting.floor,
        "limits": identity["limits"],
        "trials": asdict(progress),
        "winner": best and results.row(best),
        "pareto": front,
        "folder": str(plan.folder),
    }
    write_atomically(plan.folder / "search.json", json.dumps(found, indent=1) + "\n")
    write_atomically(plan.folder / "pareto.md", pareto_table(front) + "\n")
    if best is None:
        nearest, floor = results.nearest(trials), plan.setting.floor
        raise ConfigError(
            f"none of {progress.finished} candidates reached an AUC of {floor:.3f} on the proxies, "
            f"{identity['min-auc']:g} of {reference['name']}'s; the nearest has {nearest:.3f} "
            f"({nearest / floor * identity['min-auc']:.3f}): search longer, or lower --min-auc"
        )
    _write_winner(plan, results.row(best), _provenance(found, identity, trials))
    return found


def _provenance(found: Mapping[str, Any], identity: Told, trials: Sequence[Any]) -> str:
    """Return comments that say how a winner was found; the same search says the same."""
    told = [[t.params, t.state.name, t.value] for t in trials]
    limits = [f"{name} {value:g}" for name, value in identity["limits"].items() if value]
    counts, winner = found["trials"], found["winner"]
    lines = [
        f"Found by ongen search for {found['task']} on {found['board']}, {found['data']} sound,",
        f"judged by {found['judged_by']}, seed {identity['seed']}, space {identity['space']}.",
        f"Limits: {', '.join([*limits, 'AUC'])} {found['floor']:.4f} "
        f"({identity['min-auc']:g} of {found['reference']['name']}'s).",
        f"Trials: {counts['trained']} trained, {counts['stopped']} stopped early, "
        f"{counts['refused']} refused for their costs; this is number {winner['trial']}:",
        f"NetScore {winner['score']:.2f}, AUC {winner['auc']:.4f}. Study {fingerprint(told)}.",
    ]
    return "".join(f"# {line}\n" for line in lines)


def _write_winner(plan: Plan, best: results.Row, provenance: str) -> None:
    """Write the detector, what it learned, and its network alone where that says it all."""
    spec = DetectorSpec.from_toml(best["detector"])
    write_atomically(plan.folder / f"{WINNER}.toml", provenance + best["detector"])
    network = plan.folder / f"{WINNER}-network.toml"
    network.unlink(missing_ok=True)
    if (spec.view, spec.score) == (ViewSpec(), ScoreSpec()):
        write_atomically(network, spec.network.to_toml())
    target = plan.folder / WINNER
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    plan.setting.learn(spec, whole=True).save(target)


def pareto_table(front: Sequence[results.Row]) -> str:
    """Return the front as Markdown."""
    heading = ["detector", "AUC", "NetScore", "params", "instructions", "flash", "RAM", "latency"]
    body = [
        [
            r["name"],
            f"{r['auc']:.3f}",
            f"{r['score']:.1f}",
            f"{r['params']:,}",
            f"{r['instructions']:,}",
            f"{r['flash']:,}",
            f"{r['ram']:,}",
            f"{r['latency_ms']:.2f} ms",
        ]
        for r in front
    ]
    return "\n".join(markdown([heading, *body], right=range(1, len(heading))))
