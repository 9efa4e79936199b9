"""``ongen table``: the paper's Table 1, each row beside what its network reaches here.

A row is a learning run as of ``ongen train``; finished ones are kept in ``--out``, so a table that
was stopped goes on where it was.
"""

import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from outliernets import data
from outliernets.config import Task
from outliernets.errors import BuildError, ConfigError, DataError, near_miss
from outliernets.nets import zoo
from outliernets.pipeline.build import learn
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.stage import Narrator, Silence
from outliernets.train.share import processes

PAPER_DATA = "mimii"  #: kind of recordings that the paper's AUC may stand beside


def tasks_of(patterns: str | None) -> list[Task]:
    """Return the tasks of Table 1 that comma-separated ``patterns`` name: all if None.

    ``fan/*/6dB`` stands for all four fans. Raise ConfigError for a pattern without a task.
    """
    every = [row.task for row in zoo.PAPER_ROWS]
    if patterns is None:
        return every
    chosen: set[Task] = set()
    for pattern in (part.strip().replace("/min", "/-") for part in patterns.split(",")):
        matching = {task for task in every if fnmatchcase(str(task), pattern)}
        if not matching:
            raise ConfigError(
                f"--tasks {pattern}: not in the paper's Table 1; "
                f"{near_miss(pattern, [str(task) for task in every])}"
            )
        chosen |= matching
    return [task for task in every if task in chosen]


def paper_table(
    config: BuildConfig, patterns: str | None, narrator: Narrator, workers: int = 1
) -> dict[str, Any]:
    """Train and judge the network of each task's row, ``workers`` at once; return the table.

    Tasks that ``config.data`` does not hold are left out, with a notice, unless ``patterns`` name
    them. A row whose recordings cannot be used has ``error`` instead of ``ours``; the others go on.

    Raises:
        ConfigError: a pattern matches nothing.
        DataError: the recordings of a task that was asked for are not there, or there are none.
        BuildError: a worker process was killed.
    """
    tasks = tasks_of(patterns)
    if config.data is not None:
        tasks = _present(config, tasks, asked=patterns is not None, narrator=narrator)
    # Naming the network asks for the paper's method, too: whole windows, mean of squares.
    configs = [replace(config, task=task, arch=zoo.get(task).name) for task in tasks]
    made = _side_by_side if workers > 1 and len(tasks) > 1 else _in_turn
    rows = made(configs, narrator, min(workers, len(tasks)))
    return {"schema": 1, "seed": config.seed, "steps": config.steps, "rows": rows}


def _in_turn(configs: Sequence[BuildConfig], narrator: Narrator, _: int) -> list[dict[str, Any]]:
    rows = []
    for number, config in enumerate(configs, start=1):
        narrator.notice(f"{config.task}, {number} of {len(configs)}")
        rows.append(_row(config, narrator))
    return rows


def _side_by_side(
    configs: Sequence[BuildConfig], narrator: Narrator, workers: int
) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    with processes(workers) as pool:
        running = {pool.submit(_timed_row, config): n for n, config in enumerate(configs)}
        narrator.progress(0, len(configs), "rows")
        try:
            for future in as_completed(running):
                number = running[future]
                rows[number], notes, seconds = future.result()
                narrator.end(str(configs[number].task), seconds, fresh=False)
                for note in notes:
                    narrator.notice(note)
                narrator.progress(len(rows), len(configs), "rows")
        except BrokenProcessPool:
            raise BuildError(
                "a worker process was killed (out of memory?); run it again to go on, with fewer "
                "--workers"
            ) from None
    return [rows[number] for number in sorted(rows)]


class _Notes(Silence):
    """Keeps notices, to be told by another process."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def notice(self, text: str) -> None:
        """See Narrator."""
        self.kept.append(text)


def _timed_row(config: BuildConfig) -> tuple[dict[str, Any], list[str], float]:
    """Return a row, what was noticed, and its seconds; in a worker process."""
    notes, started = _Notes(), time.perf_counter()
    row = _row(config, notes)
    return row, notes.kept, time.perf_counter() - started


def _present(
    config: BuildConfig, tasks: Sequence[Task], *, asked: bool, narrator: Narrator
) -> list[Task]:
    """Return the tasks whose recordings are there, before hours are spent on others."""
    assert config.data is not None
    rule, found, missing = data.SplitRule.parse(config.split), [], []
    held = data.list_tasks(config.data)
    for task in tasks:
        if not asked and task not in {info.task for info in held}:
            missing.append(str(task))
            continue
        data.find(task, config.data, rule)
        found.append(task)
    if not found:
        raise DataError(
            f"{config.data} holds none of the paper's 24 tasks (fan and slider at 6, 0 and -6 dB); "
            f"see: ongen data list --data {config.data}"
        )
    if missing:
        narrator.notice(f"not in {config.data}, left out: {', '.join(missing)}")
    return found


def _row(config: BuildConfig, narrator: Narrator) -> dict[str, Any]:
    paper, spec = zoo.paper_row(config.task), zoo.get(config.task)
    assert paper is not None
    row: dict[str, Any] = {
        "task": str(config.task),
        "paper": {
            "params": paper.params,
            "flops": paper.flops,
            "size_kb": paper.size_kb,
            "arm_ms": paper.arm_ms,
            "intel_ms": paper.intel_ms,
        },
    }
    try:
        found = learn(config, narrator)
    except DataError as error:
        narrator.notice(f"{config.task}: {error}")
        return row | {"error": str(error)}
    if found["data"] == PAPER_DATA:
        row["paper"] |= {"auc": paper.auc, "auc_cae_mcs": paper.auc_cae_mcs}
    row["ours"] = {
        "arch": spec.name,
        "params": spec.params,
        "flops": spec.flops,
        "int8_bytes": Path(found["model"]).stat().st_size,
        "train_seconds": found["seconds"]["train"],
        "auc": found["auc"],
    }
    return row | {"data": found["data"], "clips": found["clips"]}
